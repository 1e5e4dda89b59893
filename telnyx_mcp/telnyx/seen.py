"""Which rows of a list were seen already: a list that moves while it is read repeats some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

REMEMBERED = 5_000

Row = TypeVar("Row")


class Seen:
    """The ids of the last rows, so many that a page which comes twice is known, and no more."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._ids: dict[str, None] = {}
        self._remembered = remembered

    def new(self, rows: Iterable[Row], id_of: Callable[[Row], str | None]) -> Iterator[Row]:
        """The rows that were not seen before. A row without an id is always new."""
        for row in rows:
            known_by = id_of(row)
            if known_by is not None:
                if known_by in self._ids:
                    continue
                self._ids[known_by] = None
                if len(self._ids) > self._remembered:
                    del self._ids[next(iter(self._ids))]
            yield row
