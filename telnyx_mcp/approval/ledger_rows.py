"""Reads rows of the ledger as changes: which rows belong to the account, and what state they are in now.

Everything here runs in a transaction of the caller, and nothing here writes. States that no process will
end any more, such as an expired proposal, are computed when the row is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event
from typing import Any, ClassVar

import sqlalchemy as sa

from telnyx_mcp.approval import rows
from telnyx_mcp.approval.accounts import KeyLink
from telnyx_mcp.approval.change import (
    CLOCK_SKEW,
    LIFETIME,
    MAY_HAVE_HAPPENED,
    PAYMENT,
    PENDING,
    REMEMBERED,
    Change,
    State,
)
from telnyx_mcp.approval.directions import Directions, TerminalDirections
from telnyx_mcp.approval.policy import DAY, Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.approval.reasons import Blocked, ProposedByAnother, ReferenceTaken
from telnyx_mcp.approval.signature import LedgerSigner
from telnyx_mcp.approval.store_memory import StoreMemory
from telnyx_mcp.approval.team.approvals import read_approvals
from telnyx_mcp.approval.team.requester import Requester
from telnyx_mcp.storage.schema import changes, keys
from telnyx_mcp.storage.store import Store

SENDING_LEASE = timedelta(seconds=60)
"""After this a change that is still `sending` has no live sender: the request itself ends sooner."""

NOT_ANSWERED = "No answer came in time."
NOT_USED = "The approval was not used in time."
SENDER_ENDED = "The server that sent it ended before it recorded an answer."
MOVED = "Another change was sent, or got another outcome, after this question was written."
UNSIGNED = (
    "The question in the ledger was not signed with this API key: another program, another key or an "
    "earlier version wrote it."
)
MARK = "ledger"
"""The name of the ledger's mark in a change's basis: see `History`."""
Row = changes.c


class LedgerRows:
    """The rows of one account. `profile` is what the user calls the account."""

    _finished: ClassVar[set[str]] = set()
    """Ids that this process sent or declined, in any ledger. If another program restores an earlier row,
    it does not wait for an answer again."""

    _in_flight: ClassVar[set[tuple[str, str]]] = set()
    """Pairs of owner and change that this process is sending: alive, whatever the clock says."""

    def __init__(
        self,
        store: Store,
        key: KeyLink,
        signer: LedgerSigner,
        owner: ProcessIdentity,
        policy: Policy,
        memory: StoreMemory | None = None,
    ) -> None:
        self.profile = key.profile
        self.directions: Directions = TerminalDirections(key.profile)
        self.requester: Requester | None = None
        """Whose view this is: see `LedgerMoves.seen_by`."""
        self._store = store
        self._key = key
        self._signer = signer
        self._owner = owner
        self._policy = policy
        self._memory = memory
        self._identified = Event()
        """Set once the account's user is known, for every person's view as well."""
        self._store_id = ""

    def _own_rows(self) -> sa.Select[Any]:
        return sa.select(changes).where(self._is_own_row())

    def _is_own_row(self) -> sa.ColumnElement[bool]:
        """Rows of the account, and those that copies of version 1 wrote with one of its keys. Another
        process may link the key at any time, so the link is looked up with the rows."""
        account = sa.select(keys.c.account).where(keys.c.key_hash == self._key.hash)
        hashes = sa.select(keys.c.key_hash).where(keys.c.account.in_(account))
        return sa.or_(
            Row.account == self._key.hash, Row.account.in_(account), Row.account.in_(hashes)
        )

    def _changes(
        self, connection: sa.Connection, query: sa.Select[Any], now: datetime
    ) -> Iterator[Change]:
        for row in connection.execute(query).mappings():
            change = self._void_if_unsigned(self._as_of(rows.change_of(row), now), row)
            if change.approvers_needed > 1:
                approved = read_approvals(connection, self._signer, change.id)
                change = replace(change, approvals=approved)
            yield change

    def _void_if_unsigned(self, change: Change, row: sa.RowMapping) -> Change:
        """The change; void if it waits and no process with the API key wrote this row, or the row was
        restored after the change had ended. Checked at every read, as what is read may be shown."""
        columns = rows.SIGNED_WHILE.get(change.state)
        if columns is None:
            return change
        content = rows.signed_content(row, columns)
        if change.id in self._finished or not self._signer.is_valid(content, row["signature"]):
            return replace(change, state=State.VOID, outcome_text=UNSIGNED)
        return change

    def _as_of(self, change: Change, now: datetime) -> Change:
        """The change with its current state: expired, or unknown if its sender is gone."""
        if change.is_expired(now):
            outcome_text = NOT_ANSWERED if change.state is State.PROPOSED else NOT_USED
            return replace(change, state=State.EXPIRED, outcome_text=outcome_text)
        if change.state is State.SENDING and self._is_orphaned(change, now):
            return replace(change, state=State.UNKNOWN, outcome_text=SENDER_ENDED)
        return change

    def _is_orphaned(self, change: Change, now: datetime) -> bool:
        """Whether its sender is gone. Processes of this machine are checked; a process on another machine
        renews the row while it waits for the answer."""
        if change.owner == str(self._owner):
            return (change.owner, change.id) not in self._in_flight
        is_running = self._owner.is_running(change.owner)
        if is_running is not None:
            return not is_running
        # Not `sent_at`: after the clock was set back that is in the future, for hours perhaps.
        since = change.updated_at
        return not since - CLOCK_SKEW <= now < since + SENDING_LEASE

    def _get(self, connection: sa.Connection, id: str, now: datetime) -> Change | None:
        return next(self._changes(connection, self._own_rows().where(Row.id == id), now), None)

    def _reread(self, connection: sa.Connection, id: str, now: datetime) -> Change:
        change = self._get(connection, id, now)
        assert change is not None  # noqa: S101 - it was written in this transaction
        return change

    def _find(
        self,
        connection: sa.Connection,
        operation: str,
        arguments: Mapping[str, Any],
        reference: str | None,
        now: datetime,
    ) -> Change | None:
        of_kind = self._own_rows().where(Row.operation == operation).order_by(Row.updated_at.desc())
        if reference:
            held = Row.state.in_(list(PENDING | MAY_HAVE_HAPPENED))
            named = of_kind.where(Row.reference == reference, held)
            for change in self._changes(connection, named, now):
                if change.state not in PENDING | MAY_HAVE_HAPPENED:
                    continue
                if change.arguments != arguments:
                    raise Blocked(ReferenceTaken(change), self.directions)
                if not self.is_own(change):
                    raise Blocked(ProposedByAnother(change), self.directions)
                return change
        same = of_kind.where(
            Row.arguments == rows.to_json(arguments), Row.state.in_(list(PENDING | REMEMBERED))
        )
        another: Change | None = None
        for change in self._changes(connection, same, now):
            # An outcome dated more than a day ahead, by a wrong clock, is not repeated.
            recent = now - LIFETIME < change.updated_at <= now + DAY
            is_pending = change.state in PENDING or (change.state in REMEMBERED and recent)
            if not self.is_own(change):
                another = another or (change if is_pending else None)
                continue
            if change.state is State.VOID:  # not signed
                return change
            if is_pending:
                return change if self._still_holds(connection, change, now) else None
        if another:
            raise Blocked(ProposedByAnother(another), self.directions)
        return None

    def is_own(self, change: Change) -> bool:
        """Whether the change is of the person whose view this is. Where nobody signs in, it is a change
        that has no requester."""
        if self.requester is None:
            return change.requester is None
        return self.requester.signatory.is_same(change.requester)

    def _still_holds(self, connection: sa.Connection, change: Change, now: datetime) -> bool:
        """False for a change of settings if a later change was sent: its result may no longer apply."""
        if change.operation == PAYMENT or change.state is not State.SUCCEEDED:
            return True
        newest = (
            self._own_rows()
            .where(Row.operation == change.operation, Row.state.in_(list(MAY_HAVE_HAPPENED)))
            .order_by(Row.sent_at.desc())
            .limit(1)
        )
        last = next(self._changes(connection, newest, now), change)
        return last.id == change.id

    def _mark(self, connection: sa.Connection, now: datetime) -> str:
        counts = sa.select(Row.state, sa.func.count(), sa.func.max(Row.sent_at)).where(
            self._is_own_row(), Row.state.in_(list(MAY_HAVE_HAPPENED))
        )
        found = connection.execute(counts.group_by(Row.state).order_by(Row.state)).all()
        orphaned = 0
        if any(state == State.SENDING for state, _, _ in found):
            sending = self._own_rows().where(Row.state == State.SENDING)
            lost = self._changes(connection, sending, now)
            orphaned = sum(change.state is State.UNKNOWN for change in lost)
        parts = [f"{state} {count} {last}" for state, count, last in found]
        return "; ".join([*parts, f"orphaned {orphaned}"])

    def _moved(self, connection: sa.Connection, change: Change, now: datetime) -> bool:
        return change.basis.get(MARK) not in (None, self._mark(connection, now))

    def _last_sent(self, connection: sa.Connection) -> int:
        """When the latest change was sent. Every later one is sent after it, whatever the clock
        says: a payment made while the clock is wrong still counts once it is right, and no two
        histories have the same mark."""
        readable = (self._is_own_row(), Row.sent_at.between(0, rows.LAST_MOMENT))
        query = sa.select(sa.func.coalesce(sa.func.max(Row.sent_at), 0)).where(*readable)
        return int(connection.execute(query).scalar_one())
