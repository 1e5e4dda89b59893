"""A change, and the states it goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
"""What counts against the caps, and what a reference names for good."""
REMEMBERED = frozenset({State.SUCCEEDED, State.UNKNOWN, State.DECLINED})
"""Outcomes that are told again, instead of asking or sending again, for `LIFETIME`."""

LIFETIME = timedelta(minutes=10)
"""How long a proposal waits for an answer, an approval to be used, an outcome to be told again."""

CLOCK_SKEW = timedelta(minutes=1)
"""How far clocks may differ; one set back further makes proposals and approvals void, not eternal."""

PAYMENT = "create_stored_payment_transaction"
"""The operation that the caps, the standing budget and the block by an unknown one are about."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the ledger."""

    id: str
    operation: str
    arguments: Mapping[str, Any]
    reference: str | None
    amount: Decimal | None
    question: str
    """What the person was shown, word for word."""
    basis: Mapping[str, Any]
    """The account's figures that the question was written from."""
    state: State
    channel: str
    """How it was approved or declined: elicitation, browser, terminal or standing."""
    owner: str
    """The process that sends it."""
    happened: str
    """What came of it, in words for the model and the person."""
    evidence: Mapping[str, Any]
    note: str
    """What a person wrote when resolving it."""
    proposed_at: datetime
    sent_at: datetime | None
    """When it was claimed for sending."""
    updated_at: datetime
    unrecorded: bool = False
    """Whether what came of it could not be written down."""

    def expired(self, now: datetime) -> bool:
        """Whether it is too late to answer the question, or to use the approval."""
        since = self.proposed_at if self.state is State.PROPOSED else self.updated_at
        return not since - CLOCK_SKEW <= now < since + LIFETIME

    @property
    def approved_by(self) -> str:
        """The channel that approved it; empty where nobody did."""
        return "" if self.state in (State.PROPOSED, State.DECLINED) else self.channel
