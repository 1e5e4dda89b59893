"""A list of an answer that is read row by row: one of 100,000 phone numbers takes 29 MB as text, and ten
times that as objects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"[\s,]*")


class LongList:
    """Rows that stay text until they are read. A row is known by its place in the text."""

    def __init__(
        self, text: str, start: int = 1, change: Callable[[Any], Any] | None = None
    ) -> None:
        self._text = text
        self._start = start
        self._change = change

    @classmethod
    def of(cls, rows: list[Any]) -> LongList:
        """The same for rows that were read already."""
        return cls(json.dumps(rows))

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Each place, and the row there. Raises `ValueError` for text that is not JSON."""
        at = self._behind(self._start)
        while self._text[at : at + 1] != "]":
            row, end = _DECODER.raw_decode(self._text, at)
            yield at, self._change(row) if self._change else row
            at = self._behind(end)

    def __getitem__(self, at: int) -> Any:
        row = _DECODER.raw_decode(self._text, at)[0]
        return self._change(row) if self._change else row

    def _behind(self, at: int) -> int:
        """The place behind white space and commas."""
        found = _BETWEEN.match(self._text, at)
        return found.end() if found else at


def cut_out(
    content: bytes, name: str, change: Callable[[Any], Any] | None = None
) -> tuple[Any, LongList] | None:
    """The JSON with an empty list of this name, and what was in the list; None where that can't be
    distinguished. `change` is done to all that is read."""
    text = content.decode()
    # Quotes inside of a text are escaped, so this is a name.
    begins = re.search(rf'(?<!\\)"{re.escape(name)}"\s*:\s*\[', text)
    if begins is None:
        return None
    try:
        # Right unless another list follows; then the whole is read.
        rest = json.loads(text[: begins.end()] + text[text.rindex("]") :])
    except ValueError:
        return None
    return (change(rest) if change else rest), LongList(text, begins.end(), change)
