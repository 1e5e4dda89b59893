"""The arguments of `telnyx_summarize_usage`, resolved: product, time, groups, filters, metrics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from typing import Annotated, Any, ClassVar, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator

from telnyx_mcp.billing.periods import Period, PeriodError, period_of
from telnyx_mcp.telnyx.usage_reports import UsageProduct
from telnyx_mcp.tools.framework.arguments import Params, Text, TextList, nearest
from telnyx_mcp.tools.framework.failure import ToolFailure, not_asked
from telnyx_mcp.tools.framework.spec import Call
from telnyx_mcp.tools.support.period_arguments import PeriodParams, check_one_range, wrong_range
from telnyx_mcp.tools.support.spelling import e164
from telnyx_mcp.tools.support.time_groups import TIMES, is_whole_hours, time_group
from telnyx_mcp.tools.support.vocabulary import (
    Product,
    dimension_of,
    group_word,
    metric_of,
    metric_word,
    metric_words,
    metrics_of,
    product_named,
    products_near,
    words_of,
)

DEFAULT_METRICS = (
    "cost",
    "count",
    "connected",
    "parts",
    "billed_seconds",
    "pages",
    "uploaded",
    "downloaded",
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _moment(value: str) -> str:
    """A day, or a time with its zone."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a day, 2026-05-01, or a time, 2026-05-01T08:00:00Z") from None
    if not _DAY.fullmatch(value) and moment.tzinfo is None:
        raise ValueError("must name its zone, as 2026-05-01T08:00:00Z does")
    return value


Moment = Annotated[Text, AfterValidator(_moment)]


def _zone(value: str) -> str:
    if value not in available_timezones():
        near = nearest(value, sorted(available_timezones()))
        raise ValueError(
            f"must be an IANA zone such as Europe/Berlin{f'; {near}?' if near else ''}"
        )
    return value


class UsageParams(Params):
    reads_many: ClassVar[bool] = True
    instead: ClassVar[Mapping[str, str]] = {
        **PeriodParams.instead,
        "record_type": "Use product, such as messaging.",
        "metrics": "Use sum.",
        "dimensions": "Use group_by.",
    }

    product: Text = Field(description="E.g. messaging or calls.")
    period: Text | None = Field(None, description="E.g. 2026-05 or last 7 days.")
    start_date: Moment | None = Field(None, description="First day, 2026-05-01, or RFC 3339 time.")
    end_date: Moment | None = Field(None, description="Day after the last, or RFC 3339 time.")
    group_by: TextList = Field(
        [],
        max_length=3,
        description="At most 3 of day, hour, month, number, country, carrier, profile, connection, "
        "status, error, tag, ...",
    )
    filters: TextList = Field(
        [],
        max_length=20,
        description='Groups to keep: =, != or ~ (contains), e.g. ["country!=US"].',
    )
    sum: TextList = Field(
        [],
        max_length=6,
        description="Metrics to sum, e.g. parts.",
    )
    top: int | None = Field(None, ge=1, le=100, description="How many groups to show.")
    compare_to: Text | None = Field(None, description='Period to compare with, or "previous".')
    timezone: Annotated[Text, AfterValidator(_zone)] | None = Field(
        None, description="Zone of days, e.g. Europe/Berlin."
    )

    @model_validator(mode="after")
    def _different(self) -> Self:
        words = [group_word(each) for each in self.group_by]
        if len(set(words)) != len(words):
            raise ValueError("group_by names a group twice")
        return self


@dataclass(frozen=True, slots=True)
class Time:
    """What lies between two moments; `period` where they are midnights."""

    start: datetime
    end: datetime
    zone: tzinfo
    period: Period | None = None

    def previous(self) -> Time:
        """The time before: the period before, or as long before."""
        if self.period:
            period = self.period.previous()
            return Time(*period.instants(), self.zone, period)
        return Time(self.start - (self.end - self.start), self.start, self.zone)

    def format(self, moment: datetime) -> str:
        """The day, or the time if it is not where a day begins."""
        if self.period:
            days = dict(
                zip(self.period.instants(), (self.period.start, self.period.end), strict=True)
            )
            return days[moment].isoformat()
        local = moment.astimezone(self.zone)
        return local.date().isoformat() if local.time() == time.min else local.isoformat()


