"""Anything that can happen to payments, in any order, and what must stay true of the ledger.

Two servers share one store. They are called, crash and start again; people answer, come too late,
resolve; time passes, and the clock is set back. On PostgreSQL too, where `TEST_POSTGRES_URL` is set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from telnyx_mcp.approval.accounts import Identity
from telnyx_mcp.approval.change import (
    LIFETIME,
    PAYMENT,
    PENDING,
    RECHARGE,
    REMEMBERED,
    STANDING,
    WAITING,
    Change,
    State,
)
from telnyx_mcp.approval.channels import AskOutcome, Channels
from telnyx_mcp.approval.gate import Gate, Outcome
from telnyx_mcp.approval.ledger import Decision, Ledger
from telnyx_mcp.approval.policy import DAY, MONTH, Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.approval.question import Question
from telnyx_mcp.approval.reasons import Blocked, NotAllowed
from telnyx_mcp.approval.request import CannotCheck, ChangeRequest, QuestionDraft, SendFailed
from telnyx_mcp.storage.schema import changes, ticks
from telnyx_mcp.storage.store import Store
from tests.support.ledgers import OWNER, opened, postgresql, sqlite

POLICY = Policy(
    max_payment=Decimal(500),
    max_per_day=Decimal(1000),
    max_per_30_days=Decimal(1500),
    standing_per_payment=Decimal(10),
    standing_per_day=Decimal(50),
)
POSSIBLE = {State.SENDING, State.SUCCEEDED, State.UNKNOWN}
REACHABLE: Mapping[State, set[State]] = {
    State.PROPOSED: set(State),
    State.APPROVED: {*POSSIBLE, *State} - {State.PROPOSED},
    State.SENDING: {*POSSIBLE, State.REFUSED, State.NOT_SENT},
    State.UNKNOWN: {State.UNKNOWN, State.SUCCEEDED, State.REFUSED},
    State.EXPIRED: {
        State.EXPIRED,
        State.DECLINED,
    },  # what is void is stored so, and can be declined
}
"""What may stand on the disk after a step; from what is not named, only the same."""
LOOKS_LIKE: Mapping[State, set[State]] = {
    State.PROPOSED: {State.PROPOSED, State.EXPIRED},
    State.APPROVED: {State.APPROVED, State.EXPIRED},
    State.SENDING: {State.SENDING, State.UNKNOWN},
    State.EXPIRED: {State.EXPIRED, State.VOID},
}
"""What a change can be read as, by what stands on the disk."""
OUTCOMES = [State.SUCCEEDED, State.REFUSED, State.NOT_SENT, State.UNKNOWN]

Amounts = st.sampled_from(["100.00", "400.00", "500.00", "499.99", "501.00"])
References = st.sampled_from([None, None, None, "a", "b"])
Replies = st.sampled_from(
    [
        *(3 * [AskOutcome.APPROVED]),
        *(AskOutcome.AT_TERMINAL, AskOutcome.DECLINED, AskOutcome.CANCELLED, AskOutcome.MISTYPED),
    ]
)
Meanwhile = st.sampled_from(
    [None, None, None, "answer", "resolve", "figures", "crash", "payment", "payment"]
)
Which = st.integers(0, 9)
Server = st.integers(0, 1)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Mortal(ProcessIdentity):
    """A process that lives until the machine lets it die."""

    dead: set[str] = set()  # noqa: RUF012 - who is dead is known to everybody

    def lives(self, other: str) -> bool:
        return other not in self.dead


_numbers = count()


def newborn() -> Mortal:
    return Mortal("host", next(_numbers), "")


@dataclass
class Answer(Channels):
    """A person who has made up their mind before they are asked; something may happen meanwhile."""

    reply: AskOutcome
    meanwhile: Callable[[Change], None]

    async def ask(self, change: Change, *_: Any) -> AskOutcome:
        self.meanwhile(change)
        return self.reply

    async def show(self, *_: Any) -> bool:
        return False


class Request(ChangeRequest):
    """A change; what Telnyx does with it is up to the machine."""

    def __init__(
        self,
        machine: LedgerMachine,
        server: int,
        arguments: Mapping[str, Any],
        end: State | None = None,
        *,
        telnyx_answers: bool = True,
    ) -> None:
        self.arguments = arguments
        self.reference = arguments.get("reference")
        self.amount = Decimal(arguments["amount"]) if "amount" in arguments else None
        self._machine, self._server, self._end = machine, server, end
        self._telnyx_answers = telnyx_answers

    @property
    def summary(self) -> str:
        return f"{self.operation} {self.arguments}"

    async def identity(self) -> Identity:
        return OWNER

    async def draft(self, payments: Sequence[Change]) -> QuestionDraft:
        self._machine.drafted[key_of(self)] = self._machine.facts(self._server)
        at_once = None if self.operation == PAYMENT else Decimal(self.arguments["recharge_amount"])
        return QuestionDraft(Question("Pay?"), at_once=at_once)

    async def void_reason(self, change: Change) -> str | None:
        if not self._telnyx_answers:
            raise CannotCheck("Telnyx did not answer.")
        return "The balance moved." if change.id in self._machine.moved else None

    async def send(self) -> Mapping[str, Any]:
        self._machine.sends(self._server, self)
        if self._end is None:
            raise RuntimeError("nobody expected this")
        if self._end is not State.SUCCEEDED:
            raise SendFailed(self._end, "It went wrong.", {})
        return {}

    async def evidence(self, change: Change) -> Mapping[str, Any]:
        return {}


class Payment(Request):
    operation = PAYMENT


class Setting(Request):
    """Preferences of auto-recharge."""

    operation = RECHARGE


KINDS = {PAYMENT: Payment, RECHARGE: Setting}


def key_of(change: Request | Change) -> str:
    return f"{change.operation} {sorted(change.arguments.items())}"


Facts = frozenset[tuple[str, State]]
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
        self.store = Store(self.url)
        self.outside = self._ledger(Mortal("outside", 0, ""))
        self.owners = [newborn(), newborn()]
        self.servers = [self._ledger(owner) for owner in self.owners]
        self.loop = asyncio.Runner()
        self.sent: dict[str, datetime] = {}
        """What was sent, and what the clock showed when that was granted."""
        self.in_flight: dict[str, int] = {}
        """What a server waits for the answer of, and which server."""
        self.ended: set[str] = set()
        """What got an answer, or was resolved."""
        self.forged: set[str] = set()
        """What was approved by writing to the store."""
        self.moved: set[str] = set()
        """Questions whose figures are no longer the account's."""
        self.drafted: dict[str, Facts] = {}
        self.written_under: dict[str, Facts] = {}
        """What was so when a question was written."""
        self.before: dict[str, State] = {}
        self.declined: list[datetime] = []
        """When payments were declined, as of the last step."""
        self.broken: list[AssertionError] = []

    def teardown(self) -> None:
        self.loop.close()
        for ledger in (self.outside, *self.servers):
            ledger.close()
        self.store.close()
        self._place.__exit__(None, None, None)

    def _ledger(self, owner: ProcessIdentity) -> Ledger:
        return opened(Store(self.url), POLICY, owner=owner, kind=self.ledger)

    def seen(self, by: Ledger | None = None) -> dict[str, Change]:
        """Every change as this ledger shows it, oldest first."""
        found = (by or self.outside).newest(1000, self.now)
        return {each.id: each for each in sorted(found, key=lambda each: each.proposed_at)}

    def stored(self) -> dict[str, State]:
        """What stands on the disk."""
        with self.store.read() as connection:
            query = sa.select(changes.c.id, changes.c.state)
            return {row[0]: State(row[1]) for row in connection.execute(query)}

    def facts(self, server: int, without: str = "") -> Facts:
        """What a question has to agree with, as this server knows it."""
        return frozenset(
            (each.id, each.state)
            for each in self.seen(self.servers[server]).values()
            if each.state in POSSIBLE and each.id != without
        )

    def one_of(self, which: int, *states: State) -> Change | None:
        found = [each for each in self.seen().values() if each.state in states]
        return found[which % len(found)] if found else None

    def sends(self, server: int, request: Request) -> None:
        """Holds what is about to be sent to what must be so. The gate survives whatever sending
        raises, so the test finds it in `broken`."""
        try:
            found = [
                each
                for each, state in self.stored().items()
                if state is State.SENDING
                and each not in self.in_flight
                and each not in self.sent
                and key_of(self.seen()[each]) == key_of(request)
            ]
            assert len(found) == 1, "sent before it was on the disk"
            self.granted(server, found[0])
            assert found[0] not in self.moved, "sent though the figures moved"
            self.ended.add(found[0])
        except AssertionError as error:
            self.broken.append(error)
            raise

    def granted(self, server: int, id: str) -> None:
        """Holds a claim to what must be so before a byte leaves."""
        on_the_disk = self.seen(self.servers[server])
        change = on_the_disk[id]
        assert id not in self.sent, "sent twice"
        assert id not in self.forged, "sent without a signature"
        self.sent[id] = self.now
        if change.operation == PAYMENT:
            unknown = [
                each.id
                for each in on_the_disk.values()
                if each.state is State.UNKNOWN and each.operation == PAYMENT
            ]
            assert not unknown, "sent while another payment is unknown"
        else:
            assert Decimal(change.arguments["recharge_amount"]) <= POLICY.max_payment
        was = self.written_under.get(id, self.drafted.get(key_of(change)))
        if change.channel == STANDING:  # nobody was asked
            return
        assert was == self.facts(server, without=id), "sent though the mark was untrue"

    # --- what happens

    @rule(
        server=Server,
        amount=Amounts,
        reference=References,
        reply=Replies,
        end=st.sampled_from([*4 * [State.SUCCEEDED], *OUTCOMES, None]),
        meanwhile=Meanwhile,
        telnyx_answers=st.sampled_from([True, True, True, False]),
    )
    def call(
        self,
        server: int,
        amount: str,
        reference: str | None,
        reply: AskOutcome,
        end: State | None,
        meanwhile: str | None = None,
        *,
        telnyx_answers: bool = True,
    ) -> None:
        """The tool is called; what Telnyx answers is `end`, or something that nobody expected."""
        arguments = {"amount": amount} | ({"reference": reference} if reference else {})
        request = Payment(self, server, arguments, end, telnyx_answers=telnyx_answers)
        self.carry_out(server, request, reply, meanwhile)

    @rule(
        server=Server,
        figure=st.sampled_from(["100.00", "500.00", "500.01"]),
        reply=Replies,
        end=st.sampled_from([*2 * [State.SUCCEEDED], *OUTCOMES]),
        meanwhile=Meanwhile,
    )
    def set_auto_recharge(
        self, server: int, figure: str, reply: AskOutcome, end: State, meanwhile: str | None
    ) -> None:
        request = Setting(self, server, {"recharge_amount": figure}, end)
        self.carry_out(server, request, reply, meanwhile)

    def carry_out(
        self, server: int, request: Request, reply: AskOutcome, meanwhile: str | None
    ) -> None:
        same = [each for each in self.seen().values() if key_of(each) == key_of(request)]
        self.drafted.pop(key_of(request), None)
        gate = self.gate_of(server, Answer(reply, self.happening(server, meanwhile)))
        context = cast(
            Any, SimpleNamespace(request_state=None, session=SimpleNamespace(client_params=None))
        )
        try:
            outcome = self.loop.run(gate.carry_out(request, context))
        except NotAllowed:
            return
        finally:
            if self.broken:
                raise self.broken[0]
        assert isinstance(outcome, Outcome)
        now_there = self.seen(self.servers[server])
        for each in same:
            after = now_there[each.id]
            recent = after.state in REMEMBERED and self.now - after.updated_at < LIFETIME
            is_setting = request.operation == RECHARGE and after.state is State.SUCCEEDED
            if after.state in PENDING or (recent and not is_setting):
                assert outcome.change.id in {one.id for one in same}, "asked again for the same"

    def gate_of(self, server: int, channels: Channels) -> Gate:
        return self.gate(
            lambda: self.servers[server],
            channels,
            lambda: self.now,
            lambda operation, arguments: KINDS[operation](self, server, arguments),
        )

    def happening(self, server: int, meanwhile: str | None) -> Callable[[Change], None]:
        """What happens while the person thinks."""

        def happen(change: Change) -> None:
            if meanwhile == "answer":
                self.the_answer_comes(0, State.SUCCEEDED)
            elif meanwhile == "resolve":
                self.resolve(0, paid=False)
            elif meanwhile == "figures":
                self.moved.add(change.id)
            elif meanwhile == "crash":
                self.crash_and_restart(1 - server)
            elif meanwhile == "payment":
                self.pay_from_the_standing_budget(1 - server)

        return happen

    @rule(server=Server)
    def pay_from_the_standing_budget(self, server: int) -> None:
        ledger = self.servers[server]
        request = Payment(self, server, {"amount": "10.00", "number": len(self.sent)})
        self.drafted[key_of(request)] = self.facts(server)
        try:
            change = ledger.propose(
                request.operation,
                request.arguments,
                reference=None,
                amount=request.amount,
                question=Question("Pay?"),
                basis={},
                now=self.now,
            )
            claimed = ledger.claim(change.id, self.now, Decision(STANDING, "standing budget"))
        except Blocked:
            return
        if claimed and claimed.state is State.SENDING:
            self.granted(server, claimed.id)
            self.ended.add(claimed.id)
            ledger.record(claimed.id, State.SUCCEEDED, "It was paid.", {}, self.now)
            ledger.landed(claimed.id)

    @rule(which=Which, server=Server)
    def the_page_is_looked_at(self, which: int, server: int) -> None:
        """The page and the terminal check that the question is still true."""
        if change := self.one_of(which, State.PROPOSED, State.VOID):
            gate = self.gate_of(server, Answer(AskOutcome.AT_TERMINAL, lambda _: None))
            try:
                shown = self.loop.run(gate.check(change.id))
            except NotAllowed:
                return
            if shown.state is State.PROPOSED:  # what is over or approved asks nothing any more
                assert shown.id not in self.moved, "a question is shown that is not true"

    @rule(which=Which)
    def the_figures_move(self, which: int) -> None:
        if change := self.one_of(which, State.PROPOSED, State.APPROVED):
            self.moved.add(change.id)

    @rule(which=Which, state=st.sampled_from([State.PROPOSED, State.EXPIRED, State.DECLINED]))
    def somebody_writes_an_approval(self, which: int, state: State) -> None:
        """Another program of the user writes to the store that a change is approved."""
        if change := self.one_of(which, state):
            if [each for each in self.seen().values() if each.state in WAITING - {state}]:
                return
            self.forged.add(change.id)
            told = {
                "state": State.APPROVED,
                "channel": "terminal",
                "decided_by": "somebody",
                "decided_at": ticks(self.now),
                "updated_at": ticks(self.now),
                "voided": None,
            }
            with self.store.write() as connection:
                connection.execute(changes.update().where(changes.c.id == change.id).values(told))
            self.before[change.id] = State.APPROVED

    @rule(which=Which, server=Server)
    def withdraw(self, which: int, server: int) -> None:
        if change := self.one_of(which, State.APPROVED):
            self.servers[server].withdraw(change.id, "terminal", self.now)

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
            if claimed and claimed.state is State.SENDING:
                self.in_flight[claimed.id] = server
                self.granted(server, claimed.id)

    @rule(which=Which, end=st.sampled_from(OUTCOMES))
    def the_answer_comes(self, which: int, end: State) -> None:
        if self.in_flight:
            waiting = list(self.in_flight)[which % len(self.in_flight)]
            server = self.servers[self.in_flight.pop(waiting)]
            self.ended.add(waiting)
            server.record(waiting, end, "It came.", {}, self.now)
            server.landed(waiting)

    @rule(server=Server)
    def crash_and_restart(self, server: int) -> None:
        Mortal.dead.add(str(self.owners[server]))
        self.in_flight = {change: who for change, who in self.in_flight.items() if who != server}
        self.servers[server].close()
        self.owners[server] = newborn()
        self.servers[server] = self._ledger(self.owners[server])

    @rule(which=Which, paid=st.booleans())
    def resolve(self, which: int, *, paid: bool) -> None:
        if change := self.one_of(which, State.UNKNOWN):
            self.ended.add(change.id)
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
    def nothing_is_lost_and_an_outcome_is_kept(self) -> None:
        stored = self.stored()
        for known, before in self.before.items():
            after = stored[known]
            assert after in REACHABLE.get(before, {before}), f"{before} -> {after}"
            if before in (State.SENDING, State.UNKNOWN) and after is not before:
                assert known in self.ended, "nobody found out, and it is not unknown"
        for change in self.seen().values():
            state = stored[change.id]
            if change.id in self.forged and state in WAITING:
                assert change.state in (State.VOID, State.EXPIRED)
                continue
            assert change.state in LOOKS_LIKE.get(state, {state})
        self.before = stored

    @invariant()
    def what_may_have_been_paid_is_what_was_sent(self) -> None:
        for change in self.seen().values():
            assert (change.id in self.sent) >= (change.state in POSSIBLE)

    @invariant()
    def one_question_is_open(self) -> None:
        waiting = [each for each in self.seen().values() if each.state in WAITING]
        assert len(waiting) <= 1, "more than one question"

    @invariant()
    def no_payment_is_proposed_soon_after_a_decline(self) -> None:
        payments = [each for each in self.seen().values() if each.operation == PAYMENT]
        for change in payments:
            if change.id not in self.written_under and change.channel != STANDING:
                for moment in self.declined:
                    rests = moment <= change.proposed_at < moment + LIFETIME
                    assert not rests, "proposed soon after a decline"
        self.declined = [each.updated_at for each in payments if each.state is State.DECLINED]
        for change in self.seen().values():
            if change.id not in self.written_under:
                self.written_under[change.id] = self.drafted[key_of(change)]

    @invariant()
    def spending_is_within_the_caps(self) -> None:
        """In every 24 hours and every 30 days that end with a payment, by the clock of then."""
        paid = [
            (self.sent[change.id], change.amount or Decimal(0))
            for change in self.seen().values()
            if change.state in POSSIBLE and change.operation == PAYMENT
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
        pending = [key_of(each) for each in self.seen().values() if each.state in PENDING]
        assert len(pending) == len(set(pending))


class OnSqlite(LedgerMachine):
    place = staticmethod(sqlite)


class OnPostgresql(LedgerMachine):
    place = staticmethod(postgresql)


def run(
    machine: type[RuleBasedStateMachine], examples: int, steps: int, *, shrink: bool = False
) -> None:
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
