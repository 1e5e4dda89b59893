"""Which detail records there are: a record is made when it is shown, and never stored.

A day's count and the moment of its n-th record follow from the seed by arithmetic. Of a record type
whose monthly count was asked for, a month has `PATTERN` records of its own: every other record repeats
one of them with an id and a time of its own. So millions can be counted and added up as quickly as
those few.
"""

from __future__ import annotations

import math
import random
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from telnyx_mcp.sandbox.business import Business, uuid_from
from telnyx_mcp.sandbox.days import DAY, days_between, first_of_month, midnight
from telnyx_mcp.sandbox.numbers import Numbers
from telnyx_mcp.sandbox.records.draw import Draw, Record
from telnyx_mcp.sandbox.records.kinds import KINDS, Kind
from telnyx_mcp.sandbox.records.volume import Volume

MILLISECONDS = 86_400_000
MILLISECOND = timedelta(milliseconds=1)
PATTERN = 500
"""How many different records a month has, of a type whose monthly count was asked for."""


@dataclass(frozen=True, slots=True)
class Span:
    """The records `[first, end)` of one day."""

    day: date
    first: int
    end: int


class History:
    """All records of the account's history, the same for the same seed."""

    def __init__(
        self,
        business: Business,
        numbers: Numbers,
        first_day: date,
        now: datetime,
        volume: Volume,
    ) -> None:
        self._business = business
        self._numbers = numbers
        self._now = now
        self._volume = volume
        self._counts: dict[tuple[str, date], int] = {}
        self.first_day = first_day
        self.today = now.date()

    def count_on(self, kind: Kind, day: date) -> int:
        """How many records of a type a day has; of today, only those before now."""
        if not self.first_day <= day <= self.today:
            return 0
        count = self._counts.get((kind.name, day))
        if count is None:
            count = self._volume.on(kind, day)
            if day == self.today:
                count = min(count, self.index_at(kind, self._now))
            self._counts[kind.name, day] = count
        return count

    def index_at(self, kind: Kind, moment: datetime) -> int:
        """How many of the planned records of a moment's day lie before it."""
        day = moment.date()
        planned = self._volume.on(kind, day)
        milliseconds = -((midnight(day) - moment) // MILLISECOND)
        return bisect_left(
            range(planned), milliseconds, key=lambda index: _offset(kind, day, index, planned)
        )

    def spans(self, kind: Kind, start: datetime, end: datetime) -> Iterator[Span]:
        """The days that have records in `[start, end)`, oldest first."""
        if start >= end:
            return
        first_day, last_day = max(start.date(), self.first_day), min(end.date(), self.today)
        for day in days_between(first_day, last_day + DAY):
            count = self.count_on(kind, day)
            first = self.index_at(kind, start) if day == start.date() else 0
            until = min(count, self.index_at(kind, end)) if day == end.date() else count
            if first < until:
                yield Span(day, first, until)

    def is_repeated(self, kind: Kind) -> bool:
        """Whether the records of a month repeat its `PATTERN`."""
        return self._volume.of_month(kind) is not None

    def pattern_day(self, kind: Kind, day: date) -> date:
        """The day whose first `pattern_length` records are repeated on this one: itself, or the first
        of the month."""
        return first_of_month(day) if self.is_repeated(kind) else day

    def pattern_length(self, kind: Kind, day: date) -> int:
        """After how many records a day begins to repeat them."""
        return PATTERN if self.is_repeated(kind) else max(1, self._volume.on(kind, day))

    def make(self, kind: Kind, day: date, index: int) -> Record:
        """The record at a place of the history; always the same one."""
        planned = max(1, self._volume.on(kind, day))

        def related(other: str) -> str:
            sibling = KINDS[other]
            place = index * self._volume.on(sibling, day) // planned
            return uuid_from(self._rng(sibling, day, place))

        at = midnight(day) + MILLISECOND * _offset(kind, day, index, planned)
        ids = self._rng(kind, day, index)
        record_id = uuid_from(ids)
        origin, rng = day, ids
        if self.is_repeated(kind):
            origin = first_of_month(day)
            rng = self._rng(kind, origin, index % PATTERN)
        numbers = self._numbers.active_on(origin)
        return kind.make(Draw(rng, ids, record_id, at, self._business, numbers, related))

    def _rng(self, kind: Kind, day: date, index: int) -> random.Random:
        # An integer that no other record has: seeding with text would cost twice as much.
        name = zlib.crc32(f"{self._business.seed}:{kind.name}".encode())
        return random.Random(name << 64 | day.toordinal() << 32 | index)


def _offset(kind: Kind, day: date, index: int, planned: int) -> int:
    """Milliseconds into the day of its n-th record: never decreasing, busiest around midday."""
    mixed = zlib.crc32(f"{kind.name}:{day.toordinal()}:{index}".encode())
    share = (index + mixed / 2**32) / planned
    return int(MILLISECONDS * (share + 0.12 * math.sin(2 * math.pi * share)))
