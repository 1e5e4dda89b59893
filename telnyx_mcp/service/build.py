"""Puts the account's settings and the team's rules together into a server."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from mcp.server.request_state import RequestStateSecurity

from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.opening import ledger_in
from telnyx_mcp.approval.team.directions import TeamDirections
from telnyx_mcp.approval.team.gate import TeamGate
from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.approval.team.roles import Roles
from telnyx_mcp.config.environment import misspelt, why_blocked
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import request_factory, services_with, transport_of
from telnyx_mcp.service.access import TeamAccess
from telnyx_mcp.storage.store import Store
from telnyx_mcp.telnyx.transport import Transport
from telnyx_mcp.tools.framework.accounts import Account, AccountRegistry


@dataclass(frozen=True, slots=True)
class Team:
    """Who uses the service, and by which rules."""

    public_url: str
    """The address that people and clients use, without a slash at its end."""
    person: Callable[[], Person]
    """Who makes the present request."""
    roles: Callable[[], Roles]
    """What people may do now."""
    proposal_lifetime: timedelta = timedelta(hours=24)
    announces: bool = False
    """Whether notices are delivered."""


@dataclass(frozen=True, slots=True)
class TeamServer:
    """The MCP server, and the gate that the pages decide with."""

    mcp: AccountServer
    gate: TeamGate


def build_team_server(
    settings: Settings,
    team: Team,
    store: Store,
    now: Callable[[], datetime],
    security: RequestStateSecurity,
    transport: Transport | None = None,
) -> TeamServer:
    """The server for these settings, whose key was looked up. Changes are recorded in `store`, by the
    clock `now`; `security` seals what clients bring back to any replica."""
    # Nobody's own budget, and no folder of the machine that the service happens to run on.
    nothing = {"standing_budget_per_payment": Decimal(0), "export_dir": None}
    settings = settings.model_copy(update=nothing)
    directions = TeamDirections(team.public_url, team.roles)

    def open_ledger() -> Ledger:
        ledger = ledger_in(store, settings)
        ledger.directions, ledger.announces = directions, team.announces
        return ledger

    transport = transport or transport_of(settings, now)
    gate = TeamGate(
        open_ledger,
        now,
        request_factory(transport, settings, now),
        team.person,
        team.roles,
        directions,
        team.proposal_lifetime,
    )
    blocked = why_blocked([*settings.problems, *misspelt(os.environ, [settings])])
    services = services_with(gate, transport, settings, now, blocked)
    server = AccountServer(
        AccountRegistry(Account.ready(services)),
        read_only=settings.read_only,
        groups=settings.tools,
        access=TeamAccess(team.person, team.roles),
        state_security=security,
    )
    return TeamServer(server, gate)
