"""A way through a list: in order, each page and row once, a few ahead, no further than wanted, and
with the truth about how far it came."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from anyio.lowlevel import checkpoint

from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import Page
from telnyx_mcp.telnyx.pagination import AHEAD, Deduplicator, Scan, iter_pages, page_of
from tests.support.client import SECONDS
from tests.support.scripted_telnyx import Scripted, answer

Fetch = Callable[[int], Coroutine[Any, Any, Page[Any]]]


def paged(*pages: list[Any], total_pages: int | None = None) -> Fetch:
    """A list of these pages; what is past the end is empty."""

    async def fetch(number: int) -> Page[Any]:
        items = pages[number - 1] if number <= len(pages) else []
        return Page(items=items, number=number, size=2, total_pages=total_pages)

    return fetch


async def walked(fetch: Fetch, **more: int) -> list[Page[Any]]:
    return [page async for page in iter_pages(fetch, **more)]


async def test_a_walk_brings_the_pages_in_order() -> None:
    pages = await walked(paged([1, 2], [3, 4], [5], total_pages=3))
    assert [page.items for page in pages] == [[1, 2], [3, 4], [5]]


async def test_a_list_ends_with_the_last_stated_page() -> None:
    pages = await walked(paged([1, 2], [3, 4], [5, 6], total_pages=2))
    assert [page.number for page in pages] == [1, 2]


async def test_without_a_total_a_list_ends_with_a_page_that_is_not_full() -> None:
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
    pages = await walked(paged(*([n, n] for n in range(50)), total_pages=50), max_pages=5)
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
        async for page in iter_pages(pages.fetch):
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


async def test_without_a_stated_total_one_page_is_requested_at_a_time() -> None:
    pages = Slow(9, told=False)
    pages.open(1)
    with anyio.move_on_after(0.05):
        async for _ in iter_pages(pages.fetch):
            pass
    assert pages.asked == [1, 2]


async def test_a_reader_of_one_page_requests_one() -> None:
    pages = Slow(9)
    pages.open()
    async with aclosing(iter_pages(pages.fetch)) as walked:
        async for _ in walked:
            break
    assert pages.asked == [1]


async def test_a_reader_that_stops_early_cancels_what_is_in_flight() -> None:
    pages = Slow(9)
    pages.open(1, 2)
    with anyio.fail_after(SECONDS):
        async with aclosing(iter_pages(pages.fetch)) as walked:
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
        async for _ in iter_pages(pages.fetch):
            pass
    await settled()
    assert sorted(pages.given_up) == [2, 3, 4, 5]


async def test_a_failure_comes_in_its_turn_and_ends_the_iter_pages() -> None:
    pages = Slow(9)
    pages.open()

    async def fetch(number: int) -> Page[Any]:
        if number == 4:
            raise RuntimeError("page 4")
        return await pages.fetch(number)

    came: list[int] = []

    async def read() -> None:
        async for page in iter_pages(fetch):
            came.append(page.number)  # noqa: PERF401 - what came before the failure counts

    with pytest.raises(RuntimeError, match="page 4"):
        await read()
    assert came == [1, 2, 3]


async def test_no_page_beyond_the_cap_is_asked_for() -> None:
    pages = Slow(9)
    pages.open()
    assert [page.number async for page in iter_pages(pages.fetch, max_pages=3)] == [1, 2, 3]
    assert pages.asked == [1, 2, 3]


# --- how far it came ------------------------------------------------------------------------------


def listed(
    *pages: list[Any] | TelnyxError, total_pages: int | None = None, totals: Sequence[int | None]
) -> Fetch:
    """A list of these pages, of which each counts all rows as `totals` says; its last count stays."""

    async def fetch(number: int) -> Page[Any]:
        items = pages[number - 1] if number <= len(pages) else []
        if isinstance(items, TelnyxError):
            raise items
        total = totals[min(number, len(totals)) - 1]
        return Page(
            items=items, number=number, size=2, total_pages=total_pages, total_results=total
        )

    return fetch


async def scanned(fetch: Fetch, **more: Any) -> tuple[Scan[Any], list[Any]]:
    scan: Scan[Any] = Scan(fetch, lambda row: row, **more)
    with anyio.fail_after(SECONDS):
        return scan, [row async for row in scan.rows()]


LOST = TelnyxError(Failure.RESET)
PACED = TelnyxError(Failure.PACED)


@pytest.mark.parametrize(
    ("pages", "total_pages", "totals", "rows", "complete", "why"),
    [
        pytest.param([[1, 2], [3]], 2, [3], [1, 2, 3], True, "", id="all"),
        pytest.param([[]], 0, [0], [], True, "", id="nothing"),
        pytest.param([[]], None, [None], [], True, "", id="nothing, uncounted"),
        pytest.param([[1, 2], [3]], None, [None], [1, 2, 3], True, "", id="uncounted"),
        pytest.param([[1, 2], [3, 4]], None, [None], [1, 2, 3, 4], True, "", id="full last page"),
        pytest.param([[1, 2], [2, 3]], 2, [3, 4], [1, 2, 3], True, "", id="grew meanwhile"),
        pytest.param([[1, 2], [3, 4]], 2, [3], [1, 2, 3, 4], True, "", id="more than counted"),
        pytest.param([[1, 2], [3]], 2, [5, 3], [1, 2, 3], False, "no more", id="too few"),
        pytest.param([[]], 3, [5], [], False, "no more", id="nothing of five"),
        pytest.param([[1, 2], []], 3, [None], [1, 2], False, "no more", id="empty before the end"),
        pytest.param([[1, 2]] * 3, 3, [None], [1, 2], False, "no more", id="repeats for ever"),
        pytest.param([[1, 2], LOST], 2, [4], [1, 2], False, LOST.summary, id="lost"),
        pytest.param([[1, 2], PACED], 2, [4], [1, 2], False, "rate limit", id="out of time"),
        pytest.param([[1], [2], [3], [4]], 4, [4], [1, 2, 3], False, "one call reads", id="capped"),
        pytest.param([[1], [2], [3]], 3, [3], [1, 2, 3], True, "", id="ends at the cap"),
    ],
)
async def test_a_scan_is_complete_only_if_every_row_that_telnyx_counted_was_read(
    pages: list[Any],
    total_pages: int | None,
    totals: list[int | None],
    rows: list[int],
    complete: bool,
    why: str,
) -> None:
    fetch = listed(*pages, total_pages=total_pages, totals=totals)
    scan, read = await scanned(fetch, max_pages=3)
    assert read == rows
    assert scan.count == len(rows)
    assert scan.total == totals[0]
    assert scan.complete is complete
    assert why in scan.why
    assert bool(scan.why) is not complete


async def test_a_scan_of_which_not_even_one_row_came_fails() -> None:
    with pytest.raises(TelnyxError):
        await scanned(listed(LOST, totals=[None]))


async def test_a_scan_that_its_reader_stops_is_not_complete() -> None:
    scan: Scan[int] = Scan(listed([1, 2], total_pages=1, totals=[2]), lambda row: row)
    async with aclosing(scan.rows()) as rows:
        async for _ in rows:
            break
    assert not scan.complete
    assert scan.why


async def test_a_scan_reports_its_progress_after_each_page() -> None:
    told: list[tuple[int, int | None]] = []

    async def progress(count: int, total: int | None) -> None:
        told.append((count, total))

    await scanned(listed([1, 2], [3], total_pages=2, totals=[3]), progress=progress)
    assert told == [(2, 3), (3, 3)]


async def test_rows_without_a_mark_are_all_read() -> None:
    scan: Scan[int] = Scan(listed([1, 1], [1], total_pages=2, totals=[3]), lambda _: None)
    assert [row async for row in scan.rows()] == [1, 1, 1]


def test_a_page_of_rows_in_memory_knows_where_it_stands() -> None:
    pages = [page_of(range(5), number, 2) for number in (1, 2, 3, 4)]
    assert [page.items for page in pages] == [[0, 1], [2, 3], [4], []]
    assert [page.has_more for page in pages] == [True, True, False, False]
    assert {(page.total_pages, page.total_results) for page in pages} == {(3, 5)}
    assert not page_of([], 1, 2).has_more


def test_a_limited_number_of_rows_is_remembered() -> None:
    rows = Deduplicator(remembered=10)
    assert len(list(rows.new(range(100), str))) == 100
    assert list(rows.new(range(90, 100), str)) == []
    assert len(list(rows.new(range(10), str))) == 10
