"""Anything that people of a team can do to payments, in any order, and what must stay true.

Two replicas share one store. People propose from their assistants, approve, decline and withdraw on the
pages; their roles change in between; a replica dies while it sends; its API key is replaced; time passes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import anyio
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from mcp_types import ElicitResult, InputRequiredResult

from telnyx_mcp.approval.accounts import Identity
from telnyx_mcp.approval.change import PAYMENT, RECHARGE, WAITING, Change, State
from telnyx_mcp.approval.ledger import Decision, Ledger
from telnyx_mcp.approval.policy import DAY, Policy
from telnyx_mcp.approval.question import Question
from telnyx_mcp.approval.reasons import Blocked, NotAllowed
from telnyx_mcp.approval.request import ChangeRequest, QuestionDraft, SendFailed
from telnyx_mcp.approval.team.directions import TeamDirections
from telnyx_mcp.approval.team.gate import PAGE, TeamGate, signatory_of
from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.approval.team.requester import MAX_PER_DAY
from telnyx_mcp.storage.schema import approvals, changes, notices
from telnyx_mcp.storage.store import Store
from tests.support.ledger_machine import OUTCOMES, POSSIBLE, Mortal, newborn
from tests.support.ledgers import OWNER, opened, postgresql, sqlite
from tests.support.team import ADDRESS, Call, nothing, person, roles

POLICY = Policy(max_payment=Decimal(500), max_per_day=Decimal(700), max_per_30_days=Decimal(900))
NAMES = ("alice", "bob", "carol", "dan", "robot")
HELD = st.sampled_from(
    [
        *(3 * [{"buyer", "owner"}, {"treasurer", "lead"}]),
        *({"owner"}, {"treasurer", "owner"}, {"lead"}, {"buyer", "treasurer"}, {"reader"}, set()),
    ]
).map(frozenset[str])
ROLES = ("buyer", "owner", "lead", "treasurer", "reader")
AT_FIRST: Mapping[str, frozenset[str]] = {
    "alice": frozenset({"buyer", "owner"}),
    "bob": frozenset({"treasurer", "lead"}),
    "carol": frozenset({"treasurer", "owner"}),
    "dan": frozenset({"reader"}),
    "robot": frozenset({"buyer"}),
}

F = TypeVar("F", bound=Callable[..., Any])
Server = st.integers(0, 1)
Who = st.sampled_from(NAMES)
Proposer = st.sampled_from(["alice", "alice", "bob", "carol", "robot", "dan"])
Approver = st.sampled_from(["alice", "bob", "bob", "carol", "carol", "dan"])
Which = st.integers(0, 9)
Ends = st.sampled_from([*4 * [State.SUCCEEDED], *OUTCOMES, None])
Kind = st.sampled_from([*3 * [PAYMENT], RECHARGE])
Meanwhile = st.sampled_from([None, None, "roles", "approve", "figures", "decline", "crash"])


class TeamRequest(ChangeRequest):
    """A change; what Telnyx does with it is up to the machine."""

    def __init__(
        self,
        machine: TeamMachine,
        server: int,
        arguments: Mapping[str, Any],
        end: State | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        self.arguments = arguments
        self.reference = arguments.get("reference")
        self.amount = Decimal(arguments["amount"]) if "amount" in arguments else None
        self._machine, self._server, self._end = machine, server, end
        self._meanwhile = meanwhile

    @property
    def summary(self) -> str:
        return f"{self.operation} {self.arguments}"

    async def identity(self) -> Identity:
        return OWNER

    async def draft(self, payments: Sequence[Change]) -> QuestionDraft:
        at_once = None if self.amount else Decimal(self.arguments["recharge_amount"])
        return QuestionDraft(Question("Pay?"), at_once=at_once)

    async def void_reason(self, change: Change) -> str | None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile:
            # Another replica does this: it has a loop of its own.
            await anyio.to_thread.run_sync(meanwhile)
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


class TeamPayment(TeamRequest):
    operation = PAYMENT


class TeamSetting(TeamRequest):
    """Preferences of auto-recharge."""

    operation = RECHARGE


KINDS = {PAYMENT: TeamPayment, RECHARGE: TeamSetting}


def arguments_of(operation: str, amount: str, reference: str | None) -> dict[str, str]:
    if operation == RECHARGE:
        return {"recharge_amount": amount}
    return {"amount": amount} | ({"reference": reference} if reference else {})


def some(*states: State) -> Callable[[F], F]:
    """A rule for changes in these states; for any change if none is named."""
    return precondition(lambda machine: bool(machine.states.intersection(states or State)))


class TeamMachine(RuleBasedStateMachine):
    """The ledger of a team under two replicas, seen from outside through a third connection."""

    place: Callable[[], AbstractContextManager[str]]
    gate = TeamGate
    ledger = Ledger

    def __init__(self) -> None:
        super().__init__()
        self._place = self.place()
        self.url = self._place.__enter__()
        self.now = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
        self.store = Store(self.url)
        self.keys = ["KEY1", "KEY1"]
        self.owners = [newborn(), newborn()]
        self.outside = self._ledger(Mortal("outside", 0, ""), "KEY1")
        self.servers = [self._ledger(*each) for each in zip(self.owners, self.keys, strict=True)]
        self.groups = dict(AT_FIRST)
        self.roles = roles()
        self.caller: Person | None = None
        """Who makes the present call of a tool."""
        self.approver: Person | None = None
        """Who approves on the page now."""
        self.allowed: dict[str, set[str]] = {}
        """Who answered yes to each change at a moment when they might approve it."""
        self.sent: dict[str, tuple[datetime, Change]] = {}
        self.in_flight: dict[str, int] = {}
        self.moved: set[str] = set()
        self.states: set[State] = set()
        """The states that changes are in."""
        self.broken: list[BaseException] = []

    def teardown(self) -> None:
        for ledger in (self.outside, *self.servers):
            ledger.close()
        self.store.close()
        self._place.__exit__(None, None, None)

    def _ledger(self, owner: Mortal, key: str) -> Ledger:
        made = opened(Store(self.url), POLICY, owner=owner, key=key, kind=self.ledger)
        made.directions = TeamDirections(ADDRESS, lambda: self.roles)
        made.announces = True
        return made

    def tick(self) -> datetime:
        """The time, later at each look, so that the order of changes is the same in every run."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def run(self, work: Callable[[], Any]) -> Any:
        """What the gate's answer is; None where it refuses. What it must never do is raised here, as it
        survives whatever sending raises."""
        try:
            return asyncio.run(work())
        except NotAllowed:
            return None
        finally:
            if self.broken:
                raise self.broken[0]

    def gate_of(
        self,
        server: int,
        who: Person,
        end: State | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> TeamGate:
        def request_for(operation: str, arguments: Mapping[str, Any]) -> TeamRequest:
            return KINDS[operation](self, server, arguments, end, meanwhile)

        return self.gate(
            lambda: self.servers[server],
            self.tick,
            request_for,
            lambda: who,
            lambda: self.roles,
            TeamDirections(ADDRESS, lambda: self.roles),
            timedelta(hours=24),
            wait=0,
        )

    def person(self, name: str) -> Person:
        client = name if name == "robot" else "client-1"
        return person(name, *self.groups[name], client_id=client)

    def seen(self, by: Ledger | None = None) -> dict[str, Change]:
        """Every change as this ledger shows it, oldest first."""
        found = (by or self.outside).newest(1000, self.now)
        return {
            each.id: each for each in sorted(found, key=lambda each: (each.proposed_at, each.id))
        }

    def one_of(self, server: int, which: int, *states: State) -> Change | None:
        ledger = self.servers[server]
        found = [each for each in self.seen(ledger).values() if each.state in states]
        return found[which % len(found)] if found else None

    def may(self, who: Person, change: Change) -> bool:
        """Whether the roles of now let this person approve the change. Written apart from the gate."""
        held = [self.roles.roles[name] for name in self.groups[who.subject]]
        charge = change.charge or Decimal("0.01")
        assert change.requester
        if change.requester.subject != who.subject:
            return any(role.approve_up_to >= charge for role in held)
        own = any(role.propose and role.self_approve_up_to >= charge for role in held)
        return own and change.approvers_needed == 1

    def says_yes(self, who: Person, change: Change) -> None:
        if self.may(who, change):
            self.allowed.setdefault(change.id, set()).add(who.subject)

    # --- what sending is held to

    def sends(self, server: int, request: TeamRequest) -> None:
        try:
            seen = self.seen(self.servers[server]).values()
            found = [
                each
                for each in seen
                if each.state is State.SENDING
                and each.id not in self.sent
                and each.is_for(request.operation, request.arguments)
            ]
            assert len(found) == 1, "sent before it was on the disk, or twice"
            self.granted(server, found[0].id)
        except BaseException as error:
            self.broken.append(error)
            raise

    def granted(self, server: int, id: str) -> None:
        """Holds a claim to what must be so before a byte leaves."""
        seen = self.seen(self.servers[server])
        change = seen[id]
        assert id not in self.sent, "sent twice"
        assert id not in self.moved, "sent though the figures moved"
        assert change.requester, "sent for nobody"
        assert change.decider, "sent by nobody's decision"
        if change.approvers_needed > 1:
            deciders = {each.by.subject for each in change.approvals}
            assert change.decider.subject in deciders
        else:
            deciders = {change.decider.subject}
        assert len(deciders) >= change.approvers_needed, "too few people approved"
        assert deciders <= self.allowed.get(id, set()), "approved by somebody who may not"
        if self.caller:
            own = signatory_of(self.caller)
            assert own.is_same(change.requester), "sent by another person's call"
            assert own.is_same(change.decider), "sent by a call without an answer"
        if self.approver:
            assert signatory_of(self.approver).is_same(change.decider)
        if change.operation == PAYMENT:
            unknown = [
                each.id
                for each in seen.values()
                if each.state is State.UNKNOWN and each.operation == PAYMENT
            ]
            assert not unknown, "sent while another payment is unknown"
        self.sent[id] = self.now, change

    # --- what happens

    @initialize(above=st.sampled_from(["200.00", "200.00", None]))
    def the_team_is_set_up(self, above: str | None) -> None:
        self.roles = roles(above)

    @rule(
        server=Server,
        name=Proposer,
        operation=Kind,
        amount=st.sampled_from(
            ["20.00", "50.00", "50.01", "100.00", "210.00", "250.00", "300.01", "500.01"]
        ),
        reference=st.sampled_from([None, None, "a", "b"]),
        asks=st.booleans(),
        answer=st.sampled_from(["yes", "yes", "no", "decline", "cancel"]),
        end=Ends,
        meanwhile=Meanwhile,
        which=Which,
    )
    def call(
        self,
        server: int,
        name: str,
        operation: str,
        amount: str,
        reference: str | None,
        *,
        asks: bool,
        answer: str,
        end: State | None,
        meanwhile: str | None = None,
        which: int = 0,
    ) -> None:
        """Somebody's assistant calls the tool, and brings the answer where it is asked for one."""
        who = self.person(name)
        happen = self.happening(1 - server, meanwhile, which)
        request = KINDS[operation](self, server, arguments_of(operation, amount, reference), end)

        async def happens() -> None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(happen)

        gate = self.gate_of(server, who)
        first = self.calls(
            gate, who, request, Call(asks, while_waiting=happens if meanwhile else nothing)
        )
        if isinstance(first, InputRequiredResult):
            happen()
            self.brings(server, who, request, str(first.request_state), answer)

    def brings(
        self, server: int, who: Person, request: TeamRequest, state: str, answer: str
    ) -> None:
        """The client calls again with its user's answer to this change."""
        who = self.person(who.subject)
        content: dict[str, Any] = {"approve": answer == "yes"}
        given = {
            "yes": ElicitResult(action="accept", content=content),
            "no": ElicitResult(action="accept", content=content),
        }.get(answer) or ElicitResult(action="decline" if answer == "decline" else "cancel")
        change = self.seen(self.servers[server]).get(state)
        own = change and signatory_of(who).is_same(change.requester)
        if answer == "yes" and change and own:
            self.says_yes(who, change)
        gate = self.gate_of(server, who)
        self.calls(gate, who, request, Call(asks=True, state=state, answer=given))

    def of_others(self, who: Person) -> dict[str, State]:
        """Where the changes of other people stand; time may pass for them at any moment."""
        over = {State.EXPIRED: State.PROPOSED}
        return {
            each.id: over.get(each.state, each.state)
            for each in self.seen().values()
            if not signatory_of(who).is_same(each.requester)
        }

    def calls(self, gate: TeamGate, who: Person, request: TeamRequest, call: Call) -> Any:
        others = self.of_others(who)
        happens = call.while_waiting is not nothing
        self.caller = who
        try:
            outcome = self.run(lambda: gate.carry_out(request, call.context))
        finally:
            self.caller = None
        assert happens or self.of_others(who) == others, "a call touched another person's change"
        if outcome is not None and not isinstance(outcome, InputRequiredResult):
            assert signatory_of(who).is_same(outcome.change.requester), "told another's outcome"
        if isinstance(outcome, InputRequiredResult):
            change = self.seen(gate._ledger).get(str(outcome.request_state))
            assert change
            assert signatory_of(who).is_same(change.requester), "asked about another's change"
            assert self.may(who, change), "asked to approve what they may not"
        return outcome

    @some()
    @rule(
        server=Server, name=Who, which=Which, answer=st.sampled_from(["yes", "decline", "cancel"])
    )
    def answer_anothers_question(self, server: int, name: str, which: int, answer: str) -> None:
        """A client brings an answer to a change of whoever it finds."""
        if change := self.one_of(server, which, *State):
            request = KINDS[change.operation](self, server, change.arguments, State.SUCCEEDED)
            self.brings(server, self.person(name), request, change.id, answer)

    def happening(self, server: int, meanwhile: str | None, which: int) -> Callable[[], None]:
        """What happens on the other replica while somebody waits or thinks."""

        def happen() -> None:
            caller, self.caller = self.caller, None
            approver, self.approver = self.approver, None
            name = NAMES[which % len(NAMES)]
            if meanwhile == "roles":
                self.roles_change(name, frozenset({ROLES[which % len(ROLES)]}))
            elif meanwhile == "approve":
                self.approve(server, name, which, State.SUCCEEDED)
            elif meanwhile == "decline":
                self.decline(server, name, which)
            elif meanwhile == "figures":
                self.the_figures_move(which)
            elif meanwhile == "crash":
                self.crash_and_restart(server)
            self.caller, self.approver = caller, approver

        return happen

    @rule(
        server=Server,
        name=Proposer,
        amount=st.sampled_from(["20.00", "100.00", "210.00", "250.00"]),
        deciders=st.lists(Approver, min_size=1, max_size=3),
        end=Ends,
        meanwhile=Meanwhile,
        which=Which,
    )
    def propose_and_approve(
        self,
        server: int,
        name: str,
        amount: str,
        deciders: list[str],
        end: State | None,
        meanwhile: str | None,
        which: int,
    ) -> None:
        """One person proposes, and others answer on the page, one after the other."""
        who = self.person(name)
        arguments = {"amount": amount, "reference": f"{len(self.seen())}"}
        self.calls(self.gate_of(server, who), who, TeamPayment(self, server, arguments), Call())
        waiting = [
            index
            for index, each in enumerate(self.servers[server].waiting(self.now))
            if each.arguments == arguments
        ]
        for decider in deciders if waiting else ():
            self.happening(1 - server, meanwhile if meanwhile == "roles" else None, which)()
            self.approve(server, decider, waiting[0], end, meanwhile)

    @some(State.PROPOSED)
    @rule(server=Server, name=Approver, which=Which, end=Ends, meanwhile=Meanwhile)
    def approve(
        self, server: int, name: str, which: int, end: State | None, meanwhile: str | None = None
    ) -> None:
        change = self.one_of(server, which, State.PROPOSED)
        if change is None:
            return
        who = self.person(name)
        # Roles are read once for a decision, so they don't change in the middle of it.
        meanwhile = None if meanwhile == "roles" else meanwhile
        self.says_yes(who, change)
        gate = self.gate_of(server, who, end, self.happening(1 - server, meanwhile, which))
        self.approver = who
        try:
            self.run(lambda: gate.approve(change.id, who))
        finally:
            self.approver = None

    @some(State.PROPOSED)
    @rule(server=Server, name=Who, which=Which)
    def claim_and_wait(self, server: int, name: str, which: int) -> None:
        """A replica goes as far as sending, and waits for the answer."""
        change = self.one_of(server, which, State.PROPOSED)
        if change is None or change.id in self.moved:
            return
        who = self.person(name)
        gate = self.gate_of(server, who)
        if gate.why_not(change, who):
            return
        self.says_yes(who, change)
        may_be_own = gate._may_approve_own(change, who)
        by = signatory_of(who)
        decision = Decision(PAGE, by.label, by, may_be_requester=may_be_own)
        try:
            claimed = self.servers[server].claim(change.id, self.now, decision)
        except Blocked:
            return
        if claimed and claimed.state is State.SENDING:
            self.granted(server, claimed.id)
            self.in_flight[claimed.id] = server

    @precondition(lambda machine: bool(machine.in_flight))
    @rule(which=Which, end=st.sampled_from(OUTCOMES))
    def the_answer_comes(self, which: int, end: State) -> None:
        if self.in_flight:
            sent = list(self.in_flight)[which % len(self.in_flight)]
            ledger = self.servers[self.in_flight.pop(sent)]
            ledger.record(sent, end, "It came.", {}, self.now)
            ledger.landed(sent)

    @rule(server=Server, key=st.sampled_from([None, None, "KEY1", "KEY2"]))
    def crash_and_restart(self, server: int, key: str | None = None) -> None:
        """The replica dies; the one that follows may have another key of the account."""
        Mortal.dead.add(str(self.owners[server]))
        self.in_flight = {change: who for change, who in self.in_flight.items() if who != server}
        self.servers[server].close()
        self.owners[server] = newborn()
        self.keys[server] = key or self.keys[server]
        self.servers[server] = self._ledger(self.owners[server], self.keys[server])

    @some(State.PROPOSED, State.VOID)
    @rule(server=Server, name=Who, which=Which)
    def decline(self, server: int, name: str, which: int) -> None:
        if change := self.one_of(server, which, State.PROPOSED, State.VOID):
            who = self.person(name)
            after = self.run(lambda: self.gate_of(server, who).decline(change.id, who))
            if after and after.state is State.DECLINED and change.state is not State.DECLINED:
                own = signatory_of(who).is_same(after.requester)
                held = [self.roles.roles[role] for role in self.groups[name]]
                approves = any(role.approve_up_to > 0 for role in held)
                assert own or approves or after.decider != signatory_of(who)

    @some(State.PROPOSED, State.VOID)
    @rule(server=Server, name=Who, which=Which)
    def withdraw(self, server: int, name: str, which: int) -> None:
        if change := self.one_of(server, which, *WAITING):
            who = self.person(name)
            had = {each.by.subject for each in change.approvals}
            after = self.run(lambda: self.gate_of(server, who).withdraw(change.id, who))
            if name in had:
                self.allowed.get(change.id, set()).discard(name)
                assert after, "an approval could not be withdrawn"
                assert name not in {each.by.subject for each in after.approvals}

    @some(State.UNKNOWN)
    @rule(server=Server, name=Who, which=Which, paid=st.booleans())
    def resolve(self, server: int, name: str, which: int, *, paid: bool) -> None:
        if change := self.one_of(server, which, State.UNKNOWN):
            who = self.person(name)
            may = self.may(who, change)
            gate = self.gate_of(server, who)
            after = self.run(lambda: gate.resolve(change.id, who, happened=paid, note=""))
            assert (after is not None) == may, "resolved by somebody who may not"

    @rule(name=Who, held=HELD)
    def roles_change(self, name: str, held: frozenset[str]) -> None:
        self.groups[name] = held

    @rule(above=st.sampled_from(["200.00", "100.00", None]))
    def the_limit_changes(self, above: str | None) -> None:
        self.roles = roles(above)

    @some(State.PROPOSED)
    @rule(which=Which)
    def the_figures_move(self, which: int) -> None:
        found = [each for each in self.seen().values() if each.state in WAITING]
        if found:
            self.moved.add(found[which % len(found)].id)

    @some(State.PROPOSED)
    @rule(which=Which, name=Who, whole=st.booleans())
    def somebody_writes_an_approval(self, which: int, name: str, *, whole: bool) -> None:
        """Another program writes to the store that a change is approved, or that a person did."""
        change = self.one_of(0, which, State.PROPOSED)
        if change is None:
            return
        by = signatory_of(self.person(name))
        who = {"issuer": by.issuer, "subject": by.subject}
        with self.store.write() as connection:
            if whole:
                told: dict[str, Any] = {f"decider_{key}": value for key, value in who.items()}
                told = {**told, "state": State.APPROVED, "channel": PAGE}
                connection.execute(changes.update().where(changes.c.id == change.id).values(told))
                return
            mine = (approvals.c.change_id == change.id, approvals.c.subject == by.subject)
            connection.execute(approvals.delete().where(*mine))
            row: dict[str, Any] = {
                "change_id": change.id,
                "name": by.name,
                "approved_at": 1,
                "signature": "0" * 64,
            }
            connection.execute(approvals.insert().values({**who, **row}))

    @rule(minutes=st.sampled_from([1, 1, 11, 11, 11, 60, 23 * 60, 24 * 60, 31 * 24 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @some(State.UNKNOWN)
    @rule(server=Server)
    def losses_are_announced(self, server: int) -> None:
        self.servers[server].announce_lost(self.now)

    # --- what stays true

    @invariant()
    def what_may_have_happened_was_granted(self) -> None:
        seen = self.seen().values()
        self.states = {each.state for each in seen}
        for change in seen:
            assert (change.id in self.sent) >= (change.state in POSSIBLE)

    @invariant()
    def each_person_has_one_open_question(self) -> None:
        for ledger in self.servers:
            waiting = ledger.waiting(self.now)
            asked = Counter(each.requester.subject for each in waiting if each.requester)
            assert max(asked.values(), default=0) <= 1

    @invariant()
    def no_two_changes_with_the_same_arguments_wait(self) -> None:
        for ledger in self.servers:
            waiting = Counter(
                (each.operation, str(each.arguments)) for each in ledger.waiting(self.now)
            )
            assert max(waiting.values(), default=0) <= 1

    @invariant()
    def the_caps_hold_for_each_person_and_in_all(self) -> None:
        stored = self.seen()
        paid = [
            (moment, change.amount or Decimal(0), change)
            for moment, change in self.sent.values()
            if change.operation == PAYMENT and stored[change.id].state in POSSIBLE
        ]
        for end, amount, change in paid:
            assert amount <= POLICY.max_payment
            day = [each for each in paid if end - DAY < each[0] <= end]
            assert sum(each[1] for each in day) <= POLICY.max_per_day
            month = [each[1] for each in paid if end - 30 * DAY < each[0] <= end]
            assert sum(month) <= POLICY.max_per_30_days
            assert change.requester
            if cap := change.basis.get(MAX_PER_DAY):
                earlier = [
                    each[1]
                    for each in day
                    if each[2].requester == change.requester
                    and (each[2].sent_at or end) <= (change.sent_at or end)
                ]
                assert sum(earlier) <= Decimal(cap), "over the requester's own cap"

    @invariant()
    def a_reference_is_paid_once(self) -> None:
        names = [each.reference for each in self.seen().values() if each.state in POSSIBLE]
        named = [name for name in names if name]
        assert len(named) == len(set(named))

    @invariant()
    def each_thing_is_announced_once(self) -> None:
        with self.store.read() as connection:
            found = connection.execute(sa.select(notices.c.change_id, notices.c.kind)).all()
        told = Counter((change, kind) for change, kind in found)
        for (_, kind), times in told.items():
            assert times == 1 or kind in ("approved", "outcome"), f"{kind} {times} times"


class TeamOnSqlite(TeamMachine):
    place = staticmethod(sqlite)


class TeamOnPostgresql(TeamMachine):
    place = staticmethod(postgresql)