def time_of(params: UsageParams, call: Call[Any]) -> Time:
    """The time that a call asks for. Raises `ToolFailure`."""
    zone = call.services.zone if params.timezone is None else _zone_of(params.timezone)
    try:
        check_one_range(params.period, params.start_date, params.end_date)
        if params.period is not None:
            return _named_time(params.period, call, zone)
        first, last = params.start_date or "", params.end_date or ""
        if _DAY.fullmatch(first) and _DAY.fullmatch(last):
            return _named_time(f"{first} to {last}", call, zone)
        start, end = (_parse_instant(each, zone) for each in (first, last))
        if end <= start:
            raise PeriodError("end_date must be after start_date.")
        if start > call.services.now():
            raise PeriodError(f"{first} is in the future.")
        return Time(start, end, zone)
    except PeriodError as error:
        raise wrong_range(error, call.services.now().astimezone(zone).date()) from None


def compared_time(params: UsageParams, call: Call[Any], main: Time) -> Time | None:
    """The time to compare with. Raises `ToolFailure`."""
    if params.compare_to is None:
        return None
    if params.compare_to.lower() == "previous":
        return main.previous()
    try:
        return _named_time(params.compare_to, call, main.zone)
    except PeriodError as error:
        raise wrong_range(error, call.services.now().astimezone(main.zone).date()) from None


def _named_time(words: str, call: Call[Any], zone: tzinfo) -> Time:
    period = period_of(words, call.services.now().astimezone(zone).date(), zone)
    return Time(*period.instants(), zone, period)


def _zone_of(name: str) -> tzinfo:
    return UTC if name in ("UTC", "Etc/UTC") else ZoneInfo(name)


def _parse_instant(text: str, zone: tzinfo) -> datetime:
    moment = datetime.fromisoformat(text)
    # In UTC, as the difference of two times of a zone is that of their clocks.
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def find_product(word: str) -> Product:
    """The product of an argument. One that the vocabulary lacks may still be Telnyx's own."""
    plain = word.strip().lower()
    return product_named(plain) or Product(plain.replace(" ", "-"), None)


def unknown_product(word: str, products: Mapping[str, UsageProduct]) -> ToolFailure:
    """The failure for a product that neither reports nor records have."""
    near = products_near(word)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return ToolFailure(
        f'Telnyx reports no usage for "{word[:40]}".{hint} There is: {", ".join(sorted(products))}. '
        "Call again with one of these."
    )


