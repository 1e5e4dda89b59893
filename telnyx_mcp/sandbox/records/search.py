"""Searching records that are never stored: a record is made when a page shows it.

A day's count and the moment of its n-th record follow from the seed by arithmetic, so a search by
time alone costs no more than the page it returns, however many records the range holds. A filter or
sort on another field has to look at every record of the range once; its result is kept as indexes.
"""

from __future__ import annotations

import math
import random
import zlib
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from telnyx_mcp.sandbox.business import Business, uuid_from
from telnyx_mcp.sandbox.days import days_between, first_of_month, midnight
from telnyx_mcp.sandbox.numbers import Numbers
from telnyx_mcp.sandbox.records.draw import Draw, Record
from telnyx_mcp.sandbox.records.filters import (
    Condition,
    conditions_in,
    matcher,
    narrow,
    resolve_date_range,
    sort_key,
)
from telnyx_mcp.sandbox.records.kinds import KINDS, Kind
from telnyx_mcp.sandbox.refusals import Refusal, bad_parameter, missing

MILLISECONDS = 86_400_000
RESULTS_KEPT = 8
SCANNED_UNASKED = timedelta(days=31)
"""How far back a search that has to look at every record goes where no time was asked for. Telnyx does
not say how far its own goes."""
GROWTH_FROM = date(2026, 1, 1)
TIME_OPERATORS = frozenset({"eq", "gte", "gt", "lte", "lt"})

Place = tuple[date, int]
"""A record by its day and its index in that day."""


@dataclass(frozen=True, slots=True)
class Span:
    """The records `[first, end)` of one day."""

    day: date
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Search:
    """A search as asked for, every name resolved."""

    kind: Kind
    start: datetime
    end: datetime
    conditions: tuple[Condition, ...]
    sort: tuple[str, ...]
    """Fields in order of weight, `-` before one that descends."""

    @property
    def by_time(self) -> bool:
        return not self.conditions and self.sort in {
            (self.kind.time_field,),
            (f"-{self.kind.time_field}",),
        }


