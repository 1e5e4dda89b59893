"""The place where all copies of the server on one API key keep their common pace.

One row per endpoint, changed by compare-and-swap: read, calculate, write if no other copy wrote meanwhile,
else again. No lock is ever held, so a copy that is killed leaves none behind. What is kept here is
worth nothing after a minute: it lies in a file of its own beside the ledger's, and no write waits
for the disk. SQLAlchemy, which the ledger uses, would cost each copy a tenth of a second and 14 MB
with its first call; the four statements below are the same for both databases.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio
from anyio import to_thread

from telnyx_mcp.config.paths import default_file, private_file
from telnyx_mcp.storage import postgres
from telnyx_mcp.storage.url import Database, database_at
from telnyx_mcp.telnyx.rate_limit.schedule import Pace

PATIENCE = postgres.PACE.seconds
"""Seconds after which a place that others hold, or that does not answer, is given up."""
OPENING_PATIENCE = float(postgres.PACE.connect_seconds)
"""The same, where a server must be connected to first. Seconds."""
CONTENDED_PATIENCE = 10.0
"""Seconds after which a place is given up that answers, but always lets others write first."""

_MAKERS_LOCK = 7_466_197_032
"""The advisory lock under which PostgreSQL's table is made; any number that is always the same."""

T = TypeVar("T")
Update = Callable[[Pace, float], tuple[Pace, T]]
"""From the pace and the moment to the pace as it is to be, and what to return."""


Saved = tuple[float, str]
"""When a text was saved, on the place's clock, and the text."""


class StoreUnavailable(Exception):
    """The pace can't be shared. Its text says where and why."""


class PaceStore(Protocol):
    """Where the pace of each endpoint is kept."""

    place: str

    def now(self) -> float:
        """The moment on the clock that all copies share."""

    async def change(self, endpoint: str, change: Update[T]) -> T:
        """What `change` returns, once its pace is kept. Raises `StoreUnavailable`."""

    async def all(self) -> Mapping[str, Pace]:
        """The pace of every endpoint used so far. Raises `StoreUnavailable`."""

    async def load(self, name: str) -> Saved | None:
        """The text saved under this name. Raises `StoreUnavailable`."""

    async def save(self, name: str, text: str) -> None:
        """Keeps a text beside the paces. `name` does not begin with a slash, as endpoints do.
        Raises `StoreUnavailable`."""

    def close(self) -> None: ...


class InMemoryStore:
    """The pace of one process, not shared. `clock` is injected."""

    place = ""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.now = clock
        self._paces: dict[str, Pace] = {}
        self._texts: dict[str, Saved] = {}

    async def change(self, endpoint: str, change: Update[T]) -> T:
        self._paces[endpoint], result = change(self._paces.get(endpoint, Pace()), self.now())
        return result

    async def all(self) -> Mapping[str, Pace]:
        return self._paces

    async def load(self, name: str) -> Saved | None:
        return self._texts.get(name)

    async def save(self, name: str, text: str) -> None:
        self._texts[name] = (self.now(), text)

    def close(self) -> None:
        pass


_SELECT = "SELECT version, pace, $clock FROM telnyx_mcp_pace WHERE account = ? AND endpoint = ?"
_UPDATE = (
    "UPDATE telnyx_mcp_pace SET version = version + 1, pace = ? "
    "WHERE account = ? AND endpoint = ? AND version = ?"
)
_INSERT = (
    "INSERT INTO telnyx_mcp_pace (account, endpoint, version, pace) VALUES (?, ?, 0, ?) "
    "ON CONFLICT DO NOTHING"
)
_ALL = "SELECT endpoint, pace FROM telnyx_mcp_pace WHERE account = ? ORDER BY endpoint"
_SAVE = (
    "INSERT INTO telnyx_mcp_pace (account, endpoint, version, pace) VALUES (?, ?, 0, ?) "
    "ON CONFLICT (account, endpoint) DO UPDATE SET version = telnyx_mcp_pace.version + 1, "
    "pace = excluded.pace"
)
_TABLE = (
    "CREATE TABLE IF NOT EXISTS telnyx_mcp_pace (account VARCHAR(64) NOT NULL, "
    "endpoint VARCHAR(64) NOT NULL, version BIGINT NOT NULL, pace TEXT NOT NULL, "
    "PRIMARY KEY (account, endpoint))"
)


