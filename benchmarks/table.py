"""The rows as a table of at most 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from benchmarks.measurement import Goal, Measurement

_WIDTHS = (24, 13, 33, 7, 8, 5)


def table(rows: Iterable[Measurement]) -> str:
    """One line a row; below the table, what some of the figures are made of."""
    lines = [_line(("what", "ours", "compared with", "ratio", "goal", ""))]
    lines.append(_line(["-" * width for width in _WIDTHS]))
    below = []
    said = ""
    for row in rows:
        lines.append(_line(("" if row.what == said else row.what, *_cells(row))))
        said = row.what
        if row.parts:
            parts = ", ".join(f"{name} {value:,.0f}" for name, value in row.parts.items())
            below.append(textwrap.fill(f"{row.what}: {parts}", 98, subsequent_indent="  "))
    return "\n".join([*lines, "", *below]).rstrip()


def _cells(row: Measurement) -> tuple[str, str, str, str, str]:
    compared = f"{row.compared.whose} {row.compared.text}" if row.compared else ""
    if row.note:
        compared = f"{compared} ({row.note})" if compared else row.note
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} x"
    goal = _goal(row.goal, " x" if row.compared else "") if row.goal else ""
    return row.ours.text, compared, ratio, goal, row.verdict


def _goal(goal: Goal, unit: str) -> str:
    return f"{'>=' if goal.at_least else '<='} {goal.bound:,}{unit}"


def _line(cells: Sequence[str]) -> str:
    return "  ".join(
        f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)
    ).rstrip()
