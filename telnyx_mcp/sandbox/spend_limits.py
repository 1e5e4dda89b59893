"""Limits on what a product may cost a day or a month, and the blocks of those that went over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from telnyx_mcp.sandbox.days import DAY, first_of_month, midnight, timestamp
from telnyx_mcp.sandbox.records import DetailRecords

PERIODS = ("daily", "monthly")
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class _Product:
    """A product that can be limited. A limit that is None is unlimited, by somebody's choice."""

    name: str
    record_type: str
    limits: dict[str, str | None]
    origin: str = "self_service"
    readable: bool = True
    """Whether its spend can be told."""


PRODUCTS: dict[str, _Product] = {
    "inference": _Product("Inference", "inference", {"daily": "25"}),
    "text-to-speech": _Product(
        "Text to Speech", "tts", {"daily": None, "monthly": "150"}, "operator", readable=False
    ),
}


class SpendLimits:
    """The limits of one account, and which products are blocked now."""

    def __init__(self, records: DetailRecords, today: date) -> None:
        self._records = records
        self._today = today
        self._blocked: set[tuple[str, str]] = set()
        self._spent: dict[tuple[str, str], Decimal] = {}

    def reset(self) -> None:
        """Block nothing."""
        self._blocked.clear()

    def block(self, product: str, period: str = "daily") -> None:
        """Let the product have gone over its limit in the current period.

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
        if period == "daily":
            return self._today, self._today + DAY
        return first_of_month(self._today), first_of_month(self._today, 1)

    def _row(self, product: str, period: str, start: date, end: date) -> dict[str, Any]:
        known = PRODUCTS[product]
        spend = self._spend(product, period, start, end)
        blocked = (product, period) in self._blocked
        limit = self._limit(known, period, start)
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
                "detected_at": timestamp(midnight(start) + timedelta(hours=7)),
                "spend_usd": str(spend),
                "limit_usd": amount,
                "blocked_until": end.isoformat(),
            }
            if blocked
            else None,
        }

    def _limit(self, known: _Product, period: str, start: date) -> dict[str, Any] | None:
        if period not in known.limits:
            return None
        return _limit(known.limits[period], known.origin, first_of_month(start, -3))

    def _spend(self, product: str, period: str, start: date, end: date) -> Decimal:
        """What the records of the period cost, to the cent."""
        found = self._spent.get((product, period))
        if found is None:
            total = sum(
                (Decimal(cost) for cost in self._costs(PRODUCTS[product], start, end)), Decimal(0)
            )
            found = self._spent[product, period] = total.quantize(CENT)
        return found

    def _costs(self, known: _Product, start: date, end: date) -> list[str]:
        search = self._records.parse(
            [
                ("filter[record_type]", known.record_type),
                ("filter[created_at][gte]", start.isoformat()),
                ("filter[created_at][lt]", end.isoformat()),
            ]
        )
        _, total = self._records.page(search, 1, 1)
        records, _ = self._records.page(search, 1, max(1, total))
        return [record["cost"] for record in records]


def _limit(amount: str | None, origin: str, since: date) -> dict[str, Any]:
    return {
        "amount": amount,
        "unlimited": amount is None,
        "origin": origin,
        "updated_at": timestamp(midnight(since)),
    }
