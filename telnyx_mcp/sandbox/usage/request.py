"""The parameters of a usage report: read from the query, or refused as Telnyx refuses them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telnyx_mcp.sandbox.days import DAY, midnight, parse_moment
from telnyx_mcp.sandbox.refusals import Refusal, bad_parameter
from telnyx_mcp.sandbox.usage.products import PRODUCTS, Product

LONGEST = timedelta(days=31)
DATE_RANGE = re.compile(r"(?:last_([1-9]\d{0,3})_(days|weeks|months)|today|yesterday)\Z")
DAYS_IN = {"days": 1, "weeks": 7, "months": 30}
LONGEST_DATE_RANGE = 30
"""Days."""
FILTER = re.compile(r"filter\[([^\[\]]+)\](.*)\Z")

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A report as asked for, every name resolved."""

    product: Product
    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    start: datetime
    end: datetime
    """Exclusive."""
    filters: tuple[tuple[str, frozenset[str]], ...] = ()
    """Dimensions, and the values of which a row must have any."""
    sort: tuple[str, ...] = ()
    with_user: bool = False
    """Whether rows name their user, as those of managed accounts do."""


def parse_request(query: Query, now: datetime) -> ReportRequest:
    """The report a query asks for. Raises `Refusal`, with everything that is wrong with the names."""
    product = _product(query)
    dimensions, metrics = _values(query, "dimensions"), _values(query, "metrics")
    wrong = [
        *_wrong_names(product, "dimensions", dimensions, product.all_dimensions),
        *_wrong_names(product, "metrics", metrics, product.metrics),
    ]
    filters = _filters(query)
    wrong += [_wrong_filter(name) for name in filters if name not in dimensions]
    if wrong:
        raise Refusal.of_several(wrong)
    start, end = _time(query, now)
    return ReportRequest(
        product,
        tuple(dimensions),
        tuple(metrics),
        start,
        end,
        tuple((name, frozenset(values)) for name, values in filters.items()),
        tuple(_values(query, "sort")),
        _values(query, "managed_accounts")[-1:] == ["true"],
    )


def product_named(name: str) -> Product:
    """A product. Raises `Refusal` that lists them all."""
    if name not in PRODUCTS:
        detail = f"Available products: {', '.join(PRODUCTS)}"
        raise _invalid("Product invalid value", detail, "product")
    return PRODUCTS[name]


def _product(query: Query) -> Product:
    named = [value for name, value in query if name == "product"]
    return product_named(named[-1] if named else "")


def _values(query: Query, parameter: str) -> list[str]:
    """The values of a list, in which commas and repeated names mean the same."""
    texts = [value for name, value in query if name == parameter]
    each = [part.strip() for text in texts for part in text.split(",")]
    return list(dict.fromkeys(part for part in each if part))


def _wrong_names(
    product: Product, parameter: str, names: list[str], known: Iterable[str]
) -> list[Refusal]:
    """An error if there is no name, or one that the product does not have."""
    if names and set(names) <= set(known):
        return []
    detail = f"Available {parameter} values for {product.name}: {', '.join(known)}"
    return [_invalid(f"{parameter.capitalize()} invalid values", detail, parameter)]


def _filters(query: Query) -> dict[str, list[str]]:
    """The wanted values by dimension. A filter of another form has a name that nothing has."""
    filters: dict[str, list[str]] = {}
    for name, value in query:
        if name.startswith("filter"):
            match = FILTER.match(name)
            dimension = match[1] if match and not match[2] else name
            filters.setdefault(dimension, []).append(value)
    return filters


def _wrong_filter(name: str) -> Refusal:
    return Refusal(
        400,
        f"'{name}' is filtered on, but is not one of the dimensions.",
        code="10007",
        title="Invalid dimensions_filter value",
        parameter="filter",
    )


def _time(query: Query, now: datetime) -> tuple[datetime, datetime]:
    """The half-open range that is asked for, in one of the two ways."""
    parameters = dict(query)
    if "date_range" in parameters:
        if {"start_date", "end_date"} & set(parameters):
            raise bad_parameter("date_range", "'date_range' can't go with 'start_date'.")
        return _named_range(parameters["date_range"], now)
    start, end = (_parse_time(parameters, name) for name in ("start_date", "end_date"))
    if end <= start:
        raise bad_parameter("end_date", "'end_date' must be after 'start_date'.")
    if end > now:
        raise bad_parameter("end_date", "'end_date' must not be in the future.")
    if end - start > LONGEST:
        raise Refusal(
            400,
            "The maximum time range is 31 days.",
            code="10004",
            title="Invalid date range",
            parameter="start_date",
        )
    return start, end


def _parse_time(parameters: dict[str, str], name: str) -> datetime:
    try:
        return parse_moment(parameters.get(name, ""))
    except ValueError:
        raise bad_parameter(name, f"'{name}' must be YYYY-MM-DDTHH:mm:ssZ.") from None


def _named_range(name: str, now: datetime) -> tuple[datetime, datetime]:
    match = DATE_RANGE.match(name)
    if match is None:
        raise bad_parameter("date_range", f"'{name}' is not a known date range.")
    today = midnight(now.date())
    if name == "yesterday":
        return today - DAY, today
    days = int(match[1]) * DAYS_IN[match[2]] if match[1] else 0
    if days > LONGEST_DATE_RANGE:
        raise Refusal(
            400,
            f"'date_range' can't be longer than {LONGEST_DATE_RANGE} days.",
            code="10006",
            title="Invalid date_range value",
            parameter="date_range",
        )
    return today - days * DAY, now


def _invalid(title: str, detail: str, parameter: str) -> Refusal:
    return Refusal(400, detail, code="10003", title=title, parameter=parameter)
