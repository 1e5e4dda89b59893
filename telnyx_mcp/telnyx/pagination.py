"""One way through a list: page by page, some pages ahead of the reader, each row once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Hashable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import Page

MAX_PAGES = 40
"""Pages that one call reads: 10,000 rows where a page has 250."""
MAX_RECORD_PAGES = 4_000
"""The same for detail records: 200,000 of them."""
AHEAD = 4
"""Requests in flight at once, where the number of pages is known."""
REMEMBERED = 5_000
"""Rows that are recognised if they are repeated: more than a list shifts by while a page is read."""

Row = TypeVar("Row")
Fetch = Callable[[int], Coroutine[Any, Any, Page[Row]]]
"""Gets a page by its number, counted from 1."""


async def iter_pages(
    fetch: Fetch[Row], *, max_pages: int | None = None, ahead: int = AHEAD
) -> AsyncGenerator[Page[Row], None]:
    """The pages of a list from the first on, in order.

    Asks for the second page and those after it only when the second is wanted, then for up to `ahead`
    at once, up to the last page that the first one stated. Counts pages itself and never trusts the
    number in an answer. Stops on an empty page, on the last one, on a page that repeats the one
    before, and after `max_pages`, which is `MAX_PAGES` unless given. A reader that stops early should
    close it (`contextlib.aclosing`), which cancels the requests in flight.
    """
    most = MAX_PAGES if max_pages is None else max_pages
    page = await fetch(1)
    coming: deque[asyncio.Task[Page[Row]]] = deque()
    requested = 1
    before: list[Row] = []
    try:
        while page.items and page.items != before:
            yield page
            if not page.has_more:
                return
            before = page.items
            known = max(page.total_pages or 0, page.number + 1)
            while requested < min(known, most) and len(coming) < ahead:
                requested += 1
                coming.append(asyncio.create_task(fetch(requested)))
            if not coming:
                return
            page = await coming.popleft()
    finally:
        for each in coming:
            each.cancel()
            each.add_done_callback(lambda task: task.cancelled() or task.exception())


class Deduplicator:
    """Drops rows that came before: a list that grows while it is read repeats some on the next page.

    Remembers the last `remembered` rows by their marks.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._marks: dict[Hashable, None] = {}
        self._remembered = remembered

    def new(self, rows: Iterable[Row], mark_of: Callable[[Row], Hashable]) -> Iterator[Row]:
        """The rows that did not come before. A row whose mark is None or empty is always new."""
        for row in rows:
            mark = mark_of(row)
            if mark not in (None, ""):
                if mark in self._marks:
                    continue
                self._marks[mark] = None
                if len(self._marks) > self._remembered:
                    del self._marks[next(iter(self._marks))]
            yield row


class Scan(Generic[Row]):
    """One reading of a list. Its attributes say how far `rows` has come, and are final at its end.

    `mark_of` gives what distinguishes a row from others. `progress` gets the number of rows so far
    and the total after each page. `max_pages` is `MAX_PAGES` unless given.
    """

    def __init__(
        self,
        fetch: Fetch[Row],
        mark_of: Callable[[Row], Hashable],
        progress: Callable[[int, int | None], Awaitable[None]] | None = None,
        *,
        max_pages: int | None = None,
    ) -> None:
        self._fetch = fetch
        self._mark_of = mark_of
        self._progress = progress
        self._most_pages = MAX_PAGES if max_pages is None else max_pages
        self._empty_page: int | None = None
        self._at_end = False
        self._capped = False
        self.count = 0
        """Rows so far."""
        self.total: int | None = None
        """Rows that there are, as Telnyx counted them when the reading began; None if it did not say."""
        self.more = False
        """Whether there were more rows after the last page that was read."""
        self.error: TelnyxError | None = None
        """The failure that ended the reading early."""

    async def rows(self) -> AsyncGenerator[Row, None]:
        """Every row once. Raises `TelnyxError` if not even one could be read; a later failure ends the
        reading and is kept in `error`."""
        seen = Deduplicator()
        try:
            async with aclosing(iter_pages(self._page, max_pages=self._most_pages)) as pages:
                async for page in pages:
                    for row in seen.new(page.items, self._mark_of):
                        self.count += 1
                        yield row
                    self.more = page.has_more
                    self._capped = page.has_more and page.number >= self._most_pages
                    if self._progress:
                        await self._progress(self.count, self.total)
                    last = page
        except TelnyxError as error:
            if not self.count:
                raise
            self.error = error
            return
        if self.more and last.total_pages is None and self._empty_page == last.number + 1:
            self.more = False  # without totals, only an empty page shows where the list ends
        self._at_end = True

    async def _page(self, number: int) -> Page[Row]:
        page = await self._fetch(number)
        if self.total is None:
            self.total = page.total_results
        if not page.items:
            self._empty_page = min(number, self._empty_page or number)
        return page

    @property
    def complete(self) -> bool:
        """Whether every row was read: without an error, to the last page, and as many as Telnyx
        counted."""
        return self._at_end and not self.more and self.count >= (self.total or 0)

    @property
    def why(self) -> str:
        """Why the reading is not complete; empty if it is."""
        if self.complete:
            return ""
        if self.error:
            return stop_reason(self.error)
        if self._capped:
            return "the most that one call reads"
        return "Telnyx sent no more" if self._at_end else "not read to the end"


def stop_reason(error: TelnyxError) -> str:
    """Why a failure ended a reading."""
    if error.failure is Failure.PACED:
        return "no time was left at Telnyx's rate limit"
    return error.summary


def page_of(rows: Sequence[Row], number: int, size: int) -> Page[Row]:
    """A page of rows that are all in memory."""
    first = (number - 1) * size
    return Page(
        items=list(rows[first : first + size]),
        number=number,
        size=size,
        total_pages=-(-len(rows) // size),
        total_results=len(rows),
    )
