"""Limits on what a product may cost a day or a month, and the blocks of those that went over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from telnyx_mcp.sandbox.days import DAY, first_of_month, midnight, timestamp
from telnyx_mcp.sandbox.usage import UsageReports

PERIODS = ("daily", "monthly")
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class _Product:
    """A product that can be limited, by its name in usage reports. A limit that is None is unlimited,
    by somebody's choice."""

    name: str
    limits: dict[str, str | None]
    """In USD; more where twice the spend is more, so that a large account is not over its limits."""
    origin: str = "self_service"
    readable: bool = True
    """Whether its spend is known."""


PRODUCTS: dict[str, _Product] = {
    "inference": _Product("Inference", {"daily": "25"}),
    "text-to-speech": _Product(
        "Text to Speech", {"daily": None, "monthly": "150"}, "operator", readable=False
    ),
}


class SpendLimits:
    """The limits of one account, and which products are blocked now."""

    def __init__(self, usage: UsageReports, now: Callable[[], datetime]) -> None:
        self._usage = usage
        self._now = now
        self._blocked: set[tuple[str, str]] = set()

    def reset(self) -> None:
        """Block nothing."""
        self._blocked.clear()

    def block(self, product: str, period: str = "daily") -> None:
        """Block the product as if it had gone over its limit in the current period.

        Raises ValueError for a product or period that has no limit.
        """
        if product not in PRODUCTS or period not in PERIODS:
            known = ", ".join(PRODUCTS)
            raise ValueError(f"no spend limit for {product!r} {period!r}; products: {known}")
        self._blocked.add((product, period))

    def data(self) -> list[dict[str, Any]]:
        """The `data` of `GET /spend_limits`: a row for each product and period."""
        return [
            self._row(product, period, *self._bounds(period))
            for product in PRODUCTS
            for period in PERIODS
        ]

    def _bounds(self, period: str) -> tuple[date, date]:
        today = self._now().date()
        if period == "daily":
            return today, today + DAY
        return first_of_month(today), first_of_month(today, 1)

    def _row(self, product: str, period: str, start: date, end: date) -> dict[str, Any]:
        known = PRODUCTS[product]
        spend = self._spend(product, start)
        blocked = (product, period) in self._blocked
        limit = _limit_of(known, period, start, spend)
        if blocked:
            # Went over a limit of half of what is spent now.
            limit = _limit(str((spend / 2).quantize(CENT)), "self_service", start)
        amount = limit["amount"] if limit else None
        return {
            "record_type": "spend_limit",
            "product": product,
            "product_name": known.name,
            "period": period,
            "period_start": start.isoformat(),
            "period_end": end.isoformat(),
            "limit": limit,
            "effective_limit_usd": amount,
            "spend_usd": str(spend) if known.readable or blocked else None,
            "spend_error": None if known.readable or blocked else "spend is not available",
            "blocked": blocked,
            "block": {
                "detected_at": timestamp(midnight(start) + (self._now() - midnight(start)) / 2),
                "spend_usd": str(spend),
                "limit_usd": amount,
                "blocked_until": end.isoformat(),
            }
            if blocked
            else None,
        }

    def _spend(self, product: str, start: date) -> Decimal:
        """What usage reports say it cost since then, to the cent."""
        since, now = midnight(start), self._now().replace(microsecond=0)
        if since >= now:
            return Decimal("0.00")
        request = self._usage.parse(
            [
                ("product", product),
                ("dimensions", "currency"),
                ("metrics", "cost"),
                ("start_date", since.isoformat()),
                ("end_date", now.isoformat()),
            ]
        )
        costs = (Decimal(str(row["cost"])) for row in self._usage.rows(request))
        return sum(costs, Decimal(0)).quantize(CENT)


def _limit_of(known: _Product, period: str, start: date, spend: Decimal) -> dict[str, Any] | None:
    if period not in known.limits:
        return None
    amount = known.limits[period]
    if amount is not None:
        amount = str(max(Decimal(amount), (spend * 2).to_integral_value()))
    return _limit(amount, known.origin, first_of_month(start, -3))


def _limit(amount: str | None, origin: str, since: date) -> dict[str, Any]:
    return {
        "amount": amount,
        "unlimited": amount is None,
        "origin": origin,
        "updated_at": timestamp(midnight(since)),
    }
