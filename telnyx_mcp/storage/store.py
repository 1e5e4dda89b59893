"""The one store behind the ledger: a SQLite file by default, PostgreSQL by URL.

Every write is one transaction that no other writer, in this process or another, can come between,
and is on the disk when it returns. Imported when the first change is proposed, not at start.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from telnyx_mcp.config.paths import default_file, private_file
from telnyx_mcp.storage.postgres import LEDGER, DriverMissing, ReplyTimeout, connect, driver
from telnyx_mcp.storage.url import SETTING, Database, UrlError, database_at

BUSY_SECONDS = 30
READABLE_FROM = 1
"""The oldest format that can read and write this store: version 1 ignores what was added since."""
REVISION = 3
"""The format that this version writes."""
_WRITERS_LOCK = 7_466_197_031
"""The advisory lock that PostgreSQL's writers take in turn; any number that is always the same."""
_LOCK = f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})"

metadata = sa.MetaData()

schema_version = sa.Table(
    "telnyx_mcp_schema",
    metadata,
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("salt", sa.String(32), nullable=False),
    # Revision 2. `version` says who can read the store, `revision` what it was brought to.
    sa.Column("revision", sa.Integer),
)

changes = sa.Table(
    "telnyx_mcp_changes",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("account", sa.String(64), nullable=False),
    sa.Column("operation", sa.String(64), nullable=False),
    sa.Column("arguments", sa.Text, nullable=False),
    sa.Column("reference", sa.Text),
    sa.Column("amount", sa.BigInteger),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.String(64), nullable=False),
    sa.Column("happened", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("proposed_at", sa.BigInteger, nullable=False),
    sa.Column("sent_at", sa.BigInteger),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    # Revision 2. All may be null, as copies of version 1 go on writing rows without them.
    sa.Column("question_data", sa.Text),
    sa.Column("requested_via", sa.Text),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", sa.BigInteger),
    sa.Column("signature", sa.String(64)),
    sa.Column("voided", sa.Text),
    sa.Column("replaced_by", sa.String(32)),
    sa.Column("closed_at", sa.BigInteger),
    # Revision 3: when a change that is dated in the future was seen, by a clock that was behind.
    sa.Column("seen_at", sa.BigInteger),
    sa.Index("telnyx_mcp_changes_by_state", "account", "operation", "state", "updated_at"),
)

