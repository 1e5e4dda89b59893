"""Who asks for changes, and what their roles allow, for the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from telnyx_mcp.approval.change import Change, Signatory
from telnyx_mcp.approval.reasons import OverOwnCap
from telnyx_mcp.storage.schema import ticks

MAX_PAYMENT = "requester_max_payment"
MAX_PER_DAY = "requester_max_per_day"
"""The names, in a change's basis, of the caps that its requester had. They are signed with the row, and
checked again when it is sent, by a process that may not know the requester's groups."""


def approvers_needed(charge: Decimal | None, two_above: Decimal | None) -> int:
    """How many people have to approve a change. `charge` is the most that it can charge at once; None if it
    can't charge anything."""
    return 2 if two_above is not None and charge is not None and charge > two_above else 1


@dataclass(frozen=True, slots=True)
class Requester:
    """One person's view of the ledger: what they propose is written under their name and caps."""

    signatory: Signatory
    max_payment: Decimal | None = None
    max_per_day: Decimal | None = None
    lifetime: timedelta = timedelta(hours=24)
    """How long a proposal waits for its answer."""
    two_approvers_above: Decimal | None = None
    """The amount above which two people have to approve."""

    @classmethod
    def of(
        cls,
        change: Change,
        lifetime: timedelta = timedelta(0),
        two_approvers_above: Decimal | None = None,
    ) -> Requester | None:
        """The requester of this change, with the caps it was proposed under. The rest matters where a
        fresh question replaces it."""
        if change.requester is None:
            return None
        caps = (change.basis.get(name) for name in (MAX_PAYMENT, MAX_PER_DAY))
        max_payment, max_per_day = (None if cap is None else Decimal(str(cap)) for cap in caps)
        return cls(change.requester, max_payment, max_per_day, lifetime, two_approvers_above)

    def refusal(self, amount: Decimal, paid: Decimal) -> OverOwnCap | None:
        """The cap that a charge would exceed; None if it stays within both. `paid` is what this person's
        payments of the last 24 hours add up to."""
        caps = (("one payment", self.max_payment, Decimal(0)), ("24 hours", self.max_per_day, paid))
        for span, cap, used in caps:
            if cap is not None and used + amount > cap:
                return OverOwnCap(amount, cap, span, used)
        return None

    @property
    def basis(self) -> dict[str, Any]:
        """The caps, for the basis of a change."""
        caps = {MAX_PAYMENT: self.max_payment, MAX_PER_DAY: self.max_per_day}
        return {name: str(cap) for name, cap in caps.items() if cap is not None}

    def columns(self, charge: Decimal | None, now: datetime) -> Mapping[str, Any]:
        """The columns of a new row that say who asked, how many have to approve, and until when. `charge`
        is the largest sum that the change could charge at once; None if it can't charge anything."""
        return {
            "requester_issuer": self.signatory.issuer,
            "requester_subject": self.signatory.subject,
            "requester_name": self.signatory.name,
            "approvers_needed": approvers_needed(charge, self.two_approvers_above),
            "expires_at": ticks(now + self.lifetime),
        }
