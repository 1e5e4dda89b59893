"""Sums of money: exact, and never of different currencies."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

ZERO = Decimal(0)


class Sums:
    """A sum for each currency."""

    def __init__(self) -> None:
        self._sums: dict[str, Decimal] = {}

    def add(self, currency: str, amount: Decimal) -> None:
        self._sums[currency] = self._sums.get(currency, ZERO) + amount

    def __iter__(self) -> Iterator[tuple[str, Decimal]]:
        """Currencies and sums, the largest first."""
        return iter(sorted(self._sums.items(), key=lambda each: (-abs(each[1]), each[0])))

    def __len__(self) -> int:
        return len(self._sums)


def written(amount: Decimal) -> str:
    """The amount with two decimals, or with as many as it needs."""
    text = format(amount, "f")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def percent(before: Decimal, now: Decimal) -> str | None:
    """By how much it grew, such as `+12.5%`; None where it was nothing before."""
    if not before:
        return None
    return f"{(now - before) / abs(before) * 100:+.1f}%"
