"""The one store behind the ledger: a SQLite file by default, PostgreSQL by URL.

Every write is one transaction that no other writer, in this process or another, can come between,
and is on the disk when it returns. Imported when the first change is proposed, not at start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from telnyx_mcp.config.paths import NO_HOME, default_file, private_file
from telnyx_mcp.storage import schema
from telnyx_mcp.storage.engine import postgresql_engine, sqlite_engine
from telnyx_mcp.storage.postgres import DriverMissing
from telnyx_mcp.storage.sqlite import LEDGER, OpenedFile
from telnyx_mcp.storage.url import SETTING, Database, UrlError, database_at


class StoreError(Exception):
    """The store can't be used. Its text says why and what to do; nothing was written."""


class Store:
    """Transactions on the store at `url`; without one, on the default SQLite file.

    Opened with the first transaction. Another writer is waited for `busy_seconds`, at most 15 s on
    PostgreSQL.
    """

    def __init__(
        self, url: str | None = None, *, busy_seconds: float = LEDGER.busy_seconds
    ) -> None:
        self._address = url
        self._busy_seconds = busy_seconds
        self._engine: sa.Engine | None = None
        self._opening = threading.Lock()
        self._file: OpenedFile | None = None

    @property
    def place(self) -> str:
        """Where the store is, without a password."""
        try:
            return self._database().place
        except UrlError:
            return SETTING

    def salt(self) -> str:
        """What keys are hashed with here, so that a stored hash can't be looked up elsewhere."""
        with self.read() as connection:
            return str(connection.execute(sa.select(schema.schema_version.c.salt)).scalar_one())

    def close(self) -> None:
        self._file = None
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction alone among all writers; on the disk when it ends without an exception.

        Raises `StoreError` if it can't be had or kept.
        """
        with self._words_for_errors(), self._transaction(self._opened(), writes=True) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view. Raises `StoreError`."""
        with (
            self._words_for_errors(),
            self._transaction(self._opened(), writes=False) as connection,
        ):
            yield connection

    def _database(self) -> Database:
        return database_at(self._address) if self._address else Database(default_file())

    @contextmanager
    def _transaction(self, engine: sa.Engine, *, writes: bool) -> Iterator[sa.Connection]:
        with self._begun(engine.execution_options(writes=writes)) as connection:
            self._check_file()
            yield connection
            if writes:
                self._check_file()

    @contextmanager
    def _begun(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """A transaction. A connection that the server closed while it was idle is replaced once."""
        started = time.monotonic()
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(engine.begin())
            except DBAPIError as error:
                if not error.connection_invalidated or time.monotonic() - started > 1:
                    raise
                connection = stack.enter_context(engine.begin())
            yield connection

    def _check_file(self) -> None:
        """Raises `FileReplaced` if the SQLite file is no longer the one that was opened: what is
        written to it then is lost with the process."""
        if self._file:
            self._file.check()

    def _opened(self) -> sa.Engine:
        """The engine, with tables of this version behind it."""
        with self._opening:
            if self._engine is None:
                engine = self._new_engine()
                try:
                    self._migrate(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    def _new_engine(self) -> sa.Engine:
        database = self._database()
        if database.file is None:
            return postgresql_engine(database.server, self._busy_seconds)
        private_file(database.file)
        self._file = OpenedFile.at(database.file)
        return sqlite_engine(self._file, self._busy_seconds)

    def _migrate(self, engine: sa.Engine) -> None:
        with self._transaction(engine, writes=False) as connection:
            if schema.is_current(connection):
                return
        with self._transaction(engine, writes=True) as connection:
            schema.migrate(connection)

    @contextmanager
    def _words_for_errors(self) -> Iterator[None]:
        try:
            yield
        except UrlError as error:
            raise StoreError(f"{SETTING} {error}.") from None
        except schema.SchemaError as error:
            raise StoreError(f"{self.place} {error}") from None
        except (SQLAlchemyError, OSError, DriverMissing) as error:
            raise StoreError(self._words(error)) from None

    def _words(self, error: Exception) -> str:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        why = self._database().error_text(cause)
        low = why.lower()
        for sign, advice in _ADVICE:
            if sign in low:
                return f"{self.place}: {why}. {advice}"
        return f"{self.place}: {why}."


_DAMAGED = "The file is damaged: move it away and keep it, it may name payments."
_EMPTIED = "It was emptied meanwhile: put it back, or restart the server."
_HELD = "Another process holds it; try again."
_LOGIN = "Check the user and the password in the URL, with %40 for an @ and %25 for a % in them."
_NOT_WRITABLE = "Make the file and its directory writable."
_ADVICE = (
    (
        "deleted, moved or replaced",
        "Put it back, or restart the server to go on with what is there now.",
    ),
    (
        NO_HOME.name,
        "This user has no home folder: set HOME or XDG_STATE_HOME to a folder that can be written, or "
        f"{SETTING}.",
    ),
    ("not a directory", "A part of the path is a file: name another file, or move that one away."),
    ("is a directory", "It is a folder, and must be a file: move it away."),
    ("unable to open database file", _NOT_WRITABLE),
    ("quota", "Make room, or ask for a larger quota."),
    ("locking protocol", "The file is on a drive that can't lock it: name one on a local disk."),
    ("not a database", _DAMAGED),
    ("malformed", _DAMAGED),
    ("no such table", _EMPTIED),
    ('relation "telnyx', _EMPTIED),
    ("locked", _HELD),
    ("lock timeout", _HELD),
    ("password authentication failed", _LOGIN),
    ("no password supplied", _LOGIN),
    ('" does not exist', "Create it, or name another one in the URL."),
    ("startup parameter", "Remove `options` from the URL: PgBouncer refuses it."),
    ("full", "Make room on the disk."),
    ("read-only", _NOT_WRITABLE),
    ("readonly", _NOT_WRITABLE),
    ("permission", _NOT_WRITABLE),
)
"""What to do, by a part of the driver's words."""
