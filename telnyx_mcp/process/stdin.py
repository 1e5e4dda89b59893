"""A stdin of any encoding: what can't be decoded is no traceback."""

from __future__ import annotations

import io
import sys


def guard_stdin() -> None:
    """Reads U+FFFD for what the encoding of stdin does not know. `serve` reads the bytes, as UTF-8."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
