"""What an account spent in a period: its charges and its usage, which do not overlap.

Rental, fees and features are charges; calls, messages and data are usage. Telnyx bills days of UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from telnyx_mcp.billing.charges import CHARGED, Charges, charges_of
from telnyx_mcp.billing.money import ZERO
from telnyx_mcp.billing.periods import Period
from telnyx_mcp.billing.usage import Progress, UsageCosts, usage_costs
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.usage_reports import rounded

RECENT_DAYS = 7
"""Whole days before today that the recent rate is calculated from: each day of the week once."""


@dataclass(slots=True)
class Spend:
    """The charges and the usage of one period."""

    period: Period
    charges: Charges
    usage: UsageCosts

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left out of the figures."""
        return self.charges.is_complete and self.usage.is_complete

    @property
    def currencies(self) -> list[str]:
        return sorted(self.charges.figures.keys() | self.usage.currencies)

    def charged(self, currency: str) -> Decimal:
        """Usage, recurring, one-time and other charges together."""
        return rounded(self.usage.total(currency) + self.charges.charged(currency))

    def figures(self, currency: str) -> dict[str, Decimal]:
        """Usage, and the kinds of charges."""
        kinds = self.charges.figures.get(currency, {})
        usage = {"usage": rounded(self.usage.total(currency))}
        return usage | {name: kinds.get(name, ZERO) for name in CHARGED}

    def items(self, currency: str) -> dict[str, Decimal]:
        """What `charged` is made of: the products and the lines of charges, by name."""
        lines = dict(self.charges.lines.get(currency, {}))
        for name, cost in self.usage.by_product(currency).items():
            lines[name] = lines.get(name, ZERO) + rounded(cost)
        return lines


async def spend_of(
    client: TelnyxClient, period: Period, currency: str = "USD", progress: Progress | None = None
) -> Spend:
    """What was spent in the days of the period, taken as days of UTC.

    Raises `TelnyxError` if neither charges nor usage could be read; anything else that is missing is
    named in the parts of the result. `currency` is that of usage for which Telnyx names none, unless the
    charges name one.
    """
    period = Period(period.start, period.end, UTC, period.months_before)
    charges = await charges_of(client, period)
    if len(charges.figures) == 1:
        (currency,) = charges.figures
    usage = await usage_costs(client, *period.instants(), currency=currency, progress=progress)
    if charges.error and not charges.figures and (usage.error or not usage.currencies):
        raise charges.error
    return Spend(period, charges, usage)


@dataclass(frozen=True, slots=True)
class Driver:
    """How much one product, or one line of charges, changed."""

    name: str
    before: Decimal
    now: Decimal
    kind: Literal["new", "gone", "changed"]

    @property
    def change(self) -> Decimal:
        return self.now - self.before


def drivers(before: Spend, now: Spend, currency: str) -> list[Driver]:
    """What changed, the largest change first, without products that are incomplete in either."""
    incomplete = {
        name
        for each in (before, now)
        for name in (*each.usage.incomplete, *each.charges.unreadable_lines)
    }
    old, new = before.items(currency), now.items(currency)
    found = [
        Driver(name, was, is_now, "changed" if was and is_now else "gone" if was else "new")
        for name in old | new
        if name not in incomplete
        and (was := old.get(name, ZERO)) != (is_now := new.get(name, ZERO))
    ]
    return sorted(found, key=lambda each: (-abs(each.change), each.name))


@dataclass(slots=True)
class RecentUsage:
    """The usage of the last whole days."""

    first: datetime
    costs: UsageCosts

    def total(self, currency: str) -> Decimal:
        return self.costs.total(currency)

    def per_day(self, currency: str) -> Decimal:
        return self.total(currency) / RECENT_DAYS

    def days(self, currency: str) -> dict[str, Decimal]:
        """What each day cost. The cost of a product without daily figures, such as wireless, is spread
        over the days evenly."""
        days = {
            (self.first + timedelta(days=number)).date().isoformat(): ZERO
            for number in range(RECENT_DAYS)
        }
        for product in self.costs.products:
            for (cost_currency, day), cost in product.by_day.items():
                for each in [day] if day in days else days:
                    if cost_currency == currency:
                        days[each] += cost if day in days else cost / RECENT_DAYS
        return days


async def recent_usage(
    client: TelnyxClient, currency: str, progress: Progress | None = None
) -> RecentUsage:
    """What usage cost on the last seven whole days of UTC. Raises nothing."""
    midnight = client.transport.server_clock.now().replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    first = midnight - timedelta(days=RECENT_DAYS)
    costs = await usage_costs(
        client, first, midnight, currency=currency, by_day=True, progress=progress
    )
    return RecentUsage(first, costs)


def expected_by_end(spend: Spend, recent: RecentUsage, currency: str) -> Decimal | None:
    """The estimated cost of a running period at its end, if usage continues at the recent rate; None if
    not all of the cost so far is known."""
    if not spend.is_complete or not recent.costs.is_complete:
        return None
    _, end = spend.period.instants()
    left = Decimal(int((end - spend.usage.end).total_seconds())) / 86_400
    return (spend.charged(currency) + left * recent.per_day(currency)).quantize(Decimal("0.01"))


def largest(
    amounts: Mapping[str, Decimal], count: int
) -> tuple[list[tuple[str, Decimal]], Decimal, int]:
    """The largest amounts, the sum of the others, and how many those are. Zeros do not count."""
    ordered = sorted(amounts.items(), key=lambda each: (-abs(each[1]), each[0]))
    ordered = [each for each in ordered if each[1]]
    if len(ordered) == count + 1:
        count += 1  # naming it takes no more room than "1 others"
    rest = ordered[count:]
    return ordered[:count], sum((amount for _, amount in rest), ZERO), len(rest)
