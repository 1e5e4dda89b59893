"""A walk over a list: in order, each page once, a few ahead, and no further than wanted."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from anyio.lowlevel import checkpoint

from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.models import Page
from telnyx_mcp.telnyx.walking import AHEAD, walk
from tests.conftest import SECONDS, Scripted, answer

Fetch = Callable[[int], Coroutine[Any, Any, Page[Any]]]


def paged(*pages: list[Any], total_pages: int | None = None) -> Fetch:
    """A list of these pages; what is past the end is empty."""

    async def fetch(number: int) -> Page[Any]:
        items = pages[number - 1] if number <= len(pages) else []
        return Page(items=items, number=number, size=2, total_pages=total_pages)

    return fetch


async def walked(fetch: Fetch, **more: int) -> list[Page[Any]]:
    return [page async for page in walk(fetch, **more)]


async def test_a_walk_brings_the_pages_in_order() -> None:
    pages = await walked(paged([1, 2], [3, 4], [5], total_pages=3))
    assert [page.items for page in pages] == [[1, 2], [3, 4], [5]]


async def test_a_walk_ends_with_the_last_page_told() -> None:
    pages = await walked(paged([1, 2], [3, 4], [5, 6], total_pages=2))
    assert [page.number for page in pages] == [1, 2]


async def test_a_walk_ends_with_a_page_that_is_not_full_where_no_total_is_told() -> None:
    pages = await walked(paged([1, 2], [3], [4, 5]))
    assert [page.number for page in pages] == [1, 2]


async def test_a_walk_ends_with_an_empty_page() -> None:
    pages = await walked(paged([1, 2], [3, 4], [], [5, 6], total_pages=9))
    assert [page.number for page in pages] == [1, 2]


async def test_a_walk_ends_with_a_page_that_repeats_the_one_before() -> None:
    pages = await walked(paged(*[[1, 2]] * 50, total_pages=50))
    assert [page.number for page in pages] == [1]


async def test_a_walk_of_nothing_brings_no_page() -> None:
    assert await walked(paged([])) == []


async def test_a_walk_ends_at_its_cap_and_the_last_page_says_that_there_is_more() -> None:
    pages = await walked(paged(*([n, n] for n in range(50)), total_pages=50), most_pages=5)
    assert len(pages) == 5
    assert pages[-1].has_more


async def test_a_walk_over_a_stuck_page_number_asks_for_each_page_once(
    scripted: Scripted, client: TelnyxClient
) -> None:
    """Telnyx's own SDK asks for page 2 for ever here."""
    scripted.will(
        *(
            answer(200, {"data": [{"invoice_id": str(n)}], "meta": {"page_number": 1}})
            for n in range(3)
        ),
        answer(200, {"data": [], "meta": {"page_number": 1}}),
    )
    pages = await walked(lambda number: client.list_invoices(page=number, page_size=1))
    assert [page.items[0].invoice_id for page in pages] == ["0", "1", "2"]
    numbers = [unquote(asked.target).split("page[number]=")[1][0] for asked in scripted.requests]
    assert numbers == ["1", "2", "3", "4"]


class Slow:
    """A list of numbered pages, each of which arrives when it is let go."""

    def __init__(self, pages: int, *, told: bool = True) -> None:
        self.asked: list[int] = []
        self.given_up: list[int] = []
        self.doors = {number: anyio.Event() for number in range(1, pages + 1)}
        self.total = pages if told else None

    def open(self, *numbers: int) -> None:
        for number in numbers or self.doors:
            self.doors[number].set()

    async def fetch(self, number: int) -> Page[Any]:
        self.asked.append(number)
        try:
            await self.doors[number].wait()
        except BaseException:
            self.given_up.append(number)
            raise
        return Page(items=[number, number], number=number, size=2, total_pages=self.total)


async def settled() -> None:
    """Lets every task run until it waits."""
    for _ in range(20):
        await checkpoint()


async def test_pages_are_asked_for_a_few_ahead_and_come_in_order() -> None:
    pages = Slow(9)
    came: list[int] = []

    async def read() -> None:
        async for page in walk(pages.fetch):
            came.append(page.number)  # noqa: PERF401 - it is looked at meanwhile

    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            pages.open(1)
            await settled()
            assert (came, pages.asked) == ([1], [1, 2, 3, 4, 5])
            pages.open(5, 4, 3)
            await settled()
            assert came == [1], "the second page has not come yet"
            pages.open()
    assert came == list(range(1, 10))
    assert pages.asked == list(range(1, 10))


async def test_where_no_total_is_told_one_page_is_asked_for_at_a_time() -> None:
    pages = Slow(9, told=False)
    pages.open(1)
    with anyio.move_on_after(0.05):
        async for _ in walk(pages.fetch):
            pass
    assert pages.asked == [1, 2]


async def test_who_wants_one_page_asks_for_one() -> None:
    pages = Slow(9)
    pages.open()
    async with aclosing(walk(pages.fetch)) as walked:
        async for _ in walked:
            break
    assert pages.asked == [1]


async def test_who_has_enough_gives_up_what_is_in_flight() -> None:
    pages = Slow(9)
    pages.open(1, 2)
    with anyio.fail_after(SECONDS):
        async with aclosing(walk(pages.fetch)) as walked:
            async for page in walked:
                if page.number == 2:
                    break
    await settled()
    assert pages.asked == list(range(1, 2 + AHEAD))
    assert pages.given_up == [3, 4, 5]


async def test_a_walk_that_is_cancelled_gives_up_what_is_in_flight() -> None:
    pages = Slow(9)
    pages.open(1)
    with anyio.move_on_after(0.05):
        async for _ in walk(pages.fetch):
            pass
    await settled()
    assert sorted(pages.given_up) == [2, 3, 4, 5]


async def test_a_failure_comes_in_its_turn_and_ends_the_walk() -> None:
    pages = Slow(9)
    pages.open()

    async def fetch(number: int) -> Page[Any]:
        if number == 4:
            raise RuntimeError("page 4")
        return await pages.fetch(number)

    came: list[int] = []

    async def read() -> None:
        async for page in walk(fetch):
            came.append(page.number)  # noqa: PERF401 - what came before the failure counts

    with pytest.raises(RuntimeError, match="page 4"):
        await read()
    assert came == [1, 2, 3]


async def test_no_page_beyond_the_cap_is_asked_for() -> None:
    pages = Slow(9)
    pages.open()
    assert [page.number async for page in walk(pages.fetch, most_pages=3)] == [1, 2, 3]
    assert pages.asked == [1, 2, 3]
