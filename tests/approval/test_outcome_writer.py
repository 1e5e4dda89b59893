"""Outcomes that the store did not take at first are written when it takes them again, and at the end."""

from __future__ import annotations

import threading

import pytest

from telnyx_mcp.approval import outcomes
from telnyx_mcp.approval.outcomes import OutcomeWriter
from telnyx_mcp.approval.reasons import NotAllowed

SECONDS = 10.0


class Store:
    """A store that refuses outcomes until it is mended."""

    def __init__(self) -> None:
        self.takes = False
        self.written = threading.Event()

    def write(self) -> None:
        if not self.takes:
            raise NotAllowed("The disk is full.")
        self.written.set()


def writers() -> set[threading.Thread]:
    """The threads that write outcomes in the background."""
    return {each for each in threading.enumerate() if each.name == "outcomes"}


async def test_a_writer_that_was_closed_writes_in_the_background_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outcomes, "_PAUSES", (0.01,))
    writer, store = OutcomeWriter(), Store()
    for change in ("first", "second"):
        store.takes = False
        store.written.clear()
        with pytest.raises(NotAllowed, match="The disk is full"):
            await writer.write(change, store.write)
        assert writer.unwritten == [change]
        store.takes = True
        assert store.written.wait(SECONDS)
        writer.close()
        assert writer.unwritten == []


async def test_what_is_left_is_tried_once_more_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "_PAUSES", (SECONDS,))
    writer, store = OutcomeWriter(), Store()
    before = writers()
    with pytest.raises(NotAllowed):
        await writer.write("first", store.write)
    (own,) = writers() - before
    store.takes = True
    writer.close()
    assert store.written.is_set()
    assert writer.unwritten == []
    assert not own.is_alive()


async def test_a_store_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "_PAUSES", (0.0,))
    monkeypatch.setattr(outcomes, "CLOSE_SECONDS", 0.01)
    writer, store = OutcomeWriter(), Store()
    hangs, still_hangs, ends = threading.Event(), threading.Event(), threading.Event()
    still_hangs.set()

    def work() -> None:
        if threading.current_thread().name == "outcomes":
            hangs.set()
            ends.wait(SECONDS)
            still_hangs.clear()
        store.write()

    try:
        with pytest.raises(NotAllowed):
            await writer.write("first", work)
        assert hangs.wait(SECONDS)
        writer.close()
        assert still_hangs.is_set()
        assert writer.unwritten == ["first"]
    finally:
        ends.set()
