"""`filter[...]` of a detail-record search: read from the query, resolved, and matched against records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from telnyx_mcp.sandbox.days import DAY, first_of_month, midnight, parse_moment
from telnyx_mcp.sandbox.refusals import Refusal, bad_parameter

FILTER = re.compile(r"filter\[([^\[\]]+)\](?:\[([^\[\]]+)\])?\Z")
LAST_DAYS = re.compile(r"last_([1-9]\d{0,3})_days\Z")
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Condition:
    """One field, one operator, one value."""

    field: str
    operator: str
    value: str
    parameter: str
    """The parameter as it was sent, for the error."""


def conditions_in(query: Iterable[tuple[str, str]]) -> list[Condition]:
    """Every `filter[field]` and `filter[field][op]`, in order."""
    found = []
    for parameter, value in query:
        match = FILTER.match(parameter)
        if match:
            found.append(Condition(match[1], match[2] or "eq", value, parameter))
        elif parameter.startswith("filter"):
            raise bad_parameter(parameter, f"'{parameter}' is not a valid filter.")
    return found


def resolve_date_range(name: str, today: date) -> tuple[datetime, datetime]:
    """The half-open range that a `filter[date_range]` name means; weeks begin on Monday."""
    monday = today - timedelta(days=today.weekday())
    week = timedelta(days=7)
    named = {
        "yesterday": (today - DAY, today),
        "today": (today, today + DAY),
        "tomorrow": (today + DAY, today + 2 * DAY),
        "last_week": (monday - week, monday),
        "this_week": (monday, monday + week),
        "next_week": (monday + week, monday + 2 * week),
        "last_month": (first_of_month(today, -1), first_of_month(today)),
        "this_month": (first_of_month(today), first_of_month(today, 1)),
        "next_month": (first_of_month(today, 1), first_of_month(today, 2)),
    }
    days = LAST_DAYS.match(name)
    if days:
        named[name] = (today - timedelta(days=int(days[1])), today + DAY)
    if name not in named:
        raise bad_parameter("filter[date_range]", f"'{name}' is not a known date range.")
    start, end = named[name]
    return midnight(start), midnight(end)


def narrow(window: tuple[datetime, datetime], condition: Condition) -> tuple[datetime, datetime]:
    """The window that a condition on the time field leaves; records have whole milliseconds."""
    start, end = window
    moment = moment_of(condition)
    above = _ceil_to_millisecond(moment)
    match condition.operator:
        case "gte":
            return max(start, above), end
        case "gt":
            return max(start, _after(moment)), end
        case "lt":
            return start, min(end, above)
        case "lte":
            return start, min(end, _after(moment))
        case _:
            return max(start, above), min(end, _after(moment))


def moment_of(condition: Condition) -> datetime:
    """The condition's value as a moment; 400 if it is not one."""
    try:
        return parse_moment(condition.value)
    except ValueError:
        raise bad_parameter(
            condition.parameter, f"'{condition.value}' is not an ISO 8601 date or time."
        ) from None


def _ceil_to_millisecond(moment: datetime) -> datetime:
    rest = moment.microsecond % 1000
    return moment if rest == 0 else moment + timedelta(microseconds=1000 - rest)


def _after(moment: datetime) -> datetime:
    return _ceil_to_millisecond(moment) + (
        MILLISECOND if moment.microsecond % 1000 == 0 else 0 * DAY
    )


def is_time(field: str) -> bool:
    """Whether a field holds a moment, by its name."""
    return field.endswith(("_at", "_time"))


def sort_key(value: Any) -> tuple[int, Any]:
    """Orders numbers, decimal strings, times and text; what is absent comes first."""
    if value is None:
        return (0, 0)
    if isinstance(value, bool | int | float):
        return (1, Decimal(str(value if not isinstance(value, bool) else int(value))))
    number = _decimal(value) if isinstance(value, str) else None
    return (1, number) if number is not None else (2, str(value))


def matcher(condition: Condition) -> Callable[[dict[str, Any]], bool]:
    """A test of a record; 400 for an operator that does not exist."""
    field, wanted = condition.field, condition.value
    texts: dict[str, Callable[[str], bool]] = {
        "eq": lambda value: value == wanted,
        "contains": lambda value: wanted in value,
        "starts_with": lambda value: value.startswith(wanted),
        "ends_with": lambda value: value.endswith(wanted),
    }
    orders: dict[str, Callable[[Any, Any], bool]] = {
        "gte": lambda value, bound: value >= bound,
        "gt": lambda value, bound: value > bound,
        "lte": lambda value, bound: value <= bound,
        "lt": lambda value, bound: value < bound,
    }
    if condition.operator in texts:
        test = texts[condition.operator]
        return lambda record: any(test(text) for text in _texts(record.get(field)))
    if condition.operator not in orders:
        raise Refusal(
            400,
            f"'{condition.operator}' is not a filter operator.",
            title="Invalid parameter",
            parameter=condition.parameter,
        )
    order = orders[condition.operator]
    if is_time(field):
        moment = moment_of(condition)
        return lambda record: (
            bool(record.get(field)) and order(parse_moment(record[field]).astimezone(UTC), moment)
        )
    bound = sort_key(wanted)
    return lambda record: (
        (value := sort_key(record.get(field)))[0] == bound[0] and order(value[1], bound[1])
    )


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list):
        return [str(item) for item in value]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
