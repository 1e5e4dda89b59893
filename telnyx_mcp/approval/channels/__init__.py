"""Asks the approver: through the MCP client, on a page in the browser, or at the terminal.

The channels are tried in this order, unless the user fixed one. The client's answer comes back with
the call; the page and the terminal write their decision into the ledger, where the call finds it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Literal, Protocol

import anyio

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.ledger_async import in_thread

if TYPE_CHECKING:
    from mcp_types import InputRequiredResult

    from telnyx_mcp.approval.ledger import Ledger
    from telnyx_mcp.request_context import RequestContext

ChannelName = Literal["auto", "elicitation", "browser", "terminal"]

CLIENT_SECONDS = 45.0
"""How long a client that declared elicitation may take to answer. After that it counts as unable to
ask, and the next channel is tried."""
PAGE_SECONDS = 20.0
"""How long a call waits for an answer on the page. The whole call must stay under the 60 s after which
hosts time out."""
PAGE_SECONDS_AFTER_CLIENT = 2.0
POLL_SECONDS = 0.25


class AskOutcome(Enum):
    """The outcome of asking."""

    APPROVED = auto()
    DECLINED = auto()
    CANCELLED = auto()
    """The question was closed without an answer."""
    MISTYPED = auto()
    """Approved, but the typed amount is wrong."""
    CANNOT_ASK = auto()
    """This channel can't be used here."""
    NO_ANSWER = auto()
    """The client declared that it can ask, and did not answer."""
    TOO_LATE = auto()
    """The client answered after the question had moved on to the next channel."""
    ON_PAGE = auto()
    """The question is on a page in the user's browser."""
    IN_TEAM = auto()
    """The question is on a page of the team's service, for those who may approve it."""
    AT_TERMINAL = auto()
    """The question waits for the user to come to the terminal."""


Check = Callable[[str], Coroutine[Any, Any, Change]]
"""The change with this id as it stands, or the one with a fresh question that replaces it."""


class Pages(Protocol):
    """Shows questions in the user's browser."""

    async def show(self, change: Change, ledger: Ledger, check: Check | None = None) -> bool:
        """Whether a page of this change is open, or was already."""
        ...

    def close(self) -> None: ...


class Channels:
    """The channels in order. Without `pages` the browser is skipped; without `client_may_answer` the
    client is skipped, because its answers can't be trusted."""

    def __init__(
        self,
        fixed: ChannelName = "auto",
        *,
        pages: Pages | None = None,
        client_may_answer: bool = True,
        wait: float = PAGE_SECONDS,
        client_wait: float = CLIENT_SECONDS,
        wait_after_client: float = PAGE_SECONDS_AFTER_CLIENT,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._fixed = fixed
        self._pages = pages
        self._client_may_answer = client_may_answer
        self._wait = wait
        self._client_wait = client_wait
        self._wait_after_client = wait_after_client
        self._sleep = sleep
        self._unresponsive: set[str] = set()
        """Clients that declared elicitation and did not answer."""
        self._asked_at: dict[str, datetime] = {}
        """When a client of revision 2026-07-28 was given the question of a change."""

    async def ask(
        self,
        change: Change,
        ledger: Ledger,
        context: RequestContext,
        check: Check | None,
        now: Callable[[], datetime],
    ) -> AskOutcome | InputRequiredResult:
        """The outcome of the first channel that can be used."""
        wait = self._wait
        if self._fixed in ("auto", "elicitation"):
            outcome = await self._ask_client(change, context, now())
            if outcome is AskOutcome.NO_ANSWER:
                wait = min(wait, self._wait_after_client)
            elif outcome is not AskOutcome.CANNOT_ASK:
                return outcome
            if self._fixed == "elicitation":
                return outcome
        if self._fixed in ("auto", "browser"):
            if self._pages and await self._pages.show(change, ledger, check):
                await self._wait_for_decision(change, ledger, context, now, wait)
                return AskOutcome.ON_PAGE
            if self._fixed == "browser":
                return AskOutcome.CANNOT_ASK
        return AskOutcome.AT_TERMINAL

    async def show(self, change: Change, ledger: Ledger, check: Check | None) -> bool:
        """Whether a page of this change is open in the browser, where the user allows pages."""
        allowed = self._fixed in ("auto", "browser")
        return bool(allowed and self._pages and await self._pages.show(change, ledger, check))

    async def _ask_client(
        self, change: Change, context: RequestContext, now: datetime
    ) -> AskOutcome | InputRequiredResult:
        from telnyx_mcp.approval.channels import elicitation

        if not self._client_may_answer:
            return AskOutcome.CANNOT_ASK
        client = elicitation.client_name(context)
        answers = elicitation.brings_answer(change, context)
        if client in self._unresponsive:
            return AskOutcome.TOO_LATE if answers else AskOutcome.CANNOT_ASK
        if not elicitation.can_ask(context):
            return AskOutcome.CANNOT_ASK
        if not elicitation.is_modern(context):
            outcome = await elicitation.ask_and_wait(
                change, context, self._client_wait, self._sleep
            )
        elif answers:
            self._asked_at.pop(change.id, None)
            return elicitation.answer(change, context)
        else:
            asked_at = self._asked_at.setdefault(change.id, now)
            if (now - asked_at).total_seconds() < self._client_wait:
                return elicitation.question(change)
            outcome = AskOutcome.NO_ANSWER
        if outcome is AskOutcome.NO_ANSWER:
            self._unresponsive.add(client)
        return outcome

    async def _wait_for_decision(
        self,
        change: Change,
        ledger: Ledger,
        context: RequestContext,
        now: Callable[[], datetime],
        wait: float,
    ) -> None:
        """Returns when the ledger holds a decision, or after the longest wait."""
        with anyio.move_on_after(wait):
            await context.report_progress(0, message="Asking the user on a page in the browser")
            while True:
                found = await in_thread(ledger.get, change.id, now())
                if found is None or found.state is not State.PROPOSED:
                    return
                await self._sleep(POLL_SECONDS)

    def close(self) -> None:
        """Closes the pages."""
        if self._pages:
            self._pages.close()


_TYPED = re.compile(r"\$?\s*(\d+(?:\.\d{1,2})?)\s*(?:USD)?", re.ASCII | re.IGNORECASE)


def typed_matches(typed: object, figure: str) -> bool:
    """Whether a person typed this amount, `$` and `USD` allowed."""
    found = _TYPED.fullmatch(typed.strip()) if isinstance(typed, str) else None
    return found is not None and Decimal(found[1]) == Decimal(figure)
