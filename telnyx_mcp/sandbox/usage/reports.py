"""Adding up records: a usage report is a sum over the same records that a search finds.

A record is made once for each product and day, and kept as the few values that reports need of it: its
dimensions and metrics. The sums of whole days are small and kept for longer, so that a year can be asked for
again and again. Where the records of a month repeat a pattern, a day is its whole copies, times the pattern's
sums, and what is left of the last one. Figures are doubles, added up as doubles: the noise in their last
digits is Telnyx's, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from telnyx_mcp.sandbox.business import Business
from telnyx_mcp.sandbox.days import midnight
from telnyx_mcp.sandbox.records import History, Kind
from telnyx_mcp.sandbox.records.draw import Record
from telnyx_mcp.sandbox.records.filters import sort_key
from telnyx_mcp.sandbox.records.history import Span
from telnyx_mcp.sandbox.usage.products import DATE, DATE_TIME, PRODUCTS, Product
from telnyx_mcp.sandbox.usage.request import Query, ReportRequest, parse_request, product_named

HOUR = timedelta(hours=1)
DAYS_KEPT = 800
"""Days of one product whose records are kept: some 50 MB."""
SUMS_KEPT = 6000
"""Days of one product of which only the sums are kept."""
REPORTS_KEPT = 16
WITHOUT_POINT = frozenset({"count", "uplink_data_bytes", "downlink_data_bytes"})

Values = tuple[Any, ...]
Places = tuple[int, ...]
"""Which of a product's dimensions a report has, by their places."""
Row = dict[str, Any]
Sums = dict[Values, list[float]]
"""The sum of each metric, by the dimensions, each a pair of its name and value."""


Fact = tuple[Values, list[float]]
"""What reports need of a record: its dimensions, each with its name, and its metrics."""


class UsageReports:
    """The reports of one account."""

    def __init__(self, business: Business, history: History, now: Callable[[], datetime]) -> None:
        self._business = business
        self._history = history
        self._now = now
        self._connection_names = {each.id: each.name for each in business.connections}
        self._facts = lru_cache(DAYS_KEPT)(self._read_facts)
        self._whole = lru_cache(SUMS_KEPT)(self._sum_whole)
        self.rows = lru_cache(REPORTS_KEPT)(self._rows)

    def options(self, product: str | None) -> list[dict[str, Any]]:
        """The `data` of `GET /usage_reports/options`."""
        wanted = PRODUCTS.values() if product is None else [product_named(product)]
        return [each.options() for each in wanted]

    def parse(self, query: Query) -> ReportRequest:
        """The report a query asks for. Raises `Refusal`."""
        return parse_request(query, self._now())

    def _rows(self, request: ReportRequest) -> list[Row]:
        """A report's rows: of each combination of dimensions that has usage, what it adds up to."""
        rows = [
            self._row(request, dict(times) | dict(values), figures)
            for times, sums in self._sums(request).items()
            for values, figures in sums.items()
        ]
        rows = [row for row in rows if _passes(row, request)]
        for key in reversed(request.sort):
            name = key.removeprefix("-")
            rows.sort(key=lambda row: sort_key(row.get(name)), reverse=key.startswith("-"))
        return rows

    def _sums(self, request: ReportRequest) -> dict[Values, Sums]:
        """What the records add up to, by their times."""
        sums: dict[Values, Sums] = {}
        product = request.product
        places = tuple(
            place for place, name in enumerate(product.dimensions) if name in request.dimensions
        )
        for kind in product.kinds:
            for times, span in self._spans(request, kind):
                origin = self._history.pattern_day(kind, span.day)
                length = self._history.pattern_length(kind, origin)
                copies, left = divmod(span.end - span.first, length)
                of_times = sums.setdefault(times, {})
                if copies:
                    _add(of_times, self._whole(product, kind, origin, places), copies)
                if left:
                    facts = self._facts(product, kind, origin)
                    _add(of_times, _summed(facts, places, range(span.end - left, span.end)))
        return sums

    def _sum_whole(self, product: Product, kind: Kind, origin: date, places: Places) -> Sums:
        """The sums of all records that a day begins with and then repeats."""
        facts = self._facts(product, kind, origin)
        return _summed(facts, places, range(len(facts)))

    def _spans(self, request: ReportRequest, kind: Kind) -> Iterator[tuple[Values, Span]]:
        """The records asked for, in parts that have the same times as far as those are asked for."""
        dimensions = request.dimensions
        for span in self._history.spans(kind, request.start, request.end):
            date_is = f"{span.day}T00:00:00Z" if request.product.date_is_time else f"{span.day}"
            of_day = ((DATE, date_is),) if DATE in dimensions else ()
            if DATE_TIME not in dimensions:
                yield of_day, span
                continue
            for hour in range(24):
                since = midnight(span.day) + hour * HOUR
                start, end = max(since, request.start), min(since + HOUR, request.end)
                for part in self._history.spans(kind, start, end):
                    yield (*of_day, (DATE_TIME, f"{since:%Y-%m-%dT%H:00:00Z}")), part

    def _read_facts(self, product: Product, kind: Kind, origin: date) -> list[Fact]:
        """The facts of the records that a day begins with and then repeats."""
        records = (
            self._history.make(kind, origin, index)
            for index in range(self._history.pattern_length(kind, origin))
        )
        return [self._fact(product, record) for record in records]

    def _fact(self, product: Product, record: Record) -> Fact:
        dimensions = {name: of(record, self._business) for name, of in product.dimensions.items()}
        metrics = [float(of(record, self._business) or 0) for of in product.metrics.values()]
        return tuple(dimensions.items()), metrics

    def _row(self, request: ReportRequest, dimensions: Row, figures: list[float]) -> Row:
        all_figures = dict(zip(request.product.metrics, figures, strict=True))
        row: Row = {"user_id": self._business.owner.id} if request.with_user else {}
        row |= {name: dimensions[name] for name in request.dimensions}
        if "connection_id" in row:
            row["connection_name"] = self._connection_names.get(row["connection_id"])
        row["product"] = request.product.name
        return row | {name: _figure(name, all_figures[name]) for name in request.metrics}


def _summed(facts: list[Fact], places: Places, indexes: range) -> Sums:
    """The sums of the records at these indexes; the first record follows the last again."""
    sums: Sums = {}
    for index in indexes:
        dimensions, metrics = facts[index % len(facts)]
        values = tuple(dimensions[place] for place in places)
        if values in sums:
            sums[values] = [one + other for one, other in zip(sums[values], metrics, strict=True)]
        else:
            sums[values] = metrics
    return sums


def _add(sums: Sums, others: Sums, times: int = 1) -> None:
    for values, figures in others.items():
        known = sums.get(values) or [0.0] * len(figures)
        sums[values] = [one + times * other for one, other in zip(known, figures, strict=True)]


def _figure(metric: str, figure: float) -> int | float:
    """Some counts come without `.0`, as does zero."""
    return int(figure) if metric in WITHOUT_POINT or figure == 0 else figure


def _passes(row: Row, request: ReportRequest) -> bool:
    """Whether a row has, for each filter, one of its values."""
    return all(_filter_text(row[name]) in values for name, values in request.filters)


def _filter_text(value: Any) -> str:
    return "" if value is None else str(value)
