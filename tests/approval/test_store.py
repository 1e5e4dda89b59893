"""The store: private, durable, one writer at a time, and plain words when it can't be used.

What both kinds of store promise is tried on both; on PostgreSQL where `TEST_POSTGRES_URL` names a
database to make schemas in (`postgresql+psycopg://…`).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from telnyx_mcp.storage import schema as storage
from telnyx_mcp.storage.schema import READABLE_FROM, REVISION, changes, schema_version
from telnyx_mcp.storage.store import Store, StoreError

SECONDS = 30
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes and limits are POSIX's")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite file that was in use before, with one change in it."""
    path = tmp_path / "state.sqlite3"
    with closing(Store(url_of(path))) as store:
        add(store, "first")
    return path


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def row(id: str, question: str = "") -> dict[str, object]:
    texts = ("account", "operation", "arguments", "state", "channel", "owner", "secret_hash")
    more = dict.fromkeys((*texts, "basis", "happened", "evidence", "note"), "")
    return {**more, "id": id, "question": question, "proposed_at": 0, "updated_at": 0}


def add(store: Store, id: str, question: str = "") -> None:
    with store.write() as connection:
        connection.execute(changes.insert().values(row(id, question)))


def ids(store: Store) -> set[str]:
    with store.read() as connection:
        return set(connection.execute(sa.select(changes.c.id)).scalars())


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process that runs this code."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def told(process: subprocess.Popen[str]) -> str:
    """What a process that ended well wrote."""
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    return out.strip()


# --- both kinds of store --------------------------------------------------------------------------


def test_what_was_written_is_there_when_it_is_opened_again(store: Store, store_url: str) -> None:
    add(store, "first")
    store.close()
    with closing(Store(store_url)) as again:
        assert ids(again) == {"first"}


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.write() as connection:
            connection.execute(changes.insert().values(row("first")))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert ids(store) == set()


def test_the_salt_stays_and_differs_between_stores(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    salt = store.salt()
    with closing(Store(store_url)) as again, closing(Store(url_of(tmp_path / "other"))) as other:
        assert again.salt() == salt
        assert other.salt() != salt
    assert len(salt) == 32


def written_by(store: Store, *, readable_from: int, revision: int) -> None:
    """Makes the store look like one that a later version brought forward."""
    with store.write() as connection:
        told = {"version": readable_from, "revision": revision}
        connection.execute(schema_version.update().values(told))
    store.close()


def test_a_store_that_this_version_cannot_read_is_refused_with_words_and_left_alone(
    store: Store, store_url: str
) -> None:
    written_by(store, readable_from=REVISION + 1, revision=REVISION + 4)
    with closing(Store(store_url)) as older, pytest.raises(StoreError) as refused:
        add(older, "first")
    assert "was written by a newer telnyx-account-mcp" in str(refused.value)
    assert "Update this one." in str(refused.value)
    with pytest.MonkeyPatch.context() as newer:
        newer.setattr(storage, "REVISION", REVISION + 1)
        with closing(Store(store_url)) as again:
            assert ids(again) == set()


@pytest.mark.parametrize("readable_from", range(READABLE_FROM, REVISION + 1))
def test_a_store_of_a_later_version_that_this_one_can_read_is_used_and_not_brought_back(
    store: Store, store_url: str, readable_from: int
) -> None:
    written_by(store, readable_from=readable_from, revision=REVISION + 4)
    with closing(Store(store_url)) as older:
        add(older, "first")
        assert ids(older) == {"first"}
        with older.read() as connection:
            found = connection.execute(
                sa.select(schema_version.c.version, schema_version.c.revision)
            ).one()
    assert tuple(found) == (readable_from, REVISION + 4)


def test_an_older_store_is_brought_forward_step_by_step(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "first")
    salt = store.salt()
    store.close()
    table = changes.name
    steps = {
        REVISION + 1: (f"ALTER TABLE {table} ADD COLUMN seen INTEGER",),
        REVISION + 2: (f"UPDATE {table} SET seen = 7", f"UPDATE {table} SET note = 'kept'"),
    }
    monkeypatch.setattr(storage, "MIGRATIONS", steps)
    monkeypatch.setattr(storage, "REVISION", REVISION + 2)
    for _ in range(2):
        with closing(Store(store_url)) as newer, newer.read() as connection:
            found = connection.execute(sa.text(f"SELECT id, seen, note FROM {table}")).all()
            revision = connection.execute(sa.select(schema_version.c.revision)).scalar_one()
        assert [tuple(each) for each in found] == [("first", 7, "kept")]
        assert revision == REVISION + 2
    with closing(Store(store_url)) as newer:
        assert newer.salt() == salt


def test_a_step_forward_that_fails_leaves_the_older_version_whole(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "first")
    store.close()
    table = changes.name
    broken = (f"ALTER TABLE {table} ADD COLUMN seen INTEGER", "UPDATE no_such_table SET x = 1")
    with monkeypatch.context() as newer:
        newer.setattr(storage, "MIGRATIONS", {REVISION + 1: broken})
        newer.setattr(storage, "REVISION", REVISION + 1)
        with closing(Store(store_url)) as failing, pytest.raises(StoreError, match="no_such_table"):
            failing.salt()
    with closing(Store(store_url)) as older, older.read() as connection:
        names = [each["name"] for each in sa.inspect(connection).get_columns(table)]
    assert "seen" not in names


_COUNTS = """
import sys
import sqlalchemy as sa
from telnyx_mcp.storage.schema import changes
from telnyx_mcp.storage.store import Store
from tests.approval.test_store import row

store = Store(sys.argv[1])
for _ in range(40):
    with store.write() as connection:
        number = connection.execute(sa.select(sa.func.count()).select_from(changes)).scalar_one()
        connection.execute(changes.insert().values(row(str(number))))
store.close()
"""


def test_processes_that_open_it_first_and_write_at_once_come_one_after_the_other(
    store_url: str,
) -> None:
    writers = [python(_COUNTS, store_url) for _ in range(4)]
    for writer in writers:
        told(writer)
    with closing(Store(store_url)) as store:
        assert ids(store) == {str(number) for number in range(4 * 40)}


def test_threads_that_open_it_first_and_write_at_once_come_one_after_the_other(
    store: Store,
) -> None:
    def count(_: int) -> None:
        with store.write() as connection:
            query = sa.select(sa.func.count()).select_from(changes)
            number = connection.execute(query).scalar_one()
            connection.execute(changes.insert().values(row(str(number))))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(40)))
    assert ids(store) == {str(number) for number in range(40)}


