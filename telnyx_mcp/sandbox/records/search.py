"""Searching records that are never stored.

A search by time generates only the records of the page it returns, however many the range holds. If the
records of a month repeat a pattern, this is also true for filters on fields that are equal in each copy.
A filter or sort on any other field generates every record of the range once; the indexes found are cached.

Example: 1,200 messages on one day repeat a pattern of 500. Records 7, 507 and 1,007 differ only in ids and
times. `filter[status]=failed` tests the 500 records of the pattern. If only record 7 matches, the day has
three matches, found without generating the other 700 records.
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
"""How far back a search goes that must generate every record, if the query has no time. Telnyx does not
document its own limit."""
TIME_OPERATORS = frozenset({"eq", "gte", "gt", "lte", "lt"})

Place = tuple[date, int]
"""A record: its day, and its index within that day."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The records of one day that a search finds, counted without generating them.

    A record matches if its index modulo `length` is in `matching`. For 1,200 records that repeat a
    pattern of 500, `matching=(7,)` means records 7, 507 and 1,007.
    """

    span: Span
    matching: Sequence[int]
    """Sorted."""
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
    """A parsed query, with every name resolved."""

    kind: Kind
    start: datetime
    end: datetime
    conditions: tuple[Condition, ...]
    sort: tuple[str, ...]
    """Fields by priority, with `-` before a descending field."""

    @property
    def by_time(self) -> bool:
        return not self.conditions and self.sort in {
            (self.kind.time_field,),
            (f"-{self.kind.time_field}",),
        }


class DetailRecords:
    """Searches all detail records of the account."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._fields = cache(self._fields_of)
        self._varying = cache(self._varying_fields)
        self._matching = lru_cache(256)(self._matching_in_pattern)
        self._results: OrderedDict[Search, list[Place]] = OrderedDict()

    def parse(self, query: list[tuple[str, str]]) -> Search:
        """The parsed query. Raises `Refusal` (400) for an unknown record type, field or value."""
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
            if self._is_missing_time(kind, condition.field):
                moment_of(condition)
                window = window[0], window[0]
                continue
            self._require_field(kind, condition.field, condition.parameter)
            if condition.field == kind.time_field and condition.operator in TIME_OPERATORS:
                window = narrow(window, condition)
            else:
                matcher(condition)
                others.append(condition)
        requested = [key for name, value in query if name == "sort" for key in value.split(",")]
        keys = [key for key in requested if not self._is_missing_time(kind, key.removeprefix("-"))]
        for key in keys:
            self._require_field(kind, key.removeprefix("-"), "sort")
        sort = tuple(keys) or (f"-{kind.time_field}",)
        search = Search(kind, window[0], window[1], tuple(others), sort)
        if self.history.is_repeated(kind):
            return self._by_pattern(search)
        if window == whole and not search.by_time:
            return replace(search, start=max(whole[0], whole[1] - SCANNED_UNASKED))
        return search

    def page(self, search: Search, number: int, size: int) -> tuple[list[Record], int]:
        """One page of the matching records, and the total number of matches."""
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

    def _is_missing_time(self, kind: Kind, field: str) -> bool:
        """Whether a field is a time that these records do not have.

        Like Telnyx, some record types answer with an empty list then: `filter[created_at][gte]=...`
        finds nothing in records that have `started_at` only, instead of failing.
        """
        return not kind.described and is_time(field) and field not in self._fields(kind)

    def _require_field(self, kind: Kind, field: str, parameter: str) -> None:
        if field not in self._fields(kind):
            detail = f"Field '{field}' does not exist for record type {kind.name}."
            raise bad_parameter(parameter, detail)

    def _fields_of(self, kind: Kind) -> frozenset[str]:
        return frozenset(self.history.make(kind, first_of_month(self.history.today), 0))

    def _by_pattern(self, search: Search) -> Search:
        """The same search, restricted to fields that are equal in each copy of a record.

        The order is always by time: it is not known whether Telnyx's `sort` has any effect.
        """
        for condition in search.conditions:
            if condition.field in self._varying(search.kind):
                detail = f"'{condition.field}' can't be searched in an account of this size."
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
        """The matches of each day, oldest first."""
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
        """The indexes in a pattern whose records meet the conditions."""
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
        # Python's sort is stable, so sorting by the last field first gives the priority asked for:
        # for `sort=-cost,sent_at`, by `sent_at`, then by `cost` descending.
        for position in reversed(range(len(fields))):
            found.sort(
                key=lambda entry: entry[0][position],
                reverse=search.sort[position].startswith("-"),
            )
        return [place for _, place in found]


def _slice(days: list[Matches], first: int, size: int, *, newest_first: bool) -> list[Place]:
    """The places `[first, first + size)` of the matches, in the requested order."""
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
