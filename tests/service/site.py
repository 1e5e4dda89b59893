"""The pages of the service behind a real port, an issuer, and browsers without scripts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
from mcp.server.request_state import RequestStateSecurity
from pydantic import SecretStr

from telnyx_mcp.approval.change import Change, Signatory, State
from telnyx_mcp.approval.ledger_async import in_thread
from telnyx_mcp.approval.team.requester import Requester
from telnyx_mcp.approval.team.roles import Role, Roles
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.service.build import Team, TeamServer, build_team_server
from telnyx_mcp.service.pages.app import Pages
from telnyx_mcp.service.pages.config import SignInConfig
from telnyx_mcp.service.pages.sessions import Sessions
from telnyx_mcp.service.pages.sign_in import SignIn
from telnyx_mcp.storage.store import Store
from tests.service.conftest import loopback_socket, served
from tests.service.signing_in import PAGES, PAGES_SECRET, SignInIssuer, running_sign_in_issuer
from tests.support.changes import payment

ROLES = Roles(
    roles={
        "readers": Role(groups=("everybody",)),
        "finance": Role(groups=("finance",), propose=True),
        "treasury": Role(groups=("treasury",), approve_up_to=Decimal("500.00")),
    },
    two_approvers_above=Decimal("400.00"),
)
GROUPS = {
    "alice": ["everybody", "finance", "treasury"],
    "bob": ["everybody", "treasury"],
    "carol": ["everybody"],
    "dave": ["treasury"],
    "eve": [],
}
KEYS = [b"1" * 32, b"0" * 32]


class Ahead:
    """The time, moved ahead as a test wants."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


@dataclass
class Browser:
    """One person's browser: it keeps cookies and follows redirects, as browsers do."""

    http: httpx2.AsyncClient
    origin: str

    async def get(self, path: str) -> httpx2.Response:
        return await self.http.get(f"{self.origin}{path}")

    async def post(
        self, path: str, form: dict[str, str], headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        sent = {"origin": self.origin, **(headers or {})}
        return await self.http.post(f"{self.origin}{path}", data=form, headers=sent)

    async def token(self, path: str) -> str:
        found = re.search(r'name="token" value="([0-9a-f]+)"', (await self.get(path)).text)
        assert found
        return found[1]

    async def decide(self, change: Change, decision: str, **fields: str) -> httpx2.Response:
        path = f"/changes/{change.id}"
        form = {"token": await self.token(path), "decision": decision, **fields}
        return await self.post(path, form)


@dataclass
class Site:
    """The pages, the ledger behind them, and who may sign in."""

    team: TeamServer
    origin: str
    issuer: SignInIssuer
    issuer_url: str
    """Who signs people in; not always `issuer`."""
    now: Ahead
    stack: AsyncExitStack

    async def browser(self, person: str) -> Browser:
        """The browser of this person, signed in."""
        browser = await self.new_browser()
        self.issuer.signs_in = person
        assert (await browser.get("/changes")).status_code in (200, 403)
        return browser

    async def new_browser(self) -> Browser:
        http = httpx2.AsyncClient(verify=False, follow_redirects=True, timeout=30)
        return Browser(await self.stack.enter_async_context(http), self.origin)

    async def proposed(self, amount: str = "120.00", by: str = "alice") -> Change:
        ledger = await self.team.gate.ledger()
        who = Requester(
            Signatory(self.issuer_url, by, by.title()), two_approvers_above=Decimal("400.00")
        )
        return await in_thread(payment, ledger.seen_by(who), amount)

    async def state(self, change: Change) -> State:
        return (await self.team.gate.check(change.id)).state


@asynccontextmanager
async def running_site(
    settings: Settings,
    issuer_url: str | None = None,
    client: tuple[str, str] = (PAGES, PAGES_SECRET),
    **config_of_sign_in: Any,
) -> AsyncIterator[Site]:
    """The pages of a sandbox account, with people signed in by an issuer of ours, or by another one
    that knows the pages as `client`."""
    async with AsyncExitStack() as stack:
        issuer = await stack.enter_async_context(running_sign_in_issuer())
        issuer.groups = {name: list(groups) for name, groups in GROUPS.items()}
        assert settings.state_url
        store = stack.enter_context(closing(Store(settings.state_url.get_secret_value())))
        now = Ahead()
        listening = stack.enter_context(loopback_socket())
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        team = build_team_server(
            settings,
            Team(origin, person=_nobody, roles=lambda: ROLES),
            store,
            now,
            RequestStateSecurity(keys=[KEYS[0]]),
        )
        stack.push_async_callback(team.mcp.accounts.aclose)
        name, secret = client
        signed_in_by = issuer_url or issuer.url
        config = SignInConfig(client_id=name, **config_of_sign_in)
        sign_in = SignIn(signed_in_by, config, SecretStr(secret), origin)
        pages = Pages(team.gate, Sessions(store, KEYS, now), sign_in, origin, KEYS, now)
        await stack.enter_async_context(served(pages.app(), listening))
        yield Site(team, origin, issuer, signed_in_by, now, stack)


def _nobody() -> Any:
    raise AssertionError("no assistant calls here")
