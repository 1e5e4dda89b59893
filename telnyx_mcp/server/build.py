"""Puts the settings, the ledger, the transport and the tools together into a server."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from telnyx_mcp.approval.channels import Channels, Pages
from telnyx_mcp.approval.channels.browser import BrowserPages
from telnyx_mcp.approval.directions import TerminalDirections
from telnyx_mcp.approval.gate import Gate
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.approval.request import RequestFactory
from telnyx_mcp.config.environment import misspelt, why_blocked
from telnyx_mcp.config.keys import CALL_PATIENCE, has_key, remember_keys, with_key
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.rate_limit.pacer import Pacer
from telnyx_mcp.telnyx.rate_limit.stores import pace_store
from telnyx_mcp.telnyx.rate_limit.watch import PaceWatch
from telnyx_mcp.telnyx.server_clock import utc_now
from telnyx_mcp.telnyx.transport import Transport
from telnyx_mcp.tools import requests_for
from telnyx_mcp.tools.framework.accounts import Account, AccountRegistry
from telnyx_mcp.tools.framework.services import Services
from telnyx_mcp.tools.support.change_requests import Surroundings


def build_server(
    settings: Settings,
    *,
    others: Mapping[str, Settings] | None = None,
    transport: Transport | None = None,
    now: Callable[[], datetime] = utc_now,
    pages: Pages | None = None,
    client_may_answer: bool = True,
) -> AccountServer:
    """The server for these settings, which may read the `others` too. Opens nothing until the first
    call. It changes nothing while a setting that limits changes is misspelt or has an unusable value,
    and asks nothing of Telnyx while another setting has one.

    `client_may_answer` says whether an answer of the MCP client approves a change. False where
    anybody could be the client: then only the page in the browser and the terminal approve.
    """
    pages = pages or BrowserPages(now)
    found = misspelt(os.environ, [settings, *(others or {}).values()])
    blocked = why_blocked([*settings.problems, *found])

    def services(settings: Settings, transport: Transport | None = None) -> Services:
        channels = Channels(settings.approval, pages=pages, client_may_answer=client_may_answer)
        return services_of(settings, now, channels, transport, blocked)

    def account(settings: Settings) -> Account:
        return Account(
            settings.profile, lambda: services(with_key(settings, patience=CALL_PATIENCE))
        )

    if has_key(settings) or transport:
        main = Account.ready(services(settings, transport))
    else:
        main = account(settings)
    remember_keys((others or {}).values())
    accounts = AccountRegistry(main, map(account, (others or {}).values()))
    return AccountServer(accounts, read_only=settings.read_only, groups=settings.tools)


def services_of(
    settings: Settings,
    now: Callable[[], datetime] = utc_now,
    channels: Channels | None = None,
    transport: Transport | None = None,
    blocked: str | None = None,
) -> Services:
    """What tools work with for these settings, whose key was looked up. Without `channels` nobody is
    asked anywhere but at the terminal. `blocked` is why nothing may be changed."""
    transport = transport or transport_of(settings, now)
    gate = Gate(
        partial(open_ledger, settings),
        channels or Channels("terminal"),
        now,
        request_factory(transport, settings, now),
        directions=TerminalDirections(settings.profile),
    )
    return services_with(gate, transport, settings, now, blocked)


def request_factory(
    transport: Transport, settings: Settings, now: Callable[[], datetime]
) -> RequestFactory:
    """Makes requests for changes from what the ledger keeps of them."""
    return requests_for(Surroundings(TelnyxClient(transport), now, settings.profile))


def services_with(
    gate: Gate,
    transport: Transport,
    settings: Settings,
    now: Callable[[], datetime],
    blocked: str | None,
) -> Services:
    """What tools work with. `blocked` is why nothing may be changed."""
    return Services(
        transport,
        gate,
        now,
        settings.zone,
        settings.export_dir,
        settings.profile,
        blocked,
    )


def transport_of(
    settings: Settings,
    now: Callable[[], datetime] = utc_now,
    watch: PaceWatch | None = None,
    say: Callable[[str], object] | None = None,
) -> Transport:
    """The way to Telnyx for these settings, whose key was looked up. `watch` is notified of waits and
    refusals, `say` (stderr) if the pace is not shared."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    state_url = settings.state_url.get_secret_value() if settings.state_url else None
    return Transport(
        settings.api_key,
        settings.base_url,
        read_only=settings.read_only,
        now=now,
        pacer=Pacer(pace_store(state_url, key, settings.base_url), say=say, watch=watch),
    )
