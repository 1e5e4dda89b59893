"""A stdout that is closed, full, without a reader or of another encoding: no traceback."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def guard_stdout() -> None:
    """Sends each line at once. Where stdout is closed, what is written there is dropped; a character
    that its encoding lacks becomes a question mark."""
    if sys.stdout is None:
        # Or the next file that is opened would be number 1, where results are written.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != 1:
            os.dup2(nowhere, 1)
            os.close(nowhere)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stdout.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]


def write_utf8(text: str) -> None:
    """Writes what programs read: JSON is UTF-8, whatever the encoding of a pipe is. A terminal, which
    people read, gets its own."""
    sys.stdout.flush()
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        sys.stdout.write(text)
    else:
        sys.stdout.buffer.write(text.encode(errors="replace"))
    sys.stdout.flush()


def drop_stdout() -> None:
    """Drops what stdout could not take: Python would fail once more when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
