"""Ending the process at once, whatever its threads still wait for.

The thread that reads stdin can't be interrupted, and Python waits for it at the end: so the server ends
by `os._exit`, which runs no `finally` and no `atexit`. Cleanups that must still run are registered here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

_CLEANUPS: list[Callable[[], None]] = []


def on_leaving(cleanup: Callable[[], None]) -> None:
    """Registers a cleanup for `leave`. It may also have run before, so it must be safe to run twice."""
    _CLEANUPS.append(cleanup)


def leave() -> NoReturn:
    """Ends the process with status 0, after the cleanups, the latest first."""
    for cleanup in reversed(_CLEANUPS):
        with suppress(Exception):
            cleanup()
    with suppress(OSError, ValueError, AttributeError):  # it may be closed
        sys.stderr.flush()
    os._exit(0)
