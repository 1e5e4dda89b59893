"""The ledger: every change with its question, decision, sending and outcome, on disk.

Each transition is one `UPDATE … WHERE state = …` in its own transaction, so exactly one of several
processes wins. The checks that protect money (caps, the block by an unknown payment, the standing
budget, whether the question is still true) run in the same transaction as the claim. Expiry is computed
when a row is read and stored by the next transition, so reading never waits for a writer. Methods block;
call them in a thread.

One class, in layers: `ledger_rows.py` reads rows, `ledger_caps.py` adds what was paid,
`ledger_queries.py` and `ledger_accounts.py` answer questions, `ledger_moves.py` changes states, and this
module holds the transitions.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from telnyx_mcp.approval import rows
from telnyx_mcp.approval.accounts import Identity, KeyLink, key_hash
from telnyx_mcp.approval.change import AT_ONCE, DONE, STANDING, WAITING, Change, Signatory, State
from telnyx_mcp.approval.ledger_caps import decimal_of
from telnyx_mcp.approval.ledger_moves import Decision, LedgerMoves
from telnyx_mcp.approval.ledger_queries import History
from telnyx_mcp.approval.ledger_rows import MARK, MOVED, SENDER_ENDED, SENDING_LEASE, Row
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.approval.question import Question
from telnyx_mcp.approval.reasons import GONE, Blocked
from telnyx_mcp.approval.signature import LedgerSigner
from telnyx_mcp.approval.store_memory import Remembered, StoreMemory
from telnyx_mcp.approval.team.approvals import remove_approval
from telnyx_mcp.approval.team.notices import NoticeKind
from telnyx_mcp.storage.schema import changes, notices, store_id, ticks
from telnyx_mcp.storage.store import Store, StoreError

__all__ = [
    "AT_ONCE",
    "MARK",
    "MOVED",
    "SENDER_ENDED",
    "SENDING_LEASE",
    "Decision",
    "History",
    "HistoryMoved",
    "Ledger",
]


class HistoryMoved(Exception):
    """Another change was sent since the question was drafted: it has to be drafted again."""


class Ledger(LedgerMoves):
    """The changes of one account, newest first. `profile` is what the user calls it."""

    @classmethod
    def of(
        cls,
        store: Store,
        api_key: str,
        address: str,
        owner: ProcessIdentity,
        policy: Policy,
        profile: str | None = None,
        memory: StoreMemory | None = None,
    ) -> Ledger:
        """The ledger of the account that this key opens at this address."""
        salt = store.salt()
        key = KeyLink(key_hash(salt, address, api_key), address, profile)
        ledger = cls(store, key, LedgerSigner(api_key, salt), owner, policy, memory)
        ledger._store_id = store_id(salt)
        with store.read() as connection:
            account = key.account(connection)
            if key.is_identified(connection, account):
                ledger._identified.set()
        return ledger

    def close(self) -> None:
        self._store.close()

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
                if known.state is not State.VOID:
                    return known
                self._void(connection, known, known.outcome_text, now)
            if basis.get(MARK) not in (None, self._mark(connection, now)):
                raise HistoryMoved
            at_once = decimal_of(basis.get(AT_ONCE))
            requester = self.requester
            if refusal := self._refusal(connection, operation, amount, at_once, now, requester):
                raise Blocked(refusal, self.directions)
            self._see_future_payments(connection, now)
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
                basis={**basis, **requester.basis} if requester else basis,
                requested_via=requested_via,
                now=now,
            )
            if requester:
                row |= requester.columns(amount if amount is not None else at_once, now)
            content = rows.signed_content(row, rows.SIGNED_PROPOSAL)
            row["signature"] = self._signer.sign(content)
            connection.execute(changes.insert().values(row))
            if replaces:
                self._update(connection, replaces, {"replaced_by": new})
            change = self._reread(connection, new, now)
            if not replaces:
                self._announce(connection, change, NoticeKind.PROPOSED, now)
            return change

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
        self,
        id: str,
        channel: str,
        now: datetime,
        by: str = "",
        *,
        approved_too: bool = False,
        signatory: Signatory | None = None,
    ) -> Change | None:
        """The change, declined; None if it was no longer waiting. With `approved_too`, also one that
        another channel approved and nobody sent yet. Declining a question that stopped being
        true counts; a change that was already replaced stays `void`."""
        start = {*(WAITING if approved_too else {State.PROPOSED}), State.VOID}
        who = signatory.label if signatory else "The user"
        return self._decline(id, start, channel, now, by, f"{who} declined.", signatory)

    def withdraw(self, id: str, channel: str, now: datetime, by: str = "") -> Change | None:
        """The change, declined after it was approved; None if it is not approved, or already sent."""
        outcome_text = "The user withdrew the approval."
        return self._decline(id, {State.APPROVED}, channel, now, by, outcome_text)

    def take_back(self, id: str, by: Signatory, now: datetime) -> bool:
        """Whether this person had approved a change that still needs the approval of others; afterwards
        they have not."""
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            waits = change is not None and change.state is State.PROPOSED
            return waits and remove_approval(connection, id, by)

    def close_question(self, id: str, now: datetime) -> None:
        """Records that the question was closed without an answer, so that another may replace it."""
        with self._store.write() as connection:
            self._update(connection, id, {"closed_at": ticks(now)}, State.PROPOSED)

    def void(self, id: str, why: str, now: datetime) -> Change | None:
        """The change, `void`: what its question says is no longer true. None if it was not waiting."""
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            if change is None or change.state not in WAITING:
                return None
            return self._void(connection, change, why, now)

    def claim(
        self, id: str, now: datetime, decision: Decision | None = None, token: str = ""
    ) -> Change | None:
        """The change, `sending` and on the disk, for the one caller that may send it; `void` if its
        question is no longer true, or it is not signed; else None. With a `decision`, a proposed
        change is approved in the same transaction, and stays `proposed` where it needs the approval of
        more people. By its `token` the caller can find out later
        whether the claim was its own: see `claimed`.

        Raises `Blocked` where the policy forbids it by now.
        """
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            if change and change.state is State.PROPOSED and decision:
                change = self._approve(connection, change, decision, now)
                if change.state is State.PROPOSED:
                    return change
            if change and change.state is State.VOID:
                return change
            if change is None or change.state is not State.APPROVED:
                return None
            refusal = self._claim_refusal(connection, change, now)
            if refusal:
                self._void(connection, change, refusal.text(self.directions), now)
            elif change.channel != STANDING and self._moved(connection, change, now):
                return self._void(connection, change, MOVED, now)
            else:
                self._start_sending(connection, change, token, now)
            after = self._reread(connection, id, now)
        if refusal:
            raise Blocked(refusal, self.directions)
        if self._memory:
            self._memory.write(Remembered(self._store_id, id))
        self._finished.add(id)
        return after

    def claimed(self, id: str, token: str, now: datetime) -> Change | None:
        """The change, if it was claimed with this token and is still `sending`. For a caller whose
        claim failed, as the answer to its commit may have been lost. It waits for a commit that is
        still on its way."""
        with self._store.write() as connection:  # for the writers' lock, which that one holds
            mine = self._own_rows().where(Row.id == id, Row.secret_hash == token)
            return next(
                self._changes(connection, mine.where(Row.state == State.SENDING), now), None
            )

    def renew(self, id: str, now: datetime) -> None:
        """Renews the lease: this process still waits for the answer to this change."""
        with self._store.write() as connection:
            mine = Row.owner == str(self._owner)
            renewed = changes.update().where(Row.id == id, Row.state == State.SENDING, mine)
            connection.execute(renewed.values(updated_at=ticks(now)))

    def landed(self, id: str) -> None:
        """Ends the sending: this process no longer waits for an answer to this change."""
        self._in_flight.discard((str(self._owner), id))

    def record(
        self, id: str, state: State, outcome_text: str, evidence: Mapping[str, Any], now: datetime
    ) -> Change | None:
        """The change with its outcome; None if it has another one. An answer from
        Telnyx, however late, overrides what a person found.

        Raises `StoreError` where the change is no longer in the ledger.
        """
        with self._store.write() as connection:
            change = self._get(connection, id, now)
            if change is None:
                raise StoreError(f"{self._store.place}: {GONE.format(id=id)}")
            columns = {"happened": outcome_text, "evidence": rows.to_json(evidence)}
            for stored in (State.SENDING, State.UNKNOWN):
                if self._move(connection, replace(change, state=stored), state, now, **columns):
                    kind = NoticeKind.UNKNOWN if state is State.UNKNOWN else NoticeKind.OUTCOME
                    self._announce(connection, change, kind, now)
                    return self._reread(connection, id, now)
            if change.state is state and change.outcome_text.startswith(outcome_text):
                return change  # recorded before, and the answer was lost
            if rows.RESOLVED_VIA not in change.evidence or state is State.UNKNOWN:
                return None
            done = DONE.get(change.operation, "done")
            found = done if change.state is State.SUCCEEDED else f"not {done}"
            columns = {
                "happened": f"{outcome_text} You had resolved it as {found} before.",
                "evidence": rows.to_json({**change.evidence, **evidence}),
            }
            self._move(connection, change, state, now, **columns)
            return self._reread(connection, id, now)

    def announce_lost(self, now: datetime) -> None:
        """Announces the changes whose sender ended before it recorded an outcome, each once."""
        announced = sa.select(notices.c.change_id).where(notices.c.kind == NoticeKind.UNKNOWN)
        sending = self._own_rows().where(Row.state == State.SENDING, Row.id.not_in(announced))
        with self._store.read() as connection:
            found = list(self._changes(connection, sending, now))
        if all(each.state is State.SENDING for each in found):
            return
        with self._store.write() as connection:
            for change in list(self._changes(connection, sending, now)):
                if change.state is State.UNKNOWN:
                    self._announce(connection, change, NoticeKind.UNKNOWN, now)

    def add_evidence(self, id: str, evidence: Mapping[str, Any], now: datetime) -> Change:
        """The change with more evidence. Its outcome stays as it is."""
        with self._store.write() as connection:
            change = self._reread(connection, id, now)
            more = {**change.evidence, **evidence}
            self._update(connection, id, {"evidence": rows.to_json(more)})
            return replace(change, evidence=more)

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
            resolver = {rows.RESOLVED_VIA: channel} | ({"resolved_by": by} if by else {})
            evidence = rows.to_json({**change.evidence, **resolver})
            columns: dict[str, Any] = {
                "note": note,
                "evidence": evidence,
                "happened": change.outcome_text,
            }
            if change.sent_at is None:  # it can't be read: the change counts from now on
                columns["sent_at"] = ticks(now)
            # It is stored as unknown, as `sending` if its sender is gone, or as something unreadable.
            self._update(connection, id, {"state": state, "updated_at": ticks(now), **columns})
            return self._reread(connection, id, now)
