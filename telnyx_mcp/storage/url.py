"""What `TELNYX_MCP_STATE_URL` names: a SQLite file, or a database of a PostgreSQL server.

Read as SQLAlchemy reads it, which the ledger uses, but without importing it: the pace does not need
it, and settings are read before anything is asked. No error here shows any part of the URL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

_URL = re.compile(
    r"(?P<scheme>sqlite(\+pysqlite)?|postgresql(\+\w+)?)://"
    r"((?P<user>[^:/@]*)(:(?P<password>[^@]*))?@)?"
    r"(\[(?P<ipv6>[^/?@]+)\]|(?P<host>[^/:?@]*))(:(?P<port>\d*))?"
    r"(/(?P<dbname>[^?]*))?(\?(?P<query>.*))?",
    re.DOTALL,
)


NOT_WHOLE = (
    "must name a whole path, as a relative one is another file in each folder the server is started "
    "from: write sqlite:////path/of/a/file with four slashes (on Windows sqlite:///C:/path/of/a/file), "
    "without ~"
)


@dataclass(frozen=True, slots=True)
class Database:
    """One of the two."""

    file: Path | None = None
    server: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What to connect with, in the words of PostgreSQL's own library."""

    @property
    def place(self) -> str:
        """Where it is, without what else the URL may hold."""
        if self.file:
            return str(self.file)
        return f"postgresql://{self.server.get('host', '')}/{self.server.get('dbname', '')}"


def _whole(file: str) -> Path:
    """The path. Raises `ValueError` for one that depends on the current folder, or on a ~ that
    nothing expands: two folders would have two records of changes, each with caps of its own."""
    if file.startswith(("~", "/~")) or not (file.startswith("/") or Path(file).is_absolute()):
        raise ValueError(NOT_WHOLE)
    return Path(file)


def database_at(url: str) -> Database:
    """What the URL names. Raises `ValueError` for what the store can't use, and for a file without
    its whole path."""
    if found := _URL.fullmatch(url):
        parts = {name: text for name, text in found.groupdict().items() if text}
        scheme, query = parts.pop("scheme"), parts.pop("query", "")
        for name in parts.keys() & {"user", "password", "dbname"}:
            parts[name] = unquote(parts[name])
        file = parts.get("dbname", "")
        if scheme.startswith("postgresql"):
            if "@" not in file:  # or it is a password with a slash, in the wrong place
                if "ipv6" in parts:
                    parts["host"] = parts.pop("ipv6")
                return Database(server=parts | dict(parse_qsl(query)))
        elif parts.keys() == {"dbname"} and not file.startswith((":memory:", "file:")):
            return Database(_whole(file))
        elif parts.keys() == {"host"}:  # sqlite://state.db
            raise ValueError(NOT_WHOLE)
    raise ValueError(
        "must be sqlite:////path/of/a/file or postgresql+psycopg://user:password@host/database, "
        "with %40 and %2F for an @ and a / in the password"
    )