accounts = sa.Table(
    "telnyx_mcp_accounts",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("address", sa.Text),
    sa.Column("user_id", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

keys = sa.Table(
    "telnyx_mcp_keys",
    metadata,
    sa.Column("key_hash", sa.String(64), primary_key=True),
    sa.Column("account", sa.String(64), nullable=False),
    sa.Column("linked_at", sa.BigInteger, nullable=False),
    sa.Column("linked_by", sa.String(16), nullable=False),
)

_ADDED = (
    *("question_data TEXT", "requested_via TEXT", "decided_by TEXT", "decided_at BIGINT"),
    *("signature VARCHAR(64)", "voided TEXT", "replaced_by VARCHAR(32)"),
    "closed_at BIGINT",
)
MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    # In version 1 an account was the hash of its only key: that hash stays its id.
    2: (
        *(f"ALTER TABLE {changes.name} ADD COLUMN {column}" for column in _ADDED),
        f"ALTER TABLE {schema_version.name} ADD COLUMN revision INTEGER",
        f"CREATE TABLE {accounts.name} (id VARCHAR(64) PRIMARY KEY, name TEXT, address TEXT, "
        "user_id TEXT, email TEXT, created_at BIGINT NOT NULL)",
        f"CREATE TABLE {keys.name} (key_hash VARCHAR(64) PRIMARY KEY, "
        "account VARCHAR(64) NOT NULL, linked_at BIGINT NOT NULL, linked_by VARCHAR(16) NOT NULL)",
        f"INSERT INTO {accounts.name} (id, created_at) "  # noqa: S608 - our own names
        f"SELECT account, MIN(proposed_at) FROM {changes.name} GROUP BY account",
        f"INSERT INTO {keys.name} (key_hash, account, linked_at, linked_by) "  # noqa: S608
        f"SELECT id, id, created_at, 'version 1' FROM {accounts.name}",
    ),
    3: (f"ALTER TABLE {changes.name} ADD COLUMN seen_at BIGINT",),
}
"""Statements that bring a store from the revision before to this one. They only add: tables, and
columns that may be null or have a default."""


def ticks(moment: datetime) -> int:
    """A moment as the store keeps it: milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


class StoreError(Exception):
    """The store can't be used. Its text says why and what to do; nothing was written."""


class Store:
    """Transactions on the store at `url`; without one, on the default SQLite file.

    Opened with the first transaction. Another writer is waited for `busy_seconds`.
    """

    def __init__(self, url: str | None = None, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._address = url
        self._busy_seconds = busy_seconds
        self._engine: sa.Engine | None = None
        self._opening = threading.Lock()
        self._file: _SqliteFile | None = None

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
            return str(connection.execute(sa.select(schema_version.c.salt)).scalar_one())

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
    def _words_for_errors(self) -> Iterator[None]:
        try:
            yield
        except UrlError as error:
            raise StoreError(f"{SETTING} {error}.") from None
        except (SQLAlchemyError, OSError, DriverMissing) as error:
            raise StoreError(self._words(error)) from None

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
        """Raises `StoreError` if the SQLite file is no longer the one that was opened: what is written
        to it then is lost with the process."""
        if self._file and not self._file.is_in_place():
            raise StoreError(f"{self.place}: {_MOVED}")

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
            return self._postgresql(database)
        private_file(database.file)
        self._file = _SqliteFile.at(database.file)
        url = sa.URL.create("sqlite", database=str(database.file))
        engine = sa.create_engine(url, connect_args={"timeout": self._busy_seconds})
        sa.event.listen(engine, "do_connect", lambda *_: self._check_file())
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _postgresql(self, database: Database) -> sa.Engine:
        """An engine whose connections wait for nothing without end."""
        driver()  # or SQLAlchemy says that it is missing, in other words
        bounds = LEDGER.at_most(self._busy_seconds)
        timeout = ReplyTimeout()
        # A writer that waited for the lock has to see what the one before it wrote: under `repeatable
        # read` it would count the payments of before, and exceed a cap.
        writes = f"BEGIN; {bounds.statements('READ COMMITTED')}{_LOCK}"
        reads = f"BEGIN; {bounds.statements('REPEATABLE READ')}"
        engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=lambda: connect(database.server, bounds),
            use_native_hstore=False,  # which asks the server with each connection
        )

        def begin(connection: sa.Connection) -> None:
            timeout.start(connection.connection.dbapi_connection, bounds.reply_seconds)
            # In one message, as each costs a round trip, and a payment begins a dozen transactions.
            is_write = connection.get_execution_options().get("writes")
            connection.exec_driver_sql(writes if is_write else reads)

        def connected(driver: Any, _record: object) -> None:
            # SQLAlchemy's first statements come before a transaction begins.
            timeout.start(driver, bounds.reply_seconds)

        sa.event.listen(engine, "connect", connected, insert=True)
        sa.event.listen(engine, "begin", begin)
        sa.event.listen(engine, "invalidate", lambda driver, *_: timeout.stop(driver))
        sa.event.listen(engine, "checkin", lambda driver, _: timeout.stop(driver))
        return engine

    def _migrate(self, engine: sa.Engine) -> None:
        """Makes the tables, or brings older ones to this version. Raises `StoreError` for newer."""
        with self._transaction(engine, writes=False) as connection:
            found = _format(connection)
            if found and found.readable_from <= REVISION <= found.revision:
                return
        with self._transaction(engine, writes=True) as connection:
            found = _format(connection)
            if found is None:
                metadata.create_all(connection)
                row = {"version": READABLE_FROM, "revision": REVISION}
                salt = {"salt": secrets.token_hex(16)}
                connection.execute(schema_version.insert().values(row | salt))
                return
            if found.readable_from > REVISION:
                raise StoreError(
                    f"{self.place} was written by a newer telnyx-account-mcp (its format is "
                    f"{found.readable_from}, this one knows {REVISION}). Update this one."
                )
            for step in range(found.revision + 1, REVISION + 1):
                for statement in MIGRATIONS[step]:
                    connection.execute(sa.text(statement))
                connection.execute(schema_version.update().values(revision=step))

    def _words(self, error: Exception) -> str:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        why = self._database().error_text(cause)
        low = why.lower()
        for sign, advice in _ADVICE:
            if sign in low:
                return f"{self.place}: {why}. {advice}"
        return f"{self.place}: {why}."


_MOVED = (
    "the file was deleted, moved or replaced while the server used it, so nothing is written to it. "
    "Put it back, or restart the server to go on with what is there now."
)

_ADVICE = (
    ("locking protocol", "The file is on a drive that can't lock it: name one on a local disk."),
    ("not a database", "The file is damaged: move it away and keep it, it may name payments."),
    ("malformed", "The file is damaged: move it away and keep it, it may name payments."),
    ("no such table", "It was emptied meanwhile: put it back, or restart the server."),
    ('relation "telnyx', "It was emptied meanwhile: put it back, or restart the server."),
    ("locked", "Another process holds it; try again."),
    ("lock timeout", "Another process holds it; try again."),
    ("startup parameter", "Remove `options` from the URL: PgBouncer refuses it."),
    ("full", "Make room on the disk."),
    ("read-only", "Make the file and its directory writable."),
    ("readonly", "Make the file and its directory writable."),
    ("permission", "Make the file and its directory writable."),
)


def store_id(salt: str) -> str:
    """What distinguishes the store with this salt from another one, or from one that was created again."""
    return hashlib.sha256(f"store {salt}".encode()).hexdigest()[:16]


class _Format(NamedTuple):
    """Which versions can use the tables: from `readable_from` on, brought up to `revision`."""

    readable_from: int
    revision: int


def _format(connection: sa.Connection) -> _Format | None:
    """The format of the tables; None before they are created."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(schema_version.name):
        return None
    columns = {each["name"] for each in inspector.get_columns(schema_version.name)}
    revision = schema_version.c.revision if "revision" in columns else sa.literal(1)
    row = connection.execute(sa.select(schema_version.c.version, revision)).first()
    match row and (row[0], row[1] or row[0]):
        case (int(readable_from), int(newest)) if 1 <= readable_from <= newest:
            return _Format(readable_from, newest)
    raise StoreError(
        "The ledger does not say which version wrote it, so it is not used: another program changed it, "
        "or it is damaged. Keep a copy of it, as it may name payments."
    )


class _SqliteFile(NamedTuple):
    """The file behind a path, which may be another one later."""

    path: Path
    device: int
    inode: int

    @classmethod
    def at(cls, path: Path) -> _SqliteFile:
        found = path.stat()
        return cls(path, found.st_dev, found.st_ino)

    def is_in_place(self) -> bool:
        try:
            return self == self.at(self.path)
        except OSError:
            return False


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not guessed by the driver
    # Text that another program damaged must not hide the rows beside it.
    connection.text_factory = lambda text: text.decode(errors="replace")
    # A rollback journal, not a WAL: what is committed is in the file itself, whatever becomes of the
    # files beside it. EXTRA: the end of the journal is on the disk too before a commit returns.
    for pragma in ("synchronous = EXTRA", "fullfsync = ON"):
        connection.execute(f"PRAGMA {pragma}")
    (milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    # Versions before this one used a WAL. It can be left only while nobody else has the file open:
    # else the store goes on with it, as those do, and the next opening tries again.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute(f"PRAGMA busy_timeout = {milliseconds}")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
