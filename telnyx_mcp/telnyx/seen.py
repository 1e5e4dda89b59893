"""Which rows of a list were seen already: a list that moves while it is read repeats some."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

REMEMBERED = 5_000

Row = TypeVar("Row")


class Seen:
    """Marks of the last rows, so many that a page which comes twice is known, and no more."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._marks: dict[Hashable, None] = {}
        self._remembered = remembered

    def new(self, rows: Iterable[Row], mark_of: Callable[[Row], Hashable]) -> Iterator[Row]:
        """The rows that were not seen before. A row whose mark is None is always new."""
        for row in rows:
            mark = mark_of(row)
            if mark is not None:
                if mark in self._marks:
                    continue
                self._marks[mark] = None
                if len(self._marks) > self._remembered:
                    del self._marks[next(iter(self._marks))]
            yield row
