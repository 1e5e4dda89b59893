"""How long an account's money lasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from telnyx_mcp.billing.money import ZERO

LONGEST = 730
"""Days; beyond that, an estimate from one week says nothing."""
EXTREME_DAYS = 3
"""Days at either end of a week that make the range: one odd day alone does not."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The cost of usage per day: on the most expensive days, on average, and on the cheapest days."""

    fast: Decimal
    mean: Decimal
    slow: Decimal

    @classmethod
    def of(cls, days: Sequence[Decimal]) -> Rates:
        """The rates of these daily costs."""
        ordered = sorted(days)
        return cls(
            sum(ordered[-EXTREME_DAYS:], ZERO) / EXTREME_DAYS,
            sum(ordered, ZERO) / len(ordered),
            sum(ordered[:EXTREME_DAYS], ZERO) / EXTREME_DAYS,
        )


def days_left(amount: Decimal, per_day: Decimal, due: Mapping[date, Decimal], today: date) -> int:
    """How many days from today the amount lasts, with what falls `due` on certain days; `LONGEST` if it
    lasts that long."""
    for number in range(LONGEST):
        amount -= due.get(today + timedelta(days=number), ZERO) + per_day
        if amount < 0:
            return number
    return LONGEST


def charge_days(today: date, monthly: Decimal) -> dict[date, Decimal]:
    """The monthly charges that fall due on the first of each month ahead."""
    days = (today + timedelta(days=number) for number in range(1, LONGEST))
    return {day: monthly for day in days if day.day == 1}


def describe_runway(
    amount: Decimal | None, rates: Rates, due: Mapping[date, Decimal], today: date
) -> str:
    """Such as `about 12 days, until 2026-06-27` or `10 to 15 days, until 2026-06-25 at the earliest`."""
    if amount is None:
        return "unknown: Telnyx stated no amount"
    if amount <= 0:
        return "used up"
    soonest, likely, latest = (
        days_left(amount, rate, due, today) for rate in (rates.fast, rates.mean, rates.slow)
    )
    if soonest >= LONGEST:
        return "more than two years"
    until = today + timedelta(days=soonest)
    if latest - soonest <= 1:
        return f"about {likely} days, until {until}" if likely > 1 else "less than two days"
    upper = f"to {latest} days" if latest < LONGEST else "days or much longer"
    return f"{soonest} {upper}, until {until} at the earliest"
