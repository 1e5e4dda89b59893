"""What is known of a payment gets into the ledger, however long the store refuses it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio
import pytest

from telnyx_mcp.approval.outcomes import OutcomeWriter
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.storage.store import StoreError
from tests.support.polling import until

SECONDS = 20


class Work:
    """Fails as often as told, then is done."""

    def __init__(self, fails: int) -> None:
        self.fails = fails
        self.calls = 0
        self.done = threading.Event()

    def __call__(self) -> None:
        self.calls += 1
        if self.calls <= self.fails:
            raise StoreError("The disk is full.")
        self.done.set()


@pytest.mark.parametrize("fails", [0, 1])
async def test_what_the_store_takes_at_once_or_the_second_time_is_written(fails: int) -> None:
    writer, work = OutcomeWriter(), Work(fails)
    await writer.write("a", work)
    assert (work.calls, writer.unwritten) == (fails + 1, [])


async def test_an_outcome_refused_twice_is_reported_and_written_later_by_itself() -> None:
    writer, work = OutcomeWriter(), Work(3)
    with pytest.raises(NotAllowed) as refused:
        await writer.write("a", work)
    assert refused.value.reason == "The disk is full."
    assert writer.unwritten == ["a"]
    assert await anyio.to_thread.run_sync(work.done.wait, SECONDS)
    await until(lambda: not writer.unwritten)
    writer.close()


async def test_a_second_outage_is_got_over_by_itself_like_the_first() -> None:
    writer = OutcomeWriter()
    for change in ("a", "b"):
        work = Work(2)
        with pytest.raises(NotAllowed):
            await writer.write(change, work)
        assert await anyio.to_thread.run_sync(work.done.wait, SECONDS)
        await until(lambda: not writer.unwritten)
    writer.close()


async def test_a_store_that_does_not_answer_holds_up_no_caller() -> None:
    writer, answers = OutcomeWriter(write_within=0.05), threading.Event()
    hangs: Callable[[], object] = lambda: answers.wait(SECONDS)  # noqa: E731
    with anyio.fail_after(SECONDS / 2), pytest.raises(NotAllowed, match="did not answer"):
        await writer.write("a", hangs)
    assert writer.unwritten == ["a"]
    answers.set()
    await anyio.to_thread.run_sync(writer.close)
    assert writer.unwritten == []


async def test_what_waits_is_tried_once_more_when_the_server_ends() -> None:
    writer, written, lost = OutcomeWriter(), Work(2), Work(99)
    for change, work in (("a", written), ("b", lost)):
        with pytest.raises(NotAllowed):
            await writer.write(change, work)
    writer.close()
    assert written.done.is_set()
    assert writer.unwritten == ["b"]
