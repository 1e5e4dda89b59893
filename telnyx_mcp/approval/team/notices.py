"""What people are notified of, written to the outbox with the change itself."""

from __future__ import annotations

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any

from telnyx_mcp.storage.schema import ticks


class NoticeKind(StrEnum):
    """What happened to a change."""

    PROPOSED = "proposed"
    """It waits for an approval."""
    APPROVED = "approved"
    """One person approved it, and it waits for another."""
    OUTCOME = "outcome"
    """It was carried out, refused, not sent or declined."""
    UNKNOWN = "unknown"
    """Its outcome is unknown, and a person has to find out."""


def new_notice(change_id: str, kind: NoticeKind, now: datetime) -> dict[str, Any]:
    """The row of a notice that is due now."""
    return {
        "id": secrets.token_hex(8),
        "change_id": change_id,
        "kind": kind,
        "created_at": ticks(now),
        "tries": 0,
        "next_try_at": ticks(now),
    }
