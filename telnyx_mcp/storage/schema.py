"""The ledger's tables, and how those of an earlier version are brought to this one.

Imported when the first change is proposed, not at start.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

READABLE_FROM = 1
"""The oldest format that can read and write this store: version 1 ignores what was added since."""
REVISION = 4
"""The format that this version writes."""

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
    # Revision 4: who asked and who decided, where people sign in, and how long the question waits.
    sa.Column("requester_issuer", sa.Text),
    sa.Column("requester_subject", sa.Text),
    sa.Column("requester_name", sa.Text),
    sa.Column("decider_issuer", sa.Text),
    sa.Column("decider_subject", sa.Text),
    sa.Column("approvers_needed", sa.Integer),
    sa.Column("expires_at", sa.BigInteger),
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

approvals = sa.Table(
    "telnyx_mcp_approvals",
    metadata,
    sa.Column("change_id", sa.String(32), primary_key=True),
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("approved_at", sa.BigInteger, nullable=False),
    sa.Column("signature", sa.String(64), nullable=False),
)
"""Who approved a change that waits for another person's approval as well."""

notices = sa.Table(
    "telnyx_mcp_notices",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("change_id", sa.String(32), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("next_try_at", sa.BigInteger),
    sa.Column("sent_at", sa.BigInteger),
    sa.Column("error", sa.Text),
    sa.Index("telnyx_mcp_notices_due", "next_try_at"),
)
"""The outbox of the service: what is announced of a change, each once. Nothing is due where
`next_try_at` is null."""

sessions = sa.Table(
    "telnyx_mcp_sessions",
    metadata,
    sa.Column("id_hash", sa.String(64), primary_key=True),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)
"""Who is signed in on the pages of the service. `content` is sealed with the service's secret."""

_ADDED = (
    *("question_data TEXT", "requested_via TEXT", "decided_by TEXT", "decided_at BIGINT"),
    *("signature VARCHAR(64)", "voided TEXT", "replaced_by VARCHAR(32)"),
    "closed_at BIGINT",
)
_ADDED_4 = (
    *("requester_issuer TEXT", "requester_subject TEXT", "requester_name TEXT"),
    *("decider_issuer TEXT", "decider_subject TEXT"),
    *("approvers_needed INTEGER", "expires_at BIGINT"),
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
    4: (
        *(f"ALTER TABLE {changes.name} ADD COLUMN {column}" for column in _ADDED_4),
        f"CREATE TABLE {approvals.name} (change_id VARCHAR(32) NOT NULL, issuer TEXT NOT NULL, "
        "subject TEXT NOT NULL, name TEXT NOT NULL, approved_at BIGINT NOT NULL, "
        "signature VARCHAR(64) NOT NULL, PRIMARY KEY (change_id, issuer, subject))",
        f"CREATE TABLE {notices.name} (id VARCHAR(32) PRIMARY KEY, change_id VARCHAR(32) NOT NULL, "
        "kind VARCHAR(16) NOT NULL, created_at BIGINT NOT NULL, tries INTEGER NOT NULL, "
        "next_try_at BIGINT, sent_at BIGINT, error TEXT)",
        f"CREATE INDEX telnyx_mcp_notices_due ON {notices.name} (next_try_at)",
        f"CREATE TABLE {sessions.name} (id_hash VARCHAR(64) PRIMARY KEY, issuer TEXT NOT NULL, "
        "subject TEXT NOT NULL, content TEXT NOT NULL, created_at BIGINT NOT NULL, "
        "expires_at BIGINT NOT NULL)",
    ),
}
"""Statements that bring a store from the revision before to this one. They only add: tables, and
columns that may be null or have a default."""


def ticks(moment: datetime) -> int:
    """A moment as the store keeps it: milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


class SchemaError(Exception):
    """The tables can't be used by this version. Its text follows the place of the store."""


def store_id(salt: str) -> str:
    """What distinguishes the store with this salt from another one, or from one that was created again."""
    return hashlib.sha256(f"store {salt}".encode()).hexdigest()[:16]


class Format(NamedTuple):
    """Which versions can use the tables: from `readable_from` on, brought up to `revision`."""

    readable_from: int
    revision: int


def format_of(connection: sa.Connection) -> Format | None:
    """The format of the tables; None before they are created."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(schema_version.name):
        return None
    columns = {each["name"] for each in inspector.get_columns(schema_version.name)}
    revision = schema_version.c.revision if "revision" in columns else sa.literal(1)
    row = connection.execute(sa.select(schema_version.c.version, revision)).first()
    match row and (row[0], row[1] or row[0]):
        case (int(readable_from), int(newest)) if 1 <= readable_from <= newest:
            return Format(readable_from, newest)
    raise SchemaError(
        "does not say which version wrote it, so it is not used: another program changed it, "
        "or it is damaged. Keep a copy of it, as it may name payments."
    )


def is_current(connection: sa.Connection) -> bool:
    """Whether the tables are there, and this version or a later one that it can read wrote them."""
    found = format_of(connection)
    return found is not None and found.readable_from <= REVISION <= found.revision


def migrate(connection: sa.Connection) -> None:
    """Creates the tables, or brings older ones to this version. Raises `SchemaError` for newer ones."""
    found = format_of(connection)
    if found is None:
        metadata.create_all(connection)
        row = {"version": READABLE_FROM, "revision": REVISION}
        salt = {"salt": secrets.token_hex(16)}
        connection.execute(schema_version.insert().values(row | salt))
        return
    if found.readable_from > REVISION:
        raise SchemaError(
            f"was written by a newer telnyx-account-mcp (its format is {found.readable_from}, this one "
            f"reads {REVISION}). Update this one."
        )
    for step in range(found.revision + 1, REVISION + 1):
        for statement in MIGRATIONS[step]:
            connection.execute(sa.text(statement))
        connection.execute(schema_version.update().values(revision=step))
