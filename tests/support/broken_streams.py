"""Descriptors for a standard stream that is closed, full, unread, or a pipe without a reader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def closed() -> Iterator[None]:
    yield None


@contextmanager
def full() -> Iterator[int]:
    if not Path("/dev/full").exists():
        pytest.skip("a device of Linux")
    file = os.open("/dev/full", os.O_WRONLY)
    yield file
    os.close(file)


@contextmanager
def unread() -> Iterator[int]:
    """A pipe that takes no byte more."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    for size in (65536, 1):
        try:
            while True:
                os.write(writes, b"." * size)
        except BlockingIOError:
            pass
    os.set_blocking(writes, True)
    yield writes
    os.close(writes)
    os.close(reads)


@contextmanager
def broken() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reads, writes = os.pipe()
    os.close(reads)
    yield writes
    os.close(writes)
