"""How many records of each type a day has: as the business grows, or as many as asked for."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date
from functools import cache
from itertools import pairwise

from telnyx_mcp.sandbox.days import days_between, first_of_month
from telnyx_mcp.sandbox.records.kinds import KINDS, Kind

GROWTH_FROM = date(2026, 1, 1)

Count = int | Mapping[str, int]


class Volume:
    """The planned number of records, by type and day; the same for the same seed.

    `per_day` is the number of records of every type, or of the types it names. `per_month` is that of
    all record types together, shared out as on an ordinary day, or that of each type it names.
    """

    def __init__(
        self, seed: int, per_day: Count | None = None, per_month: Count | None = None
    ) -> None:
        self._seed = seed
        self._per_day = per_day
        self._per_month = per_month
        self.on = cache(self._on)
        self._days_of = cache(self._share_out)

    def of_month(self, kind: Kind) -> int | None:
        """How many records every month has, where that was asked for."""
        if isinstance(self._per_month, Mapping):
            return self._per_month.get(kind.name)
        if self._per_month is None:
            return None
        return self._per_month * kind.per_day // sum(each.per_day for each in KINDS.values())

    def _on(self, kind: Kind, day: date) -> int:
        """How many records a whole day has."""
        per_day = self._per_day
        fixed = per_day.get(kind.name) if isinstance(per_day, Mapping) else per_day
        if fixed is not None:
            return max(1, fixed)
        if self.of_month(kind) is not None:
            return self._days_of(kind, first_of_month(day))[day.day - 1]
        # By the calendar, not by today, so that a month keeps its records as days go by.
        growth = min(1.6, max(0.5, 1 + 0.4 * (day - GROWTH_FROM).days / 550))
        weekday, weight = self._weights(kind, day)
        return max(1, round(kind.per_day * weekday * weight * growth))

    def _share_out(self, kind: Kind, month: date) -> list[int]:
        """The records of each day of a month, which add up to it."""
        days = days_between(month, first_of_month(month, 1))
        weights = [
            weekday * weight for weekday, weight in (self._weights(kind, day) for day in days)
        ]
        scale = (self.of_month(kind) or 0) / sum(weights)
        ends = [round(scale * sum(weights[:index])) for index in range(len(weights) + 1)]
        return [end - start for start, end in pairwise(ends)]

    def _weights(self, kind: Kind, day: date) -> tuple[float, float]:
        """The weights of a day: by its day of the week, and by chance."""
        rng = random.Random(f"{self._seed}:{kind.name}:{day.toordinal()}")
        return 0.4 if day.weekday() >= 5 else 1.0, rng.uniform(0.85, 1.15)
