"""What the operator allows: caps on charges, and a standing budget for unattended agents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from telnyx_mcp.approval.reasons import OverCap

DAY = timedelta(hours=24)
MONTH = timedelta(days=30)
_NOTHING = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Spent:
    """What was paid, or may have been, up to now."""

    day: Decimal
    """In the last 24 hours."""
    month: Decimal
    """In the last 30 days."""
    standing_day: Decimal
    """In the last 24 hours, from the standing budget."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Caps in the account's currency. The standing budget is off while either half of it is zero."""

    max_payment: Decimal = Decimal("500.00")
    max_per_day: Decimal = Decimal("1000.00")
    max_per_30_days: Decimal = Decimal("5000.00")
    standing_per_payment: Decimal = _NOTHING
    standing_per_day: Decimal = _NOTHING
    one_question: bool = True
    """Whether an account has one open question at a time."""

    def refusal(self, amount: Decimal, spent: Spent) -> OverCap | None:
        """The cap that a payment would exceed; None if it stays within all of them."""
        caps = (
            ("max_payment", "one payment", self.max_payment, _NOTHING),
            ("max_per_day", "24 hours", self.max_per_day, spent.day),
            ("max_per_30_days", "30 days", self.max_per_30_days, spent.month),
        )
        for setting, span, cap, used in caps:
            if used + amount > cap:
                return OverCap(amount, cap, span, setting, used)
        return None

    def recharge_refusal(self, at_once: Decimal) -> OverCap | None:
        """The cap that one automatic recharge alone could exceed; None if none could. `at_once` is the
        largest sum that Telnyx could charge at once."""
        return self.refusal(at_once, Spent(_NOTHING, _NOTHING, _NOTHING))

    def stands_for(self, amount: Decimal, spent: Spent) -> bool:
        """Whether the standing budget approves a payment without asking."""
        return (
            amount <= self.standing_per_payment
            and spent.standing_day + amount <= self.standing_per_day
        )
