"""`telnyx_summarize_usage`"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import Field

from telnyx_mcp.billing.money import format_amount, percent
from telnyx_mcp.billing.records import Reading
from telnyx_mcp.billing.usage_table import Key, Sum, UsageTable, table_of
from telnyx_mcp.telnyx.errors import Failure
from telnyx_mcp.telnyx.names import Named
from telnyx_mcp.telnyx.usage_reports import (
    UsageReport,
    latest_end,
    read_usage,
    rounded,
    usage_products,
)
from telnyx_mcp.tools.framework.arguments import utc_text
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.framework.results import Result, Row
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.group_by import MAX_GROUPS, Groups, tally_row
from telnyx_mcp.tools.support.period_arguments import month_end_hint
from telnyx_mcp.tools.support.time_groups import TIMES, in_order, time_groups
from telnyx_mcp.tools.support.usage_from_records import usage_from_records
from telnyx_mcp.tools.support.usage_question import (
    Filter,
    NotInReports,
    ReportPlan,
    Time,
    UsageParams,
    compared_time,
    filters_of,
    find_product,
    passes,
    report_plan,
    time_of,
    unknown_product,
)
from telnyx_mcp.tools.support.vocabulary import Product, group_word

TOP, TOP_TIMES = 10, 31
"""Groups shown unless asked for, and where they are times."""
MANY_ROWS = {"number", "hour", "connection", "profile"}
"""Groups with so many values that a status beside them would make reports too long."""


class Cost(Row):
    """A cost in one currency."""

    cost: str | None = Field(None, description="Cost as a decimal string.")
    currency: str | None = Field(None, description="Currency of the cost.")


class UsageFigures(Row):
    """Cost, metrics and rates. Metrics, such as `count` or `parts`, are further fields: whole numbers,
    or text where they have fractions."""

    cost: str | None = Field(
        None, description="Cost as a decimal string, if it is in one currency."
    )
    currency: str | None = Field(None, description="Currency of the cost.")
    costs: list[Cost] | None = Field(None, description="Costs by currency, if there are several.")
    unreadable_costs: int | None = Field(
        None, description="How many records have a cost that can't be read."
    )
    delivered_percent: str | None = Field(
        None, description="Share of outbound messages that were delivered."
    )
    cost_per_part: str | None = Field(
        None, description="Cost of one message part, as a decimal string."
    )
    cost_per_minute: str | None = Field(
        None, description="Cost of one billed minute, as a decimal string."
    )
    part: bool | None = Field(None, description="Present and true if something is left out.")


class GroupValues(Row):
    """The values that a group has in common. (none) where a record lacks one."""

    month: str | None = Field(None, description="Month, YYYY-MM.")
    day: str | None = Field(None, description="Day, YYYY-MM-DD.")
    hour: str | None = Field(
        None, description="Hour with its offset, such as 2026-05-01T08:00+02:00."
    )
    number: str | None = Field(None, description="The account's own phone number.")
    direction: str | None = Field(None, description="inbound or outbound.")
    country: str | None = Field(None, description="Country at the other end.")
    carrier: str | None = Field(None, description="Carrier at the other end.")
    profile: str | None = Field(None, description="Profile, or its id.")
    profile_name: str | None = Field(None, description="Name of the profile.")
    connection: str | None = Field(None, description="Connection, or its id.")
    connection_name: str | None = Field(None, description="Name of the connection.")
    billing_group: str | None = Field(None, description="Billing group, or its id.")
    billing_group_name: str | None = Field(None, description="Name of the billing group.")
    status: str | None = Field(None, description="Status, such as delivered.")
    error: str | None = Field(None, description="Error code or reason.")
    tag: str | None = Field(None, description="Tag of the records.")
    type: str | None = Field(None, description="Type, such as SMS or MMS.")
    to: str | None = Field(None, description="Phone number at the other end.")


class UsageGroup(UsageFigures, GroupValues):
    """One group: the values it is grouped by, then its figures."""


class UsageRest(UsageFigures):
    """The groups that are not shown, as one."""

    groups: int | None = Field(None, description="How many groups are not shown.")


class CostChange(Row):
    """How a cost changed."""

    change: str | None = Field(None, description="Difference with its sign, as a decimal string.")
    percent: str | None = Field(None, description="Difference in percent of what it was.")


class UsageComparison(Row):
    """The other time, and the changes since. Further fields are the changes: `cost_USD`, a `CostChange`
    by currency; `count_percent`, the change of a metric."""

    start_date: str | None = Field(None, description="Start of the other time.")
    end_date: str | None = Field(None, description="End of the other time, not included.")
    all: UsageFigures | None = Field(None, description="Figures of the other time.")


class UsageResult(Result):
    rows: ClassVar[str] = "groups"

    product: str = Field(description="Product, as Telnyx calls it.")
    source: str = Field(description="usage reports (whole) or detail records.")
    start_date: str = Field(description="First day, or time with its zone.")
    end_date: str = Field(description="Day or time at which the range ends, not included.")
    usage_until: str | None = Field(
        None, description="Where usage ends before end_date, as the period is not over."
    )
    zone: str
    today: str
    all: UsageFigures = Field(
        description="Figures of the whole range: cost, rates, and metrics such as count or parts."
    )
    groups: list[UsageGroup] | None = Field(
        None,
        description="With group_by: the largest groups, or times in order, with their figures.",
    )
    rest: UsageRest | None = Field(None, description="The groups not shown, as one.")
    compared: UsageComparison | None = Field(None, description="The other time, and the changes.")


@dataclass(slots=True)
class _Usage:
    """The report for one time."""

    time: Time
    until: datetime
    report: UsageReport
    table: UsageTable

    @property
    def is_complete(self) -> bool:
        return not self.report.missing


async def summarize_usage(call: Call[UsageParams]) -> UsageResult:
    params = call.params
    time = time_of(params, call)
    other = compared_time(params, call, time)
    filters = filters_of(params.filters)
    products = await usage_products(call.client)
    wanted = find_product(params.product)
    product = products.get(wanted.name)
    if product is None and wanted.record_type is None:
        raise unknown_product(params.product, products)
    try:
        if product is None:
            raise NotInReports(f"Usage reports have no {wanted.name}.")
        plan = report_plan(params, product, filters, time)
    except NotInReports as lacking:
        return await _from_records(call, wanted, time, filters, str(lacking))
    usage = await _read(call, plan, time)
    earlier = await _read(call, plan, other) if other else None
    return await _result(call, plan, usage, earlier)


async def _from_records(
    call: Call[UsageParams], product: Product, time: Time, filters: list[Filter], lacking: str
) -> UsageResult:
    """The answer from detail records, where reports lack what was asked for."""
    params = call.params
    if product.record_type is None or params.compare_to or params.sum:
        raise ToolFailure("Nothing was added up", lacking, do="Call again with one of these.")
    group_by = [group_word(each) for each in params.group_by]
    try:
        usage = await usage_from_records(
            call.client, product.record_type, time, group_by, filters, call.progress
        )
    except ToolFailure as too_many:
        raise ToolFailure(
            f"Nothing was added up. {lacking} Detail records have it, but {too_many} Ask for one of "
            "these groups, or for a shorter time."
        ) from None
    groups, reading = usage.groups, usage.reading
    rows, rest, others = groups.top(params.top or (TOP_TIMES if groups.in_time else TOP))
    part: dict[str, Any] = {} if reading.whole and not groups.all.unreadable else {"part": True}
    return UsageResult(
        product=product.name,
        source="detail records",
        start_date=time.format(time.start),
        end_date=time.format(time.end),
        zone=str(time.zone),
        today=call.services.now().astimezone(time.zone).date().isoformat(),
        all=UsageFigures(**tally_row(groups.all), **part),
        groups=[UsageGroup(**row, **part) for row in rows] if group_by else None,
        rest=UsageRest(groups=others, **tally_row(rest), **part) if rest else None,
        note=" ".join(_record_notes(groups, reading, filtered=bool(filters))) or None,
    )


NOTHING_PASSES = "Nothing matches the filters: group_by shows which values there are."


def _record_notes(groups: Groups, reading: Reading, *, filtered: bool) -> Iterator[str]:
    if filtered and reading.records and not groups.all.records:
        yield NOTHING_PASSES
    if not reading.whole:
        yield f"PART ONLY: {reading.extent} were read ({reading.why}). Ask for a shorter time."
    if groups.all.unreadable:
        yield f"PART ONLY: {groups.all.unreadable} records have an unreadable cost."
    if without := groups.all.records - groups.all.with_cost - groups.all.unreadable:
        yield f"{without} records state no cost."
    if groups.lacking:
        has = ", ".join(sorted(groups.fields)[:40])
        yield f"No record has {' or '.join(groups.lacking)}. The records' fields are: {has}."
    if groups.several:
        yield "A record with several values counts in each of their groups, and once in all."
    if groups.too_many:
        yield f"Only the first {MAX_GROUPS} groups are kept apart: ask for a shorter time, or filter."


async def _read(call: Call[UsageParams], plan: ReportPlan, time: Time) -> _Usage:
    """The usage of one time. Raises `TelnyxError` if nothing of it could be read."""
    dimensions = [*plan.dimensions, *_status_dimensions(call.params, plan)]
    until = max(time.start, min(time.end, latest_end(call.client)))
    report = await read_usage(
        call.client,
        plan.product,
        list(dict.fromkeys(dimensions)),
        list(plan.metrics.values()),
        time.start,
        until,
    )
    if report.error and (not report.rows or report.error.failure is Failure.BAD_REQUEST):
        raise report.error
    filters = filters_of(call.params.filters)
    readers = {each.word: plan.reader(each.word) for each in filters}
    rows = [row for row in report.rows if passes(filters, row, readers)]
    counted = "count" if "count" in plan.metrics else None
    table = table_of(rows, plan.readers(), plan.metrics, "unknown", counted)
    return _Usage(time, until, report, table)


def _status_dimensions(params: UsageParams, plan: ReportPlan) -> list[str]:
    """The dimensions that show what was delivered, if they don't make the report too long."""
    needed = ["direction", "status_v2"]
    has_them = set(needed) <= set(plan.product.dimensions)
    is_short = len(plan.groups) <= 2 and not MANY_ROWS & plan.groups.keys()
    return needed if has_them and is_short and not params.sum else []


