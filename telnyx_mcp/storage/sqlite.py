"""Connections to SQLite files, for the ledger and the pace."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a file may be held by others, and what a commit promises."""

    busy_seconds: float
    """How long a connection that holds the file is waited for."""
    journal: Literal["DELETE", "WAL"]
    synchronous: Literal["EXTRA", "OFF"]

    def waiting(self, busy_seconds: float) -> Bounds:
        return replace(self, busy_seconds=busy_seconds)


# A rollback journal, not a WAL: what is committed is in the file itself, whatever becomes of the
# files beside it. EXTRA: the end of the journal is on the disk too before a commit returns.
LEDGER = Bounds(busy_seconds=30.0, journal="DELETE", synchronous="EXTRA")
# A pace is worth nothing after a minute, so no write waits for the disk. A file that is held is tried
# again by the event loop, which must not be blocked.
PACE = Bounds(busy_seconds=0.0, journal="WAL", synchronous="OFF")


def connect(path: Path, bounds: Bounds) -> sqlite3.Connection:
    """A connection that begins no transactions by itself, for use by one thread at a time.

    Raises `sqlite3.Error`.
    """
    import sqlite3  # with the first connection, not at start

    connection = sqlite3.connect(
        path, timeout=bounds.busy_seconds, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA synchronous = {bounds.synchronous}")
        if bounds.synchronous == "EXTRA":
            connection.execute("PRAGMA fullfsync = ON")
        if bounds.journal == "WAL":
            connection.execute("PRAGMA journal_mode = WAL")
        else:
            _leave_wal(connection, bounds)
    except BaseException:
        connection.close()
        raise
    return connection


def _leave_wal(connection: sqlite3.Connection, bounds: Bounds) -> None:
    """Goes back to a rollback journal: earlier versions used a WAL for the ledger.

    It can be left only while nobody else has the file open. Else the ledger goes on with it, as the
    others do, and the next connection tries again.
    """
    import sqlite3

    connection.execute("PRAGMA busy_timeout = 0")
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute(f"PRAGMA busy_timeout = {int(bounds.busy_seconds * 1000)}")


class FileReplaced(OSError):
    """The path no longer leads to the file that was opened: what is written to it would be lost."""

    def __init__(self) -> None:
        super().__init__(
            "the file was deleted, moved or replaced while the server used it, so nothing is written "
            "to it"
        )


FileId = tuple[int, int]


def file_id(path: str | Path) -> FileId | None:
    """Which file the path leads to (device and inode); None if there is none. Raises `OSError`."""
    try:
        found = os.stat(path)  # noqa: PTH116 - the pace asks each time, and pathlib is slower
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """The file that a path led to when it was opened."""

    path: Path
    id: FileId | None

    @classmethod
    def at(cls, path: Path) -> OpenedFile:
        return cls(path, file_id(path))

    def check(self) -> None:
        """Raises `FileReplaced` if the path leads to another file now, or to none."""
        with suppress(OSError):
            if self.id and self.id == file_id(self.path):
                return
        raise FileReplaced
