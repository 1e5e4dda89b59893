"""People of a team, what they may do, and the calls that their clients make."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from mcp_types import ElicitResult

from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.approval.team.roles import Role, Roles
from telnyx_mcp.request_context import RequestContext

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
