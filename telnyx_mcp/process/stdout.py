"""A stdout that is closed, full or without a reader ends a command with a message, not a traceback."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def guard_stdout() -> None:
    """Sends each line at once. Where stdout is closed, what is written there is dropped."""
    if sys.stdout is None:
        # Or the next file that is opened would be number 1, where results are written.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != 1:
            os.dup2(nowhere, 1)
            os.close(nowhere)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def drop_stdout() -> None:
    """Drops what stdout could not take: Python would fail once more when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
