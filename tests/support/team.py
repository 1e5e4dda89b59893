"""People of a team, what they may do, and the calls that their clients make."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import anyio.lowlevel
from mcp_types import ElicitResult, InputRequiredResult

from telnyx_mcp.approval.accounts import Identity
from telnyx_mcp.approval.change import PAYMENT, RECHARGE, Change, State
from telnyx_mcp.approval.channels import AskOutcome
from telnyx_mcp.approval.gate import Outcome
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.question import Question
from telnyx_mcp.approval.request import CannotCheck, ChangeRequest, QuestionDraft, SendFailed
from telnyx_mcp.approval.team.directions import TeamDirections
from telnyx_mcp.approval.team.gate import TeamGate
from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.approval.team.roles import Role, Roles
from telnyx_mcp.request_context import RequestContext
from telnyx_mcp.storage.store import Store
from tests.support.clock import Clock
from tests.support.ledgers import OWNER, opened

ISSUER = "https://id.example.com"
ADDRESS = "https://telnyx.example.com"


def person(subject: str, *groups: str, client_id: str = "client-1") -> Person:
    """A person of the team's identity provider, in these groups."""
    return Person(ISSUER, subject, subject.title(), frozenset(groups), client_id)


def roles(above: str | None = "200.00", **made: Role) -> Roles:
    """The roles of a team, each for the group of its name; two approvers above the amount."""
    kinds = {
        "reader": Role(groups=("reader",)),
        "buyer": Role(
            groups=("buyer",),
            propose=True,
            max_payment=Decimal("300.00"),
            max_per_day=Decimal("400.00"),
        ),
        "owner": Role(groups=("owner",), propose=True, self_approve_up_to=Decimal("50.00")),
        "lead": Role(groups=("lead",), propose=True, approve_up_to=Decimal("100.00")),
        "treasurer": Role(groups=("treasurer",), approve_up_to=Decimal("500.00")),
    }
    limit = None if above is None else Decimal(above)
    return Roles(roles={**kinds, **made}, two_approvers_above=limit)


ALICE = person("alice", "buyer", "owner")
BOB = person("bob", "treasurer")
CAROL = person("carol", "treasurer", "buyer")
DAN = person("dan", "reader")
LEO = person("leo", "lead")
ROBOT = person("robot", "buyer", client_id="robot")


async def nothing() -> None:
    return None


@dataclass
class Call:
    """A request of a client. `while_waiting` happens when the call begins to wait for others."""

    asks: bool = False
    """Whether it is a modern client that can show a form."""
    state: str | None = None
    answer: ElicitResult | None = None
    while_waiting: Callable[[], Awaitable[None]] = nothing
    reported: list[str] = field(default_factory=list)

    protocol_version = "2026-07-28"
    session = SimpleNamespace(client_params=None)

    @property
    def client_capabilities(self) -> Any:
        form = SimpleNamespace(form=SimpleNamespace(), url=None)
        return SimpleNamespace(elicitation=form if self.asks else None)

    @property
    def request_state(self) -> str | None:
        return self.state

    @property
    def input_responses(self) -> Any:
        return {"approval": self.answer} if self.answer else None

    async def report_progress(self, _done: float, message: str) -> None:
        self.reported.append(message)
        await self.while_waiting()

    @property
    def context(self) -> RequestContext:
        return cast("RequestContext", self)


class Recorded(ChangeRequest):
    """A change that is recorded instead of sent."""

    def __init__(self, team: Team, operation: str, arguments: Mapping[str, Any]) -> None:
        self.operation = operation  # type: ignore[misc]
        self.arguments = arguments
        self.reference = arguments.get("reference")
        self.amount = Decimal(arguments["amount"]) if "amount" in arguments else None
        self._team = team

    @property
    def summary(self) -> str:
        return f"paying {self.amount}"

    async def identity(self) -> Identity:
        self._team.identified += 1
        return OWNER

    async def draft(self, payments: Sequence[Change]) -> QuestionDraft:
        recharge = self.arguments.get("recharge_amount")
        at_once = Decimal(recharge) if recharge else None
        return QuestionDraft(Question("Pay?", typed=self.arguments.get("amount")), at_once=at_once)

    async def void_reason(self, change: Change) -> str | None:
        if self._team.telnyx_is_away:
            raise CannotCheck("Telnyx did not answer.")
        return "The balance moved." if change.id in self._team.moved else None

    async def send(self) -> Mapping[str, Any]:
        self._team.sent.append(dict(self.arguments))
        if self._team.end is not State.SUCCEEDED:
            raise SendFailed(self._team.end, "No answer came.", {})
        return {}

    async def evidence(self, change: Change) -> Mapping[str, Any]:
        return {}


@dataclass
class Team:
    """A service that one process serves: who calls, what is sent, and when."""

    store: Store
    clock: Clock = field(default_factory=Clock)
    roles: Roles = field(default_factory=roles)
    caller: Person = ALICE
    sent: list[dict[str, Any]] = field(default_factory=list)
    end: State = State.SUCCEEDED
    moved: set[str] = field(default_factory=set)
    telnyx_is_away: bool = False
    identified: int = 0
    wait: float = 0
    after_sleeps: list[Callable[[], Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        directions = TeamDirections(ADDRESS, lambda: self.roles)
        self.ledger: Ledger = opened(self.store, Policy())
        self.ledger.directions = directions
        self.gate = TeamGate(
            lambda: self.ledger,
            self.clock,
            lambda operation, arguments: Recorded(self, operation, arguments),
            lambda: self.caller,
            lambda: self.roles,
            directions,
            timedelta(hours=24),
            self.sleep,
            self.wait,
        )

    async def sleep(self, seconds: float) -> None:
        """Time passes at once. What is to happen next happens now."""
        self.clock.passes(seconds=seconds)
        if self.after_sleeps:
            await self.after_sleeps.pop(0)()
        await anyio.lowlevel.checkpoint()

    async def calls(
        self, who: Person, amount: str = "20.00", call: Call | None = None, **more: Any
    ) -> Outcome | InputRequiredResult:
        self.caller = who
        request = Recorded(self, PAYMENT, {"amount": amount, **more})
        return await self.gate.carry_out(request, (call or Call()).context)

    async def proposes_setting(self, who: Person, **arguments: Any) -> Change:
        self.caller = who
        outcome = await self.gate.carry_out(Recorded(self, RECHARGE, arguments), Call().context)
        assert isinstance(outcome, Outcome)
        return outcome.change

    async def proposes(self, who: Person, amount: str = "20.00", **more: Any) -> Change:
        outcome = await self.calls(who, amount, **more)
        assert isinstance(outcome, Outcome)
        assert (outcome.change.state, outcome.ask_outcome) == (State.PROPOSED, AskOutcome.IN_TEAM)
        return outcome.change

    async def answers(self, who: Person, answer: ElicitResult, amount: str = "20.00") -> Outcome:
        """A client of today asks its user, and brings this answer."""
        asked = await self.calls(who, amount, Call(asks=True))
        assert isinstance(asked, InputRequiredResult)
        state = asked.request_state
        outcome = await self.calls(who, amount, Call(asks=True, state=state, answer=answer))
        assert isinstance(outcome, Outcome)
        return outcome
