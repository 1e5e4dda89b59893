"""The record of every change: what was asked, shown, decided, sent, and what came of it.

This ledger lives in memory and ends with the process. A transition names the states it starts
from and happens only if the change is in one of them: of any number of callers, exactly one wins.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a change stands. `proposed -> approved -> sending ->` one of the outcomes."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    SENDING = "sending"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    DECLINED = "declined"
    EXPIRED = "expired"


PENDING = frozenset({State.PROPOSED, State.APPROVED, State.SENDING})
MAY_HAVE_HAPPENED = frozenset({State.SENDING, State.SUCCEEDED, State.UNKNOWN})
REMEMBERED = frozenset({State.SUCCEEDED, State.UNKNOWN, State.DECLINED})
"""Outcomes that are told again, instead of asking or sending again, for `LIFETIME`."""

LIFETIME = timedelta(minutes=10)
"""How long a proposal waits for an answer, and how long its outcome is told again."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the ledger."""

    id: str
    operation: str
    arguments: Mapping[str, Any]
    reference: str | None
    amount: Decimal | None
    question: str
    state: State
    proposed_at: datetime
    updated_at: datetime
    happened: str = ""
    """What came of it, in words for the model and the person."""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def expires_at(self) -> datetime:
        return self.proposed_at + LIFETIME


class Ledger:
    """Every change of this process, newest last."""

    def __init__(self) -> None:
        self._changes: dict[str, Change] = {}

    def propose(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        *,
        reference: str | None,
        amount: Decimal | None,
        question: str,
        now: datetime,
    ) -> Change:
        """A new change, waiting for an answer."""
        change = Change(
            id=secrets.token_hex(8),
            operation=operation,
            arguments=dict(arguments),
            reference=reference,
            amount=amount,
            question=question,
            state=State.PROPOSED,
            proposed_at=now,
            updated_at=now,
        )
        self._changes[change.id] = change
        return change

    def get(self, id: str) -> Change | None:
        return self._changes.get(id)

    def move(self, id: str, start: State, end: State, now: datetime, **told: Any) -> Change | None:
        """The change after going from `start` to `end`; None if it was not in `start`."""
        change = self._changes[id]
        if change.state is not start:
            return None
        changed = replace(change, state=end, updated_at=now, **told)
        self._changes[id] = changed
        return changed

    def latest(self, operation: str, arguments: Mapping[str, Any]) -> Change | None:
        """The newest change with exactly these arguments."""
        return self._newest(operation, lambda each: each.arguments == arguments)

    def named(self, operation: str, reference: str) -> Change | None:
        """The newest change that carries this reference, but those that surely never happened."""
        return self._newest(
            operation,
            lambda each: each.reference == reference and each.state in PENDING | MAY_HAVE_HAPPENED,
        )

    def since(self, operation: str, moment: datetime) -> list[Change]:
        """Changes that happened, or may have, at or after `moment`."""
        return [
            each
            for each in self._changes.values()
            if each.operation == operation
            and each.state in MAY_HAVE_HAPPENED
            and each.updated_at >= moment
        ]

    def unresolved(self, operation: str) -> Change | None:
        """The newest change of which nobody knows whether it happened."""
        return self._newest(operation, lambda each: each.state is State.UNKNOWN)

    def _newest(self, operation: str, wanted: Any) -> Change | None:
        matching = (
            each
            for each in reversed(self._changes.values())
            if each.operation == operation and wanted(each)
        )
        return next(matching, None)
