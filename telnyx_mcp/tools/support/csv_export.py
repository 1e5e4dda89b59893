"""CSV files in the folder that the user set: named by the server, never overwritten, safe to open.

A cell that a spreadsheet would run as a formula gets an apostrophe in front (CWE-1236), except what
can't be one: signed numbers and phone numbers. Files begin with the mark by which Excel knows UTF-8,
lines end with CRLF, and every cell is quoted. A file appears under its name only when it is whole.
"""

from __future__ import annotations

import csv
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from pydantic import Field

from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.framework.results import Row
from telnyx_mcp.tools.framework.services import LARGEST_FILE
from telnyx_mcp.tools.framework.spec import Call
from telnyx_mcp.untrusted import redact, to_json

LONGEST_CELL = 32_000
"""Characters. Spreadsheets take 32,767."""
_BREAKS = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
_UNSEEN = (
    r"\"\s\x00-\x20\x7f-\xa0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
)
"""Blanks, controls and invisible characters, which a spreadsheet may drop, and the quote."""
_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20\u2212\ufe62\ufe63\ufe66\ufe6b"
"""The wide and small ones too: spreadsheets of some countries take them for the plain ones."""
_LINE_BREAK = re.compile(f"[{_BREAKS}]")
_CALL = re.compile(r"[(|!\[]")
"""What a formula needs that does more than arithmetic: functions, DDE, other sheets and files."""


def _beginnings(separators: str) -> re.Pattern[str]:
    """Where text would become a formula if a cell began behind each of the separators."""
    unseen = rf"(?:(?![{separators}])[{_UNSEEN}])*"
    return re.compile(rf"^(?=[\t\r\n])|(?:^|[{separators}])(?={unseen}[{_SIGNS}])")


# A spreadsheet set to another country ends cells at semicolons or tabs. One that ends lines inside
# of quotes, too, has lost count of the quotes by then, and so may end a cell at a comma anywhere in
# the row: x\na,"  and  c,=1  become  x | a | ,c | =1. Without a line break, commas stand in quotes.
_IN_ONE_LINE = _beginnings(rf";\t{_BREAKS}")
_IN_BROKEN_LINES = _beginnings(rf",;\t{_BREAKS}")
_HARMLESS = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


class Exported(Row):
    """A file that was written."""

    path: str = Field(description="Absolute path of the file.")
    rows: int = Field(description="Rows in the file, without the header.")
    bytes: int = Field(description="Size of the file.")
    complete: bool = Field(description="Whether it holds everything that was asked for.")


@contextmanager
def exporting(call: Call[Any], about: str) -> Iterator[Export]:
    """A file for what a call exports. Raises `ToolFailure`."""
    services = call.services
    folder, largest = services.export_dir, services.largest_file
    if folder is None:
        raise _not_exported("no folder for files is set.", services.gate.directions.about_files)
    with Export(folder, about, services.now(), largest) as export:
        yield export


class Export:
    """A file that is being written, row by row. Leaves nothing behind if it is not finished.

    Columns are those of `columns`, then those the first rows bring; what later rows bring besides
    goes as JSON into the last column, `more`. Raises `ToolFailure`.
    """

    def __init__(
        self, folder: Path, about: str, now: datetime, largest: int = LARGEST_FILE
    ) -> None:
        safe = re.sub(r"[^a-z0-9-]+", "-", about.lower()).strip("-")[:80]
        name = f"telnyx-{safe}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}.csv"
        self._path = folder / name
        self._draft = folder / f".{name}.part"
        self._largest = largest
        self._file: TextIO | None = None
        self._columns: list[str] = []
        self.rows = 0
        self.full = False

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            handle = os.open(self._draft, flags, 0o600)
        except OSError as error:
            raise self._cannot(error) from None
        self._file = os.fdopen(handle, "w", encoding="utf-8-sig", newline="")  # Excel
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._file:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._draft.unlink()

    def write(self, rows: Iterable[Mapping[str, Any]]) -> bool:
        """Writes the rows, redacted. False once the file is as large as it may get."""
        assert self._file  # noqa: S101 - used within `with` only
        writer = csv.writer(self._file, quoting=csv.QUOTE_ALL)
        batch = [redact(dict(row), LONGEST_CELL, nulls=True) for row in rows]
        try:
            if not self._columns and batch:
                self._columns = list(dict.fromkeys(name for row in batch for name in row))
                writer.writerow([*cells(self._columns), "more"])
            for row in batch:
                if self._file.tell() > self._largest:
                    self.full = True
                    return False
                more = {name: value for name, value in row.items() if name not in self._columns}
                values = [row.get(name) for name in self._columns]
                writer.writerow(cells([*values, more or None]))
                self.rows += 1
        except OSError as error:
            raise self._cannot(error) from None
        return True

    def finish(self, *, complete: bool) -> Exported:
        """Puts the file under its name, which must be free."""
        assert self._file  # noqa: S101 - used within `with` only
        name = self._path if complete else self._path.with_stem(f"{self._path.stem}-INCOMPLETE")
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            size = self._file.tell()
            self._file.close()
            try:
                os.link(self._draft, name)  # fails where the name is taken, a rename would not
            except FileExistsError:
                raise
            except (OSError, AttributeError, NotImplementedError):
                self._draft.rename(name)  # a file system without links; the name is random
        except OSError as error:
            raise self._cannot(error) from None
        return Exported(path=str(name), rows=self.rows, bytes=size, complete=complete)

    def _cannot(self, error: OSError) -> ToolFailure:
        why = error.strerror or type(error).__name__
        return _not_exported(
            f"the folder {self._path.parent} (TELNYX_MCP_EXPORT_DIR) can't be written to: {why}.",
            "Ask the user to fix that.",
        )


def _not_exported(why: str, do: str) -> ToolFailure:
    return ToolFailure("Nothing was exported", why, do=do, again="Try again after that.")


def cells(values: Iterable[Any]) -> list[str]:
    """The values of a row, escaped so that a spreadsheet shows them and does not run them.

    Where semicolons separate cells, the whole line is one cell that begins as the first value does:
    `-1,1+cmd|' /C calc'!A0`. So the first value is harmless only in a line that calls nothing.
    """
    texts = [_cell_text(each) for each in values]
    broken = any(_LINE_BREAK.search(each) for each in texts)
    beginnings = _IN_BROKEN_LINES if broken else _IN_ONE_LINE
    calls = any(_CALL.search(each) for each in texts[1:])
    return [
        each
        if _HARMLESS.fullmatch(each) and (number or not calls)
        else beginnings.sub(r"\g<0>'", each)
        for number, each in enumerate(texts)
    ]


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else to_json(value)
