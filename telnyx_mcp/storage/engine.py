"""The ledger's connections: SQLAlchemy engines on `sqlite.py` and `postgres.py`.

A transaction whose execution option `writes` is true is alone among all writers, in this process and
others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from telnyx_mcp.storage import postgres, sqlite

_WRITERS_LOCK = 7_466_197_031
"""The advisory lock that PostgreSQL's writers take in turn; any number that is always the same."""
_LOCK = f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})"


def sqlite_engine(file: sqlite.OpenedFile, busy_seconds: float) -> sa.Engine:
    """An engine on this file, which connects to no other one that takes its place."""
    bounds = sqlite.LEDGER.waiting(busy_seconds)

    def connected() -> Any:
        file.check()
        connection = sqlite.connect(file.path, bounds)
        # Text that another program damaged must not hide the rows beside it.
        connection.text_factory = lambda text: text.decode(errors="replace")
        return connection

    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN")

    url = sa.URL.create("sqlite", database=str(file.path))  # SQLAlchemy pools by its kind
    engine = sa.create_engine(url, creator=connected)
    sa.event.listen(engine, "begin", begin)
    return engine


def postgresql_engine(server: Mapping[str, str], busy_seconds: float) -> sa.Engine:
    """An engine whose connections never wait without end. Raises `postgres.DriverMissing`."""
    postgres.driver()  # or SQLAlchemy says that it is missing, in other words
    bounds = postgres.LEDGER.at_most(busy_seconds)
    timeout = postgres.ReplyTimeout()
    # A writer that waited for the lock has to see what the one before it wrote: under `repeatable
    # read` it would count the payments of before, and exceed a cap.
    writing = f"BEGIN; {bounds.statements('READ COMMITTED')}{_LOCK}"
    reading = f"BEGIN; {bounds.statements('REPEATABLE READ')}"

    def begin(connection: sa.Connection) -> None:
        timeout.start(connection.connection.dbapi_connection, bounds.reply_seconds)
        # In one message, as each costs a round trip, and a payment begins a dozen transactions.
        connection.exec_driver_sql(writing if _writes(connection) else reading)

    def connected(driver: Any, _record: object) -> None:
        # SQLAlchemy's first statements come before a transaction begins.
        timeout.start(driver, bounds.reply_seconds)

    engine = sa.create_engine(
        "postgresql+psycopg://",
        creator=lambda: postgres.connect(server, bounds),
        use_native_hstore=False,  # which asks the server with each connection
    )
    sa.event.listen(engine, "connect", connected, insert=True)
    sa.event.listen(engine, "begin", begin)
    sa.event.listen(engine, "invalidate", lambda driver, *_: timeout.stop(driver))
    sa.event.listen(engine, "checkin", lambda driver, _: timeout.stop(driver))
    return engine


def _writes(connection: sa.Connection) -> bool:
    return bool(connection.get_execution_options().get("writes"))