async def _result(
    call: Call[UsageParams], plan: ReportPlan, usage: _Usage, earlier: _Usage | None
) -> UsageResult:
    params, time = call.params, usage.time
    in_time = bool(TIMES.keys() & plan.groups.keys())
    rows, rest, others = _groups(usage, plan, params.top or (TOP_TIMES if in_time else TOP))
    part = not usage.is_complete
    names = await _names(call, plan, [key for key, _ in rows])
    return UsageResult(
        product=plan.product.name,
        source="usage reports",
        start_date=time.format(time.start),
        end_date=time.format(time.end),
        usage_until=utc_text(usage.until) if usage.until < time.end else None,
        zone=str(time.zone),
        today=call.services.now().astimezone(time.zone).date().isoformat(),
        all=UsageFigures(**_figures(usage.table.all, plan, part=part)),
        groups=[UsageGroup(**_row(key, each, plan, part, earlier, names)) for key, each in rows]
        if plan.groups
        else None,
        rest=UsageRest(groups=others, **_figures(rest, plan, part=part)) if rest else None,
        compared=UsageComparison(**_compared(plan, usage, earlier)) if earlier else None,
        note=" ".join(_notes(call, plan, usage, earlier)) or None,
    )


def _groups(
    usage: _Usage, plan: ReportPlan, count: int
) -> tuple[list[tuple[Key, Sum]], Sum | None, int]:
    """The largest groups, those of times in order and with the times in which nothing was used."""
    table = usage.table
    words = list(plan.groups)
    if len(words) == 1 and words[0] in TIMES:
        zone = plan.hours_shift or UTC
        for text in time_groups(words[0], usage.time.start, usage.until, zone):
            table.groups.setdefault((text,), Sum())
    rows, rest, others = table.largest(count)
    places = [at for at, word in enumerate(words) if word in TIMES]
    if places:
        rows.sort(key=lambda each: [in_order(each[0][at]) for at in places])
    return rows, rest, others