def test_reading_goes_on_while_somebody_writes(store: Store, store_url: str) -> None:
    add(store, "first")
    with closing(Store(store_url)) as reader:
        reader.salt()  # opening it waits for its turn to write
        with store.write() as connection:
            connection.execute(changes.insert().values(row("second")))
            assert ids(reader) == {"first"}
    assert ids(store) == {"first", "second"}


# --- where it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("sqlite:////tmp/a.sqlite3", "/tmp/a.sqlite3"),
        ("postgresql+psycopg://me:secret@h/db", "postgresql://h/db"),
        ("postgresql+psycopg://h/db?user=me&password=secret", "postgresql://h/db"),
        ("postgresql+psycopg://me@h:secret/db", "TELNYX_MCP_STATE_URL"),
    ],
)
def test_its_place_is_shown_without_a_password(url: str, place: str) -> None:
    assert Store(url).place == place


def test_without_a_url_it_is_a_file_in_the_users_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform != "linux":
        pytest.skip("where that is differs; here as the XDG specification has it")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Store().place == str(tmp_path / "telnyx-account-mcp" / "state.sqlite3")


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "sqlite://",
        "sqlite:///:memory:",
        "nosuchdatabase://host/db",
        "mysql+nosuchdriver://host/db",
        "postgresql+nosuchdriver://host/db",
        "oracle+oracledb://host/db",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_an_explanation(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError):
        Store(url).salt()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_database_is_reported_without_its_password() -> None:
    pytest.importorskip("psycopg")
    url = "postgresql+psycopg://me:verysecret@127.0.0.1:1/db?connect_timeout=2"
    with pytest.raises(StoreError) as refused:
        Store(url).salt()
    assert "127.0.0.1" in str(refused.value)
    assert "verysecret" not in str(refused.value)


