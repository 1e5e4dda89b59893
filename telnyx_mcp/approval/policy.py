"""What the operator allows: caps on payments, and a standing budget for unattended agents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

DAY = timedelta(hours=24)
MONTH = timedelta(days=30)


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
    standing_per_payment: Decimal = Decimal("0.00")
    standing_per_day: Decimal = Decimal("0.00")

    def refusal(self, amount: Decimal, spent: Spent) -> str | None:
        """Why a payment may not be made; None if it may, once approved."""
        for sum_, cap, words, setting in (
            (amount, self.max_payment, "one payment", "TELNYX_MCP_MAX_PAYMENT"),
            (spent.day + amount, self.max_per_day, "24 hours", "TELNYX_MCP_MAX_PER_DAY"),
            (spent.month + amount, self.max_per_30_days, "30 days", "TELNYX_MCP_MAX_PER_30_DAYS"),
        ):
            if sum_ > cap:
                already = (
                    f" ({sum_ - amount} already paid or possibly paid)" if sum_ > amount else ""
                )
                return (
                    f"{amount} would exceed the cap of {cap} for {words}{already}. Only the user "
                    f"can raise it, with {setting}."
                )
        return None

    def stands_for(self, amount: Decimal, spent: Spent) -> bool:
        """Whether the standing budget approves a payment without asking."""
        return (
            amount <= self.standing_per_payment
            and spent.standing_day + amount <= self.standing_per_day
        )
