"""Decides in a transaction whether the policy allows a change: caps, standing budget, unknown payments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa

from telnyx_mcp.approval import rows
from telnyx_mcp.approval.change import (
    AT_ONCE,
    CLOCK_SKEW,
    PAYMENT,
    RECHARGE,
    STANDING,
    Change,
    State,
)
from telnyx_mcp.approval.ledger_rows import LedgerRows, Row
from telnyx_mcp.approval.policy import DAY, MONTH, Spent
from telnyx_mcp.approval.reasons import BudgetUsedUp, Reason, StoreReplaced, UnknownPayment
from telnyx_mcp.approval.team.requester import Requester
from telnyx_mcp.storage.schema import schema_version, store_id, ticks


class LedgerCaps(LedgerRows):
    """What was paid, and what the policy forbids because of it."""

    def _payments_since(
        self, connection: sa.Connection, moment: datetime, now: datetime
    ) -> list[Change]:
        payments = self._counted(connection, now)
        return [change for change, row in payments if _counts(row, moment, now)]

    def _stands_for(
        self, connection: sa.Connection, operation: str, amount: Decimal | None, now: datetime
    ) -> bool:
        if not self._may_stand(operation, amount):
            return False
        return self._policy.stands_for(amount or Decimal(0), self._spent(connection, now))

    def _may_stand(self, operation: str, amount: Decimal | None) -> bool:
        """Whether the standing budget could cover this payment if none of it was used yet."""
        if operation != PAYMENT or amount is None:
            return False
        return self._policy.stands_for(amount, Spent(Decimal(0), Decimal(0), Decimal(0)))

    def _claim_refusal(
        self, connection: sa.Connection, change: Change, now: datetime
    ) -> Reason | None:
        at_once = decimal_of(change.basis.get(AT_ONCE))
        refusal = self._refusal(
            connection, change.operation, change.amount, at_once, now, Requester.of(change)
        )
        stands = change.channel != STANDING or self._stands_for(
            connection, change.operation, change.amount, now
        )
        return refusal or (None if stands else BudgetUsedUp())

    def _refusal(
        self,
        connection: sa.Connection,
        operation: str,
        amount: Decimal | None,
        at_once: Decimal | None,
        now: datetime,
        requester: Requester | None,
    ) -> Reason | None:
        if replaced := self._replaced(connection):
            return replaced
        if operation != PAYMENT:
            if at_once is None:
                return None
            over = self._policy.recharge_refusal(at_once)
            return over or (requester.refusal(at_once, Decimal(0)) if requester else None)
        payments = self._counted(connection, now)
        for change, _ in payments:
            if change.state is State.UNKNOWN:
                return UnknownPayment(change)
        charged = amount or Decimal(0)
        if refusal := self._policy.refusal(charged, self._sum(payments, now)):
            return refusal
        if requester is None:
            return None
        own = [each for each in payments if requester.signatory.is_same(each[0].requester)]
        return requester.refusal(charged, self._sum(own, now).day)

    def _replaced(self, connection: sa.Connection) -> StoreReplaced | None:
        """Why the store may lack payments: it is not the one that this computer remembers."""
        remembered = self._memory.read() if self._memory else None
        if remembered is None:
            return None
        last = sa.select(Row.sent_at).where(Row.id == remembered.last_sent).scalar_subquery()
        salt, sent_at = connection.execute(sa.select(schema_version.c.salt, last)).one()
        if remembered.store != store_id(salt):
            return StoreReplaced(self._store.place, is_another=True)
        return None if sent_at else StoreReplaced(self._store.place, is_another=False)

    def _spent(self, connection: sa.Connection, now: datetime) -> Spent:
        return self._sum(self._counted(connection, now), now)

    def _counted(
        self, connection: sa.Connection, now: datetime
    ) -> list[tuple[Change, sa.RowMapping]]:
        """Payments that count against a cap, or block others, with their rows."""
        query = self._own_rows().where(*_possible_payments(now - MONTH))
        found = connection.execute(query.order_by(Row.updated_at.desc())).mappings().all()
        return [(self._as_of(rows.change_of(row), now), row) for row in found]

    def _sum(self, payments: Sequence[tuple[Change, sa.RowMapping]], now: datetime) -> Spent:
        def total(span: timedelta, channel: str | None = None) -> Decimal:
            counted = (
                # An unreadable amount counts as the largest allowed payment.
                self._policy.max_payment if change.amount is None else change.amount
                for change, row in payments
                if channel in (None, change.channel) and _counts(row, now - span, now)
            )
            return sum(counted, rows.amount_of(0))

        return Spent(day=total(DAY), month=total(MONTH), standing_day=total(DAY, STANDING))


_NOT_HAPPENED = (
    *(State.PROPOSED, State.APPROVED, State.DECLINED, State.EXPIRED),
    *(State.REFUSED, State.NOT_SENT),
)
"""States in which nothing was charged. States added by a later version count as charged."""


def _possible_payments(since: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Payments that happened since then, or may have. An unknown one counts whatever its date."""
    return (
        Row.operation != RECHARGE,
        Row.state.not_in(_NOT_HAPPENED),
        sa.or_(
            Row.sent_at.is_(None),
            Row.sent_at >= ticks(since),
            Row.seen_at >= ticks(since),
            Row.state != State.SUCCEEDED,
        ),
    )


def _counts(row: sa.RowMapping, since: datetime, now: datetime) -> bool:
    """Whether a payment counts against the cap of the span that began at `since`.

    One that is dated in the future, because a clock was wrong, counts from the moment it was first seen:
    if the clock was a year ahead, it counts for a day or 30 days, not for a year.
    """
    start, end = ticks(since), ticks(now + CLOCK_SKEW)
    sent, seen = row["sent_at"], row["seen_at"]
    if row["state"] != State.SUCCEEDED or not isinstance(sent, int):
        return True
    if start <= sent <= end:
        return True
    if not isinstance(seen, int):
        return sent > end
    return seen >= start


def decimal_of(text: object) -> Decimal | None:
    return Decimal(str(text)) if text is not None else None