_NAMED: Mapping[str, Named] = {
    "connection_id": Named.CONNECTIONS,
    "profile_id": Named.MESSAGING_PROFILES,
    "billing_group_id": Named.BILLING_GROUPS,
}
"""The dimensions that are ids with a name."""


async def _names(
    call: Call[UsageParams], plan: ReportPlan, keys: list[Key]
) -> dict[str, Mapping[str, str]]:
    """The names of ids, by the word of their group."""
    kinds = {word: _NAMED[name] for word, name in plan.groups.items() if name in _NAMED}
    if not kinds or not keys:
        return {}
    names = call.names()
    return {word: await names.all(kind) for word, kind in kinds.items()}


def _row(
    key: Key,
    each: Sum,
    plan: ReportPlan,
    part: bool,
    earlier: _Usage | None,
    names: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(plan.groups, key, strict=True))
    for word, known in names.items():
        if name := known.get(row[word]):
            row[f"{word}_name"] = name
    row |= _figures(each, plan, part=part)
    row.pop("currency", None)  # as in all, or several costs name theirs
    if earlier and not TIMES.keys() & plan.groups.keys():
        was = earlier.table.groups.get(key, Sum())
        row |= {f"{name}_was": value for name, value in _compared_figure(was, plan).items()}
    return row


