"""A bar with the time left, for what takes longer than two seconds at a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PATIENCE = 2.0
"""Seconds without a bar."""


class Waiting:
    """Receives progress: done, total, and what is done. The bar is on stderr, and leaves no trace. Without
    a terminal nothing is shown."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(24), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
        self._task = self._bar.add_task("", total=None)
        self._clock = clock
        self._began = clock()
        self._can_show = console.is_terminal
        self._is_shown = False

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        if not self._is_shown and self._can_show and self._clock() - self._began >= PATIENCE:
            self._bar.start()
            self._is_shown = True
        self._bar.update(
            self._task,
            completed=progress,
            total=total,
            description=message or "",
            refresh=self._is_shown,
        )

    def hide(self) -> None:
        """Takes the bar away until there is progress again: before a question, which it would otherwise
        write over."""
        if self._is_shown:
            self._bar.stop()
            self._is_shown = False


@contextmanager
def waiting(
    console: Console | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Waiting]:
    """Shows progress on this console, stderr unless given."""
    from rich.console import Console

    shown = Waiting(console or Console(stderr=True), clock)
    try:
        yield shown
    finally:
        shown.hide()