class DetailRecords:
    """All detail records of the account's history."""

    def __init__(
        self,
        business: Business,
        numbers: Numbers,
        first_day: date,
        now: datetime,
        records_per_day: int | Mapping[str, int] | None = None,
    ) -> None:
        self._business = business
        self._numbers = numbers
        self._first_day = first_day
        self._now = now
        self._today = now.date()
        self._scale = records_per_day
        self._counts: dict[tuple[str, date], int] = {}
        self._plans: dict[tuple[str, date], int] = {}
        self._fields: dict[str, frozenset[str]] = {}
        self._results: OrderedDict[Search, list[Place]] = OrderedDict()

    def parse(self, query: list[tuple[str, str]]) -> Search:
        """The search a query asks for; 400 for a record type, field or value that does not exist."""
        conditions = conditions_in(query)
        named = [each for each in conditions if each.field == "record_type"]
        if not named:
            raise missing("filter[record_type]")
        kind = KINDS.get(named[0].value)
        if kind is None or named[0].operator != "eq":
            raise Refusal(
                400,
                f"No matching record type was found matching given record type {named[0].value}",
                code="10011",
                title="Bad record type",
            )
        window = whole = midnight(self._first_day), midnight(self._today + timedelta(days=1))
        others: list[Condition] = []
        for condition in conditions:
            if condition.field == "record_type":
                continue
            if condition.field == "date_range":
                start, end = resolve_date_range(condition.value, self._today)
                window = max(window[0], start), min(window[1], end)
                continue
            self._require_field(kind, condition.field, condition.parameter)
            if condition.field == kind.time_field and condition.operator in TIME_OPERATORS:
                window = narrow(window, condition)
            else:
                matcher(condition)
                others.append(condition)
        keys = [key for name, value in query if name == "sort" for key in value.split(",")]
        for key in keys:
            self._require_field(kind, key.removeprefix("-"), "sort")
        sort = tuple(keys) or (f"-{kind.time_field}",)
        search = Search(kind, window[0], window[1], tuple(others), sort)
        if window == whole and not search.by_time:
            return replace(search, start=max(whole[0], whole[1] - SCANNED_UNASKED))
        return search

    def page(self, search: Search, number: int, size: int) -> tuple[list[Record], int]:
        """One page of the records found, and how many there are in all."""
        first = (number - 1) * size
        if search.by_time:
            spans = list(self._spans(search))
            places = _slice(spans, first, size, newest_first=search.sort[0].startswith("-"))
            total = sum(span.end - span.first for span in spans)
        else:
            found = self._found(search)
            places, total = found[first : first + size], len(found)
        return [self.make(search.kind, day, index) for day, index in places], total

    def count_on(self, kind: Kind, day: date) -> int:
        """How many records of a type a day has; of today, only those before now."""
        if not self._first_day <= day <= self._today:
            return 0
        count = self._counts.get((kind.name, day))
        if count is None:
            count = self._planned(kind, day)
            if day == self._today:
                count = self._index_at(kind, day, count, self._now)
            self._counts[kind.name, day] = count
        return count

    def make(self, kind: Kind, day: date, index: int) -> Record:
        """The record at a place of the history; always the same one."""
        rng = self._rng(kind, day, index)
        planned = self._planned(kind, day)

        def related(other: str) -> str:
            sibling = KINDS[other]
            place = index * self._planned(sibling, day) // planned
            return uuid_from(self._rng(sibling, day, place))

        at = midnight(day) + timedelta(milliseconds=_offset(kind, day, index, planned))
        numbers = self._numbers.active_on(day)
        return kind.make(Draw(rng, uuid_from(rng), at, self._business, numbers, related))

    def _rng(self, kind: Kind, day: date, index: int) -> random.Random:
        # An integer that no other record has: seeding with text would cost twice as much.
        name = zlib.crc32(f"{self._business.seed}:{kind.name}".encode())
        return random.Random(name << 64 | day.toordinal() << 32 | index)

    def _planned(self, kind: Kind, day: date) -> int:
        """How many records of a type a whole day has."""
        planned = self._plans.get((kind.name, day))
        if planned is None:
            planned = self._plans[kind.name, day] = self._plan(kind, day)
        return planned

    def _plan(self, kind: Kind, day: date) -> int:
        scale = self._scale
        fixed = scale.get(kind.name) if isinstance(scale, Mapping) else scale
        if fixed is not None:
            return max(1, fixed)
        # By the calendar, not by today, so that a month keeps its records as days go by.
        growth = min(1.6, max(0.5, 1 + 0.4 * (day - GROWTH_FROM).days / 550))
        weekday = 0.4 if day.weekday() >= 5 else 1.0
        rng = random.Random(f"{self._business.seed}:{kind.name}:{day.toordinal()}")
        return max(1, round(kind.per_day * weekday * rng.uniform(0.85, 1.15) * growth))

    def _require_field(self, kind: Kind, field: str, parameter: str) -> None:
        known = self._fields.get(kind.name)
        if known is None:
            known = frozenset(self.make(kind, first_of_month(self._today), 0))
            self._fields[kind.name] = known
        if field not in known:
            detail = f"Field '{field}' does not exist for record type {kind.name}."
            raise bad_parameter(parameter, detail)

    def _spans(self, search: Search) -> Iterator[Span]:
        """The days a search touches, oldest first."""
        kind = search.kind
        if search.start >= search.end:
            return
        for day in days_between(search.start.date(), search.end.date() + timedelta(days=1)):
            count = end = self.count_on(kind, day)
            first = 0
            planned = (
                self._planned(kind, day) if day in {search.start.date(), search.end.date()} else 0
            )
            if day == search.start.date() and planned:
                first = self._index_at(kind, day, planned, search.start)
            if day == search.end.date() and planned:
                end = min(count, self._index_at(kind, day, planned, search.end))
            if first < end:
                yield Span(day, first, end)

    def _index_at(self, kind: Kind, day: date, planned: int, moment: datetime) -> int:
        """How many of a day's planned records lie before a moment."""
        milliseconds = (moment - midnight(day)) // timedelta(milliseconds=1)
        return bisect_left(
            range(planned), milliseconds, key=lambda index: _offset(kind, day, index, planned)
        )

    def _found(self, search: Search) -> list[Place]:
        found = self._results.get(search)
        if found is None:
            found = self._scan(search)
            self._results[search] = found
            while len(self._results) > RESULTS_KEPT:
                self._results.popitem(last=False)
        return found

    def _scan(self, search: Search) -> list[Place]:
        tests = [matcher(condition) for condition in search.conditions]
        fields = [key.removeprefix("-") for key in search.sort]
        found: list[tuple[list[tuple[int, object]], Place]] = []
        for span in self._spans(search):
            for index in range(span.first, span.end):
                record = self.make(search.kind, span.day, index)
                if all(test(record) for test in tests):
                    keys = [sort_key(record.get(field)) for field in fields]
                    found.append((keys, (span.day, index)))
        for position in reversed(range(len(fields))):
            found.sort(
                key=lambda entry: entry[0][position],
                reverse=search.sort[position].startswith("-"),
            )
        return [place for _, place in found]


def _offset(kind: Kind, day: date, index: int, planned: int) -> int:
    """Milliseconds into the day of its n-th record: never decreasing, busiest around midday."""
    mixed = zlib.crc32(f"{kind.name}:{day.toordinal()}:{index}".encode())
    share = (index + mixed / 2**32) / planned
    return int(MILLISECONDS * (share + 0.12 * math.sin(2 * math.pi * share)))


def _slice(spans: Iterable[Span], first: int, size: int, *, newest_first: bool) -> list[Place]:
    """The places `[first, first + size)` of the spans, in the order asked for."""
    places: list[Place] = []
    ordered = reversed(list(spans)) if newest_first else spans
    for span in ordered:
        length = span.end - span.first
        if first >= length:
            first -= length
            continue
        indexes = range(span.first, span.end)
        chosen = (indexes[::-1] if newest_first else indexes)[first : first + size - len(places)]
        places.extend((span.day, index) for index in chosen)
        first = 0
        if len(places) == size:
            break
    return places
