"""The approvals of a change that needs more than one. Each is signed like the change itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from telnyx_mcp.approval.change import Approval, Signatory
from telnyx_mcp.approval.rows import moment_of
from telnyx_mcp.approval.signature import LedgerSigner
from telnyx_mcp.storage.schema import approvals, ticks

_SIGNED = ("change_id", "issuer", "subject", "name", "approved_at")


def read_approvals(
    connection: sa.Connection, signer: LedgerSigner, change_id: str
) -> tuple[Approval, ...]:
    """Who approved this change so far, in order. A row that is not signed does not count: another program
    wrote it."""
    query = approvals.select().where(approvals.c.change_id == change_id)
    found = connection.execute(query.order_by(approvals.c.approved_at, approvals.c.subject))
    return tuple(
        Approval(
            Signatory(row["issuer"], row["subject"], row["name"]), moment_of(row["approved_at"])
        )
        for row in found.mappings()
        if signer.is_valid(_content(row), row["signature"])
    )


def add_approval(
    connection: sa.Connection, signer: LedgerSigner, change_id: str, by: Signatory, now: datetime
) -> None:
    """Records that this person approved the change; a second time it changes nothing."""
    mine = {"change_id": change_id, "issuer": by.issuer, "subject": by.subject}
    row: dict[str, Any] = {**mine, "name": by.name, "approved_at": ticks(now)}
    remove_approval(connection, change_id, by)
    signature = signer.sign(_content(row))
    connection.execute(approvals.insert().values({**row, "signature": signature}))


def remove_approval(connection: sa.Connection, change_id: str, by: Signatory) -> bool:
    """Whether this person had approved the change; afterwards they have not."""
    mine = (
        approvals.c.change_id == change_id,
        approvals.c.issuer == by.issuer,
        approvals.c.subject == by.subject,
    )
    return connection.execute(approvals.delete().where(*mine)).rowcount == 1


def _content(row: Mapping[str, Any] | sa.RowMapping) -> dict[str, Any]:
    return {name: row[name] for name in _SIGNED}
