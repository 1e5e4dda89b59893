"""Where all copies of the server on one API key keep their common pace.

A SQLite file beside the ledger's, or PostgreSQL: `pace_store` decides by the setting. One row per
endpoint is changed by compare-and-swap: read, calculate, write if no other copy wrote meanwhile, else
again. No lock is ever held, so a copy that is killed leaves none behind. What is kept here is worth nothing
after a minute, so no write waits for the disk. SQLAlchemy, which the ledger uses, would cost each copy
a tenth of a second and 14 MB with its first call.
"""

from __future__ import annotations

from telnyx_mcp.config.paths import default_file
from telnyx_mcp.storage.url import Database, database_at
from telnyx_mcp.telnyx.rate_limit.stores.in_memory import InMemoryStore
from telnyx_mcp.telnyx.rate_limit.stores.interface import (
    PATIENCE,
    PaceStore,
    StoreUnavailable,
    T,
    Update,
)
from telnyx_mcp.telnyx.rate_limit.stores.postgres import PostgresStore
from telnyx_mcp.telnyx.rate_limit.stores.sqlite import SqliteStore

__all__ = [
    "PATIENCE",
    "InMemoryStore",
    "PaceStore",
    "PostgresStore",
    "SqliteStore",
    "StoreUnavailable",
    "T",
    "Update",
    "pace_store",
]


def pace_store(state_url: str | None, key: str, base_url: str) -> PaceStore:
    """Where the copies with this store, key and address keep their pace. Opens nothing.

    Raises `UrlError`.
    """
    account = f"{base_url} {key}"
    database = database_at(state_url) if state_url else Database(default_file())
    if database.file is None:
        return PostgresStore(database, account)
    file = database.file
    return SqliteStore(file.with_name(f"{file.stem}.pace{file.suffix}"), account)
