"""Periods the way users write them: `last month`, `2026-Q2`, `last 7 days`, resolved to days.

A period is half-open: it begins with its first day and ends before its last-named one. Days are
those of one zone, UTC unless the user set another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

LONGEST_PART = timedelta(days=31)
"""The longest range that the API's charges accept."""
FIRST_YEAR = 2009
"""Telnyx was founded then; an earlier year is a mistake."""
EXAMPLES = "2026-05, 2026-Q2, 2026, last-month, last-7-days, yesterday, year-to-date"
_DAY = timedelta(days=1)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)

_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb "
_UNITS = {
    "d": "day",
    "w": "week",
    "wk": "week",
    "m": "month",
    "mo": "month",
    "y": "year",
    "yr": "year",
}

Days = tuple[date, date]
"""A first day, and the day after the last."""


class PeriodError(ValueError):
    """The text is not a period. The message says why, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `start` up to, but not including, `end`."""

    start: date
    end: date
    zone: tzinfo = UTC
    months_before: int = 0
    """For to-date periods: how many months back the comparable days are."""

    def __str__(self) -> str:
        return f"{self.start} to {self.end} (not included), {self.zone}"

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def month_starts(self) -> int:
        """How many months begin in it: monthly charges fall due that often."""
        return _months_between(self.start, self.end) + (self.start.day == 1) - (self.end.day == 1)

    def parts(self) -> Iterator[Period]:
        """The period cut at the first of each month: in order, without gaps, each of at most 31 days."""
        start = self.start
        while start < self.end:
            end = min(self.end, _add_months(start.replace(day=1), 1))
            yield Period(start, end, self.zone)
            start = end

    def previous(self) -> Period:
        """The period before: of the same number of whole months, or else of days.

        For a month or year to date: the same days of the month or year before.
        """
        if self.months_before:
            start, end = (
                _months_earlier(each, self.months_before) for each in (self.start, self.end)
            )
            return Period(start, end, self.zone)
        if self.start.day == self.end.day == 1:
            months = _months_between(self.start, self.end)
            return Period(_add_months(self.start, -months), self.start, self.zone)
        return Period(self.start - (self.end - self.start), self.start, self.zone)

    def instants(self) -> tuple[datetime, datetime]:
        """Midnight of the first day, and of the day after the last, in the zone."""
        return (
            datetime.combine(self.start, time.min, self.zone),
            datetime.combine(self.end, time.min, self.zone),
        )


def plain_words(text: str) -> str:
    """The words of a period as the tables here have them, from any usual spelling: `last-month`,
    `LastMonth`, `"last month"` and `previous_month` are `last month`; `7d` and `past-7-days` are
    `last 7 days`. Hosts split what follows a slash command at spaces, so each has to be one word too."""
    words = re.sub(r"[\u2010-\u2015\u2212]", "-", text.strip(_QUOTES).lower())
    words = re.sub(r"[\s_]+|(?<=[a-z])-|-(?=[a-z])", " ", words).removeprefix("the ")
    words = re.sub("^(past|previous|prev) ?", "last ", words)
    words = re.sub("^current ?", "this ", words)
    words = _SQUEEZED.get(words.replace(" ", ""), words)
    counted = re.fullmatch(rf"(?:last ?)?(\d{{1,4}}) ?({_UNIT})s?", words)
    if counted:
        return f"last {counted[1]} {_UNITS.get(counted[2], counted[2])}s"
    return words


def period_of(text: str, today: date, zone: tzinfo = UTC) -> Period:
    """The period that a text names. Raises `PeriodError`."""
    words = plain_words(text)
    if words in _NAMED_PERIODS:
        return _checked_period(*_NAMED_PERIODS[words](today), today, zone, _TO_DATE.get(words, 0))
    for pattern, days in _PATTERNS:
        if match := re.fullmatch(pattern, words):
            try:
                return _checked_period(*days(match, today), today, zone)
            except (ValueError, OverflowError) as error:
                if isinstance(error, PeriodError):
                    raise
                raise PeriodError(f'"{text[:40]}" is not a date that exists.') from None
    raise PeriodError(f'"{text[:40]}" is not a period. Write one such as {EXAMPLES}.')


def period_between(start: date, end: date, today: date, zone: tzinfo = UTC) -> Period:
    """The period between two days, the second not included. Raises `PeriodError`."""
    return _checked_period(start, end, today, zone)


def _checked_period(
    start: date, end: date, today: date, zone: tzinfo, months_before: int = 0
) -> Period:
    if end <= start:
        raise PeriodError(
            f"The end, {end}, must be after the start, {start}, as it is not included itself. For "
            f"the single day {start} the end is {start + _DAY}."
        )
    if start > today:
        raise PeriodError(f"{start} is in the future.")
    if start.year < FIRST_YEAR or end.year > today.year + 2:
        raise PeriodError(f"{start} to {end} is beyond the data that Telnyx can have.")
    return Period(start, end, zone, months_before)


def _add_months(first: date, months: int) -> date:
    """The first day of the month that is `months` after that of `first`; before it if negative."""
    count = first.year * 12 + first.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _months_between(start: date, end: date) -> int:
    """How many months begin after `start`, up to and including `end`."""
    return (end.year - start.year) * 12 + end.month - start.month


