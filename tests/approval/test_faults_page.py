"""The page of faults says what is tried."""

from __future__ import annotations

from scripts.generate import faults


def test_the_page_says_what_was_tried() -> None:
    assert faults.PAGE.read_text(encoding="utf-8") == faults.page(), "run: make docs"
