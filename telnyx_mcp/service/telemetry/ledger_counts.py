"""What the ledger and the outbox hold, counted by the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from telnyx_mcp.approval.change import LIFETIME, PAYMENT, State
from telnyx_mcp.approval.ledger_rows import SENDING_LEASE
from telnyx_mcp.service.telemetry.metrics import LedgerCounts
from telnyx_mcp.storage.schema import changes, notices, ticks
from telnyx_mcp.storage.store import Store

_DECISIONS = {True: "approved", False: "declined"}


def counting(store: Store, now: Callable[[], datetime]) -> Callable[[], LedgerCounts]:
    """Reads the counts. What it returns blocks, and raises `StoreError`."""

    def read() -> LedgerCounts:
        with store.read() as connection:
            return _counts(connection, now())

    return read


def _counts(connection: sa.Connection, now: datetime) -> LedgerCounts:
    row = changes.c
    # As a reader of the rows sees them: the store learns of it with the next transition only.
    state = sa.case(
        (
            sa.and_(
                row.state == State.PROPOSED,
                sa.func.coalesce(row.expires_at, row.proposed_at + _ms(LIFETIME)) <= ticks(now),
            ),
            State.EXPIRED.value,
        ),
        (
            sa.and_(
                row.state == State.APPROVED,
                sa.func.coalesce(row.decided_at, row.updated_at) + _ms(LIFETIME) <= ticks(now),
            ),
            State.EXPIRED.value,
        ),
        (
            sa.and_(row.state == State.SENDING, row.updated_at <= ticks(now - SENDING_LEASE)),
            State.UNKNOWN.value,
        ),
        else_=row.state,
    )
    counted = sa.select(state.label("stands"), row.operation, sa.func.count()).group_by(
        "stands", row.operation
    )
    by_state = {str(each): 0 for each in State}
    unknown_payments = 0
    for found, operation, count in connection.execute(counted):
        by_state[found] = by_state.get(found, 0) + count
        if (found, operation) == (State.UNKNOWN, PAYMENT):
            unknown_payments += count
    approved = row.state != State.DECLINED
    decided = connection.execute(
        sa.select(approved, sa.func.count()).where(row.decided_at.is_not(None)).group_by(approved)
    )
    decisions = {_DECISIONS[bool(each)]: count for each, count in decided}
    unsent = notices.c.sent_at.is_(None)
    due = notices.c.next_try_at.is_not(None)
    waiting, failed = connection.execute(
        sa.select(
            sa.func.count().filter(unsent, due),
            sa.func.count().filter(unsent, ~due, notices.c.tries > 0),
        ).select_from(notices)
    ).one()
    return LedgerCounts(by_state, unknown_payments, decisions, waiting, failed)


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
