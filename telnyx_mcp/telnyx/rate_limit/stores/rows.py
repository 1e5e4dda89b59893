"""The paces as rows of a table, with the same statements on SQLite and PostgreSQL."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from telnyx_mcp.telnyx.rate_limit.schedule import Pace
from telnyx_mcp.telnyx.rate_limit.stores.encoding import decode, encode
from telnyx_mcp.telnyx.rate_limit.stores.interface import Saved, T, Update

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


class Connection(Protocol):
    """Runs each statement as a transaction of its own."""

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> Any: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a database's statements differ."""

    mark: str
    """In the place of a parameter."""
    clock: str
    """An expression: seconds since 1970."""
    lock: str = ""
    """A statement that lets one copy after the other create the table."""


class Rows:
    """The rows of one account in one database. Creates the table."""

    def __init__(self, connection: Connection, dialect: Dialect, account: str) -> None:
        self._connection = connection
        self._select, self._update, self._insert, self._all, self._save = (
            each.replace("?", dialect.mark).replace("$clock", dialect.clock)
            for each in (_SELECT, _UPDATE, _INSERT, _ALL, _SAVE)
        )
        connection.execute(dialect.lock + _TABLE)
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
