"""A stderr that never fails and never waits.

Messages there are optional: if it is closed, on a full disk, or a pipe that nobody reads, they are
dropped, and no call waits for them or fails.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import Any

STEP = 512
"""Bytes that a pipe takes at once if it takes any (PIPE_BUF, at least)."""


class _Dropping(io.RawIOBase):
    """The file behind stderr. What it does not take at once is dropped."""

    def __init__(self, file: int) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file

    def isatty(self) -> bool:
        return os.isatty(self._file)

    def write(self, data: Any, /) -> int:
        content = bytes(data)
        with suppress(OSError, ValueError):
            for start in range(0, len(content), STEP):
                if not select.select([], [self._file], [], 0)[1]:
                    break
                os.write(self._file, content[start : start + STEP])
        return len(content)


def guard_stderr() -> None:
    """Replaces this process's own stderr, if nobody else has replaced it yet."""
    if sys.stderr is not sys.__stderr__ or sys.platform == "win32":
        return
    if sys.stderr is None:
        # Or the next file that is opened would be number 2, where libraries write messages.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != 2:
            os.dup2(nowhere, 2)
            os.close(nowhere)
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    sys.stderr = io.TextIOWrapper(
        _Dropping(2),  # unbuffered: a message is written at once
        encoding,
        "backslashreplace",
        write_through=True,
    )