class _Rows:
    """The rows of one account in one database. `mark` is how its driver writes a parameter, `lock` a
    statement that keeps others from making the table at the same time."""

    def __init__(
        self, connection: Any, mark: str, clock: str, account: str, lock: str = ""
    ) -> None:
        self._connection = connection
        self._select, self._update, self._insert, self._all, self._save = (
            each.replace("?", mark).replace("$clock", clock)
            for each in (_SELECT, _UPDATE, _INSERT, _ALL, _SAVE)
        )
        connection.execute(lock + _TABLE)
        # Keys are kept as a salted hash only, so that it can't be looked up elsewhere.
        connection.execute(self._insert, ("", "salt", json.dumps(secrets.token_hex(16))))
        _, salt, _ = connection.execute(self._select, ("", "salt")).fetchone()
        self._account = hashlib.sha256(f"{salt}{account}".encode()).hexdigest()

    def change(self, endpoint: str, change: Update[T], told: Callable[[float], None]) -> T:
        """What `change` returns, once written, with the database's clock."""
        while True:
            row = self._connection.execute(self._select, (self._account, endpoint)).fetchone()
            if row is None:
                fresh = (self._account, endpoint, encode(Pace()))
                self._connection.execute(self._insert, fresh)
                continue
            version, text, now = row
            told(now)
            pace = decode(text)
            changed, result = change(pace, now)
            if changed == pace:
                return result
            new = (encode(changed), self._account, endpoint, version)
            if self._connection.execute(self._update, new).rowcount:
                return result

    def all(self) -> dict[str, Pace]:
        rows = self._connection.execute(self._all, (self._account,)).fetchall()
        return {endpoint: decode(text) for endpoint, text in rows if endpoint.startswith("/")}

    def load(self, name: str) -> Saved | None:
        row = self._connection.execute(self._select, (self._account, name)).fetchone()
        try:
            at, text = json.loads(row[1]) if row else (None, None)
        except (ValueError, TypeError):
            return None
        return (float(at), text) if isinstance(at, int | float) and isinstance(text, str) else None

    def save(self, name: str, saved: Saved) -> None:
        self._connection.execute(self._save, (self._account, name, json.dumps(saved)))

    def close(self) -> None:
        self._connection.close()


class SqliteStore:
    """The pace in a SQLite file, for the copies on one machine.

    A change takes some 20 microseconds and is made at once; only if another copy is just writing,
    it is tried again a little later. `clock` is injected.
    """

    def __init__(self, path: Path, account: str, clock: Callable[[], float] = time.time) -> None:
        self.place = str(path)
        self.now = clock
        self._path = path
        self._account = account
        self._rows: _Rows | None = None
        self._inode: int | None = None

    async def change(self, endpoint: str, change: Update[T]) -> T:
        return await self._tried(lambda rows: rows.change(endpoint, change, lambda _: None))

    async def all(self) -> Mapping[str, Pace]:
        return await self._tried(_Rows.all)

    async def load(self, name: str) -> Saved | None:
        return await self._tried(lambda rows: rows.load(name))

    async def save(self, name: str, text: str) -> None:
        saved = (self.now(), text)
        await self._tried(lambda rows: rows.save(name, saved))

    def close(self) -> None:
        rows, self._rows = self._rows, None
        if rows:
            rows.close()

    async def _tried(self, work: Callable[[_Rows], T]) -> T:
        import sqlite3

        give_up: float | None = None
        while True:
            try:
                return work(self._opened())
            except (sqlite3.Error, OSError) as error:
                now = time.monotonic()
                give_up = give_up or now + PATIENCE
                if not _is_busy(error) or now > give_up:
                    raise self._lost(error) from None
            await anyio.sleep(0.002)

    def _opened(self) -> _Rows:
        if self._rows is not None and self._inode != _inode(self.place):
            self.close()  # it was deleted: the other copies share another one, or will
        if self._rows is None:
            import sqlite3

            private_file(self._path)
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            try:
                connection.create_function("telnyx_mcp_now", 0, self.now)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = OFF")
                self._rows = _Rows(connection, "?", "telnyx_mcp_now()", self._account)
                self._inode = _inode(self.place)
            except BaseException:
                connection.close()
                raise
        return self._rows

    def _lost(self, error: Exception) -> StoreUnavailable:
        self.close()
        return StoreUnavailable(f"{self.place}: {error}")