NUMBER_WORDS = {"number", "from", "to"}
_FILTER = re.compile(r"([A-Za-z_][A-Za-z0-9_ -]{0,63}?)\s*(!=|=|~)(?!=)\s*(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a group: `=` or `!=` a value, or `~` a part of it."""

    word: str
    operator: str
    value: str

    def holds(self, text: str) -> bool:
        """Whether a value meets the condition, in any case or, for a phone number, in any spelling.
        A time holds all that begin with it: `2026-10-25T02` is an hour, with any offset.
        The status `failed` stands for all that end with it, such as `delivery_failed`."""
        if self.operator == "~":
            return self.value.casefold() in text.casefold()
        value, text = self._normalize(self.value), self._normalize(text)
        if self.word in TIMES:
            return text.startswith(value) == (self.operator == "=")
        same = value == text or (self.word == "status" and text.endswith(f"_{value}"))
        return same == (self.operator == "=")

    def _normalize(self, text: str) -> str:
        number = e164(text) if self.word in NUMBER_WORDS else None
        return number or text.casefold()


def filters_of(texts: list[str]) -> list[Filter]:
    """The filters as written. Raises `ToolFailure` for one that can't be read."""
    found = []
    for text in texts:
        match = _FILTER.fullmatch(text.strip())
        if not match:
            raise not_asked(
                f'the filter "{text[:60]}" must be written name=value, name!=value or name~text '
                "(contains).",
                "Correct it and call again.",
            )
        found.append(Filter(group_word(match[1]), match[2], match[3].strip()))
    return found


Reader = Callable[[Mapping[str, Any]], str]
"""Reads the value of a group from a row."""


def passes(filters: list[Filter], row: Mapping[str, Any], readers: Mapping[str, Reader]) -> bool:
    """Whether a row has one of the values that `=` names for each group, and fulfils all the others."""
    wanted: dict[str, bool] = {}
    for each in filters:
        holds = each.holds(readers[each.word](row))
        if each.operator == "=":
            wanted[each.word] = wanted.get(each.word, False) or holds
        elif not holds:
            return False
    return all(wanted.values())


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """How a usage report answers the question: what to ask for, and how to read a row."""

    product: UsageProduct
    groups: dict[str, str]
    """Our words for the groups, and Telnyx's dimensions."""
    filters: dict[str, str]
    metrics: dict[str, str]
    """Our words for the metrics, and Telnyx's."""
    hours_shift: tzinfo | None
    """The zone that hours are shifted to; None where days are those of UTC."""

    @property
    def dimensions(self) -> list[str]:
        """What to ask for: the groups, what is filtered by, and the currency."""
        currency = ["currency"] if "currency" in self.product.dimensions else []
        own = [*self.groups.values(), *self.filters.values(), *currency]
        coarsest = self.product.coarsest_dimension
        return list(dict.fromkeys(own or ([coarsest] if coarsest else [])))

    def readers(self) -> list[Reader]:
        return [self.reader(word) for word in self.groups]

    def reader(self, word: str) -> Reader:
        """What reads the value of a group or filter from a row."""
        name = self.groups.get(word) or self.filters[word]
        if word not in TIMES:
            return lambda row: _value_text(row.get(name))
        zone = self.hours_shift or UTC

        def read_time(row: Mapping[str, Any]) -> str:
            text = _value_text(row.get(name))
            try:
                moment = datetime.fromisoformat(text)
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                # A day without a time is one of UTC already.
                return time_group(word, moment, zone if len(text) > 10 else UTC)
            except (ValueError, OverflowError):
                return text

        return read_time


def _value_text(value: object) -> str:
    if value is None or value == "":
        return "(none)"
    return str(value).lower() if isinstance(value, bool) else str(value)


class NotInReports(Exception):
    """A group, filter or metric that the product's reports lack. Its text says what they have."""


def report_plan(
    params: UsageParams, product: UsageProduct, filters: list[Filter], time: Time
) -> ReportPlan:
    """How a report answers. Raises `NotInReports`."""
    zone = time.zone
    by_time = TIMES.keys() & {*map(group_word, params.group_by), *(each.word for each in filters)}
    if by_time and not is_whole_hours(time.start, time.end, zone):
        # The hour from 18:00 to 19:00 UTC belongs to two days of India.
        raise NotInReports(
            f"Usage reports count by hours of UTC, and {zone} is not whole hours from it; with "
            "timezone=UTC they answer."
        )
    shifted = zone is not UTC and "date_time" in product.dimensions
    groups, kept = {}, {}
    for word in map(group_word, params.group_by):
        groups[word] = _dimension(word, product, hours=shifted)
    for each in filters:
        if each.word not in groups:
            kept[each.word] = _dimension(each.word, product, hours=shifted)
    metrics = dict(_metrics(params, product))
    return ReportPlan(product, groups, kept, metrics, zone if shifted else None)


def _dimension(word: str, product: UsageProduct, *, hours: bool) -> str:
    if word in TIMES:
        names = ["date_time"] if word == "hour" or hours else ["date", "date_time"]
        name = next((each for each in names if each in product.dimensions), None)
    else:
        name = dimension_of(word, product)
    if name is None:
        raise NotInReports(
            f"Usage reports of {product.name} can't be grouped by {word}. They have: "
            f"{', '.join(words_of(product))}."
        )
    return name


def _metrics(params: UsageParams, product: UsageProduct) -> Iterator[tuple[str, str]]:
    if not params.sum:
        yield from metrics_of(product, DEFAULT_METRICS).items()
        return
    for word in map(metric_word, params.sum):
        name = metric_of(word, product)
        if name is None:
            raise NotInReports(
                f"Usage reports of {product.name} don't add up {word}. They have: "
                f"{', '.join(metric_words(product))}."
            )
        yield word, name
