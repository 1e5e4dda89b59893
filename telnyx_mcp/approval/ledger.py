"""The durable record of every change: what was asked, shown, decided, sent, and what came of it.

A transition is one `UPDATE … WHERE state = …` in a transaction of its own: of any number of
processes, exactly one wins. What decides over money (caps, the block by an unknown payment, the
standing budget) is read in the same transaction as the claim. Methods block; call them in a thread.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from telnyx_mcp.approval.changes import (
    LIFETIME,
    MAY_HAVE_HAPPENED,
    PAYMENT,
    PENDING,
    REMEMBERED,
    Change,
    State,
)
from telnyx_mcp.approval.owner import Owner
from telnyx_mcp.approval.policy import DAY, MONTH, Policy, Spent
from telnyx_mcp.commands import to_run
from telnyx_mcp.state import Store, changes

SENDING_LEASE = timedelta(seconds=60)
"""After this a change that is still `sending` has no live owner: the request itself ends sooner."""

Row = changes.c


class Blocked(Exception):
    """The change may not be sent. Its text says why; nothing was sent."""


class Ledger:
    """The changes of one account, newest first. `account` is a salted hash, never a key; `profile`
    is what the user calls it, where they named it."""

    def __init__(
        self,
        store: Store,
        account: str,
        owner: Owner,
        policy: Policy,
        profile: str | None = None,
    ) -> None:
        self.profile = profile
        self._store = store
        self._account = account
        self._owner = owner
        self._policy = policy

    @classmethod
    def of(
        cls,
        store: Store,
        key: str,
        base_url: str,
        owner: Owner,
        policy: Policy,
        profile: str | None = None,
    ) -> Ledger:
        """The ledger of the account that this key opens at this address."""
        account = hashlib.sha256(f"{store.salt()}\n{base_url}\n{key}".encode()).hexdigest()
        return cls(store, account, owner, policy, profile)

    def close(self) -> None:
        self._store.close()

    # --- reading

    def get(self, id: str) -> Change | None:
        """One change, by its id."""
        return self._first(Row.id == id)

    def find(
        self, operation: str, arguments: Mapping[str, Any], reference: str | None, now: datetime
    ) -> Change | None:
        """The change that is meant by these arguments: the one this reference names, or the newest
        with the same arguments that is pending, or has a recent outcome.

        Raises `Blocked` for a reference that names another change.
        """
        with self._store.read() as connection:
            return self._find(connection, operation, arguments, reference, now)

    def newest(self, most: int, *, state: State | None = None) -> list[Change]:
        """The newest changes, of one state if given."""
        query = self._mine().order_by(Row.updated_at.desc(), Row.id).limit(most)
        if state:
            query = query.where(Row.state == state)
        with self._store.read() as connection:
            return [_change(row) for row in connection.execute(query).mappings()]

    def payments_since(self, moment: datetime) -> list[Change]:
        """Payments that happened, or may have, at or after this moment."""
        query = self._mine().where(*_possible_payments(moment)).order_by(Row.updated_at.desc())
        with self._store.read() as connection:
            return [_change(row) for row in connection.execute(query).mappings()]

    def spent(self, now: datetime) -> Spent:
        """What counts against the caps."""
        with self._store.read() as connection:
            return self._spent(connection, now)

    # --- writing

    def sweep(self, now: datetime) -> None:
        """Lets go what nobody will finish: proposals and approvals that are too old are `expired`,
        a change whose sender is dead is `unknown`."""
        with self._store.write() as connection:
            waiting = [State.PROPOSED, State.APPROVED]
            query = self._mine().where(Row.state.in_([*waiting, State.SENDING]))
            for change in [_change(row) for row in connection.execute(query).mappings()]:
                if change.state in waiting and change.expired(now):
                    self._set(
                        connection, change, State.EXPIRED, now, happened="Nobody answered in time."
                    )
                elif change.state is State.SENDING and self._orphaned(change, now):
                    self._set(
                        connection,
                        change,
                        State.UNKNOWN,
                        now,
                        happened="The server that sent it ended before it recorded an answer.",
                    )

    def propose(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        *,
        reference: str | None,
        amount: Decimal | None,
        question: str,
        basis: Mapping[str, Any],
        now: datetime,
    ) -> Change:
        """A new change, waiting for an answer; or the one that another caller proposed meanwhile."""
        with self._store.write() as connection:
            known = self._find(connection, operation, arguments, reference, now)
            if known:
                return known
            new = secrets.token_hex(8)
            connection.execute(
                changes.insert().values(
                    id=new,
                    account=self._account,
                    operation=operation,
                    arguments=_json(arguments),
                    reference=reference,
                    amount=None if amount is None else int(amount * 100),
                    question=question,
                    basis=_json(basis),
                    state=State.PROPOSED,
                    channel="",
                    owner="",
                    secret_hash="",
                    happened="",
                    evidence="{}",
                    note="",
                    proposed_at=_ticks(now),
                    updated_at=_ticks(now),
                )
            )
            return self._reread(connection, new)

    def approve(self, id: str, channel: str, now: datetime) -> Change | None:
        """The change, approved; None if it was no longer waiting for that."""
        return self._decide(id, (State.PROPOSED,), State.APPROVED, channel, now, "")

    def decline(
        self, id: str, channel: str, now: datetime, *, approved_too: bool = False
    ) -> Change | None:
        """The change, declined; None if it was no longer waiting. With `approved_too`, also one that
        was approved by another channel and not sent yet."""
        start = (State.PROPOSED, State.APPROVED) if approved_too else (State.PROPOSED,)
        return self._decide(id, start, State.DECLINED, channel, now, "The person declined.")

    def void(self, id: str, happened: str, now: datetime) -> Change | None:
        """The change, `expired` though it was approved: what was approved is no longer so."""
        return self._move(id, (State.APPROVED,), State.EXPIRED, now, happened=happened)

    def claim(self, id: str, now: datetime) -> Change | None:
        """The change, `sending` and on the disk, for the one caller that may send it; else None.

        Raises `Blocked` where the policy forbids it by now.
        """
        with self._store.write() as connection:
            change = self._reread(connection, id)
            if change.state is not State.APPROVED or change.expired(now):
                return None
            if change.operation == PAYMENT:
                refusal = self._refusal(connection, change.amount or Decimal(0), now)
                if not refusal and change.channel == "standing":
                    spent = self._spent(connection, now)
                    if not self._policy.stands_for(change.amount or Decimal(0), spent):
                        refusal = "the standing budget is used up."
                if refusal:
                    self._set(connection, change, State.EXPIRED, now, happened=refusal)
            else:
                refusal = None
            if not refusal:
                self._set(
                    connection,
                    change,
                    State.SENDING,
                    now,
                    owner=str(self._owner),
                    sent_at=max(_ticks(now), self._last_sent(connection)),
                )
            after = self._reread(connection, id)
        if refusal:
            raise Blocked(refusal)
        return after

    def record(
        self, id: str, state: State, happened: str, evidence: Mapping[str, Any], now: datetime
    ) -> Change | None:
        """The change with its outcome; None if somebody called it unknown meanwhile."""
        return self._move(
            id, (State.SENDING,), state, now, happened=happened, evidence=_json(evidence)
        )

    def add_evidence(self, id: str, evidence: Mapping[str, Any]) -> None:
        """Adds what was learnt after the outcome, without touching it."""
        with self._store.write() as connection:
            known = self._reread(connection, id).evidence
            connection.execute(
                changes.update()
                .where(Row.id == id, Row.account == self._account)
                .values(evidence=_json({**known, **evidence}))
            )

    def resolve(self, id: str, *, paid: bool, note: str, now: datetime) -> Change | None:
        """An unknown change after a person found out; None if it is not unknown."""
        state = State.SUCCEEDED if paid else State.REFUSED
        return self._move(id, (State.UNKNOWN,), state, now, note=note)

    def refusal(self, amount: Decimal, now: datetime) -> str | None:
        """Why no payment of this amount may be proposed now; None if one may."""
        with self._store.read() as connection:
            return self._refusal(connection, amount, now)

    def stands_for(self, change: Change, now: datetime) -> bool:
        """Whether the standing budget approves this change without asking."""
        if change.operation != PAYMENT or change.amount is None:
            return False
        return self._policy.stands_for(change.amount, self.spent(now))

    def set_secret(self, id: str, secret: str) -> None:
        """Keeps the hash of the secret that opens the page of this change."""
        with self._store.write() as connection:
            connection.execute(
                changes.update()
                .where(Row.id == id, Row.account == self._account)
                .values(secret_hash=_hash(secret))
            )

    def opens(self, id: str, secret: str) -> bool:
        """Whether this is the secret of the change's page."""
        query = sa.select(Row.secret_hash).where(Row.id == id, Row.account == self._account)
        with self._store.read() as connection:
            kept = connection.execute(query).scalar() or ""
        return bool(kept) and secrets.compare_digest(kept, _hash(secret))

    # --- inside

    def _mine(self) -> sa.Select[Any]:
        return sa.select(changes).where(Row.account == self._account)

    def _first(self, *conditions: sa.ColumnElement[bool]) -> Change | None:
        query = self._mine().where(*conditions).order_by(Row.updated_at.desc()).limit(1)
        with self._store.read() as connection:
            row = connection.execute(query).mappings().first()
        return _change(row) if row else None

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
            named = of_kind.where(
                Row.reference == reference, Row.state.in_(list(PENDING | MAY_HAVE_HAPPENED))
            )
            if row := connection.execute(named.limit(1)).mappings().first():
                change = _change(row)
                if change.arguments != arguments:
                    raise Blocked(
                        f"the reference `{reference}` already names another change ({change.amount}, "
                        f"{change.state}). Use a new reference for a new payment, or the same amount "
                        "to see what came of that one."
                    )
                return change
        recent = sa.and_(Row.state.in_(list(REMEMBERED)), Row.updated_at > _ticks(now - LIFETIME))
        same = of_kind.where(
            Row.arguments == _json(arguments), sa.or_(Row.state.in_(list(PENDING)), recent)
        )
        row = connection.execute(same.limit(1)).mappings().first()
        if row is None or operation == PAYMENT or row["state"] != State.SUCCEEDED:
            return _change(row) if row else None
        # A setting that was set otherwise since then is no longer as this change left it.
        newest = of_kind.where(Row.state.in_(list(MAY_HAVE_HAPPENED))).limit(1)
        last = connection.execute(newest).mappings().one()
        return _change(row) if last["id"] == row["id"] else None

    def _reread(self, connection: sa.Connection, id: str) -> Change:
        row = connection.execute(self._mine().where(Row.id == id)).mappings().one()
        return _change(row)

    def _decide(
        self,
        id: str,
        start: tuple[State, ...],
        end: State,
        channel: str,
        now: datetime,
        happened: str,
    ) -> Change | None:
        change = self.get(id)
        if change is None or change.expired(now):
            return None
        return self._move(id, start, end, now, channel=channel, happened=happened)

    def _move(
        self, id: str, start: tuple[State, ...], end: State, now: datetime, **told: Any
    ) -> Change | None:
        with self._store.write() as connection:
            moved = connection.execute(
                changes.update()
                .where(Row.id == id, Row.account == self._account, Row.state.in_(start))
                .values(state=end, updated_at=_ticks(now), **told)
            )
            return self._reread(connection, id) if moved.rowcount == 1 else None

    def _set(
        self, connection: sa.Connection, change: Change, end: State, now: datetime, **told: Any
    ) -> None:
        connection.execute(
            changes.update()
            .where(Row.id == change.id, Row.state == change.state)
            .values(state=end, updated_at=_ticks(now), **told)
        )

    def _orphaned(self, change: Change, now: datetime) -> bool:
        sent_at = change.sent_at or change.updated_at
        return now - sent_at >= SENDING_LEASE or not self._owner.may_live(change.owner)

    def _refusal(self, connection: sa.Connection, amount: Decimal, now: datetime) -> str | None:
        unknown = self._mine().where(Row.operation == PAYMENT, Row.state == State.UNKNOWN)
        row = connection.execute(unknown.limit(1)).mappings().first()
        if row:
            lost = _change(row)
            return (
                f"nobody knows whether the payment of {lost.amount} at "
                f"{lost.sent_at:%Y-%m-%d %H:%M} UTC happened, and until a person has found out "
                f"no other is made. The user can look into the Mission Control Portal, then run "
                f"`{to_run(f'resolve {lost.id}', self.profile)}` in a terminal."
            )
        return self._policy.refusal(amount, self._spent(connection, now))

    def _last_sent(self, connection: sa.Connection) -> int:
        """When the latest change was sent, which no later one may seem to precede: a payment made
        while the clock is wrong still counts once it is right."""
        query = sa.select(sa.func.coalesce(sa.func.max(Row.sent_at), 0)).where(
            Row.account == self._account
        )
        return int(connection.execute(query).scalar_one())

    def _spent(self, connection: sa.Connection, now: datetime) -> Spent:
        def total(since: datetime, *more: sa.ColumnElement[bool]) -> Decimal:
            query = sa.select(sa.func.coalesce(sa.func.sum(Row.amount), 0)).where(
                Row.account == self._account, *_possible_payments(since), *more
            )
            return _amount(int(connection.execute(query).scalar_one()))

        return Spent(
            day=total(now - DAY),
            month=total(now - MONTH),
            standing_day=total(now - DAY, Row.channel == "standing"),
        )


def _possible_payments(since: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Payments that happened or may have since then. One that is unknown counts whenever it was."""
    return (
        Row.operation == PAYMENT,
        Row.state.in_(list(MAY_HAVE_HAPPENED)),
        sa.or_(Row.sent_at >= _ticks(since), Row.state == State.UNKNOWN),
    )


def _change(row: sa.RowMapping) -> Change:
    return Change(
        id=row["id"],
        operation=row["operation"],
        arguments=json.loads(row["arguments"]),
        reference=row["reference"],
        amount=None if row["amount"] is None else _amount(row["amount"]),
        question=row["question"],
        basis=json.loads(row["basis"]),
        state=State(row["state"]),
        channel=row["channel"],
        owner=row["owner"],
        happened=row["happened"],
        evidence=json.loads(row["evidence"]),
        note=row["note"],
        proposed_at=_moment(row["proposed_at"]),
        sent_at=None if row["sent_at"] is None else _moment(row["sent_at"]),
        updated_at=_moment(row["updated_at"]),
    )


def _amount(cents: int) -> Decimal:
    return (Decimal(cents) / 100).quantize(Decimal("0.01"))


def _moment(ticks: int) -> datetime:
    return datetime.fromtimestamp(ticks / 1000, UTC)


def _ticks(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