class _Transactions:
    """Runs what it is given as one transaction within the bounds, in one message.

    PostgreSQL takes all statements of a message as one transaction, without BEGIN and COMMIT. The
    driver has to write the parameters into them: a message with parameters has one statement only.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._bounds = postgres.PACE.statements("READ COMMITTED")
        self.close = connection.close
        self.fileno = connection.fileno

    def execute(self, statements: str, parameters: Sequence[object] = ()) -> Any:
        """The result of the last statement."""
        cursor = self._connection.execute(self._bounds + statements, parameters)
        while cursor.nextset():
            pass
        return cursor


@dataclass(eq=False, slots=True)
class _Wanted:
    """A change that waits to be made, and what came of it."""

    change: Update[Any]
    result: asyncio.Future[Any]


def _together(changes: Sequence[Update[Any]]) -> Update[list[Any]]:
    """One change that makes all of these, one after the other, and returns what each returned or
    raised."""

    def change(pace: Pace, now: float) -> tuple[Pace, list[Any]]:
        outcomes: list[Any] = []
        for each in changes:
            try:
                pace, outcome = each(pace, now)
            except Exception as error:  # noqa: BLE001 - raised where that change was asked for
                outcome = error
            outcomes.append(outcome)
        return pace, outcomes

    return change


class PostgresStore:
    """The pace in PostgreSQL, for copies on many machines; its clock is the one that counts."""

    def __init__(self, database: Database, account: str) -> None:
        self.place = database.place
        self._database = database
        self._account = account
        self._ahead = time.time() - time.monotonic()
        self._connection: Any = None
        """The one in use, also while it is opened."""
        self._rows: _Rows | None = None
        self._one_at_a_time = threading.Lock()
        self._answered = 0.0
        """When the server was last heard of."""
        self._wanted: dict[str, list[_Wanted]] = {}
        """The changes that wait, by endpoint."""
        self._at_work: asyncio.Task[None] | None = None

    def now(self) -> float:
        return time.monotonic() + self._ahead

    async def change(self, endpoint: str, change: Update[T]) -> T:
        """As in `PaceStore`. Changes that come while another is on its way wait for it and are then
        made together: a server may be far away, and each change costs two ways there and back."""
        wanted = _Wanted(change, asyncio.get_running_loop().create_future())
        self._wanted.setdefault(endpoint, []).append(wanted)
        if self._at_work is None or self._at_work.done():
            self._at_work = asyncio.create_task(self._make_all())
        result: T = await wanted.result
        return result

    async def all(self) -> Mapping[str, Pace]:
        return await self._patiently(_Rows.all)

    async def load(self, name: str) -> Saved | None:
        return await self._patiently(lambda rows: rows.load(name))

    async def save(self, name: str, text: str) -> None:
        saved = (self.now(), text)
        await self._patiently(lambda rows: rows.save(name, saved))

    def close(self) -> None:
        if self._at_work:
            self._at_work.cancel()
        self._drop()

    def _drop(self) -> None:
        rows, self._rows = self._rows, None
        if rows:
            rows.close()

    def _set_clock(self, now: float) -> None:
        self._answered = time.monotonic()
        self._ahead = now - self._answered

    async def _make_all(self) -> None:
        try:
            while self._wanted:
                endpoint = next(iter(self._wanted))
                wanted = [each for each in self._wanted.pop(endpoint) if not each.result.done()]
                if wanted:
                    await self._make(endpoint, wanted)
        finally:
            for each in chain.from_iterable(self._wanted.values()):
                each.result.cancel()
            self._wanted.clear()

    async def _make(self, endpoint: str, wanted: Sequence[_Wanted]) -> None:
        together = _together([each.change for each in wanted])
        try:
            outcomes = await self._patiently(
                lambda rows: rows.change(endpoint, together, self._set_clock)
            )
        except StoreUnavailable as lost:
            outcomes = [StoreUnavailable(str(lost)) for _ in wanted]
        except BaseException:
            for each in wanted:
                each.result.cancel()
            raise
        for each, outcome in zip(wanted, outcomes, strict=True):
            if each.result.done():
                continue  # the caller has left
            if isinstance(outcome, Exception):
                each.result.set_exception(outcome)
            else:
                each.result.set_result(outcome)

    async def _patiently(self, work: Callable[[_Rows], T]) -> T:
        """Done in a thread. It is left to itself if nobody waits, and its connection is shut down if the
        server is silent for too long: the server still acknowledges what it is sent."""
        seconds = PATIENCE if self._rows else OPENING_PATIENCE
        self._answered = began = time.monotonic()
        given_up = threading.Event()
        working = asyncio.ensure_future(
            to_thread.run_sync(self._tried, work, given_up, abandon_on_cancel=True)
        )
        try:
            while not working.done():
                until = min(self._answered + seconds, began + CONTENDED_PATIENCE)
                if time.monotonic() >= until:
                    given_up.set()  # before, or the thread would connect again
                    postgres.shut_down(self._connection)
                    raise StoreUnavailable(f"{self.place}: no answer within {seconds:g} s")
                await asyncio.wait({working}, timeout=until - time.monotonic())
            return working.result()
        finally:
            given_up.set()
            working.cancel()

    def _tried(self, work: Callable[[_Rows], T], given_up: threading.Event) -> T:
        try:
            failures = (postgres.driver().Error, OSError)
        except postgres.DriverMissing as error:
            raise StoreUnavailable(f"{self.place}: {error}") from None
        with self._one_at_a_time:
            try:
                if rows := self._rows:
                    try:
                        self._check(given_up)
                        return work(rows)
                    except failures:
                        self._drop()  # mostly a connection that was cut: a new one may serve
                self._check(given_up)
                self._rows = self._open()
                return work(self._rows)
            except failures as error:
                self._drop()
                words = self._database.error_text(error)
                raise StoreUnavailable(f"{self.place}: {words}") from None

    def _check(self, given_up: threading.Event) -> None:
        if given_up.is_set():
            raise StoreUnavailable(self.place)  # no caller waits for it

    def _open(self) -> _Rows:
        cursor = postgres.driver().ClientCursor
        connection = postgres.connect(self._database.server, postgres.PACE, cursor_factory=cursor)
        self._connection = connection
        clock = "extract(epoch FROM clock_timestamp())::float8"
        lock = f"SELECT pg_advisory_xact_lock({_MAKERS_LOCK}); "
        try:
            return _Rows(_Transactions(connection), "%s", clock, self._account, lock)
        except BaseException:
            connection.close()
            raise


def pace_store(state_url: str | None, key: str, base_url: str) -> PaceStore:
    """Where the copies with this store, key and address keep their pace. Opens nothing."""
    account = f"{base_url} {key}"
    database = database_at(state_url) if state_url else Database(default_file())
    if database.file is None:
        return PostgresStore(database, account)
    file = database.file
    return SqliteStore(file.with_name(f"{file.stem}.pace{file.suffix}"), account)


def _inode(path: str) -> int | None:
    """Which file it is; None where there is none."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - this is asked each time, and pathlib is slower
    except FileNotFoundError:
        return None


