"""The reading half of the ledger: one transaction per method, and none of them writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.ledger_caps import LedgerCaps
from telnyx_mcp.approval.ledger_rows import MOVED, Row
from telnyx_mcp.approval.policy import DAY, Spent
from telnyx_mcp.approval.reasons import Reason, StoreReplaced
from telnyx_mcp.storage.schema import ticks


@dataclass(frozen=True, slots=True)
class History:
    """What a question about money must say about earlier payments."""

    payments: Sequence[Change]
    """Payments of the last 24 hours that happened, or may have, newest first."""
    mark: str
    """Changes whenever a change is sent or gets another outcome: a question that was written under
    another mark may no longer be true."""


class LedgerQueries(LedgerCaps):
    """The changes of one account. `profile` is what the user calls the account."""

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

    def newest(
        self,
        most: int,
        now: datetime,
        *,
        state: State | None = None,
        since: datetime | None = None,
    ) -> list[Change]:
        """The newest changes, of one state if given, and those that changed `since` then."""
        query = self._own_rows().order_by(Row.updated_at.desc(), Row.id)
        if since:
            query = query.where(Row.updated_at >= ticks(since))
        found: list[Change] = []
        with self._store.read() as connection:
            for change in self._changes(connection, query, now):
                if len(found) == most:
                    break
                if state in (None, change.state):
                    found.append(change)
        return found

    def waiting(self, now: datetime) -> list[Change]:
        """The changes that wait for an answer, oldest first."""
        query = self._own_rows().where(Row.state == State.PROPOSED).order_by(Row.proposed_at)
        with self._store.read() as connection:
            found = self._changes(connection, query, now)
            return [each for each in found if each.state is State.PROPOSED]

    def damaged(self, most: int, now: datetime) -> list[Change]:
        """The newest changes whose rows can't be read in full: see `Change.damage`."""
        query = self._own_rows().order_by(Row.updated_at.desc(), Row.id)
        with self._store.read() as connection:
            damaged = (each for each in self._changes(connection, query, now) if each.damage)
            return list(islice(damaged, most))

    def payments_since(self, moment: datetime, now: datetime) -> list[Change]:
        """Payments that happened, or may have, at or after this moment."""
        with self._store.read() as connection:
            return self._payments_since(connection, moment, now)

    def history(self, now: datetime) -> History:
        """What a question must say about earlier payments, in one consistent view."""
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
        that could be charged at once, if it is known."""
        with self._store.read() as connection:
            return self._refusal(connection, operation, amount, at_once, now, self.requester)

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
