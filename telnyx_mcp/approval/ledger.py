"""The durable record of every change: what was asked, shown, decided, sent, and what came of it.

A transition is one `UPDATE … WHERE state = …` in a transaction of its own: of any number of
processes, exactly one wins. What decides over money (caps, the block by an unknown payment, the
standing budget, whether the question is still true) is read in the same transaction as the claim.
Expiry is computed when a row is read, and written by the next transition only, so that reading never
waits for a writer. Methods block; call them in a thread.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from telnyx_mcp.approval import rows
from telnyx_mcp.approval.accounts import Identity, KeyLink, LedgerAccount, key_hash, known_accounts
from telnyx_mcp.approval.change import (
    CLOCK_SKEW,
    LIFETIME,
    MAY_HAVE_HAPPENED,
    PAYMENT,
    PENDING,
    REMEMBERED,
    STANDING,
    WAITING,
    Change,
    State,
)
from telnyx_mcp.approval.owner import Owner
from telnyx_mcp.approval.policy import DAY, MONTH, Policy, Spent
from telnyx_mcp.approval.question import Question
from telnyx_mcp.approval.reasons import (
    Blocked,
    BudgetUsedUp,
    QuestionOpen,
    Reason,
    RecentlyDeclined,
    ReferenceTaken,
    UnknownPayment,
    Unsigned,
)
from telnyx_mcp.approval.signature import DecisionSigner
from telnyx_mcp.state import Store, changes, keys, ticks

SENDING_LEASE = timedelta(seconds=60)
"""After this a change that is still `sending` has no live sender: the request itself ends sooner."""

NOT_ANSWERED = "Nobody answered in time."
NOT_USED = "The approval was not used in time."
SENDER_ENDED = "The server that sent it ended before it recorded an answer."
MOVED = "Another change was sent, or got another outcome, after this question was written."
REPLACED = "The question was closed without an answer, and another one was asked."
RESOLVED_VIA = "resolved_via"
"""The name in the evidence of the channel that a person resolved the change on."""
MARK = "ledger"
"""The name in a change's basis under which the mark of the ledger stands: see `History`."""
AT_ONCE = "at_once"
"""The name in a change's basis of the largest sum that could be charged at once."""

Row = changes.c


class HistoryMoved(Exception):
    """Another change was sent since the question was drafted: it has to be drafted again."""


@dataclass(frozen=True, slots=True)
class History:
    """What a question about money has to say of earlier payments."""

    payments: Sequence[Change]
    """Payments of the last 24 hours that happened, or may have, newest first."""
    mark: str
    """Changes whenever a change is sent or gets another outcome: a question that was written under
    another mark may no longer be true."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Who approved a change, and how."""

    channel: str
    by: str


