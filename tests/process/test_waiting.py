"""The bar at a terminal: after two seconds, never over a question, and gone in the end."""

from __future__ import annotations

import io

from rich.console import Console

from telnyx_mcp.cli.waiting import PATIENCE, waiting

ERASES_LINE = "\x1b[2K"


class Screen:
    """A terminal that keeps what is written to it, and a clock."""

    def __init__(self, *, is_terminal: bool = True) -> None:
        self.out = io.StringIO()
        self.console = Console(file=self.out, force_terminal=is_terminal, width=80)
        self.seconds = 0.0

    def clock(self) -> float:
        return self.seconds

    @property
    def text(self) -> str:
        return self.out.getvalue()


async def test_nothing_is_shown_for_what_is_quick_or_without_a_terminal() -> None:
    for is_terminal, seconds in ((True, PATIENCE / 2), (False, PATIENCE * 2)):
        screen = Screen(is_terminal=is_terminal)
        with waiting(screen.console, screen.clock) as progress:
            screen.seconds = seconds
            await progress(1, 4, "reading")
        assert "reading" not in screen.text


async def test_what_takes_longer_has_a_bar_that_leaves_no_trace() -> None:
    screen = Screen()
    with waiting(screen.console, screen.clock) as progress:
        screen.seconds = PATIENCE
        await progress(1, 4, "reading")
        assert "reading" in screen.text
    assert screen.text.rstrip().endswith(ERASES_LINE)


async def test_a_question_is_written_below_no_bar_and_stays_whole() -> None:
    screen = Screen()
    with waiting(screen.console, screen.clock) as progress:
        screen.seconds = PATIENCE
        await progress(1, 4, "reading")
        progress.hide()
        before = len(screen.text)
        screen.console.print("Pay 120.00?")
        assert "reading" not in screen.text[before:]
    assert ERASES_LINE not in screen.text[before:]


async def test_the_bar_comes_back_after_a_question() -> None:
    screen = Screen()
    with waiting(screen.console, screen.clock) as progress:
        screen.seconds = PATIENCE
        await progress(1, 4, "reading")
        progress.hide()
        await progress(2, 4, "sending")
        assert "sending" in screen.text
