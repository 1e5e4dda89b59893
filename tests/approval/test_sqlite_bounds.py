"""How SQLite files are opened: what a commit promises, and who is waited for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from telnyx_mcp.storage.schema import schema_version
from telnyx_mcp.storage.sqlite import (
    LEDGER,
    PACE,
    Bounds,
    FileReplaced,
    OpenedFile,
    connect,
    file_id,
)
from telnyx_mcp.storage.store import Store, StoreError


def pragmas(connection: sqlite3.Connection) -> list[object]:
    asked = ("journal_mode", "synchronous", "fullfsync", "busy_timeout")
    return [connection.execute(f"PRAGMA {each}").fetchone()[0] for each in asked]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (LEDGER, ["delete", 3, 1, 30_000]),
        (LEDGER.waiting(0.05), ["delete", 3, 1, 50]),
        (PACE, ["wal", 0, 0, 0]),
    ],
)
def test_a_connection_has_the_bounds_of_its_file(
    tmp_path: Path, bounds: Bounds, expected: list[object]
) -> None:
    with closing(connect(tmp_path / "file", bounds)) as connection:
        assert pragmas(connection) == expected
        assert connection.isolation_level is None


def test_a_ledger_in_a_wal_leaves_it_when_nobody_else_has_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with closing(connect(file, PACE)) as other:
        other.execute("CREATE TABLE t (x)")
        with closing(connect(file, LEDGER)) as connection:
            assert pragmas(connection) == ["wal", 3, 1, 30_000]
    with closing(connect(file, LEDGER)) as connection:
        assert pragmas(connection) == ["delete", 3, 1, 30_000]


@pytest.mark.parametrize("bounds", [LEDGER, PACE])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, bounds: Bounds) -> None:
    (tmp_path / "file").write_bytes(b"no database " * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        connect(tmp_path / "file", bounds)


def test_a_file_is_known_until_another_takes_its_place(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    assert file_id(file) is None
    with pytest.raises(FileReplaced):
        OpenedFile.at(file).check()
    file.touch()
    other.touch()
    opened = OpenedFile.at(file)
    opened.check()
    other.replace(file)
    with pytest.raises(FileReplaced, match="deleted, moved or replaced"):
        opened.check()
    file.unlink()
    with pytest.raises(FileReplaced):
        opened.check()


def test_a_folder_that_can_no_longer_be_looked_into_counts_as_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").touch()
    opened = OpenedFile.at(folder / "file")
    (folder / "file").unlink()
    folder.rmdir()
    folder.touch()
    with pytest.raises(FileReplaced):
        opened.check()


def test_a_ledger_that_does_not_say_its_version_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite3"
    with closing(Store(f"sqlite:///{file}")) as store, store.write() as connection:
        connection.execute(schema_version.delete())
    with closing(Store(f"sqlite:///{file}")) as store, pytest.raises(StoreError) as refused:
        store.salt()
    assert str(refused.value).startswith(f"{file} does not say which version wrote it")