class Ledger:
    """The changes of one account, newest first. `profile` is what the user calls it."""

    def __init__(
        self,
        store: Store,
        key: KeyLink,
        signer: DecisionSigner,
        owner: Owner,
        policy: Policy,
    ) -> None:
        self.profile = key.profile
        self._store = store
        self._key = key
        self._signer = signer
        self._owner = owner
        self._policy = policy
        self._is_identified = False
        self._in_flight: set[str] = set()
        """What this process is sending: it is alive, whatever a clock says."""

    @classmethod
    def of(
        cls,
        store: Store,
        api_key: str,
        address: str,
        owner: Owner,
        policy: Policy,
        profile: str | None = None,
    ) -> Ledger:
        """The ledger of the account that this key opens at this address."""
        salt = store.salt()
        key = KeyLink(key_hash(salt, address, api_key), address, profile)
        ledger = cls(store, key, DecisionSigner(api_key, salt), owner, policy)
        with store.read() as connection:
            account = key.account(connection)
            ledger._is_identified = key.is_identified(connection, account)
        return ledger

    def close(self) -> None:
        self._store.close()

    # --- the account

    def is_linked(self) -> bool:
        """Whether the key is linked to an account; without a link the ledger shows nothing."""
        with self._store.read() as connection:
            return self._key.account(connection) is not None

    def hides_changes(self) -> bool:
        """Whether the ledger holds changes that this key, not linked yet, does not show."""
        with self._store.read() as connection:
            linked = self._key.account(connection) is not None
            return not linked and any(each.changes for each in known_accounts(connection))

    @property
    def is_identified(self) -> bool:
        """Whether the ledger knows who Telnyx says the account is, or `identify` was called."""
        return self._is_identified

    def identify(self, identity: Identity, now: datetime) -> None:
        """Links the key to its account, and notes who Telnyx says that is.

        Raises `Blocked` where the user has to say which account the key belongs to.
        """
        with self._store.write() as connection:
            account = self._key.find_or_add(connection, identity, now)
            self._key.complete(connection, account, identity)
        self._is_identified = True

    def known_accounts(self) -> list[LedgerAccount]:
        """Every account in the store, also those of other keys."""
        with self._store.read() as connection:
            return known_accounts(connection)

    def link(self, account: str | None, identity: Identity, now: datetime) -> None:
        """Links the key to this account because the user says so; to a new one if it is None."""
        with self._store.write() as connection:
            if self._key.account(connection):
                return
            if account is None:
                account = self._key.add_account(connection, identity, "user", now)
            else:
                self._key.link(connection, account, "user", now)
            self._key.complete(connection, account, identity)

    # --- reading

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

    def payments_since(self, moment: datetime, now: datetime) -> list[Change]:
        """Payments that happened, or may have, at or after this moment."""
        with self._store.read() as connection:
            return self._payments_since(connection, moment, now)

    def history(self, now: datetime) -> History:
        """What a question has to say of earlier payments, in one consistent view."""
        with self._store.read() as connection:
            payments = self._payments_since(connection, now - DAY, now)
            return History(payments, self._mark(connection, now))

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

    def stands_for(self, change: Change, now: datetime) -> bool:
        """Whether the standing budget approves this change without asking."""
        with self._store.read() as connection:
            return self._stands_for(connection, change.operation, change.amount, now)

    # --- writing

    def propose(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        *,
        reference: str | None,
        amount: Decimal | None,
        question: Question,
        basis: Mapping[str, Any],
        now: datetime,
        requested_via: str = "",
        replaces: str | None = None,
    ) -> Change:
        """A new change, waiting for an answer; or the one that another caller proposed meanwhile.

        Raises `Blocked` where the policy forbids it, or another question waits; `HistoryMoved` where
        the basis carries a mark of the ledger that is no longer true.
        """
        with self._store.write() as connection:
            if known := self._find(connection, operation, arguments, reference, now):
                return known
            if basis.get(MARK) not in (None, self._mark(connection, now)):
                raise HistoryMoved
            at_once = _decimal(basis.get(AT_ONCE))
            if refusal := self._refusal(connection, operation, amount, at_once, now):
                raise Blocked(refusal, self.profile)
            if not self._stands_for(connection, operation, amount, now):
                self._make_room(connection, operation, now)
            new = secrets.token_hex(8)
            row = rows.new_row(
                id=new,
                account=self._key.find_or_add(connection, Identity(), now),
                operation=operation,
                arguments=arguments,
                reference=reference,
                amount=amount,
                question=question,
                basis=basis,
                requested_via=requested_via,
                now=now,
            )
            connection.execute(changes.insert().values(row))
            if replaces:
                self._update(connection, replaces, {"replaced_by": new})
            return self._reread(connection, new, now)

    def approve(self, id: str, channel: str, now: datetime, by: str = "") -> Change | None:
        """The change, approved, or `void` if its question is no longer true; None if it was no longer
        waiting for that."""
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            if change is None or change.state is not State.PROPOSED:
                return None
            if channel != STANDING and self._moved(connection, change, now):
                return self._void(connection, change, MOVED, now)
            return self._approve(connection, change, Decision(channel, by), now)

    def decline(
        self, id: str, channel: str, now: datetime, by: str = "", *, approved_too: bool = False
    ) -> Change | None:
        """The change, declined; None if it was no longer waiting. With `approved_too`, also one that
        another channel approved and nobody sent yet."""
        start = WAITING if approved_too else frozenset({State.PROPOSED})
        return self._decline(id, start, channel, now, by, "The user declined.")

    def withdraw(self, id: str, channel: str, now: datetime, by: str = "") -> Change | None:
        """The change, declined after it was approved; None if it is not approved, or already sent."""
        happened = "The user withdrew the approval."
        return self._decline(id, frozenset({State.APPROVED}), channel, now, by, happened)

    def close_question(self, id: str, now: datetime) -> None:
        """Notes that the question was closed without an answer: another one may take its place."""
        with self._store.write() as connection:
            self._update(connection, id, {"closed_at": ticks(now)}, State.PROPOSED)

    def void(self, id: str, why: str, now: datetime) -> Change | None:
        """The change, `void`: what its question says is no longer true. None if it was not waiting."""
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            if change is None or change.state not in WAITING:
                return None
            return self._void(connection, change, why, now)

    def claim(self, id: str, now: datetime, decision: Decision | None = None) -> Change | None:
        """The change, `sending` and on the disk, for the one caller that may send it; `void` if its
        question is no longer true; else None. With a `decision`, a proposed change is approved in the
        same transaction.

        Raises `Blocked` where the policy forbids it by now, or the approval is not signed.
        """
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            if change and change.state is State.PROPOSED and decision:
                change = self._approve(connection, change, decision, now)
            if change is None or change.state is not State.APPROVED:
                return None
            refusal = self._claim_refusal(connection, change, now)
            if refusal:
                self._void(connection, change, f"{refusal.text(self.profile)}", now)
            elif change.channel != STANDING and self._moved(connection, change, now):
                return self._void(connection, change, MOVED, now)
            else:
                sent_at = max(ticks(now), self._last_sent(connection) + 1)
                # Without its signature, a sent change can't be made an approved one again.
                told = {"owner": str(self._owner), "sent_at": sent_at, "signature": None}
                self._move(connection, change, State.SENDING, now, **told)
            after = self._reread(connection, id, now)
        if refusal:
            raise Blocked(refusal, self.profile)
        self._in_flight.add(id)
        return after

    def landed(self, id: str) -> None:
        """Says that this process no longer waits for an answer to this change."""
        self._in_flight.discard(id)

    def record(
        self, id: str, state: State, happened: str, evidence: Mapping[str, Any], now: datetime
    ) -> Change | None:
        """The change with its outcome; None if it has another one. What Telnyx answers, however late,
        stands above what a person had found."""
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            if change is None:
                return None
            told = {"happened": happened, "evidence": rows.to_json(evidence)}
            for stored in (State.SENDING, State.UNKNOWN):
                if self._move(connection, replace(change, state=stored), state, now, **told):
                    return self._reread(connection, id, now)
            if RESOLVED_VIA not in change.evidence or state is State.UNKNOWN:
                return None
            found = "paid" if change.state is State.SUCCEEDED else "not paid"
            told = {
                "happened": f"{happened} You had resolved it as {found} before.",
                "evidence": rows.to_json({**change.evidence, **evidence}),
            }
            self._move(connection, change, state, now, **told)
            return self._reread(connection, id, now)

    def add_evidence(self, id: str, evidence: Mapping[str, Any], now: datetime) -> None:
        """Adds what was learnt after the outcome, without touching it."""
        with self._store.write() as connection:
            known = self._reread(connection, id, now).evidence
            self._update(connection, id, {"evidence": rows.to_json({**known, **evidence})})

    def resolve(
        self,
        id: str,
        *,
        paid: bool,
        note: str,
        now: datetime,
        channel: str = "terminal",
        by: str = "",
    ) -> Change | None:
        """An unknown change after a person found out; None if it is not unknown."""
        state = State.SUCCEEDED if paid else State.REFUSED
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            if change is None or change.state is not State.UNKNOWN:
                return None
            who = {RESOLVED_VIA: channel} | ({"resolved_by": by} if by else {})
            evidence = rows.to_json({**change.evidence, **who})
            told = {"note": note, "evidence": evidence, "happened": change.happened}
            for stored in (State.UNKNOWN, State.SENDING):  # the latter if its sender is gone
                if self._move(connection, replace(change, state=stored), state, now, **told):
                    break
            return self._reread(connection, id, now)

    # --- inside: reading

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
            yield self._as_of(rows.change_of(row), now)

    def _as_of(self, change: Change, now: datetime) -> Change:
        """The change with its state of now: what nobody will finish any more is over."""
        if change.is_expired(now):
            happened = NOT_ANSWERED if change.state is State.PROPOSED else NOT_USED
            return replace(change, state=State.EXPIRED, happened=happened)
        if change.state is State.SENDING and self._is_orphaned(change, now):
            return replace(change, state=State.UNKNOWN, happened=SENDER_ENDED)
        return change

    def _is_orphaned(self, change: Change, now: datetime) -> bool:
        if change.id in self._in_flight:
            return False
        # Not `sent_at`: after the clock was set back that is in the future, for hours perhaps.
        since = change.updated_at
        in_time = since - CLOCK_SKEW <= now < since + SENDING_LEASE
        return not in_time or not self._owner.may_live(change.owner)

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
            recent = change.updated_at > now - LIFETIME
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
        query = self._mine().where(*_possible_payments(moment)).order_by(Row.updated_at.desc())
        return list(self._changes(connection, query, now))

    def _mark(self, connection: sa.Connection, now: datetime) -> str:
        query = self._mine().where(Row.state.in_(list(MAY_HAVE_HAPPENED)))
        sending = self._changes(connection, query.where(Row.state == State.SENDING), now)
        orphaned = sum(change.state is State.UNKNOWN for change in sending)
        counts = sa.select(Row.state, sa.func.count(), sa.func.max(Row.sent_at)).where(
            self._is_mine(), Row.state.in_(list(MAY_HAVE_HAPPENED))
        )
        found = connection.execute(counts.group_by(Row.state).order_by(Row.state)).all()
        parts = [f"{state} {count} {last}" for state, count, last in found]
        return "; ".join([*parts, f"orphaned {orphaned}"])

    def _moved(self, connection: sa.Connection, change: Change, now: datetime) -> bool:
        return change.basis.get(MARK) not in (None, self._mark(connection, now))

    def _stands_for(
        self, connection: sa.Connection, operation: str, amount: Decimal | None, now: datetime
    ) -> bool:
        if operation != PAYMENT or amount is None:
            return False
        return self._policy.stands_for(amount, self._spent(connection, now))

    def _make_room(self, connection: sa.Connection, operation: str, now: datetime) -> None:
        """Sees to it that one question is open at a time, and none soon after a decline.

        Raises `Blocked` while another question waits.
        """
        waiting = self._mine().where(Row.state.in_(list(WAITING)))
        for change in list(self._changes(connection, waiting, now)):
            if change.state is State.EXPIRED:
                self._expire(connection, change, now)
            elif change.closed:
                self._void(connection, change, REPLACED, now)
            elif self._policy.one_question:
                raise Blocked(QuestionOpen(change), self.profile)
        if operation != PAYMENT:
            return
        declined = self._mine().where(
            Row.operation == PAYMENT,
            Row.state == State.DECLINED,
            Row.updated_at > ticks(now - LIFETIME),
        )
        newest = declined.order_by(Row.updated_at.desc()).limit(1)
        for change in self._changes(connection, newest, now):
            raise Blocked(RecentlyDeclined(change, change.updated_at + LIFETIME), self.profile)

    def _claim_refusal(
        self, connection: sa.Connection, change: Change, now: datetime
    ) -> Reason | None:
        if not self._signer.is_valid(*self._signed(connection, change)):
            return Unsigned()
        at_once = _decimal(change.basis.get(AT_ONCE))
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
        if operation != PAYMENT:
            return None if at_once is None else self._policy.recharge_refusal(at_once)
        possible = (State.UNKNOWN, State.SENDING)
        lost = self._mine().where(Row.operation == PAYMENT, Row.state.in_(possible))
        for change in self._changes(connection, lost, now):
            if change.state is State.UNKNOWN:
                return UnknownPayment(change)
        return self._policy.refusal(amount or Decimal(0), self._spent(connection, now))

    def _last_sent(self, connection: sa.Connection) -> int:
        """When the latest change was sent. Every later one is sent after it, whatever the clock
        says: a payment made while the clock is wrong still counts once it is right, and no two
        histories have the same mark."""
        query = sa.select(sa.func.coalesce(sa.func.max(Row.sent_at), 0)).where(self._is_mine())
        return int(connection.execute(query).scalar_one())

    def _spent(self, connection: sa.Connection, now: datetime) -> Spent:
        def total(since: datetime, *more: sa.ColumnElement[bool]) -> Decimal:
            query = sa.select(sa.func.coalesce(sa.func.sum(Row.amount), 0)).where(
                self._is_mine(), *_possible_payments(since), *more
            )
            return rows.amount_of(int(connection.execute(query).scalar_one()))

        return Spent(
            day=total(now - DAY),
            month=total(now - MONTH),
            standing_day=total(now - DAY, Row.channel == STANDING),
        )

    # --- inside: writing

    def _approve(
        self, connection: sa.Connection, change: Change, decision: Decision, now: datetime
    ) -> Change:
        told = {"channel": decision.channel, "decided_by": decision.by, "decided_at": ticks(now)}
        self._move(connection, change, State.APPROVED, now, happened="", **told)
        content, _ = self._signed(connection, change)
        self._update(connection, change.id, {"signature": self._signer.sign(content)})
        return self._reread(connection, change.id, now)

    def _signed(
        self, connection: sa.Connection, change: Change
    ) -> tuple[Mapping[str, Any], str | None]:
        """What the signature of an approval covers, as it is stored, and the signature itself."""
        query = sa.select(*(Row[name] for name in rows.SIGNED), Row.signature)
        row = connection.execute(query.where(Row.id == change.id)).mappings().one()
        return {name: row[name] for name in rows.SIGNED}, row["signature"]

    def _decline(
        self,
        id: str,
        start: frozenset[State],
        channel: str,
        now: datetime,
        by: str,
        happened: str,
    ) -> Change | None:
        told = {"channel": channel, "decided_by": by, "decided_at": ticks(now)}
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            if change is None or change.state not in start:
                return None
            self._move(connection, change, State.DECLINED, now, happened=happened, **told)
            return self._reread(connection, id, now)

    def _void(self, connection: sa.Connection, change: Change, why: str, now: datetime) -> Change:
        # Stored as `expired`, the word that version 1 knows for it.
        self._move(connection, change, State.EXPIRED, now, voided=why, happened=why)
        return self._reread(connection, change.id, now)

    def _expire(self, connection: sa.Connection, change: Change, now: datetime) -> None:
        told = {"state": State.EXPIRED, "happened": change.happened, "updated_at": ticks(now)}
        for stored in WAITING:
            self._update(connection, change.id, told, stored)

    def _move(
        self, connection: sa.Connection, change: Change, end: State, now: datetime, **told: Any
    ) -> bool:
        """Whether the change was still in its state, and is in this one now."""
        values = {"state": end, "updated_at": ticks(now), **told}
        return self._update(connection, change.id, values, change.state)

    def _update(
        self,
        connection: sa.Connection,
        id: str,
        values: Mapping[str, Any],
        state: State | None = None,
    ) -> bool:
        which = [Row.id == id, self._is_mine()]
        if state:
            which.append(Row.state == state)
        done = connection.execute(changes.update().where(*which).values(**values))
        return done.rowcount == 1


def _possible_payments(since: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Payments that happened or may have since then. One that is unknown counts whenever it was."""
    return (
        Row.operation == PAYMENT,
        Row.state.in_(list(MAY_HAVE_HAPPENED)),
        sa.or_(Row.sent_at >= ticks(since), Row.state != State.SUCCEEDED),
    )


def _decimal(text: object) -> Decimal | None:
    return Decimal(str(text)) if text is not None else None
