"""What a record is made from: its own random numbers, its moment, and the business behind it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from telnyx_mcp.sandbox.business import Business, uuid_from
from telnyx_mcp.sandbox.countries import phone_number
from telnyx_mcp.sandbox.days import timestamp
from telnyx_mcp.sandbox.numbers import Number

USED_NUMBERS = 0.9
"""The share of the numbers that are used; the rest costs rent only."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draw:
    """One record's raw material; the same seed, type, day and index give the same record."""

    rng: random.Random
    ids: random.Random
    """Makes the ids; another than `rng` where many records differ in their ids and times only."""
    id: str
    at: datetime
    business: Business
    numbers: tuple[Number, ...]
    related: Callable[[str], str]
    """The id of the record of another type that stands at the same place of the same day."""

    def uuid(self) -> str:
        """A random UUID."""
        return uuid_from(self.ids)

    def number(self) -> Number:
        """One of the numbers the account holds on that day: a few most of the time, the newest never."""
        return self.numbers[int(self.rng.random() ** 3 * USED_NUMBERS * len(self.numbers))]

    def stranger(self) -> str:
        """A phone number that is not ours."""
        return phone_number(self.rng.randrange(200, 990), self.rng.randrange(5000, 9999))

    def later(self, seconds: float) -> str:
        """A timestamp that many seconds after the record's own."""
        return timestamp(self.at + timedelta(seconds=seconds))

    def seconds(self, mean: float) -> int:
        """A duration: mostly short, sometimes long."""
        return min(3600, 1 + int(self.rng.expovariate(1 / mean)))

    def one_of(self, *weighted: tuple[Any, float]) -> Any:
        """One of the values, by weight; the weights add up to 1."""
        left = self.rng.random()
        for value, weight in weighted:
            left -= weight
            if left < 0:
                return value
        return weighted[-1][0]


def money(hundred_thousandths: int, digits: int = 4) -> str:
    """A decimal string from whole 1/100,000 dollars."""
    text = f"{hundred_thousandths // 100_000}.{hundred_thousandths % 100_000:05d}"
    return text[: len(text) - 5 + digits]