LARGEST = 1e11
"""No figure of a pace is larger: the moments are seconds since 1970."""
_STORED: Mapping[str, str] = {
    "ends_stated": "told",
    "remaining": "left_told",
    "remaining_until": "left_until",
    "remaining_since": "left_since",
    "queue_start": "head",
    "queue_end": "tail",
    "abandoned": "left",
    "reserved_until": "expected",
    "shift": "slid",
}
"""The names that fields have in the store, where these differ: copies of an earlier version may share it."""
_FIELDS = {each.name: _STORED.get(each.name, each.name) for each in fields(Pace)}


def encode(pace: Pace) -> str:
    return json.dumps({stored: getattr(pace, name) for name, stored in _FIELDS.items()})


def decode(text: str) -> Pace:
    """The pace as stored; a new one where another version, or something else, wrote it."""
    try:
        stored = json.loads(text)
        if stored.keys() != set(_FIELDS.values()):
            return Pace()
        values = {name: stored[its] for name, its in _FIELDS.items()}
        abandoned = tuple(values.pop("abandoned"))
        if not all(-LARGEST < each < LARGEST for each in (*values.values(), *abandoned)):
            return Pace()
        return Pace(**values, abandoned=abandoned)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Pace()


def _is_busy(error: Exception) -> bool:
    return "locked" in str(error) or "busy" in str(error)
