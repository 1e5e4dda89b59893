"""Looking through a whole list for what its endpoint can't filter: page by page, and no further
than some pages and some time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.models import Page
from telnyx_mcp.telnyx.seen import Seen
from telnyx_mcp.telnyx.walking import walk
from telnyx_mcp.tools.progress import Progress

MOST_PAGES = 40
"""10,000 rows where a page has 250."""

Row = TypeVar("Row")


@dataclass
class Look(Generic[Row]):
    """A look through a list. What it covered is known when the rows have been read."""

    fetch: Callable[[int], Coroutine[Any, Any, Page[Row]]]
    mark_of: Callable[[Row], Hashable]
    """What tells a row from others."""
    progress: Progress
    most_pages: int = MOST_PAGES
    looked_at: int = 0
    total: int | None = None
    whole: bool = True
    stopped: str = ""

    async def rows(self) -> AsyncGenerator[Row, None]:
        """Every row once. A failure after the first page ends the look, and is told in `stopped`."""
        seen = Seen()
        try:
            async with aclosing(walk(self.fetch, most_pages=self.most_pages)) as pages:
                async for page in pages:
                    for row in seen.new(page.items, self.mark_of):
                        self.looked_at += 1
                        yield row
                    self.total, self.whole = page.total_results, not page.has_more
                    told = f"{self.looked_at} of {self.total or '?'} rows"
                    await self.progress.report(self.looked_at, self.total, told)
        except TelnyxError as error:
            if not self.looked_at:
                raise
            self.whole, self.stopped = False, error.happened

    @property
    def note(self) -> str:
        """What was looked at."""
        if self.whole:
            return f"Looked through all {self.looked_at}."
        why = self.stopped or "the most that one call reads"
        return (
            f"INCOMPLETE: looked through {self.looked_at} of {self.total or 'unknown'} ({why}). "
            "Narrow the range of time for the rest."
        )