# --- the SQLite file ------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_file_and_its_directory_are_for_their_owner_only(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "made" / "state.sqlite3"
    before = os.umask(mask)
    try:
        with closing(Store(url_of(path))) as store:
            add(store, "first")
            made = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert made == {"state.sqlite3": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_every_connection_keeps_a_rollback_journal_and_waits_for_the_disk(tmp_path: Path) -> None:
    def pragmas(store: Store) -> tuple[object, object, object]:
        with store.read() as connection:
            asked = ("journal_mode", "synchronous", "busy_timeout")
            journal, waits, busy = (
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in asked
            )
            return journal, waits, busy

    with closing(Store(url_of(tmp_path / "state.sqlite3"))) as store:
        with store.read():  # so that the next one needs a connection of its own
            assert pragmas(store) == ("delete", 3, 30_000)
        assert pragmas(store) == ("delete", 3, 30_000)


@pytest.mark.parametrize("content", [b"no database " * 50, b"no database " * 1000])
def test_a_file_that_is_not_a_database_is_refused_and_not_overwritten(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "state.sqlite3"
    path.write_bytes(content)
    with closing(Store(url_of(path))) as store, pytest.raises(StoreError) as refused:
        add(store, "first")
    assert f"{path}: file is not a database. The file is damaged" in str(refused.value)
    assert "keep it, it may name payments" in str(refused.value)
    assert path.read_bytes() == content


def test_a_damaged_page_is_reported_and_nothing_is_written(file: Path) -> None:
    with closing(Store(url_of(file))) as store:
        for number in range(200):
            add(store, str(number), "x" * 500)
    content = bytearray(file.read_bytes())
    content[4096:-4096] = b"\xff" * (len(content) - 8192)
    file.write_bytes(content)
    with closing(Store(url_of(file))) as store, pytest.raises(StoreError) as refused:
        add(store, "last")
    assert "The file is damaged" in str(refused.value)
    assert file.read_bytes() == bytes(content)


def test_a_truncated_file_is_reported(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with closing(Store(url_of(file))) as store, pytest.raises(StoreError, match="damaged"):
        add(store, "second")
    assert file.read_bytes() == content[: len(content) // 2]


def test_a_directory_in_its_place_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="directory"):
        Store(url_of(tmp_path)).salt()


_HOLDS = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_writer_that_never_ends_is_waited_for_and_reported(file: Path) -> None:
    holder = python(_HOLDS, str(file))
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with (
            closing(Store(url_of(file), busy_seconds=0.05)) as store,
            pytest.raises(StoreError, match=r"locked\. Another process holds it; try again\."),
        ):
            add(store, "second")
    finally:
        holder.communicate(timeout=SECONDS)
    with closing(Store(url_of(file))) as store:
        assert ids(store) == {"first"}


def test_a_writer_that_dies_in_the_middle_leaves_nothing_and_holds_nothing(file: Path) -> None:
    code = _HOLDS.replace("print(", "held.execute('DELETE FROM telnyx_mcp_changes')\nprint(")
    holder = python(code, str(file))
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate(timeout=SECONDS)
    with closing(Store(url_of(file), busy_seconds=1)) as store:
        add(store, "second")
        assert ids(store) == {"first", "second"}


def test_a_full_disk_is_reported_and_the_transaction_leaves_nothing(file: Path) -> None:
    def fill(store: Store) -> None:
        with store.write() as connection:
            connection.execute(changes.insert().values(row("second")))
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            connection.execute(changes.insert().values(row("third", "x" * 100_000)))

    with closing(Store(url_of(file))) as store:
        with pytest.raises(StoreError, match=r"full\. Make room on the disk\."):
            fill(store)
        assert ids(store) == {"first"}


_NO_ROOM = """
import resource, sys
from telnyx_mcp.storage.store import Store, StoreError
from tests.approval.test_store import add, ids

store = Store(sys.argv[1])
store.salt()
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for number in range(1000):
        add(store, str(number), "x" * 5000)
except StoreError as error:
    print(number, error)
assert ids(store) == {"first", *map(str, range(number))}
"""


@POSIX
def test_when_the_disk_takes_no_more_all_that_was_confirmed_is_there(file: Path) -> None:
    number, _, words = told(python(_NO_ROOM, url_of(file))).partition(" ")
    assert int(number) > 0
    assert str(file) in words
    with closing(Store(url_of(file))) as store:
        assert ids(store) == {"first", *map(str, range(int(number)))}


_WRITES_AS_NOBODY = """
import os, sys
import sqlalchemy.dialects.sqlite
from telnyx_mcp.storage.store import Store, StoreError
from tests.approval.test_store import add

if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    add(Store(sys.argv[1], busy_seconds=0.05), "second")
except StoreError as error:
    print(error)
"""


@POSIX
@pytest.mark.parametrize(
    ("of_file", "of_folder"),
    [(0o400, 0o700), (0o600, 0o500), (None, 0o500)],
    ids=["file", "directory", "directory without a file"],
)
def test_a_folder_without_write_permission_is_reported(of_file: int | None, of_folder: int) -> None:
    folder = Path(tempfile.mkdtemp())  # not tmp_path, that nobody but its owner may enter
    try:
        path = folder / "state.sqlite3"
        if of_file is not None:
            with closing(Store(url_of(path))) as store:
                add(store, "first")
            path.chmod(of_file)
        folder.chmod(of_folder)
        if os.geteuid() == 0:  # root may write everywhere: it becomes nobody, whose these are
            for each in (folder, *folder.iterdir()):
                os.chown(each, 65534, 65534)
        words = told(python(_WRITES_AS_NOBODY, url_of(path)))
        assert "Make the file and its directory writable." in words
        if of_file is not None:
            with closing(sqlite3.connect(path)) as found:
                count = found.execute(f"SELECT count(*) FROM {changes.name}").fetchone()
            assert count == (1,)
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)
