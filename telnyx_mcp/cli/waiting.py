"""A bar with the time left, for what takes longer than two seconds at a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mcp.shared.dispatcher import ProgressFnT

PATIENCE = 2.0
"""Seconds without a bar."""


@contextmanager
def waiting() -> Iterator[ProgressFnT]:
    """Receives progress: done, total, and what is done. The bar is on stderr, and leaves no trace. Without
    a terminal nothing is shown."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(24), TimeRemainingColumn(), TextColumn("{task.description}"))
    bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
    task = bar.add_task("", total=None)
    began = time.monotonic()
    is_shown = False

    async def advance(progress: float, total: float | None, message: str | None) -> None:
        nonlocal is_shown
        if not (sys.stderr and console.is_terminal) or time.monotonic() - began < PATIENCE:
            bar.update(task, completed=progress, total=total, description=message or "")
            return
        if not is_shown:
            bar.start()
            is_shown = True
        bar.update(task, completed=progress, total=total, description=message or "", refresh=True)

    try:
        yield advance
    finally:
        if is_shown:
            bar.stop()
