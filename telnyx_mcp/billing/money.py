"""Sums of money: exact, and never of different currencies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

ZERO = Decimal(0)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?", re.ASCII | re.IGNORECASE)
MAX_DIGITS = MAX_DECIMALS = 15
"""Amounts beyond these are rejected as malformed."""


def amount_of(value: object) -> Decimal | None:
    """The amount that a text or number states; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):  # Decimal also takes full-width digits, underscores, NaN
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount.adjusted() > MAX_DIGITS:
        return None
    exponent = amount.as_tuple().exponent
    return amount if isinstance(exponent, int) and exponent >= -MAX_DECIMALS else None


class Sums:
    """A sum for each currency."""

    def __init__(self) -> None:
        self._sums: dict[str, Decimal] = {}

    def add(self, currency: str, amount: Decimal) -> None:
        self._sums[currency] = self._sums.get(currency, ZERO) + amount

    def of(self, currency: str) -> Decimal:
        return self._sums.get(currency, ZERO)

    def __iter__(self) -> Iterator[tuple[str, Decimal]]:
        """Currencies and sums, the largest first."""
        return iter(sorted(self._sums.items(), key=lambda each: (-abs(each[1]), each[0])))

    def __len__(self) -> int:
        return len(self._sums)


def format_amount(amount: Decimal) -> str:
    """The amount with two decimals, or with as many as it needs."""
    text = format(amount, "f")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def percent(before: Decimal, now: Decimal) -> str | None:
    """The growth, such as `+12.5%`; None if the earlier amount was zero or negative."""
    return f"{(now - before) / before * 100:+.1f}%" if before > 0 else None
