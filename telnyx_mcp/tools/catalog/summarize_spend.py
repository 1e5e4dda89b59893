"""`telnyx_summarize_spend`"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import Field

from telnyx_mcp.billing.money import ZERO, format_amount, percent
from telnyx_mcp.billing.periods import Period
from telnyx_mcp.billing.spend import (
    RECENT_DAYS,
    Driver,
    RecentUsage,
    Spend,
    drivers,
    expected_by_end,
    largest,
    recent_usage,
    spend_of,
)
from telnyx_mcp.telnyx.usage_reports import rounded
from telnyx_mcp.tools.framework.arguments import Text, utc_text
from telnyx_mcp.tools.framework.results import Result, Row
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.period_arguments import (
    PeriodParams,
    month_end_hint,
    named_period,
    requested_period,
)

LINES = 5
PRODUCTS = 12
DRIVERS = 6
ADJUSTMENTS = 10


class SpendParams(PeriodParams):
    reads_many: ClassVar[bool] = True
    instead: ClassVar[Mapping[str, str]] = {
        **PeriodParams.instead,
        "usage": "Usage is always included.",
        "product": "For one product call telnyx_summarize_usage.",
        "group_by": "For groups within one product call telnyx_summarize_usage.",
        "record_type": "For one product call telnyx_summarize_usage.",
    }

    compare_to: Text | None = Field(
        None, description='A period to compare with, such as 2026-04, or "previous".'
    )


class SpendAdjustment(Row):
    """One adjustment that Telnyx made."""

    date: str | None = Field(None, description="Day of the adjustment.")
    amount: str | None = Field(
        None, description="Amount as a decimal string, in the currency of the row."
    )
    text: str | None = Field(None, description="What it is for.")


class SpendRow(Row):
    """What was spent in one currency. A figure that is zero is absent."""

    currency: str | None = Field(None, description="Currency of the amounts in this row.")
    charged: str | None = Field(
        None, description="Usage, recurring, one_time and other added up, as a decimal string."
    )
    part_charged: str | None = Field(
        None, description="Instead of charged, if something could not be read."
    )
    usage: str | None = Field(None, description="Cost of usage as a decimal string.")
    part_usage: str | None = Field(None, description="Instead of usage, if not all could be read.")
    recurring: str | None = Field(None, description="Monthly charges as a decimal string.")
    one_time: str | None = Field(None, description="One-time charges as a decimal string.")
    other: str | None = Field(None, description="Other charges as a decimal string.")
    expected_by_end: str | None = Field(
        None, description="Estimate for the whole period, as a decimal string."
    )
    usage_by_product: dict[str, str] | None = Field(
        None, description="Cost of usage by product, the largest first."
    )
    charges_by_line: dict[str, str] | None = Field(
        None, description="Charges by service, the largest first."
    )
    credits: str | None = Field(
        None, description="Credits as a decimal string, not included in charged."
    )
    adjustments: str | None = Field(
        None, description="Adjustments as a decimal string, not included in charged."
    )
    adjustments_made: list[SpendAdjustment] | None = Field(None, description="Each adjustment.")


class AmountChange(Row):
    """An amount in the other period and in this one."""

    was: str | None = Field(None, description="Amount in the other period, as a decimal string.")
    now: str | None = Field(None, description="Amount in this period, as a decimal string.")
    change: str | None = Field(None, description="Difference with its sign, as a decimal string.")
    percent: str | None = Field(None, description="Difference in percent of what it was.")


class SpendDriver(AmountChange):
    """A product or service whose cost changed."""

    name: str | None = Field(None, description="Product or service.")
    is_: str | None = Field(
        None, alias="is", description="new or gone, if the other period or this one lacks it."
    )


class SpendDifference(Row):
    """What changed in one currency."""

    currency: str | None = Field(None, description="Currency of the amounts in this row.")
    charged: AmountChange | None = Field(
        None, description="How everything that was charged changed."
    )
    usage: AmountChange | None = Field(None, description="How the cost of usage changed.")
    recurring: AmountChange | None = Field(None, description="How the monthly charges changed.")
    one_time: AmountChange | None = Field(None, description="How the one-time charges changed.")
    other: AmountChange | None = Field(None, description="How the other charges changed.")
    drivers: list[SpendDriver] | None = Field(
        None, description="What changed the most, the largest change first."
    )
    other_changes: str | None = Field(
        None, description="Sum of all changes that drivers does not list, with its sign."
    )


class SpendComparison(Row):
    """The other period, and the differences."""

    start_date: str | None = Field(None, description="First day of the other period, YYYY-MM-DD.")
    end_date: str | None = Field(
        None, description="Day after the last day of the other period, YYYY-MM-DD."
    )
    differences: list[SpendDifference] | None = Field(None, description="Differences by currency.")
    incomplete: dict[str, str] | None = Field(
        None, description="Why usage is incomplete, by product."
    )


class SpendResult(Result):
    start_date: str
    end_date: str
    zone: str
    today: str
    usage_until: str | None = Field(
        None, description="Where usage ends before end_date, as the period is not over."
    )
    spent: list[SpendRow] = Field(
        description="Per currency: charged = usage + recurring + one_time + other. part_charged where "
        "something could not be read. Credits and adjustments are not in it."
    )
    compared: SpendComparison | None = Field(
        None, description="The other period, the differences, and what drives them."
    )
    incomplete: dict[str, str] | None = Field(
        None, description="Why, for each product whose usage is missing or only read in part."
    )


async def summarize_spend(call: Call[SpendParams]) -> SpendResult:
    params = call.params
    period = requested_period(params, call)
    before = _compared_period(call, period)
    spend = await _spend(call, period)
    earlier = await _spend(call, before) if before else None
    recent = await _recent(call, spend)
    end = spend.period.instants()[1]
    until = spend.usage.end
    spent = [_spent(currency, spend, recent) for currency in spend.currencies]
    return SpendResult(
        start_date=period.start.isoformat(),
        end_date=period.end.isoformat(),
        zone="UTC",
        today=call.today,
        usage_until=utc_text(until) if until < end else None,
        spent=[SpendRow(**each) for each in spent],
        compared=_compared(earlier, spend) if earlier else None,
        incomplete=spend.usage.incomplete or None,
        note=" ".join(
            _notes(call, spend, earlier, expected=any("expected_by_end" in each for each in spent))
        ),
    )


def _compared_period(call: Call[SpendParams], period: Period) -> Period | None:
    named = call.params.compare_to
    if named is None:
        return None
    return period.previous() if named.lower() == "previous" else named_period(named, call)


async def _spend(call: Call[SpendParams], period: Period) -> Spend:
    async def progress(done: int, total: int) -> None:
        await call.progress.report(
            done, total, f"usage of {period.start:%Y-%m}: report {done} of {total}"
        )

    return await spend_of(call.client, period, progress=progress)


async def _recent(call: Call[SpendParams], spend: Spend) -> RecentUsage | None:
    """The recent usage, where a period that is not over has a day ahead and all else is known."""
    _, end = spend.period.instants()
    is_running = spend.usage.start < spend.usage.end < end and spend.period.days > 1
    if not is_running or not spend.is_complete or len(spend.currencies) != 1:
        return None
    return await recent_usage(call.client, spend.currencies[0])


def _spent(currency: str, spend: Spend, recent: RecentUsage | None) -> dict[str, Any]:
    """The figures of one currency. Zeros are left out, except for what was charged and used."""
    row: dict[str, Any] = {"currency": currency}
    row["charged" if spend.is_complete else "part_charged"] = format_amount(spend.charged(currency))
    for name, amount in spend.figures(currency).items():
        if name == "usage" and spend.usage.error is None:
            row["usage" if spend.usage.is_complete else "part_usage"] = format_amount(amount)
        elif name != "usage" and amount:
            row[name] = format_amount(amount)
    if recent and (expected := expected_by_end(spend, recent, currency)) is not None:
        row["expected_by_end"] = format_amount(expected)
    incomplete = spend.usage.incomplete
    row["usage_by_product"] = _largest(
        {
            f"{name} (part)" if name in incomplete else name: rounded(cost)
            for name, cost in spend.usage.by_product(currency).items()
        },
        PRODUCTS,
    )
    row["charges_by_line"] = _largest(spend.charges.lines.get(currency, {}), LINES)
    kinds = spend.charges.figures.get(currency, {})
    row |= {
        name: format_amount(kinds[name]) for name in ("credits", "adjustments") if kinds.get(name)
    }
    if adjustments := [each for each in spend.charges.adjustments if each.currency == currency]:
        row["adjustments_made"] = [
            {"date": each.date, "amount": each.amount, "text": each.text}
            for each in adjustments[:ADJUSTMENTS]
        ]
    return {name: value for name, value in row.items() if value}


def _largest(amounts: Mapping[str, Decimal], count: int) -> dict[str, str]:
    shown, rest, others = largest(amounts, count)
    row = {name: format_amount(amount) for name, amount in shown}
    part = any(name.endswith("(part)") and name not in row for name in amounts)
    name = f"{others} others{' (part)' if part else ''}"
    return row | ({name: format_amount(rest)} if others else {})


def _compared(earlier: Spend, spend: Spend) -> SpendComparison:
    both_complete = earlier.is_complete and spend.is_complete
    rows = []
    for currency in sorted({*earlier.currencies, *spend.currencies}):
        row: dict[str, Any] = {"currency": currency}
        if both_complete:
            row["charged"] = _change(earlier.charged(currency), spend.charged(currency))
            figures = spend.figures(currency)
            for name, was in earlier.figures(currency).items():
                if was or figures[name]:
                    row[name] = _change(was, figures[name])
        found = drivers(earlier, spend, currency)
        row["drivers"] = [_driver(each) for each in found[:DRIVERS]]
        if rest := found[DRIVERS:]:
            row["other_changes"] = _signed(sum((each.change for each in rest), ZERO))
        rows.append(SpendDifference(**row))
    return SpendComparison(
        start_date=earlier.period.start.isoformat(),
        end_date=earlier.period.end.isoformat(),
        differences=rows,
        incomplete=earlier.usage.incomplete or None,
    )


def _driver(driver: Driver) -> dict[str, str]:
    row = {"name": driver.name} | _change(driver.before, driver.now)
    return row | ({} if driver.kind == "changed" else {"is": driver.kind})


def _change(was: Decimal, now: Decimal) -> dict[str, str]:
    row = {"was": format_amount(was), "now": format_amount(now), "change": _signed(now - was)}
    grown = percent(was, now)
    return row | ({"percent": grown} if grown else {})


def _signed(amount: Decimal) -> str:
    return f"+{format_amount(amount)}" if amount > 0 else format_amount(amount)


def _notes(
    call: Call[SpendParams], spend: Spend, earlier: Spend | None, *, expected: bool
) -> Iterator[str]:
    """What the figures cover, and what they leave out."""
    yield (
        "Days are UTC, as on the bill. Taxes, regulatory and payment fees are not included; the invoice "
        "is the authority."
    )
    if hint := month_end_hint(call.params.end_date):
        yield hint
    yield from _incomplete(spend, "")
    if earlier:
        yield from _incomplete(earlier, " of the period compared with")
        yield from _comparable(spend.period, earlier.period)
    _, end = spend.period.instants()
    if spend.usage.end < end:
        yield "The period is not over." + (
            " expected_by_end is an estimate: what is charged so far, and usage for the days left as on "
            f"the last {RECENT_DAYS} whole days."
            if expected
            else ""
        )
    if spend.usage.without_cost:
        yield f"Telnyx's usage reports state no cost for {', '.join(spend.usage.without_cost)}."


def _incomplete(spend: Spend, which: str) -> Iterator[str]:
    if spend.charges.missing:
        parts = ", ".join(f"{part.start} to {part.end}" for part in spend.charges.missing)
        why = spend.charges.error.summary if spend.charges.error else ""
        yield f"INCOMPLETE: charges{which} for {parts} could not be read ({why}) Call again."
    if spend.usage.error:
        yield f"INCOMPLETE: usage{which} could not be read: {spend.usage.error.summary}"
    if missing := spend.usage.incomplete:
        again = "a shorter period" if spend.period.days > 31 else "it again"
        yield (
            f"INCOMPLETE: usage{which} lacks {', '.join(missing)}. Ask for {again}, or for one product "
            "with telnyx_summarize_usage."
        )
    if unreadable := spend.charges.unreadable:
        names = ", ".join(unreadable[:LINES])
        more = f" and {len(unreadable) - LINES} more" if len(unreadable) > LINES else ""
        yield f"Of the charges{which}, Telnyx sent no amount for {names}{more}."
    if lines := sorted(spend.charges.unreadable_lines):
        yield f"The sums of these services{which} lack an amount: {', '.join(lines[:LINES])}."
    if not spend.charges.adds_up:
        yield f"Telnyx's own charges{which} do not add up to its total."


def _comparable(period: Period, before: Period) -> Iterator[str]:
    if period.month_starts != before.month_starts:
        yield (
            f"The period holds {period.month_starts} firsts of a month and the one compared with "
            f"{before.month_starts}: monthly charges fall due on the first, so the difference says little."
        )


SUMMARIZE_SPEND = ToolSpec(
    name="telnyx_summarize_spend",
    group="billing",
    title="Spend",
    description="What was spent in a period of any length, in one call: usage of every product and all "
    "charges, added up, and compared with another period if asked. Also shows credits and adjustments.",
    params=SpendParams,
    result=SpendResult,
    run=summarize_spend,
)
