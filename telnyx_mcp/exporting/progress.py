"""The progress of an export: a bar in a terminal, otherwise a line every half minute."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from telnyx_mcp.exporting.pages import PAGE_SIZE, RATE_LIMIT
from telnyx_mcp.telnyx.deadline import Clock
from telnyx_mcp.telnyx.operations import SEARCH_DETAIL_RECORDS
from telnyx_mcp.telnyx.rate_limit.pacer import ASSUMED_LIMITS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

_REQUESTS, WINDOW_OF_LIMIT = ASSUMED_LIMITS[SEARCH_DETAIL_RECORDS.path]
TELNYX_ROWS_PER_SECOND = _REQUESTS * PAGE_SIZE / WINDOW_OF_LIMIT
"""2,000 a minute: the most that Telnyx's rate limit lets through."""
WINDOW = 600.0
"""Seconds over which the rate is measured. Telnyx's limit lets requests through in a burst a minute, so
that a shorter window would show the bursts."""
UNPROVEN = 120.0
"""Seconds for which a rate above Telnyx's limit is taken for the first burst."""
LINE_EVERY = 30.0


class Rate:
    """The rate over the last ten minutes. `clock` is in seconds."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._now = (self._began, 0)
        self._seen: deque[tuple[float, int]] = deque()
        """Rows by time, one for each second at most."""

    def note(self, rows: int) -> None:
        now = self._clock()
        self._now = now, rows
        if not self._seen or now - self._seen[-1][0] >= 1:
            self._seen.append(self._now)
        while len(self._seen) > 1 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()

    @property
    def per_second(self) -> float:
        (then, before), (now, rows) = self._seen[0], self._now
        return (rows - before) / (now - then) if now > then else 0.0

    def left(self, total: int) -> float | None:
        """Seconds until all rows are there. At first no faster than Telnyx's limit."""
        now, rows = self._now
        rate = self.per_second
        if now - self._began < UNPROVEN:
            rate = min(rate or TELNYX_ROWS_PER_SECOND, TELNYX_ROWS_PER_SECOND)
        return max(0, total - rows) / rate if rate else None


class Progress(Protocol):
    """Receives the progress of an export."""

    def advance(self, rows: int, total: int | None) -> None: ...

    def waiting(self, seconds: float, why: str) -> None: ...


class Lines:
    """Plain lines: the first at once, the others every half minute."""

    def __init__(self, say: Callable[[str], object], clock: Clock = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._rate = Rate(clock)
        self._said: float | None = None

    def advance(self, rows: int, total: int | None) -> None:
        self._rate.note(rows)
        if self._said is None or self._clock() - self._said >= LINE_EVERY:
            self._said = self._clock()
            count, speed, left = describe(self._rate, rows, total)
            self._say(", ".join(each for each in (count, speed, left) if each) + "\n")

    def waiting(self, seconds: float, why: str) -> None:
        if why != RATE_LIMIT or seconds > WINDOW_OF_LIMIT:
            self._say(f"{_waiting(seconds, why)}\n")


class Bar:
    """A bar that is redrawn after each page."""

    def __init__(self, bar: RichProgress, clock: Clock = time.monotonic) -> None:
        self._bar, self._rate = bar, Rate(clock)
        self._task = bar.add_task("", total=None, count="", speed="", left="")

    def advance(self, rows: int, total: int | None) -> None:
        self._rate.note(rows)
        count, speed, left = describe(self._rate, rows, total)
        self._bar.update(
            self._task, completed=rows, total=total, count=count, speed=speed, left=left
        )
        self._bar.refresh()

    def waiting(self, seconds: float, why: str) -> None:
        self._bar.update(self._task, left=_waiting(seconds, why))
        self._bar.refresh()


@contextmanager
def shown_progress(console: Console | None = None) -> Iterator[Progress]:
    """Progress on stderr, or on the console given."""
    from rich.console import Console

    console = console or Console(stderr=True)
    if not console.is_terminal:

        def say(line: str) -> None:
            if sys.stderr:  # there is none where it was closed before the start
                sys.stderr.write(line)
                sys.stderr.flush()

        yield Lines(say)
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (BarColumn(), TaskProgressColumn())
    texts = (TextColumn(f"{{task.fields[{name}]}}") for name in ("count", "speed", "left"))
    with RichProgress(
        *columns,
        *texts,
        console=console,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        yield Bar(bar)


def describe(rate: Rate, rows: int, total: int | None) -> tuple[str, str, str]:
    """Rows, rate and time left as text; empty where unknown."""
    of = f" of {total:,}" if total is not None else ""
    speed = f"{rate.per_second * 60:,.0f} a minute" if rate.per_second else ""
    seconds = rate.left(total) if total is not None else None
    left = f"{timedelta(seconds=round(seconds))} left" if seconds is not None else ""
    return f"{rows:,}{of} rows", speed, left


def _waiting(seconds: float, why: str) -> str:
    return f"waiting {seconds:.0f} s: {why}"
