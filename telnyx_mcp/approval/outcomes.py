"""Writes known outcomes to the ledger, and retries while the store fails.

A full disk or a restarting database must not turn a confirmed payment into one of unknown outcome.
Outcomes that could not be written are kept in memory and retried until they are written or the process
ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, repeat

import anyio

from telnyx_mcp.approval.ledger_async import in_thread
from telnyx_mcp.approval.reasons import NotAllowed

WRITE_WITHIN = 10.0
"""Seconds after which the caller continues without the write."""
CLOSE_SECONDS = 5.0
"""Seconds that `close` waits for a write in progress."""
_PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0)
"""Seconds between the tries; the last one for all that follow."""


class OutcomeWriter:
    """Writes outcomes into the ledger, in the background where that takes longer."""

    def __init__(self, write_within: float = WRITE_WITHIN) -> None:
        self._write_within = write_within
        self._unwritten: dict[str, Callable[[], object]] = {}
        self._lock = threading.Lock()
        self._trying = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def unwritten(self) -> list[str]:
        """The ids of the changes whose outcome is not in the ledger yet."""
        with self._lock:
            return list(self._unwritten)

    async def write(self, id: str, work: Callable[[], object]) -> None:
        """Calls `work`, which writes the outcome of a change. Raises `NotAllowed` with the reason if it
        is not written within `write_within` seconds, or is refused twice; it is tried again then."""
        reason = NotAllowed("The ledger did not answer.")
        with anyio.move_on_after(self._write_within):
            for _ in range(2):
                try:
                    await in_thread(work, abandon_on_cancel=True)
                except NotAllowed as error:
                    reason = error
                else:
                    return
        self._retry_later(id, work)
        raise reason

    def retry(self) -> None:
        """Writes the pending outcomes, as far as the store accepts them. Blocks."""
        with self._trying:
            for change, work in self._pending():
                with suppress(Exception):
                    work()
                    with self._lock:
                        self._unwritten.pop(change, None)

    def close(self) -> None:
        """Tries once more, and stops: the store is closed next. Blocks as long as the store does."""
        self._closed.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread:
            thread.join(CLOSE_SECONDS)
            if thread.is_alive():  # a store that hangs will not answer now either
                return
        self.retry()
        self._closed.clear()  # a gate can be used again after it was closed

    def _retry_later(self, id: str, work: Callable[[], object]) -> None:
        with self._lock:
            self._unwritten[id] = work
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._retry_until_written, name="outcomes", daemon=True
                )
                self._thread.start()

    def _pending(self) -> list[tuple[str, Callable[[], object]]]:
        with self._lock:
            return list(self._unwritten.items())

    def _retry_until_written(self) -> None:
        for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
            if self._closed.wait(pause):
                return
            self.retry()
            with self._lock:
                if not self._unwritten:
                    self._thread = None  # so that an outcome that comes now gets another thread
                    return
