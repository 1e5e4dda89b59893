"""Reading the ledger: what a change is now, what counts, and what the policy forbids.

Nothing here writes: what nobody will finish any more is computed when its row is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
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
    RECHARGE,
    REMEMBERED,
    STANDING,
    Change,
    State,
)
from telnyx_mcp.approval.policy import DAY, MONTH, Policy, Spent
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.approval.reasons import (
    Blocked,
    BudgetUsedUp,
    Reason,
    ReferenceTaken,
    StoreReplaced,
    UnknownPayment,
)
from telnyx_mcp.approval.signature import LedgerSigner
from telnyx_mcp.approval.store_memory import StoreMemory
from telnyx_mcp.storage.store import Store, changes, keys, schema_version, store_id, ticks

SENDING_LEASE = timedelta(seconds=60)
"""After this a change that is still `sending` has no live sender: the request itself ends sooner."""

NOT_ANSWERED = "Nobody answered in time."
NOT_USED = "The approval was not used in time."
SENDER_ENDED = "The server that sent it ended before it recorded an answer."
MOVED = "Another change was sent, or got another outcome, after this question was written."
UNSIGNED = (
    "The question in the ledger was not signed with this API key: another program, another key or an "
    "earlier version wrote it."
)
MARK = "ledger"
"""The name in a change's basis under which the mark of the ledger stands: see `History`."""
AT_ONCE = "at_once"
"""The name in a change's basis of the largest sum that could be charged at once."""

Row = changes.c


@dataclass(frozen=True, slots=True)
class History:
    """What a question about money has to say of earlier payments."""

    payments: Sequence[Change]
    """Payments of the last 24 hours that happened, or may have, newest first."""
    mark: str
    """Changes whenever a change is sent or gets another outcome: a question that was written under
    another mark may no longer be true."""


