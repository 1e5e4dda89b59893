"""How a person is asked: through the MCP client, on a page in the browser, or at the terminal.

Each channel is tried in this order, unless the user fixed one. The client's answer comes back with
the call; the page and the terminal write their decision into the ledger, where the call finds it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Literal, Protocol

import anyio

from telnyx_mcp.approval.changes import Change, State
from telnyx_mcp.approval.thread import in_thread

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context
    from mcp_types import InputRequiredResult

    from telnyx_mcp.approval.ledger import Ledger

ChannelName = Literal["auto", "elicitation", "browser", "terminal"]

WAIT_SECONDS = 20.0
"""How long a call waits for the page to be answered: with all that a call does besides, under the
60 s after which hosts give a call up."""
LOOK_SECONDS = 0.25


class Reply(Enum):
    """What came of asking."""

    APPROVED = auto()
    DECLINED = auto()
    CANCELLED = auto()
    """The question was closed without an answer."""
    MISTYPED = auto()
    """Approved, but what was typed is not the amount."""
    CANNOT_ASK = auto()
    """This channel reaches nobody."""
    ON_PAGE = auto()
    """The question is on a page in the person's browser."""
    AT_TERMINAL = auto()
    """The question waits for the person to come to the terminal."""


class Pages(Protocol):
    """Shows questions in the person's browser."""

    async def show(self, change: Change, ledger: Ledger) -> bool:
        """Whether a page with this question is open, or was already."""
        ...

    def close(self) -> None: ...


class Channels:
    """The ways to ask, in order. Without `pages` there is no browser; without `client_may_answer`
    the client is not asked, as it may be anybody."""

    def __init__(
        self,
        fixed: ChannelName = "auto",
        *,
        pages: Pages | None = None,
        client_may_answer: bool = True,
        wait: float = WAIT_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._fixed = fixed
        self._pages = pages
        self._client_may_answer = client_may_answer
        self._wait = wait
        self._sleep = sleep

    async def ask(
        self, change: Change, ledger: Ledger, context: Context[Any, Any]
    ) -> Reply | InputRequiredResult:
        """What came of asking by the first channel that reaches somebody."""
        if self._fixed in ("auto", "elicitation"):
            from telnyx_mcp.approval.channels import client

            may_answer = self._client_may_answer
            reply = await client.ask(change, context) if may_answer else Reply.CANNOT_ASK
            if reply is not Reply.CANNOT_ASK or self._fixed == "elicitation":
                return reply
        if self._fixed in ("auto", "browser"):
            if self._pages and await self._pages.show(change, ledger):
                await self._decided(change, ledger, context)
                return Reply.ON_PAGE
            if self._fixed == "browser":
                return Reply.CANNOT_ASK
        return Reply.AT_TERMINAL

    async def _decided(self, change: Change, ledger: Ledger, context: Context[Any, Any]) -> None:
        """Returns when the ledger holds a decision, or after the longest wait."""
        with anyio.move_on_after(self._wait):
            await context.report_progress(0, message="Asking the person on a page in the browser")
            while True:
                found = await in_thread(ledger.get, change.id)
                if found is None or found.state is not State.PROPOSED:
                    return
                await self._sleep(LOOK_SECONDS)

    def close(self) -> None:
        """Closes the pages."""
        if self._pages:
            self._pages.close()


_TYPED = re.compile(r"\$?\s*(\d+(?:\.\d{1,2})?)\s*(?:USD)?", re.ASCII | re.IGNORECASE)


def typed_matches(typed: object, amount: Decimal) -> bool:
    """Whether a person typed this amount, `$` and `USD` allowed."""
    written = _TYPED.fullmatch(typed.strip()) if isinstance(typed, str) else None
    return written is not None and Decimal(written[1]) == amount
