"""The page of faults says what is tried."""

from __future__ import annotations

from scripts.generate import faults
from tests.support.fault_matrix import ROWS


def test_the_page_says_what_was_tried() -> None:
    assert faults.PAGE.read_text(encoding="utf-8") == faults.page(), "run: make docs"


def test_every_row_is_in_one_of_the_dozen_cases() -> None:
    assert len(faults.CASES) == 12
    for row in ROWS:
        cases = [case for case, pattern in faults.CASES if row in faults.rows_of(pattern)]
        assert len(cases) == 1, (row.fault, cases)
