"""Work in a thread that can be left: nothing waits for it, not even the end of the process.

For calls into the system that may never return, such as a question to a keyring.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def start_daemon(work: Callable[[], T]) -> Future[T]:
    """Starts the work. Whatever it raises is in the future, and ends no thread and no process."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            future.set_exception(error)

    threading.Thread(target=run, name="daemon work", daemon=True).start()
    return future


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """What the work returns. A cancellation leaves the thread to itself."""
    import anyio
    from anyio import from_thread, lowlevel

    token, done = lowlevel.current_token(), anyio.Event()

    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            outcome.set_exception(error)
        with suppress(RuntimeError):  # the event loop has ended
            from_thread.run_sync(done.set, token=token)

    start_daemon(run)
    await done.wait()
    return outcome.result()
