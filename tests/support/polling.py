"""Waits for what another thread or process is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio

SECONDS = 60.0
"""How long a test waits at most, on a machine under load."""
PAUSE = 0.01


async def until(is_so: Callable[[], object], seconds: float = SECONDS) -> None:
    """Returns once it is so. Raises `TimeoutError` after that many seconds."""
    with anyio.fail_after(seconds):
        while not is_so():
            await anyio.sleep(PAUSE)


def wait_until(is_so: Callable[[], object], seconds: float = SECONDS) -> None:
    """The same in a plain function."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(PAUSE)
