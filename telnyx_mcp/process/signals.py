"""The signals that stop the program gracefully."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext


def stopping_signals() -> tuple[signal.Signals, ...]:
    """SIGTERM, SIGINT and SIGHUP; not SIGHUP if it is ignored (`nohup`), none on Windows."""
    if sys.platform == "win32":
        return ()
    hang_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGTERM, signal.SIGINT, *hang_up)


@contextmanager
def stopping_signals_heard() -> Iterator[AsyncIterator[signal.Signals]]:
    """The signals as they arrive; none on Windows. Once one has arrived, signals after the block are
    ignored: another one would kill the program before it has printed its last message."""
    import anyio

    chosen = stopping_signals()
    came = False

    async def noted(signals: AsyncIterator[signal.Signals]) -> AsyncIterator[signal.Signals]:
        nonlocal came
        async for each in signals:
            came = True
            yield each

    with anyio.open_signal_receiver(*chosen) if chosen else nullcontext(_none()) as signals:
        yield noted(signals)
    if came:
        for each in chosen:
            signal.signal(each, signal.SIG_IGN)


async def _none() -> AsyncIterator[signal.Signals]:
    nothing: tuple[signal.Signals, ...] = ()
    for each in nothing:
        yield each
