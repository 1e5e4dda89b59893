"""The approval page, the browser that opens it, and plain HTTP requests to it."""

from __future__ import annotations

import re
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import anyio
import httpx

from telnyx_mcp.approval.change import PAYMENT, Change, State
from telnyx_mcp.approval.channels import (
    CLIENT_SECONDS,
    PAGE_SECONDS,
    PAGE_SECONDS_AFTER_CLIENT,
    Channels,
)
from telnyx_mcp.approval.channels.browser import BrowserPages
from telnyx_mcp.approval.gate import Gate
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.approval.question import Fact, Question
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.storage.store import Store
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.transport import Transport
from telnyx_mcp.tools import requests_for
from telnyx_mcp.tools.framework.accounts import Account, AccountRegistry
from telnyx_mcp.tools.framework.services import Services
from telnyx_mcp.tools.support.change_requests import Surroundings
from tests.support.clock import Clock
from tests.support.polling import until

PAYMENT_QUESTION = Question(
    "Pay 120.00 USD from the stored payment method into your Telnyx account?",
    (
        Fact("SANDBOX", "a sandbox account, no real money"),
        Fact("Account", "billing@acme.example"),
        Fact("Balance now", "84.10 USD"),
        Fact("Balance after", "204.10 USD"),
        Fact("Reference", '<b>June</b> & "top-up"'),
        Fact("Paid through this server in the last 24 hours", "120.00 USD"),
    ),
    ("120.00 was already paid at 2026-06-15 09:12 UTC.",),
    "To approve, type the amount: 120.00",
    "120.00",
    "Pay 120.00 USD",
)

RECHARGE_QUESTION = Question(
    "Change when Telnyx charges your stored payment method automatically?",
    (Fact("Auto-recharge", "on -> off"), Fact("Charged automatically after that", "nothing")),
)

PAYS = {"decision": "approve", "amount": "120.00"}

DECLINES = {"decision": "decline"}

TICKS = {"decision": "approve", "approve": "yes"}


@dataclass
class Desk:
    """A person's browser, which remembers the files it was given."""

    opens: bool = True
    files: list[Path] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    modes: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, file: Path) -> bool:
        text = file.read_text(encoding="utf-8")
        self.files.append(file)
        self.modes.append((_mode(file), _mode(file.parent)))
        self.links += re.findall(r'url=(http://[^"]+)"', text)
        return self.opens


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@dataclass
class Page:
    """A question, open on its page."""

    change: Change
    ledger: Ledger
    desk: Desk
    now: Clock
    pages: BrowserPages
    link: str

    @property
    def origin(self) -> str:
        return self.link.partition("/change/")[0]

    def state(self) -> State:
        found = self.ledger.get(self.change.id, self.now())
        assert found
        return found.state

    def get(self, **headers: str) -> httpx.Response:
        return fetch("GET", self.link, headers=headers)

    def post(self, data: dict[str, str], **headers: str) -> httpx.Response:
        """As the page's own form does."""
        return fetch("POST", self.link, data=data, headers={"origin": self.origin} | headers)

    def show_again(self) -> bool:
        return anyio.run(self.pages.show, self.change, self.ledger)


def fetch(method: str, url: str, **more: Any) -> httpx.Response:
    """The answer, redirects followed. There is no TLS here, so no certificates are loaded."""
    with httpx.Client(trust_env=False, verify=False, follow_redirects=True) as client:
        return client.request(method, url, **more)


def open_ledger_in(directory: Path) -> Ledger:
    store = Store(f"sqlite:///{directory}/state.sqlite3")
    policy = Policy(one_question=False)
    return Ledger.of(
        store, "KEY0123", "https://telnyx.test", ProcessIdentity.this_process(), policy
    )


def propose(ledger: Ledger, now: Clock, amount: str | None = "120.00") -> Change:
    """A payment of this amount; without one, a change of the auto-recharge."""
    return ledger.propose(
        PAYMENT if amount else "update_auto_recharge_preferences",
        {"amount": amount} if amount else {"enabled": True},
        reference=None,
        amount=Decimal(amount) if amount else None,
        question=PAYMENT_QUESTION if amount else RECHARGE_QUESTION,
        basis={},
        now=now(),
    )


def shown(
    ledger: Ledger, pages: BrowserPages, desk: Desk, now: Clock, amount: str | None = "120.00"
) -> Page:
    change = propose(ledger, now, amount)
    assert anyio.run(pages.show, change, ledger)
    return Page(change, ledger, desk, now, pages, desk.links[-1])


def visible(answer: httpx.Response) -> str:
    """The text of a page, without its markup."""
    body = answer.text.partition("</head>")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", "", body)).split())


def answers(link: str, form: dict[str, str]) -> httpx.Response:
    headers = {"origin": link.partition("/change/")[0]}
    return fetch("POST", link, data=form, headers=headers)


async def answer_when_shown(desk: Desk, form: dict[str, str]) -> None:
    await until(lambda: desk.links)
    await anyio.to_thread.run_sync(answers, desk.links[-1], form)


@dataclass
class Wired:
    """A server whose questions are shown on a desk."""

    server: AccountServer
    desk: Desk
    pages: BrowserPages


def wire(
    settings: Settings,
    now: Clock,
    *,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    wait: float = PAGE_SECONDS,
    client_wait: float = CLIENT_SECONDS,
    wait_after_client: float = PAGE_SECONDS_AFTER_CLIENT,
) -> Wired:
    """A server with these waits of the channels; `sleep` is what the gate waits with."""
    desk = Desk()
    pages = BrowserPages(now, desk)
    transport = Transport(settings.api_key, settings.base_url)
    channels = Channels(
        settings.approval,
        pages=pages,
        wait=wait,
        client_wait=client_wait,
        wait_after_client=wait_after_client,
    )
    requests = requests_for(Surroundings(TelnyxClient(transport), now))
    gate = Gate(partial(open_ledger, settings), channels, now, requests, sleep)
    accounts = AccountRegistry(Account.ready(Services(transport, gate, now)))
    return Wired(AccountServer(accounts, read_only=False), desk, pages)
