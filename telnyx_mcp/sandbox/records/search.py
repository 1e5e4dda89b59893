"""Searching records that are never stored.

A search by time alone costs no more than the page it returns, however many records the range holds.
Where the records of a month repeat a pattern, neither does a search by any field that is the same in
each copy. A filter or sort on another field has to look at every record of the range once; its result
is kept as indexes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache, lru_cache

from telnyx_mcp.sandbox.days import DAY, first_of_month, midnight
from telnyx_mcp.sandbox.records.draw import Record
from telnyx_mcp.sandbox.records.filters import (
    Condition,
    conditions_in,
    is_time,
    matcher,
    moment_of,
    narrow,
    resolve_date_range,
    sort_key,
)
from telnyx_mcp.sandbox.records.history import PATTERN, History, Span
from telnyx_mcp.sandbox.records.kinds import Kind, kind_named
from telnyx_mcp.sandbox.refusals import Refusal, bad_parameter, missing

RESULTS_KEPT = 8
SCANNED_UNASKED = timedelta(days=31)
"""How far back a search that has to look at every record goes where no time was asked for. Telnyx does
not say how far its own goes."""
TIME_OPERATORS = frozenset({"eq", "gte", "gt", "lte", "lt"})

Place = tuple[date, int]
"""A record by its day and its index in that day."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The records of one day that a search finds, counted without looking at each.

    Those match whose index, modulo `length`, is one of `matching`: of 1,200 records that repeat 500,
    `matching=(7,)` is the records 7, 507 and 1,007.
    """

    span: Span
    matching: Sequence[int]
    """In order."""
    length: int

    def __len__(self) -> int:
        return self._before(self.span.end) - self._before(self.span.first)

    def place(self, position: int) -> Place:
        """The record at a position among those that match, oldest first."""
        rank = self._before(self.span.first) + position
        copies, rest = divmod(rank, len(self.matching))
        return self.span.day, copies * self.length + self.matching[rest]

    def _before(self, index: int) -> int:
        """How many records before an index match."""
        copies, rest = divmod(index, self.length)
        return copies * len(self.matching) + bisect_left(self.matching, rest)


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

    def __init__(self, history: History) -> None:
        self.history = history
        self._fields = cache(self._fields_of)
        self._varying = cache(self._varying_fields)
        self._matching = lru_cache(256)(self._matching_in_pattern)
        self._results: OrderedDict[Search, list[Place]] = OrderedDict()

    def parse(self, query: list[tuple[str, str]]) -> Search:
        """The search a query asks for; 400 for a record type, field or value that does not exist."""
        conditions = conditions_in(query)
        named = [each for each in conditions if each.field == "record_type"]
        if not named:
            raise missing("filter[record_type]")
        kind = kind_named(named[0].value)
        if kind is None or named[0].operator != "eq":
            raise Refusal(
                400,
                f"No matching record type was found matching given record type {named[0].value}",
                code="10011",
                title="Bad record type",
            )
        window = whole = midnight(self.history.first_day), midnight(self.history.today + DAY)
        others: list[Condition] = []
        for condition in conditions:
            if condition.field == "record_type":
                continue
            if condition.field == "date_range":
                start, end = resolve_date_range(condition.value, self.history.today)
                window = max(window[0], start), min(window[1], end)
                continue
            if self._is_strange_time(kind, condition.field):
                moment_of(condition)
                window = window[0], window[0]
                continue
            self._require_field(kind, condition.field, condition.parameter)
            if condition.field == kind.time_field and condition.operator in TIME_OPERATORS:
                window = narrow(window, condition)
            else:
                matcher(condition)
                others.append(condition)
        asked = [key for name, value in query if name == "sort" for key in value.split(",")]
        keys = [key for key in asked if not self._is_strange_time(kind, key.removeprefix("-"))]
        for key in keys:
            self._require_field(kind, key.removeprefix("-"), "sort")
        sort = tuple(keys) or (f"-{kind.time_field}",)
        search = Search(kind, window[0], window[1], tuple(others), sort)
        if self.history.is_repeated(kind):
            return self._repeatable(search)
        if window == whole and not search.by_time:
            return replace(search, start=max(whole[0], whole[1] - SCANNED_UNASKED))
        return search

    def page(self, search: Search, number: int, size: int) -> tuple[list[Record], int]:
        """One page of the records found, and how many there are in all."""
        first = (number - 1) * size
        kind = search.kind
        if search.by_time or self.history.is_repeated(kind):
            days = list(self._days(search))
            places = _slice(days, first, size, newest_first=search.sort[0].startswith("-"))
            total = sum(len(day) for day in days)
        else:
            found = self._found(search)
            places, total = found[first : first + size], len(found)
        return [self.history.make(kind, day, index) for day, index in places], total

    def _is_strange_time(self, kind: Kind, field: str) -> bool:
        """Whether a field is a time that these records lack, which some record types answer with nothing
        instead of an error."""
        return not kind.described and is_time(field) and field not in self._fields(kind)

    def _require_field(self, kind: Kind, field: str, parameter: str) -> None:
        if field not in self._fields(kind):
            detail = f"Field '{field}' does not exist for record type {kind.name}."
            raise bad_parameter(parameter, detail)

    def _fields_of(self, kind: Kind) -> frozenset[str]:
        return frozenset(self.history.make(kind, first_of_month(self.history.today), 0))

    def _repeatable(self, search: Search) -> Search:
        """The same search, by what is the same in each copy of a record.

        The order is always by time: nobody knows that Telnyx's `sort` has any effect.
        """
        for condition in search.conditions:
            if condition.field in self._varying(search.kind):
                detail = f"'{condition.field}' can't be searched among so many records."
                raise bad_parameter(condition.parameter, detail)
        oldest_first = search.sort[0] == search.kind.time_field
        order = search.kind.time_field if oldest_first else f"-{search.kind.time_field}"
        return replace(search, sort=(order,))

    def _varying_fields(self, kind: Kind) -> frozenset[str]:
        """The fields in which the copies of a record differ: ids and times."""
        first, make = first_of_month(self.history.today), self.history.make
        pairs = [(make(kind, first, n), make(kind, first, n + PATTERN)) for n in range(20)]
        return frozenset(
            field for one, other in pairs for field in one if one[field] != other[field]
        )

    def _days(self, search: Search) -> Iterator[Matches]:
        """What a search finds on each day, oldest first."""
        kind = search.kind
        for span in self.history.spans(kind, search.start, search.end):
            if search.conditions:
                origin = self.history.pattern_day(kind, span.day)
                yield Matches(span, self._matching(kind, origin, search.conditions), PATTERN)
            else:
                yield Matches(span, (0,), 1)

    def _matching_in_pattern(
        self, kind: Kind, origin: date, conditions: tuple[Condition, ...]
    ) -> tuple[int, ...]:
        """Which records of a pattern meet the conditions."""
        tests = [matcher(condition) for condition in conditions]
        pattern = (self.history.make(kind, origin, index) for index in range(PATTERN))
        return tuple(
            index for index, record in enumerate(pattern) if all(test(record) for test in tests)
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
        for span in self.history.spans(search.kind, search.start, search.end):
            for index in range(span.first, span.end):
                record = self.history.make(search.kind, span.day, index)
                if all(test(record) for test in tests):
                    keys = [sort_key(record.get(field)) for field in fields]
                    found.append((keys, (span.day, index)))
        for position in reversed(range(len(fields))):
            found.sort(
                key=lambda entry: entry[0][position],
                reverse=search.sort[position].startswith("-"),
            )
        return [place for _, place in found]


def _slice(days: list[Matches], first: int, size: int, *, newest_first: bool) -> list[Place]:
    """The places `[first, first + size)` of what was found, in the order asked for."""
    places: list[Place] = []
    for day in reversed(days) if newest_first else days:
        length = len(day)
        if first >= length:
            first -= length
            continue
        positions = range(length)[::-1] if newest_first else range(length)
        chosen = positions[first : first + size - len(places)]
        places.extend(day.place(position) for position in chosen)
        first = 0
        if len(places) == size:
            break
    return places
