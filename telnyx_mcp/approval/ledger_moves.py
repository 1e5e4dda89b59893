"""Moves a change from one state to the next, in a transaction of the caller.

A move is one `UPDATE ... WHERE state = ...`: of several processes, exactly one wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa

from telnyx_mcp.approval import rows
from telnyx_mcp.approval.change import (
    CLOCK_SKEW,
    LIFETIME,
    PAYMENT,
    WAITING,
    Change,
    Signatory,
    State,
)
from telnyx_mcp.approval.ledger_accounts import LedgerAccounts
from telnyx_mcp.approval.ledger_rows import Row
from telnyx_mcp.approval.reasons import Blocked, NeedsAnother, QuestionOpen, RecentlyDeclined
from telnyx_mcp.approval.team.approvals import add_approval, read_approvals
from telnyx_mcp.approval.team.notices import NoticeKind, new_notice
from telnyx_mcp.approval.team.requester import Requester
from telnyx_mcp.storage.schema import changes, notices, ticks

REPLACED = "The question was closed without an answer, and another one was asked."


@dataclass(frozen=True, slots=True)
class Decision:
    """Who approved a change, and how."""

    channel: str
    by: str
    signatory: Signatory | None = None
    """Who approved it, where people sign in."""
    may_be_requester: bool = False
    """Whether the requester may approve it, by their role."""


def _may_decide(decision: Decision) -> sa.ColumnElement[bool]:
    """The rows that this decision may approve: those that nobody asked for who signed in, and those that
    somebody else asked for. Part of the UPDATE, so that no mistake before it can matter."""
    nobody = Row.requester_subject.is_(None)
    by = decision.signatory
    if by is None:
        return nobody
    if decision.may_be_requester:
        return sa.true()
    return sa.or_(nobody, Row.requester_subject != by.subject, Row.requester_issuer != by.issuer)


class LedgerMoves(LedgerAccounts):
    """The moves that the ledger's transitions are made of."""

    announces = False
    """Whether notices are delivered."""

    def seen_by(self, requester: Requester | None) -> Self:
        """The same ledger, for this person: what they propose is theirs, and so is what they resume."""
        seen = copy(self)
        seen.requester = requester
        return seen

    def _start_sending(
        self, connection: sa.Connection, change: Change, token: str, now: datetime
    ) -> None:
        sent_at = max(ticks(now), self._last_sent(connection) + 1)
        is_later = sent_at > ticks(now + CLOCK_SKEW)
        columns = {
            "owner": str(self._owner),
            "sent_at": sent_at,
            "seen_at": ticks(now) if is_later else None,
            "secret_hash": token,
            "signature": None,  # without it, a sent change can't be made an approved one again
        }
        # Before the commit: a reader of the row must find the change in flight.
        self._in_flight.add((str(self._owner), change.id))
        self._move(connection, change, State.SENDING, now, **columns)

    def _see_future_payments(self, connection: sa.Connection, now: datetime) -> None:
        """Records when a payment with a future date (a clock was ahead) was first seen."""
        future = (self._is_own_row(), Row.sent_at > ticks(now + CLOCK_SKEW), Row.seen_at.is_(None))
        connection.execute(changes.update().where(*future).values(seen_at=ticks(now)))

    def _make_room(self, connection: sa.Connection, operation: str, now: datetime) -> None:
        """Allows one open question at a time, and none within `LIFETIME` of a declined payment.

        Raises `Blocked` while another question waits.
        """
        waiting = self._own_rows().where(Row.state.in_(list(WAITING)))
        for change in list(filter(self.is_own, self._changes(connection, waiting, now))):
            if change.state is State.EXPIRED:
                self._expire(connection, change, now)
            elif change.state is State.VOID:
                self._void(connection, change, change.outcome_text, now)
            elif change.closed:
                self._void(connection, change, REPLACED, now)
            elif self._policy.one_question:
                raise Blocked(QuestionOpen(change), self.directions)
        if operation != PAYMENT:
            return
        declined = self._own_rows().where(
            Row.operation == PAYMENT,
            Row.state == State.DECLINED,
            Row.updated_at.between(ticks(now - LIFETIME) + 1, ticks(now + CLOCK_SKEW)),
        )
        newest_first = declined.order_by(Row.updated_at.desc())
        for change in filter(self.is_own, self._changes(connection, newest_first, now)):
            raise Blocked(RecentlyDeclined(change, change.updated_at + LIFETIME), self.directions)

    def _approve(
        self, connection: sa.Connection, change: Change, decision: Decision, now: datetime
    ) -> Change:
        """The change, approved; still `proposed` if it needs the approval of more people.

        Raises `Blocked` if the requester, or nobody who signed in, would approve it.
        """
        by = decision.signatory
        if change.approvers_needed > 1 and by:
            change = self._add_approval(connection, change, by, now)
            if len(change.approvals) < change.approvers_needed:
                return change
        columns = {"channel": decision.channel, "decided_by": decision.by, "decided_at": ticks(now)}
        if by:
            columns |= {"decider_issuer": by.issuer, "decider_subject": by.subject}
        names = (*rows.SIGNED_PROPOSAL, *rows.SIGNED_IF_SET)
        query = sa.select(*(changes.c[name] for name in names))
        proposal = connection.execute(query.where(changes.c.id == change.id)).mappings().one()
        content = rows.signed_content({**proposal, **columns}, rows.SIGNED)
        columns["signature"] = self._signer.sign(content)
        values = {"state": State.APPROVED, "updated_at": ticks(now), "happened": "", **columns}
        may_decide = _may_decide(decision)
        if not self._update(connection, change.id, values, State.PROPOSED, may_decide):
            raise Blocked(NeedsAnother(change), self.directions)
        return replace(
            change,
            state=State.APPROVED,
            outcome_text="",
            channel=decision.channel,
            decided_by=decision.by,
            decider=by,
            decided_at=rows.moment_of(ticks(now)),
            updated_at=rows.moment_of(ticks(now)),
        )

    def _add_approval(
        self, connection: sa.Connection, change: Change, by: Signatory, now: datetime
    ) -> Change:
        """The change, with this person's approval among the others. Raises `Blocked` for its requester."""
        if by.is_same(change.requester):
            raise Blocked(NeedsAnother(change), self.directions)
        add_approval(connection, self._signer, change.id, by, now)
        approved = read_approvals(connection, self._signer, change.id)
        if len(approved) < change.approvers_needed:
            self._announce(connection, change, NoticeKind.APPROVED, now)
        return replace(change, approvals=approved)

    def _announce(
        self, connection: sa.Connection, change: Change, kind: NoticeKind, now: datetime
    ) -> None:
        """Puts a notice of a change into the outbox, where somebody who signed in asked for it."""
        if not change.requester or not self.announces:
            return
        if kind is NoticeKind.UNKNOWN:  # a late answer can find what was announced as lost
            said = (notices.c.change_id == change.id, notices.c.kind == kind)
            if connection.execute(sa.select(notices.c.id).where(*said)).first():
                return
        connection.execute(notices.insert().values(new_notice(change.id, kind, now)))

    def _decline(
        self,
        id: str,
        start: set[State],
        channel: str,
        now: datetime,
        by: str,
        outcome_text: str,
        signatory: Signatory | None = None,
    ) -> Change | None:
        columns: dict[str, Any] = {
            "channel": channel,
            "decided_by": by,
            "decided_at": ticks(now),
            "decider_issuer": signatory.issuer if signatory else None,
            "decider_subject": signatory.subject if signatory else None,
            "signature": None,
        }
        columns |= {"happened": outcome_text, "voided": None}
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            if change is None or change.state not in start or change.replaced_by:
                return None
            for stored in (*WAITING, State.EXPIRED):  # a void change is stored as any of these
                self._move(
                    connection, replace(change, state=stored), State.DECLINED, now, **columns
                )
            after = self._reread(connection, id, now)
            self._announce(connection, after, NoticeKind.OUTCOME, now)
        self._finished.add(id)
        return after

    def _void(self, connection: sa.Connection, change: Change, why: str, now: datetime) -> Change:
        # Stored as `expired`, which is how version 1 reads it.
        columns = {"voided": why, "happened": why}
        for stored in WAITING:
            self._move(connection, replace(change, state=stored), State.EXPIRED, now, **columns)
        return self._reread(connection, change.id, now)

    def _expire(self, connection: sa.Connection, change: Change, now: datetime) -> None:
        columns = {
            "state": State.EXPIRED,
            "happened": change.outcome_text,
            "updated_at": ticks(now),
        }
        for stored in WAITING:
            self._update(connection, change.id, columns, stored)

    def _move(
        self, connection: sa.Connection, change: Change, end: State, now: datetime, **columns: Any
    ) -> bool:
        """Whether the change was still in its state and has the new one now."""
        values = {"state": end, "updated_at": ticks(now), **columns}
        return self._update(connection, change.id, values, change.state)

    def _update(
        self,
        connection: sa.Connection,
        id: str,
        values: Mapping[str, Any],
        state: State | None = None,
        condition: sa.ColumnElement[bool] | None = None,
    ) -> bool:
        conditions = [Row.id == id, self._is_own_row()]
        if state:
            conditions.append(Row.state == state)
        if condition is not None:
            conditions.append(condition)
        done = connection.execute(changes.update().where(*conditions).values(**values))
        return done.rowcount == 1