def _compared_figure(each: Sum, plan: ReportPlan) -> dict[str, str]:
    """The figure that groups are compared by: the cost, or else the first metric."""
    name = "cost" if "cost" in plan.metrics else next(iter(plan.metrics))
    value = (
        sum(each.costs.values(), Decimal()) if name == "cost" else each.metrics.get(name, Decimal())
    )
    return {name: _number(value)}


def _figures(each: Sum, plan: ReportPlan, *, part: bool) -> dict[str, Any]:
    """A sum as a row: one currency flat, several as a list. A zero means that it was read and is zero."""
    row: dict[str, Any] = {}
    costs = [{"cost": _number(cost), "currency": name} for name, cost in sorted(each.costs.items())]
    if "cost" in plan.metrics:
        row |= costs[0] if len(costs) == 1 else {"costs": costs} if costs else {"cost": "0.00"}
    for word in plan.metrics:
        if word != "cost":
            amount = each.metrics.get(word, Decimal())
            row[word] = int(amount) if amount == int(amount) else _number(amount)
    row |= {name: rate for name, rate in _rates(each) if name not in _redundant_rates(plan)}
    if part or each.unreadable:
        row["part"] = True
    return row


def _redundant_rates(plan: ReportPlan) -> set[str]:
    """Rates that are redundant beside the groups: of the delivered messages, 100 % were delivered."""
    return {"delivered_percent"} if "status" in plan.groups else set()


def _rates(each: Sum) -> Iterator[tuple[str, str]]:
    """Rates that say more than their parts."""
    if each.outbound:
        yield "delivered_percent", f"{each.delivered / each.outbound * 100:.1f}"
    cost = next(iter(each.costs.values())) if len(each.costs) == 1 else None
    if cost is None:
        return
    if parts := each.metrics.get("parts"):
        yield "cost_per_part", f"{cost / parts:.5f}"
    if seconds := each.metrics.get("billed_seconds"):
        yield "cost_per_minute", f"{cost / seconds * 60:.5f}"


def _number(amount: Decimal) -> str:
    return format_amount(rounded(amount))


def _compared(plan: ReportPlan, usage: _Usage, earlier: _Usage) -> dict[str, Any]:
    was, now = earlier.table.all, usage.table.all
    row: dict[str, Any] = {
        "start_date": earlier.time.format(earlier.time.start),
        "end_date": earlier.time.format(earlier.time.end),
        "all": _figures(was, plan, part=not earlier.is_complete),
    }
    if not (usage.is_complete and earlier.is_complete):
        return row
    for currency in sorted({*was.costs, *now.costs}):
        old, new = was.costs.get(currency, Decimal()), now.costs.get(currency, Decimal())
        change = {"change": _signed(new - old)}
        grown = percent(old, new)
        row[f"cost_{currency}"] = change | ({"percent": grown} if grown else {})
    for word in plan.metrics:
        if word != "cost" and (
            grown := percent(was.metrics.get(word, Decimal()), now.metrics.get(word, Decimal()))
        ):
            row[f"{word}_percent"] = grown
    return row


def _signed(amount: Decimal) -> str:
    return f"+{_number(amount)}" if amount > 0 else _number(amount)


def _notes(
    call: Call[UsageParams], plan: ReportPlan, usage: _Usage, earlier: _Usage | None
) -> Iterator[str]:
    yield from _left_out(plan, usage, "")
    if earlier:
        yield from _left_out(plan, earlier, " of the time compared with")
    days = call.params.end_date
    if days and len(days) == 10 and (hint := month_end_hint(datetime.fromisoformat(days).date())):
        yield hint
    if (
        plan.hours_shift is None
        and TIMES.keys() & plan.groups.keys()
        and usage.time.zone is not UTC
    ):
        yield "Times are UTC: reports of this product have no hours."
    if not usage.table.groups and usage.report.rows:
        yield NOTHING_PASSES


def _left_out(plan: ReportPlan, usage: _Usage, which: str) -> Iterator[str]:
    report = usage.report
    if report.missing:
        parts = ", ".join(
            f"{start:%Y-%m-%d} to {end:%Y-%m-%d}" for start, end in sorted(report.missing)
        )
        why = report.error.summary if report.error else ""
        yield f"PART ONLY: usage{which} from {parts} could not be read ({why}) Ask again, or for less."
    for word, name in plan.metrics.items():
        if count := report.unreadable.get(name):
            yield f"PART ONLY: {count} rows{which} have no readable {word}."


SUMMARIZE_USAGE = ToolSpec(
    name="telnyx_summarize_usage",
    group="usage",
    title="Usage",
    description="Usage and cost of one product, also by group.",
    params=UsageParams,
    result=UsageResult,
    run=summarize_usage,
)
