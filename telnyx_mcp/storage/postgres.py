"""Connections to PostgreSQL that never wait without end, for the ledger and the pace.

What bounds a transaction is set by SET LOCAL in the message that begins it, and costs no round trip.
PgBouncer in transaction mode may run each transaction on another connection to the server: it refuses
options at the start of a connection, and a prepared statement may be missing in the next transaction.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

Isolation = Literal["READ COMMITTED", "REPEATABLE READ"]


class DriverMissing(Exception):
    """The driver is not installed. Its text says what to install."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long PostgreSQL may take, and what its COMMIT promises."""

    connect_seconds: int
    """To connect. The URL's `connect_timeout` has precedence."""
    seconds: float
    """For each statement, for each lock, and between two statements of a transaction."""
    durable: bool
    """Whether what was committed is on the disk."""

    def at_most(self, seconds: float) -> Bounds:
        return replace(self, seconds=min(self.seconds, seconds))

    def statements(self, isolation: Isolation) -> str:
        """What a transaction begins with. It decides, whatever the defaults of the database are."""
        milliseconds = int(self.seconds * 1000)
        return (
            f"SET TRANSACTION ISOLATION LEVEL {isolation}; "
            f"SET LOCAL statement_timeout = {milliseconds}; "
            f"SET LOCAL lock_timeout = {milliseconds}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}; "
            f"SET LOCAL synchronous_commit = {'on' if self.durable else 'off'}; "
        )

    @property
    def reply_seconds(self) -> float:
        """When a reply is given up here: after the server, whose own errors say more."""
        return self.seconds + 2


LEDGER = Bounds(connect_seconds=10, seconds=15.0, durable=True)
PACE = Bounds(connect_seconds=3, seconds=1.0, durable=False)
"""A pace is worth nothing after a minute: no call waits long for it, and no write for the disk."""


def driver() -> Any:
    """psycopg, imported with the first connection. Raises `DriverMissing`."""
    try:
        import psycopg
    except ImportError as error:
        raise DriverMissing(
            f"the driver of PostgreSQL can't be loaded ({error}). Install telnyx-account-mcp with the "
            "extra `postgres`: telnyx-account-mcp[postgres]"
        ) from None
    return psycopg


def connect(server: Mapping[str, str], bounds: Bounds, **more: object) -> Any:
    """A connection in autocommit. Raises `DriverMissing` or the driver's errors."""
    waits = {
        "connect_timeout": str(bounds.connect_seconds),
        # What was sent is acknowledged within this time, or the connection has failed.
        "tcp_user_timeout": str(int(bounds.seconds * 1000)),
        "keepalives_idle": "30",
    }
    # Nothing is prepared: psycopg would do so from the fifth time on.
    return driver().connect(**{**waits, **server}, autocommit=True, prepare_threshold=None, **more)


class ReplyTimeout:
    """Ends the wait for a server that keeps its connection open and does not reply.

    A server that hangs, or a proxy that stops forwarding, still acknowledges what it is sent, so no
    time-out of the system or of the server ends the wait. There is one timer for each connection in use.
    """

    def __init__(self) -> None:
        self._timers: dict[int, threading.Timer] = {}

    def start(self, connection: Any, seconds: float) -> None:
        """Shuts the connection down after this time, unless `stop` is called before."""
        self.stop(connection)
        timer = threading.Timer(seconds, shut_down, [connection])
        timer.daemon = True
        self._timers[id(connection)] = timer
        timer.start()

    def stop(self, connection: Any) -> None:
        """No reply is awaited on the connection any more."""
        if timer := self._timers.pop(id(connection), None):
            timer.cancel()


def shut_down(connection: Any) -> None:
    """Ends the connection from this side, so that a thread that waits for a reply on it fails."""
    # A copy of the descriptor: closing this one leaves the driver's alone. Fails if it was closed.
    with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as copy:
        copy.shutdown(socket.SHUT_RDWR)