def _months_earlier(day: date, months: int) -> date:
    """The same day `months` earlier. If that month is too short, the first of the next: a month before
    31 March is 1 March."""
    first = _add_months(day.replace(day=1), -months)
    return min(first + timedelta(days=day.day - 1), _add_months(first, 1))


def _whole_months(unit: int, ago: int) -> Callable[[date], Days]:
    """The block of 1, 3 or 12 months (`unit`) that today is in, or the one `ago` blocks before it."""

    def days(today: date) -> Days:
        first = _add_months(date(today.year, (today.month - 1) // unit * unit + 1, 1), -unit * ago)
        return first, _add_months(first, unit)

    return days


def _week(ago: int) -> Callable[[date], Days]:
    """Monday to Sunday."""

    def days(today: date) -> Days:
        monday = today - timedelta(days=today.weekday() + 7 * ago)
        return monday, monday + timedelta(days=7)

    return days


_NAMED_PERIODS: dict[str, Callable[[date], Days]] = {
    "today": lambda today: (today, today + _DAY),
    "yesterday": lambda today: (today - _DAY, today),
    "this week": _week(0),
    "last week": _week(1),
    "this month": _whole_months(1, 0),
    "last month": _whole_months(1, 1),
    "this quarter": _whole_months(3, 0),
    "last quarter": _whole_months(3, 1),
    "this year": _whole_months(12, 0),
    "last year": _whole_months(12, 1),
    "month to date": lambda today: (today.replace(day=1), today + _DAY),
    "quarter to date": lambda today: (_whole_months(3, 0)(today)[0], today + _DAY),
    "year to date": lambda today: (date(today.year, 1, 1), today + _DAY),
}
_SQUEEZED = {
    **{each.replace(" ", ""): each for each in _NAMED_PERIODS},
    "mtd": "month to date",
    "qtd": "quarter to date",
    "ytd": "year to date",
}
_UNIT = "day|week|month|year|" + "|".join(sorted(_UNITS, key=len, reverse=True))
_TO_DATE = {"month to date": 1, "quarter to date": 3, "year to date": 12}
"""How many months back the comparable days are."""
_Match = re.Match[str]


def _last(match: _Match, today: date) -> Days:
    """The last days, including today; or the last whole weeks, months or years before the current one."""
    count = int(match["count"])
    if not 1 <= count <= 3660:
        raise PeriodError(f'"{match[0]}": the number must be 1 to 3660. Write {EXAMPLES}.')
    if match["unit"] == "day":
        return today - timedelta(days=count - 1), today + _DAY
    if match["unit"] == "week":
        monday = _week(0)(today)[0]
        return monday - timedelta(days=7 * count), monday
    months, first = 1, today.replace(day=1)
    if match["unit"] == "year":
        months, first = 12, date(today.year, 1, 1)
    return _add_months(first, -months * count), first


def _month(year: str, month: int) -> Days:
    first = date(int(year), month, 1)
    return first, _add_months(first, 1)


def _quarter(match: _Match, _today: date) -> Days:
    first = date(int(match["year"]), int(match["quarter"]) * 3 - 2, 1)
    return first, _add_months(first, 3)


def _named_month(match: _Match, today: date) -> Days:
    """A month by its name; without a year, the latest one that has begun."""
    found = [n for n, name in enumerate(_MONTHS, 1) if name.startswith(match["month"])]
    if len(found) != 1 or len(match["month"]) < 3:
        raise PeriodError(f'"{match[0][:40]}" is not a period. Write one such as {EXAMPLES}.')
    return _month(match["year"] or str(today.year - (found[0] > today.month)), found[0])


def _single(match: _Match, _today: date) -> Days:
    day = date.fromisoformat(match[0])
    return day, day + _DAY


def _two_days(match: _Match, _today: date) -> Days:
    return date.fromisoformat(match["start"]), date.fromisoformat(match["end"])


_PATTERNS: tuple[tuple[str, Callable[[_Match, date], Days]], ...] = (
    (r"last (?P<count>\d{1,4}) (?P<unit>day|week|month|year)s", _last),
    (r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})", lambda m, _: _month(m["year"], int(m["month"]))),
    (r"(?P<month>\d{1,2})[-/.](?P<year>\d{4})", lambda m, _: _month(m["year"], int(m["month"]))),
    (r"(?P<year>\d{4})[- ]?q(?P<quarter>[1-4])", _quarter),
    (r"q(?P<quarter>[1-4])[- ]?(?P<year>\d{4})", _quarter),
    (r"(?P<year>\d{4})", lambda m, _: (date(int(m["year"]), 1, 1), date(int(m["year"]) + 1, 1, 1))),
    (r"(?P<month>[a-z]+)(?: ?(?P<year>\d{4}))?", _named_month),
    (r"(?P<year>\d{4}) ?(?P<month>[a-z]+)", _named_month),
    (r"\d{4}-\d{2}-\d{2}", _single),
    (
        r"(?P<start>\d{4}-\d{2}-\d{2}) ?(?:to|until| |/|\.\.\.?|:|,|-) ?(?P<end>\d{4}-\d{2}-\d{2})",
        _two_days,
    ),
)
