"""The rows as a table: of at most 100 columns for a terminal, in Markdown for the documentation."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measurement import Goal, Measurement

_HEAD = ("what", "ours", "compared with", "ratio", "goal", "")
_WIDTHS = (24, 13, 33, 7, 8, 5)
_NUMBERS = (False, True, False, True, True, False)
BEGINNING, END = "<!-- measured -->", "<!-- /measured -->"
"""Lines of a document, between which the table is to stand."""


def table(rows: Sequence[Measurement]) -> str:
    """One line a row; below the table, what some of the figures are made of."""
    lines = [_line(_HEAD), _line(["-" * width for width in _WIDTHS]), *map(_line, _cells(rows))]
    below = [textwrap.fill(each, 98, subsequent_indent="  ") for each in _made_of(rows)]
    return "\n".join([*lines, "", *below]).rstrip()


def markdown(rows: Sequence[Measurement]) -> str:
    """The same in Markdown."""
    line = ["---:" if number else "---" for number in _NUMBERS]
    lines = [f"| {' | '.join(cells)} |" for cells in (_HEAD, line, *_cells(rows))]
    return "\n".join([*lines, "", *(f"* {each}" for each in _made_of(rows))])


def around(document: Path) -> tuple[str, str]:
    """The document before and after the place of the table, the marks of that place included.

    Raises `ValueError` if it has no such place.
    """
    before, beginning, rest = document.read_text(encoding="utf-8").partition(BEGINNING)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{document} has no {BEGINNING} ... {END} to write between")
    return f"{before}{beginning}\n\n", f"\n\n{end}{after}"


def _made_of(rows: Sequence[Measurement]) -> list[str]:
    return [
        f"{row.what}: " + ", ".join(f"{name} {value:,.0f}" for name, value in row.parts.items())
        for row in rows
        if row.parts
    ]


def _cells(rows: Sequence[Measurement]) -> list[tuple[str, ...]]:
    """The row's name stands once where several rows have the same."""
    names = [row.what for row in rows]
    return [
        ("" if before == row.what else row.what, *_cells_of(row))
        for before, row in zip(["", *names], rows, strict=False)
    ]


def _cells_of(row: Measurement) -> tuple[str, str, str, str, str]:
    compared = f"{row.compared.whose} {row.compared.text}" if row.compared else ""
    if row.note:
        compared = f"{compared} ({row.note})" if compared else row.note
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} x"
    of_ratio = row.compared and not (row.goal and row.goal.of_figure)
    goal = _goal(row.goal, " x" if of_ratio else "") if row.goal else ""
    return row.ours.text, compared, ratio, goal, row.verdict


def _goal(goal: Goal, unit: str) -> str:
    return f"{'>=' if goal.at_least else '<='} {goal.bound:,}{unit}"


def _line(cells: Sequence[str]) -> str:
    return "  ".join(
        f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)
    ).rstrip()