class LedgerQueries:
    """The changes of one account. `profile` is what the user calls the account."""

    _over: ClassVar[set[str]] = set()
    """What this process sent or declined, with whichever ledger: a row that another program puts back
    as it was waits for nothing."""

    _in_flight: ClassVar[set[tuple[str, str]]] = set()
    """Who is sending which change in this process: it lives, whatever a clock says."""

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
        self._store = store
        self._key = key
        self._signer = signer
        self._owner = owner
        self._policy = policy
        self._memory = memory
        self._is_identified = False
        self._store_id = ""

    def get(self, id: str, now: datetime) -> Change | None:
        """One change, by its id."""
        with self._store.read() as connection:
            return self._get(connection, id, now)

    def find(
        self, operation: str, arguments: Mapping[str, Any], reference: str | None, now: datetime
    ) -> Change | None:
        """The change that is meant by these arguments: the one this reference names, or the newest
        with the same arguments that is pending, or has a recent outcome.

        Raises `Blocked` for a reference that names another change.
        """
        with self._store.read() as connection:
            return self._find(connection, operation, arguments, reference, now)

    def newest(self, most: int, now: datetime, *, state: State | None = None) -> list[Change]:
        """The newest changes, of one state if given."""
        query = self._mine().order_by(Row.updated_at.desc(), Row.id)
        found: list[Change] = []
        with self._store.read() as connection:
            for change in self._changes(connection, query, now):
                if len(found) == most:
                    break
                if state in (None, change.state):
                    found.append(change)
        return found

    def damaged(self, most: int, now: datetime) -> list[Change]:
        """The newest changes whose rows can't be read in full: see `Change.damage`."""
        query = self._mine().order_by(Row.updated_at.desc(), Row.id)
        with self._store.read() as connection:
            damaged = (each for each in self._changes(connection, query, now) if each.damage)
            return list(islice(damaged, most))

    def payments_since(self, moment: datetime, now: datetime) -> list[Change]:
        """Payments that happened, or may have, at or after this moment."""
        with self._store.read() as connection:
            return self._payments_since(connection, moment, now)

    def history(self, now: datetime) -> History:
        """What a question has to say of earlier payments, in one consistent view."""
        with self._store.read() as connection:
            payments = self._payments_since(connection, now - DAY, now)
            return History(payments, self._mark(connection, now))

    def why_untrue(self, change: Change, now: datetime) -> str | None:
        """Why a question that waits may not be shown or answered: another change was sent since it was
        written. None if it may."""
        if change.state is not State.PROPOSED:
            return None
        with self._store.read() as connection:
            return MOVED if self._moved(connection, change, now) else None

    def spent(self, now: datetime) -> Spent:
        """What counts against the caps."""
        with self._store.read() as connection:
            return self._spent(connection, now)

    def refusal(
        self, operation: str, amount: Decimal | None, at_once: Decimal | None, now: datetime
    ) -> Reason | None:
        """Why the policy forbids this change now; None if it allows it. `at_once` is the largest sum
        that could be charged at once, where it is known."""
        with self._store.read() as connection:
            return self._refusal(connection, operation, amount, at_once, now)

    def replaced(self) -> StoreReplaced | None:
        """Why the store may lack payments that this computer sent; None if it is the one remembered."""
        with self._store.read() as connection:
            return self._replaced(connection)

    def stands_for(self, change: Change, now: datetime) -> bool:
        """Whether the standing budget approves this change without asking."""
        if not self._may_stand(change.operation, change.amount):
            return False
        with self._store.read() as connection:
            return self._stands_for(connection, change.operation, change.amount, now)

    # --- inside: in a transaction of the caller

    def _mine(self) -> sa.Select[Any]:
        return sa.select(changes).where(self._is_mine())

    def _is_mine(self) -> sa.ColumnElement[bool]:
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
            yield self._if_signed(self._as_of(rows.change_of(row), now), row)

    def _if_signed(self, change: Change, row: sa.RowMapping) -> Change:
        """The change; void if it waits, and what was just read is not what a process with the API key
        wrote, or is a row of before its end. Checked with each reading: what is read may be shown."""
        columns = rows.SIGNED_WHILE.get(change.state)
        if columns is None:
            return change
        content = {name: row[name] for name in columns}
        if change.id in self._over or not self._signer.is_valid(content, row["signature"]):
            return replace(change, state=State.VOID, happened=UNSIGNED)
        return change

    def _as_of(self, change: Change, now: datetime) -> Change:
        """The change with its state of now: what nobody will finish any more is over."""
        if change.is_expired(now):
            happened = NOT_ANSWERED if change.state is State.PROPOSED else NOT_USED
            return replace(change, state=State.EXPIRED, happened=happened)
        if change.state is State.SENDING and self._is_orphaned(change, now):
            return replace(change, state=State.UNKNOWN, happened=SENDER_ENDED)
        return change

    def _is_orphaned(self, change: Change, now: datetime) -> bool:
        """Whether nobody is sending it any more. A process of this machine is asked for, or knows by
        itself; one of another renews the moment of the row while it waits for the answer."""
        if change.owner == str(self._owner):
            return (change.owner, change.id) not in self._in_flight
        lives = self._owner.lives(change.owner)
        if lives is not None:
            return not lives
        # Not `sent_at`: after the clock was set back that is in the future, for hours perhaps.
        since = change.updated_at
        return not since - CLOCK_SKEW <= now < since + SENDING_LEASE

    def _get(self, connection: sa.Connection, id: str, now: datetime) -> Change | None:
        return next(self._changes(connection, self._mine().where(Row.id == id), now), None)

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
        of_kind = self._mine().where(Row.operation == operation).order_by(Row.updated_at.desc())
        if reference:
            held = Row.state.in_(list(PENDING | MAY_HAVE_HAPPENED))
            named = of_kind.where(Row.reference == reference, held)
            for change in self._changes(connection, named, now):
                if change.state not in PENDING | MAY_HAVE_HAPPENED:
                    continue
                if change.arguments != arguments:
                    raise Blocked(ReferenceTaken(change), self.profile)
                return change
        same = of_kind.where(
            Row.arguments == rows.to_json(arguments), Row.state.in_(list(PENDING | REMEMBERED))
        )
        for change in self._changes(connection, same, now):
            # A clock that was ahead by more than a day makes nothing be repeated for so long.
            recent = now - LIFETIME < change.updated_at <= now + DAY
            if change.state is State.VOID:  # not signed
                return change
            if change.state in PENDING or (change.state in REMEMBERED and recent):
                return change if self._still_holds(connection, change, now) else None
        return None

    def _still_holds(self, connection: sa.Connection, change: Change, now: datetime) -> bool:
        """False for a setting that was set otherwise since: it is no longer as this change left it."""
        if change.operation == PAYMENT or change.state is not State.SUCCEEDED:
            return True
        newest = (
            self._mine()
            .where(Row.operation == change.operation, Row.state.in_(list(MAY_HAVE_HAPPENED)))
            .order_by(Row.sent_at.desc())
            .limit(1)
        )
        last = next(self._changes(connection, newest, now), change)
        return last.id == change.id

    def _payments_since(
        self, connection: sa.Connection, moment: datetime, now: datetime
    ) -> list[Change]:
        payments = self._counted(connection, now)
        return [change for change, row in payments if _counts(row, moment, now)]

    def _mark(self, connection: sa.Connection, now: datetime) -> str:
        counts = sa.select(Row.state, sa.func.count(), sa.func.max(Row.sent_at)).where(
            self._is_mine(), Row.state.in_(list(MAY_HAVE_HAPPENED))
        )
        found = connection.execute(counts.group_by(Row.state).order_by(Row.state)).all()
        orphaned = 0
        if any(state == State.SENDING for state, _, _ in found):
            sending = self._mine().where(Row.state == State.SENDING)
            lost = self._changes(connection, sending, now)
            orphaned = sum(change.state is State.UNKNOWN for change in lost)
        parts = [f"{state} {count} {last}" for state, count, last in found]
        return "; ".join([*parts, f"orphaned {orphaned}"])

    def _moved(self, connection: sa.Connection, change: Change, now: datetime) -> bool:
        return change.basis.get(MARK) not in (None, self._mark(connection, now))

    def _stands_for(
        self, connection: sa.Connection, operation: str, amount: Decimal | None, now: datetime
    ) -> bool:
        if not self._may_stand(operation, amount):
            return False
        return self._policy.stands_for(amount or Decimal(0), self._spent(connection, now))

    def _may_stand(self, operation: str, amount: Decimal | None) -> bool:
        """Whether the standing budget could cover such a change, if nothing of it was used."""
        if operation != PAYMENT or amount is None:
            return False
        return self._policy.stands_for(amount, Spent(Decimal(0), Decimal(0), Decimal(0)))

    def _claim_refusal(
        self, connection: sa.Connection, change: Change, now: datetime
    ) -> Reason | None:
        at_once = decimal_of(change.basis.get(AT_ONCE))
        refusal = self._refusal(connection, change.operation, change.amount, at_once, now)
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
    ) -> Reason | None:
        if replaced := self._replaced(connection):
            return replaced
        if operation != PAYMENT:
            return None if at_once is None else self._policy.recharge_refusal(at_once)
        payments = self._counted(connection, now)
        for change, _ in payments:
            if change.state is State.UNKNOWN:
                return UnknownPayment(change)
        return self._policy.refusal(amount or Decimal(0), self._sum(payments, now))

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

    def _last_sent(self, connection: sa.Connection) -> int:
        """When the latest change was sent. Every later one is sent after it, whatever the clock
        says: a payment made while the clock is wrong still counts once it is right, and no two
        histories have the same mark."""
        readable = (self._is_mine(), Row.sent_at.between(0, rows.LAST_MOMENT))
        query = sa.select(sa.func.coalesce(sa.func.max(Row.sent_at), 0)).where(*readable)
        return int(connection.execute(query).scalar_one())

    def _spent(self, connection: sa.Connection, now: datetime) -> Spent:
        return self._sum(self._counted(connection, now), now)

    def _counted(
        self, connection: sa.Connection, now: datetime
    ) -> list[tuple[Change, sa.RowMapping]]:
        """Payments that count against a cap, or block others, with their rows."""
        query = self._mine().where(*_possible_payments(now - MONTH))
        found = connection.execute(query.order_by(Row.updated_at.desc())).mappings().all()
        return [(self._as_of(rows.change_of(row), now), row) for row in found]

    def _sum(self, payments: Sequence[tuple[Change, sa.RowMapping]], now: datetime) -> Spent:
        def total(span: timedelta, channel: str | None = None) -> Decimal:
            counted = (
                # One whose amount can't be read is no larger than a payment may be.
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
"""States of what did not happen. A later version may know others, which may have."""


def _possible_payments(since: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Payments that happened or may have since then. One that is unknown counts whenever it was."""
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

    One that is dated in the future, as a clock was wrong, counts from when it was seen: with a clock
    that was a year ahead once, it counts for a day or 30 days, and not for a year.
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
