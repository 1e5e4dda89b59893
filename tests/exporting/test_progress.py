"""What a person sees of an export."""

from __future__ import annotations

import io

from rich.console import Console

from telnyx_mcp.exporting.progress import LINE_EVERY, Lines, Rate, shown_progress
from tests.support.simulated_time import Time


def test_at_a_terminal_a_bar_shows_rows_rate_and_time_left() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, legacy_windows=False)
    with shown_progress(console) as progress:
        progress.advance(0, 89_552)
        progress.advance(50, 89_552)
        progress.waiting(30, "Telnyx did not answer in time.")
        progress.advance(100, 89_552)
    shown = screen.getvalue()
    assert "100 of 89,552 rows" in shown
    assert "a minute" in shown
    assert "0:44:4" in shown, "89,452 rows at 2,000 a minute"
    assert "waiting 30 s: Telnyx did not answer in time." in shown


def test_elsewhere_a_line_comes_every_half_minute(time: Time) -> None:
    lines: list[str] = []
    progress = Lines(lines.append, time.clock)
    for done in range(0, 4_000, 50):
        progress.advance(done, 4_000)
        time.at += 1.5
    assert len(lines) == 80 * 1.5 / LINE_EVERY
    assert lines[0] == "0 of 4,000 rows, 0:02:00 left\n"
    assert lines[-1] == "3,000 of 4,000 rows, 2,000 a minute, 0:00:30 left\n"


def test_the_first_burst_promises_no_faster_pace(time: Time) -> None:
    rate = Rate(time.clock)
    for done in range(0, 2_001, 50):
        rate.note(done)
        time.at += 0.1
    left = rate.left(1_000_000)
    assert left is not None
    assert abs(left - 998_000 / 2_000 * 60) < 1


def test_after_two_minutes_the_rate_that_was_measured_counts(time: Time) -> None:
    rate = Rate(time.clock)
    for done in range(0, 15_001, 50):
        rate.note(done)
        time.at += 0.5
    left = rate.left(21_000)
    assert left is not None
    assert abs(left - 60) < 1


def test_a_count_that_is_not_known_is_left_out(time: Time) -> None:
    lines: list[str] = []
    Lines(lines.append, time.clock).advance(50, None)
    assert lines == ["50 rows\n"]
