"""Anything that can happen to payments, in any order, and what must stay true of the ledger.

Two servers share one store. They are called, crash and start again; people answer, come too late,
resolve; time passes, and the clock is set back. On PostgreSQL too, where `TEST_POSTGRES_URL` is set.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from telnyx_mcp.approval.change import LIFETIME, PAYMENT, PENDING, REMEMBERED, Change, State
from telnyx_mcp.approval.channels import Channels, Reply
from telnyx_mcp.approval.gate import Draft, Gate, Outcome, SendFailed, Wanted
from telnyx_mcp.approval.ledger import Blocked, Ledger
from telnyx_mcp.approval.ledger_async import NotAllowed
from telnyx_mcp.approval.owner import Owner
from telnyx_mcp.approval.policy import DAY, MONTH, Policy
from telnyx_mcp.state import Store

POLICY = Policy(max_payment=Decimal(500), max_per_day=Decimal(1000), max_per_30_days=Decimal(1500))
POSSIBLE = {State.SENDING, State.SUCCEEDED, State.UNKNOWN}
REACHABLE: Mapping[State, set[State]] = {
    State.PROPOSED: set(State),
    State.APPROVED: {*POSSIBLE, State.APPROVED, State.REFUSED, State.NOT_SENT, State.EXPIRED},
    State.SENDING: {*POSSIBLE, State.REFUSED, State.NOT_SENT},
}
"""Where a change may stand after a step; from where it is not named, only where it stood."""
OUTCOMES = [State.SUCCEEDED, State.REFUSED, State.NOT_SENT, State.UNKNOWN]

Amounts = st.sampled_from(["100.00", "400.00", "500.00", "499.99", "501.00"])
References = st.sampled_from([None, None, None, "a", "b"])
Replies = st.sampled_from([*3 * [Reply.APPROVED], Reply.AT_TERMINAL, Reply.DECLINED])
Which = st.integers(0, 9)
Server = st.integers(0, 1)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Mortal(Owner):
    """A process that lives until the machine lets it die."""

    dead: set[str] = set()  # noqa: RUF012 - who is dead is known to everybody

    def may_live(self, other: str) -> bool:
        return other not in self.dead


_numbers = count()


def _newborn() -> Mortal:
    return Mortal("host", next(_numbers), "")


@dataclass
class Answer(Channels):
    """A person who has made up their mind before they are asked."""

    reply: Reply

    async def ask(self, *_: Any) -> Reply:
        return self.reply


Place = Callable[[], AbstractContextManager[str]]


class LedgerMachine(RuleBasedStateMachine):
    """The ledger under two servers, seen from outside through a third connection."""

    place: Place
    ledger = Ledger
    gate = Gate

    def __init__(self) -> None:
        super().__init__()
        self._place = self.place()
        self.url = self._place.__enter__()
        self.now = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
        self.outside = self._ledger(Mortal("outside", 0, ""))
        self.owners = [_newborn(), _newborn()]
        self.servers = [self._ledger(owner) for owner in self.owners]
        self.loop = asyncio.Runner()
        self.sent: dict[str, datetime] = {}
        """What was sent, and what the clock showed when that was granted."""
        self.in_flight: dict[str, int] = {}
        """What a server waits for the answer of, and which server."""
        self.before: dict[str, State] = {}
        self.resolved: set[str] = set()

    def teardown(self) -> None:
        self.loop.close()
        for ledger in (self.outside, *self.servers):
            ledger.close()
        self._place.__exit__(None, None, None)

    def _ledger(self, owner: Owner) -> Ledger:
        return self.ledger(Store(self.url), "account", owner, POLICY)

    def seen(self) -> dict[str, Change]:
        """Everything that is on the disk, oldest first."""
        changes = self.outside.newest(1000)
        return {each.id: each for each in sorted(changes, key=lambda each: each.proposed_at)}

    def one_of(self, which: int, *states: State) -> Change | None:
        found = [each for each in self.seen().values() if each.state in states]
        return found[which % len(found)] if found else None

    def about_to_be_sent(self, arguments: Mapping[str, Any]) -> list[str]:
        """What is on the disk as `sending`, and no other call sends."""
        found = [
            each.id
            for each in self.seen().values()
            if each.state is State.SENDING
            and each.arguments == arguments
            and each.id not in self.in_flight
        ]
        assert len(found) == 1, "sent before it was on the disk"
        return found

    def granted(self, id: str) -> None:
        """Holds a claim to what must be so before a byte leaves."""
        on_the_disk = self.seen()
        assert id not in self.sent, "sent twice"
        unknown = [each for each in on_the_disk.values() if each.state is State.UNKNOWN]
        assert not unknown, "sent while another payment is unknown"
        self.sent[id] = self.now

    # --- what happens

    @rule(
        server=Server,
        amount=Amounts,
        reference=References,
        reply=Replies,
        end=st.sampled_from([*4 * [State.SUCCEEDED], *OUTCOMES, None]),
    )
    def call(
        self, server: int, amount: str, reference: str | None, reply: Reply, end: State | None
    ) -> None:
        """The tool is called; what Telnyx answers is `end`, or something that nobody expected."""
        arguments = {"amount": amount} | ({"reference": reference} if reference else {})
        same = [each for each in self.seen().values() if each.arguments == arguments]
        broken: list[AssertionError] = []

        async def send() -> Mapping[str, Any]:
            try:
                self.granted(*self.about_to_be_sent(arguments))
            except AssertionError as error:
                broken.append(error)  # the gate survives whatever sending raises
                raise
            if end is None:
                raise RuntimeError("nobody expected this")
            if end is not State.SUCCEEDED:
                raise SendFailed(end, "It went wrong.", {})
            return {}

        async def draft() -> Draft:
            return Draft("Pay?")

        wanted = Wanted(
            PAYMENT,
            arguments,
            f"paying {amount}",
            draft,
            send,
            reference=reference,
            amount=Decimal(amount),
        )
        gate = self.gate(lambda: self.servers[server], Answer(reply), lambda: self.now)
        context = cast(Any, SimpleNamespace(request_state=None))
        try:
            outcome = self.loop.run(gate.carry_out(wanted, context))
        except NotAllowed:
            return
        finally:
            if broken:
                raise broken[0]
        assert isinstance(outcome, Outcome)
        now_there = self.seen()
        for each in same:
            if now_there[each.id].state in PENDING or (
                each.state in REMEMBERED and self.now - each.updated_at < LIFETIME
            ):
                assert outcome.change.id in {one.id for one in same}, "asked again for the same"

    @rule(which=Which, server=Server, approves=st.booleans())
    def answer_at_the_terminal(self, which: int, server: int, *, approves: bool) -> None:
        if change := self.one_of(which, State.PROPOSED):
            ledger = self.servers[server]
            (ledger.approve if approves else ledger.decline)(change.id, "terminal", self.now)

    @rule(which=Which, server=Server)
    def claim(self, which: int, server: int) -> None:
        """A server goes as far as sending, and waits for the answer."""
        if change := self.one_of(which, *State):
            try:
                claimed = self.servers[server].claim(change.id, self.now)
            except Blocked:
                return
            if claimed:
                self.granted(claimed.id)
                self.in_flight[claimed.id] = server

    @rule(which=Which, end=st.sampled_from(OUTCOMES))
    def the_answer_comes(self, which: int, end: State) -> None:
        if self.in_flight:
            waiting = list(self.in_flight)[which % len(self.in_flight)]
            server = self.servers[self.in_flight.pop(waiting)]
            server.record(waiting, end, "It came.", {}, self.now)

    @rule(server=Server)
    def crash_and_restart(self, server: int) -> None:
        Mortal.dead.add(str(self.owners[server]))
        self.in_flight = {change: who for change, who in self.in_flight.items() if who != server}
        self.servers[server].close()
        self.owners[server] = _newborn()
        self.servers[server] = self._ledger(self.owners[server])
        self.servers[server].sweep(self.now)

    @rule(which=Which, paid=st.booleans())
    def resolve(self, which: int, *, paid: bool) -> None:
        if change := self.one_of(which, State.UNKNOWN):
            self.resolved.add(change.id)
            self.outside.resolve(change.id, paid=paid, note="", now=self.now)

    @rule(
        minutes=st.sampled_from(
            [1, 9, 11, 11, 11, 60, 60, 23 * 60, 25 * 60, 29 * 24 * 60, 31 * 24 * 60]
        )
    )
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(minutes=st.sampled_from([2, 2, 30, 30, 25 * 60, 32 * 24 * 60]))
    def the_clock_is_set_back(self, minutes: int) -> None:
        self.now = max(LONG_AGO, self.now - timedelta(minutes=minutes))

    # --- what stays true

    @invariant()
    def nothing_is_lost_and_unknown_leaves_only_by_a_person(self) -> None:
        changes = self.seen()
        for known, before in self.before.items():
            after = changes[known].state
            if before is State.UNKNOWN and known in self.resolved:
                assert after in (State.SUCCEEDED, State.REFUSED)
            else:
                assert after in REACHABLE.get(before, {before}), f"{before} -> {after}"
        self.before = {change.id: change.state for change in changes.values()}

    @invariant()
    def what_may_have_been_paid_is_what_was_sent(self) -> None:
        for change in self.seen().values():
            assert (change.id in self.sent) >= (change.state in POSSIBLE)

    @invariant()
    def spending_is_within_the_caps(self) -> None:
        """In every 24 hours and every 30 days that end with a payment, by the clock of then."""
        paid = [
            (self.sent[change.id], change.amount or Decimal(0))
            for change in self.seen().values()
            if change.state in POSSIBLE
        ]
        for end, amount in paid:
            assert amount <= POLICY.max_payment
            for span, cap in ((DAY, POLICY.max_per_day), (MONTH, POLICY.max_per_30_days)):
                total = sum(each for moment, each in paid if end - span < moment <= end)
                assert total <= cap, f"{total} in the {span} before {end}"

    @invariant()
    def a_reference_is_paid_once(self) -> None:
        names = [each.reference for each in self.seen().values() if each.state in POSSIBLE]
        named = [name for name in names if name]
        assert len(named) == len(set(named))

    @invariant()
    def no_two_changes_with_the_same_arguments_are_pending(self) -> None:
        pending = [str(each.arguments) for each in self.seen().values() if each.state in PENDING]
        assert len(pending) == len(set(pending))


# --- the clock, set back by a whole day or more --------------------------------------------------


@pytest.fixture
def machine() -> Iterator[LedgerMachine]:
    made = OnSqlite()
    yield made
    made.teardown()


def test_a_payment_confirmed_while_the_clock_is_wrong_still_counts_when_it_is_right(
    machine: LedgerMachine,
) -> None:
    right = machine.now
    for number, reference in enumerate(("a", "b")):
        machine.now = right + timedelta(minutes=number)
        machine.call(0, "500.00", reference, Reply.AT_TERMINAL, None)
        machine.answer_at_the_terminal(0, 0, approves=True)
        machine.claim(number, 0)
        machine.the_clock_is_set_back(25 * 60)
        machine.the_answer_comes(0, State.SUCCEEDED)
    assert len(machine.sent) == 2
    machine.now = right + timedelta(minutes=2)
    machine.call(0, "100.00", None, Reply.APPROVED, State.SUCCEEDED)
    machine.spending_is_within_the_caps()


def test_a_proposal_made_after_the_clock_was_set_back_is_found_again(
    machine: LedgerMachine,
) -> None:
    machine.call(0, "100.00", None, Reply.APPROVED, State.REFUSED)
    machine.the_clock_is_set_back(30)
    machine.call(0, "100.00", None, Reply.AT_TERMINAL, None)
    machine.call(0, "100.00", None, Reply.AT_TERMINAL, None)
    machine.no_two_changes_with_the_same_arguments_are_pending()


def test_a_payment_made_after_the_clock_was_set_back_is_told_and_not_made_again(
    machine: LedgerMachine,
) -> None:
    machine.call(0, "100.00", None, Reply.APPROVED, State.REFUSED)
    machine.the_clock_is_set_back(30)
    machine.call(0, "100.00", None, Reply.APPROVED, State.SUCCEEDED)
    machine.call(0, "100.00", None, Reply.APPROVED, State.SUCCEEDED)
    assert len(machine.sent) == 2


# --- where it is tried ---------------------------------------------------------------------------


@contextmanager
def sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/state.sqlite3"


@contextmanager
def postgresql() -> Iterator[str]:
    server = os.environ["TEST_POSTGRES_URL"]
    schema = f"t{secrets.token_hex(8)}"
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    there = sa.make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield there.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))
    engine.dispose()


class OnSqlite(LedgerMachine):
    place = staticmethod(sqlite)


class OnPostgresql(LedgerMachine):
    place = staticmethod(postgresql)


def run(machine: type[LedgerMachine], examples: int, steps: int, *, shrink: bool = False) -> None:
    """Raises `AssertionError` if a promise is broken; `shrink` then looks for the shortest way."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            settings.get_profile("same every time"),
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
            report_multiple_bugs=False,
        ),
    )


MACHINES = [
    pytest.param(OnSqlite, id="sqlite"),
    pytest.param(
        OnPostgresql,
        id="postgresql",
        marks=pytest.mark.skipif(
            "TEST_POSTGRES_URL" not in os.environ, reason="TEST_POSTGRES_URL is not set"
        ),
    ),
]


@pytest.mark.parametrize("machine", MACHINES)
def test_the_ledger_keeps_its_promises(machine: type[LedgerMachine]) -> None:
    run(machine, examples=20, steps=25)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_the_ledger_keeps_its_promises_for_long(machine: type[LedgerMachine]) -> None:
    run(machine, examples=150, steps=50, shrink=True)
