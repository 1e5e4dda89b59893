"""Reports to the client how far a call is, and what it waits for."""

from __future__ import annotations

from math import ceil

from telnyx_mcp.request_context import RequestContext


class Progress:
    """The progress of one call. Nothing is sent to a client that did not ask for progress."""

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._done = 0.0
        self._total: float | None = None

    async def report(self, done: float, total: float | None, message: str) -> None:
        """How far the call is. The protocol requires a figure that always grows."""
        self._done, self._total = max(done, self._done + 0.001), total
        await self._context.report_progress(self._done, total, message)

    async def rows(self, count: int, total: int | None) -> None:
        """How many rows of a list were read."""
        await self.report(count, total, f"{count} of {total or '?'} rows")

    async def waiting(self, left: float, what_for: str) -> None:
        """How long the call has to wait, in whole seconds."""
        await self.report(self._done, self._total, f"waiting {ceil(left)} s for {what_for}")
