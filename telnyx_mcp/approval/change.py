"""A change, and the states it goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from telnyx_mcp.approval.question import Question


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
    VOID = "void"
    """What the question said stopped being true before the change was sent."""


WAITING = frozenset({State.PROPOSED, State.APPROVED})
"""Nothing was sent, and it still can be."""
PENDING = WAITING | {State.SENDING}
MAY_HAVE_HAPPENED = frozenset({State.SENDING, State.SUCCEEDED, State.UNKNOWN})
"""States that count against the caps. A reference to a change in one of them stays taken."""
REMEMBERED = frozenset({State.SUCCEEDED, State.UNKNOWN, State.DECLINED})
"""Outcomes that are repeated, instead of asking or sending again, for `LIFETIME`."""

LIFETIME = timedelta(minutes=10)
"""How long a proposal waits for an answer, an approval can be used, and an outcome is repeated."""

CLOCK_SKEW = timedelta(minutes=1)
"""How far clocks may differ. A clock set back further voids proposals and approvals: otherwise they
would never expire."""

PAYMENT = "create_stored_payment_transaction"
"""The operation that the daily and monthly caps, the standing budget and the block by an unknown
payment apply to."""
RECHARGE = "update_auto_recharge_preferences"
DONE: Mapping[str, str] = {PAYMENT: "paid", RECHARGE: "changed"}
"""What an unknown change is called once the user found that it happened; `not paid` if it did not."""

AT_ONCE = "at_once"
"""The name, in a change's basis, of the largest sum that could be charged at once."""

STANDING = "standing"
"""The channel of a payment that the standing budget approved, without asking anyone."""


@dataclass(frozen=True, slots=True)
class Signatory:
    """Who asked for a change or decided on it, where people sign in. The name is for display."""

    issuer: str
    subject: str
    name: str = ""

    @property
    def label(self) -> str:
        """The name, or the subject of one without a name."""
        return self.name or self.subject

    def is_same(self, other: Signatory | None) -> bool:
        """Whether both are the same person, whatever the names."""
        return other is not None and (self.issuer, self.subject) == (other.issuer, other.subject)


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's approval of a change that may need more than one."""

    by: Signatory
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the ledger, with its state at the moment it was read."""

    id: str
    operation: str
    arguments: Mapping[str, Any]
    reference: str | None
    amount: Decimal | None
    question: Question
    """What the approver was shown, word for word."""
    basis: Mapping[str, Any]
    """The figures that the question was written from."""
    state: State
    channel: str
    """How it was approved or declined: elicitation, browser, terminal or standing."""
    requested_via: str
    """The MCP client that asked for it: its name and version."""
    decided_by: str
    """Who approved or declined it: the client's name, or the user of this computer."""
    owner: str
    """The process that sends it."""
    outcome_text: str
    """The outcome as a sentence for the model and the user. Stored as `happened`."""
    evidence: Mapping[str, Any]
    note: str
    """What a person wrote when resolving it."""
    proposed_at: datetime
    decided_at: datetime | None
    sent_at: datetime | None
    """When it was claimed for sending."""
    updated_at: datetime
    replaced_by: str | None = None
    """The change with a fresh question that replaced this void one."""
    closed: bool = False
    """Whether the question was closed without an answer; a different question may then be asked."""
    damage: str = ""
    """What is wrong with the row, if it can't be read in full."""
    requester: Signatory | None = None
    """Who asked for it; None on the user's own computer, where nobody signs in."""
    decider: Signatory | None = None
    """Who approved it last, or declined it; None where nobody signs in."""
    approvers_needed: int = 1
    """How many people have to approve it."""
    approvals: tuple[Approval, ...] = ()
    """Who approved it so far, in order; empty where one approval is enough."""
    answer_by: datetime | None = None
    """When its question expires, if not after `LIFETIME`."""

    @property
    def charge(self) -> Decimal | None:
        """The largest sum that it could charge at once; None if it can't charge anything."""
        at_once = self.basis.get(AT_ONCE)
        return self.amount if at_once is None else Decimal(str(at_once))

    def is_for(self, operation: str, arguments: Mapping[str, Any]) -> bool:
        """Whether it is this change, and no other."""
        return (self.operation, self.arguments) == (operation, arguments)

    @property
    def expires_at(self) -> datetime:
        """When a proposal or an approval can no longer be used."""
        if self.state is State.PROPOSED:
            return self.answer_by or self.proposed_at + LIFETIME
        return self._since + LIFETIME

    def may_be_asked_again(self, now: datetime) -> bool:
        """Whether a fresh question may take the place of this one without anybody asking for the change
        again: as long as its own question could have been answered."""
        return now < (self.answer_by or self.proposed_at + LIFETIME)

    def is_expired(self, now: datetime) -> bool:
        """Whether it is too late to answer the question, or to use the approval."""
        return self.state in WAITING and not self._since - CLOCK_SKEW <= now < self.expires_at

    @property
    def _since(self) -> datetime:
        """When its present wait began."""
        if self.state is State.PROPOSED:
            return self.proposed_at
        # An approval's own moment is signed. Version 1 of the ledger did not keep it.
        return self.decided_at or self.updated_at

    @property
    def approved_by(self) -> str:
        """The channel that approved it; empty if none did."""
        return "" if self.state in (State.PROPOSED, State.DECLINED) else self.channel
