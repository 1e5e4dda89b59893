"""A list page by page, some pages ahead of who reads it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

from telnyx_mcp.telnyx.models import Page

MOST_PAGES = 1000
"""Pages after which a walk ends, so that a list that never ends does."""
AHEAD = 4
"""Requests in flight at once, where the number of pages is known."""

Item = TypeVar("Item")


async def walk(
    fetch: Callable[[int], Coroutine[Any, Any, Page[Item]]],
    *,
    most_pages: int = MOST_PAGES,
    ahead: int = AHEAD,
) -> AsyncGenerator[Page[Item], None]:
    """The pages of a list from the first on, in order.

    Asks for the second page and those after it only when the second is wanted, then for up to
    `ahead` at once, as far as the first said that there are any. Counts pages itself and never
    trusts the number an answer claims. Stops on an empty page, on the last one, on a page that
    repeats the one before, and after `most_pages`; a page whose `has_more` is still true was then
    not the last. Who stops reading early should close it (`contextlib.aclosing`): what is in
    flight is then given up.
    """
    page = await fetch(1)
    coming: deque[asyncio.Task[Page[Item]]] = deque()
    asked = 1
    before: list[Item] = []
    try:
        while page.items and page.items != before:
            yield page
            if not page.has_more:
                return
            before = page.items
            known = max(page.total_pages or 0, page.number + 1)
            while asked < min(known, most_pages) and len(coming) < ahead:
                asked += 1
                coming.append(asyncio.create_task(fetch(asked)))
            if not coming:
                return
            page = await coming.popleft()
    finally:
        for each in coming:
            each.cancel()
            each.add_done_callback(lambda task: task.cancelled() or task.exception())
