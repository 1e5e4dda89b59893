"""One row of the table: what was measured, what it is compared with, and the goal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


class Unavailable(Exception):
    """Something that is compared with can't be had here. Its text says what and why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and whose it is. `text` is how it is written, with its unit."""

    whose: str
    value: float
    unit: str

    @property
    def text(self) -> str:
        if self.value == int(self.value):
            return f"{int(self.value):,} {self.unit}".rstrip()
        return f"{self.value:,.{1 if self.value >= 100 else 2}f} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound for the ratio; for the figure itself in a row without a comparison, or if so said."""

    bound: float
    at_least: bool = False
    of_figure: bool = False

    def reached(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True, slots=True)
class Measurement:
    """A row. `parts` are figures that make up ours, shown below the table."""

    what: str
    ours: Figure
    compared: Figure | None = None
    goal: Goal | None = None
    note: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Ours in units of what it is compared with, if that is anything."""
        if self.compared is None or not self.compared.value:
            return None
        return self.ours.value / self.compared.value

    @property
    def verdict(self) -> str:
        """`ok`, `over` or `under`; empty for a row without a goal."""
        if self.goal is None:
            return ""
        ratio = None if self.goal.of_figure else self.ratio
        if self.goal.reached(self.ours.value if ratio is None else ratio):
            return "ok"
        return "under" if self.goal.at_least else "over"

    def as_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {"what": self.what, "ours": self.ours.value, "unit": self.ours.unit}
        if self.compared:
            row |= {"compared_with": self.compared.whose, "compared": self.compared.value}
            row["ratio"] = self.ratio
        if self.goal:
            row["goal"] = {"at_least" if self.goal.at_least else "at_most": self.goal.bound}
            row["goal"]["of"] = "ratio" if self.compared and not self.goal.of_figure else "ours"
            row["verdict"] = self.verdict
        if self.note:
            row["note"] = self.note
        if self.parts:
            row["parts"] = dict(self.parts)
        return row


def side_by_side(
    what: str, samples: Mapping[str, Sequence[float]], unit: str, goal: Goal | None = None
) -> list[Measurement]:
    """The rows for samples taken in turns: the median of ours against each other's.

    `samples` holds `ours`, `bare SDK`, then any others. The goal is for the row against bare; the
    others tell how they themselves compare with it.
    """
    ours, *others = [Figure(whose, median(taken), unit) for whose, taken in samples.items()]
    against_bare, *rest = others
    bare = against_bare.value
    return [
        Measurement(what, ours, against_bare, goal),
        *(Measurement(what, ours, each, note=f"{each.value / bare:.2f} x bare") for each in rest),
    ]
