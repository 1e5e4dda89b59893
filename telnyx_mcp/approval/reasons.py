"""Why a change is not proposed or not sent: one class per reason.

The ledger and the policy return these as data. `text` renders the sentence for the model and the user;
it is the same on every channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from telnyx_mcp.approval.directions import Directions
from telnyx_mcp.config.settings import variable_of

if TYPE_CHECKING:
    from telnyx_mcp.approval.change import Change

LINK = "ledger link"
"""The command that links a key to an account."""
ACCEPT = "ledger accept"
"""The command that accepts a ledger that was replaced."""
GONE = "change {id} is no longer in the ledger, which was emptied, or restored from an older copy."


@dataclass(frozen=True, slots=True)
class OverCap:
    """A charge above one of the caps."""

    amount: Decimal
    cap: Decimal
    span: str
    setting: str
    used: Decimal

    def text(self, _to: Directions) -> str:
        used = f" ({self.used} already paid or possibly paid)" if self.used else ""
        return (
            f"{self.amount} would exceed the cap of {self.cap} for {self.span}{used}. Only the user "
            f"can raise it, with {variable_of(self.setting)}, in a profile {self.setting}."
        )


@dataclass(frozen=True, slots=True)
class UnknownPayment:
    """An earlier payment whose outcome is unknown."""

    change: Change

    def text(self, to: Directions) -> str:
        lost = self.change
        sent = f" sent at {lost.sent_at:%Y-%m-%d %H:%M} UTC" if lost.sent_at else ""
        payment = f"the payment of {lost.amount}{sent}"
        if lost.damage:
            payment = f"change {lost.id}, whose record can't be read ({lost.damage}),"
        return (
            f"the outcome of {payment} is unknown, and no other payment is "
            "made until a person has found out. The user can look into the Mission Control Portal, "
            f"then {to.resolve(lost.id)}."
        )


@dataclass(frozen=True, slots=True)
class ReferenceTaken:
    """A reference that names another payment."""

    change: Change

    def text(self, _to: Directions) -> str:
        return (
            f"the reference `{self.change.reference}` already names another change "
            f"({self.change.amount}, {self.change.state}). Use a new reference for a new payment, or "
            "the same amount to see the outcome of that one."
        )


@dataclass(frozen=True, slots=True)
class QuestionOpen:
    """Another change that waits for the user's answer, or to be sent."""

    change: Change

    def text(self, to: Directions) -> str:
        open_ = self.change
        approved = open_.state != "proposed"
        waits = "is approved and not sent yet" if approved else "waits for the user's answer"
        return (
            f"another change {waits}: {title_of(open_)} (id {open_.id}, until "
            f"{open_.expires_at:%H:%M} UTC), and an account has one open question at a time. Ask the "
            f"user to answer that one first, where it was asked or {to.approve_at(open_.id)}; then "
            "call again."
        )


@dataclass(frozen=True, slots=True)
class ProposedByAnother:
    """The same change, which somebody else asked for."""

    change: Change

    def text(self, to: Directions) -> str:
        theirs = self.change
        who = theirs.requester.label if theirs.requester else "A user who is not signed in"
        waits = f" and {to.waits_for(theirs)}" if theirs.state == "proposed" else ""
        return (
            f"{who} proposed the same at {theirs.proposed_at:%Y-%m-%d %H:%M} UTC. It is "
            f"{theirs.state}{waits}. Only a payment with a reference of its own is another one: ask the "
            "user whether they want that."
        )


@dataclass(frozen=True, slots=True)
class OverOwnCap:
    """A charge above what the requester's roles allow."""

    amount: Decimal
    cap: Decimal
    span: str
    used: Decimal

    def text(self, _to: Directions) -> str:
        used = f" ({self.used} already paid or possibly paid)" if self.used else ""
        return (
            f"{self.amount} would exceed what this user's roles allow for {self.span}: "
            f"{self.cap}{used}. Somebody with a larger limit can propose it."
        )


@dataclass(frozen=True, slots=True)
class NeedsAnother:
    """An approval by the requester, or by nobody who signed in."""

    change: Change

    def text(self, to: Directions) -> str:
        who = self.change.requester.label if self.change.requester else "nobody"
        return (
            f"{who} asked for this change, and somebody else has to approve it, signed in. It "
            f"{to.waits_for(self.change)}."
        )


@dataclass(frozen=True, slots=True)
class RecentlyDeclined:
    """A payment that the user declined less than ten minutes ago."""

    change: Change
    until: datetime

    def text(self, _to: Directions) -> str:
        return (
            f"the user declined a payment of {self.change.amount} at "
            f"{self.change.updated_at:%H:%M} UTC, so no payment is proposed until "
            f"{self.until:%H:%M} UTC. Don't ask again unless the user wants to."
        )


@dataclass(frozen=True, slots=True)
class BudgetUsedUp:
    """The standing budget no longer covers a payment that it approved."""

    def text(self, _to: Directions) -> str:
        return "the standing budget is used up."


@dataclass(frozen=True, slots=True)
class UnlinkedKey:
    """A new API key on a ledger that holds the changes of at least one account."""

    accounts: Sequence[str]

    def text(self, to: Directions) -> str:
        names = ", ".join(self.accounts)
        return (
            f"this API key is new to the ledger, which holds the changes of: {names}. Telnyx does "
            "not confirm that the key belongs to one of them, so nothing is paid or changed until "
            f"{to.operator} runs `{to.command(LINK)}` in a terminal. Calling again helps after that."
        )


@dataclass(frozen=True, slots=True)
class StoreReplaced:
    """A store that is not the one, or older than the one, that this computer sent changes with."""

    place: str
    is_another: bool

    @property
    def finding(self) -> str:
        """What was noticed."""
        how = (
            "is not the one that this computer sent changes with: that was deleted, emptied or replaced"
            if self.is_another
            else "lacks the change that this computer sent last: it was restored from an older copy"
        )
        return f"The ledger in {self.place} {how}."

    def text(self, to: Directions) -> str:
        return (
            f"{self.finding} Payments may be missing from it, so nothing is paid or "
            f"changed until {to.operator} puts the right one back, or, after a look into the Mission Control "
            f"Portal, runs `{to.command(ACCEPT)}` in a terminal. Calling again helps after that."
        )


Reason = (
    OverCap
    | UnknownPayment
    | ReferenceTaken
    | QuestionOpen
    | ProposedByAnother
    | OverOwnCap
    | NeedsAnother
    | RecentlyDeclined
    | BudgetUsedUp
    | UnlinkedKey
    | StoreReplaced
)


class Blocked(Exception):
    """The change is not proposed or not sent. Its text is the reason's sentence."""

    def __init__(self, reason: Reason, to: Directions) -> None:
        super().__init__(reason.text(to))
        self.reason = reason


class NotAllowed(Exception):
    """The change is not proposed or not sent. The text is for the model.

    `reason` gives the cause only, for callers that sent something before.
    """

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason or text


def title_of(change: Change) -> str:
    """What a change is, in a few words: `pay 120.00 (invoice 7)`."""
    if change.amount is not None:
        reference = f" ({change.reference})" if change.reference else ""
        return f"pay {change.amount}{reference}"
    values = ", ".join(f"{name} {_yes_or_no(value)}" for name, value in change.arguments.items())
    return f"{change.operation.replace('_', ' ')}: {values}"


def _yes_or_no(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
