"""`telnyx_summarize_spend`"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import Field

from telnyx_mcp.money import ZERO, Sums, percent, written
from telnyx_mcp.periods import Period
from telnyx_mcp.spending import TOTALS, Charges, Usage, biggest, charges_of, usage_of
from telnyx_mcp.telnyx.usage import RECORD_TYPES, Reading
from telnyx_mcp.tools.arguments import Text, TextList
from telnyx_mcp.tools.ranges import (
    PeriodParams,
    asked_period,
    left_out,
    named_period,
)
from telnyx_mcp.tools.results import Result
from telnyx_mcp.tools.tool import Call, Failed, ToolSpec

LINES = 5


class SpendParams(PeriodParams):
    reads_many: ClassVar[bool] = True

    compare_to: Text | None = Field(None, description="previous, or a period.")
    usage: TextList = Field(
        [],
        max_length=30,
        description='Record types to add up too, e.g. ["messaging"] or ["all"]; a request per 50 '
        "records.",
    )


class SpendResult(Result):
    start_date: str
    end_date: str = Field(description="Not included.")
    zone: str
    today: str
    charges: list[dict[str, Any]]
    """Per currency: the total, what it is made of, the biggest lines."""
    compared: dict[str, Any] | None = None
    usage: list[dict[str, Any]] | None = Field(
        None, description="Per currency, and by record type."
    )
    usage_incomplete: dict[str, str] | None = None
    """Why, for record types that are not, or only partly, counted."""


async def summarize_spend(call: Call[SpendParams]) -> SpendResult:
    asked = call.params
    period = asked_period(asked, call)
    before = _compared_period(call, period)
    types = _record_types(asked.usage)
    charges = await charges_of(call.client, period)
    if charges.error and not charges.figures:
        raise charges.error
    earlier = await charges_of(call.client, before) if before else None
    usage = [each async for each in _usages(call, types, period)]
    return SpendResult(
        start_date=period.start.isoformat(),
        end_date=period.end.isoformat(),
        zone=str(period.zone),
        today=call.today,
        charges=[_charged(currency, charges) for currency in sorted(charges.figures)],
        compared=_compared(before, earlier, charges) if before and earlier else None,
        usage=_used(usage) if types else None,
        usage_incomplete=_incomplete(usage) or None,
        note=" ".join(_notes(call, period, before, charges, earlier, usage)),
    )


def _compared_period(call: Call[SpendParams], period: Period) -> Period | None:
    said = call.params.compare_to
    if said is None:
        return None
    return period.previous() if said.lower() == "previous" else named_period(said, call)


def _record_types(asked: list[str]) -> list[str]:
    if asked == ["all"]:
        # Those with the most records come last, so that time running out leaves out the fewest.
        return list(reversed(RECORD_TYPES))
    if unknown := [each for each in asked if each not in RECORD_TYPES]:
        raise Failed(
            f"Nothing was asked of Telnyx: usage has no record type {unknown[0][:40]}. Call again "
            f"with all, or some of: {', '.join(RECORD_TYPES)}."
        )
    return list(dict.fromkeys(asked))


def _charged(currency: str, charges: Charges) -> dict[str, Any]:
    """The figures of one currency: what is nothing is left out, but for the total."""
    figures = charges.figures[currency]
    lines, rest = biggest(charges.lines[currency], LINES)
    shown = {name: written(amount) for name, amount in lines}
    if rest:
        shown["all others"] = written(rest)
    told = {name: written(figures[name]) for name in TOTALS if figures[name] or name == "total"}
    if charges.missing:
        told["part_total"] = told.pop("total")
    return {"currency": currency, **told, "lines": shown}


def _compared(before: Period, earlier: Charges, charges: Charges) -> dict[str, Any]:
    said: dict[str, Any] = {
        "start_date": before.start.isoformat(),
        "end_date": before.end.isoformat(),
    }
    if earlier.missing or charges.missing:
        return said  # the difference of parts would be none of the periods
    differences = []
    for currency in sorted(earlier.figures.keys() | charges.figures.keys()):
        row: dict[str, Any] = {"currency": currency}
        row |= _changes(
            earlier.figures.get(currency, {}), charges.figures.get(currency, {}), TOTALS
        )
        old, new = (each.lines.get(currency, {}) for each in (earlier, charges))
        changed = {name: new.get(name, ZERO) - old.get(name, ZERO) for name in old | new}
        if lines := _changes(old, new, [name for name, _ in biggest(changed, LINES)[0]]):
            row["lines"] = lines
        differences.append(row)
    return said | {"differences": differences}


def _changes(
    old: Mapping[str, Decimal], new: Mapping[str, Decimal], names: Iterable[str]
) -> dict[str, Any]:
    """What each figure was, and its change in money and percent; without those that are nothing."""
    changes = {}
    for name in names:
        was, now = old.get(name, ZERO), new.get(name, ZERO)
        if was or now:
            change = {"was": written(was), "change": _signed(now - was)}
            grown = percent(was, now)
            changes[name] = change | ({"percent": grown} if grown else {})
    return changes


async def _usages(
    call: Call[SpendParams], types: list[str], period: Period
) -> AsyncIterator[Usage]:
    """The usage of each type, one after the other, as far as time allows."""
    for number, record_type in enumerate(types):

        async def progress(reading: Reading, done: int = number, what: str = record_type) -> None:
            part = reading.records / reading.total if reading.total else 0
            message = f"{what}: {reading.records} of {reading.total or '?'} records"
            await call.progress.report(done + min(part, 1), len(types), message)

        yield await usage_of(call.client, record_type, period, progress)


def _used(usages: list[Usage]) -> list[dict[str, Any]]:
    """The costs by currency and, in each, by record type."""
    totals, by_type = Sums(), defaultdict[str, dict[str, Any]](dict)
    for usage in usages:
        for currency, cost in usage.tally.costs:
            totals.add(currency, cost)
            by_type[currency][usage.record_type] = {
                "records": usage.tally.records,
                "cost": written(cost),
            }
    name = "part_total" if _incomplete(usages) else "total"
    return [
        {"currency": currency, name: written(total), "by_type": _largest_first(by_type[currency])}
        for currency, total in totals
    ]


def _largest_first(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return dict(sorted(rows.items(), key=lambda each: -Decimal(each[1]["cost"])))


def _incomplete(usages: list[Usage]) -> dict[str, str]:
    """Why, for each record type of which not every record counts."""
    return {
        usage.record_type: f"{usage.reading.extent}: {usage.why}"
        for usage in usages
        if not usage.whole
    }


def _notes(
    call: Call[SpendParams],
    period: Period,
    before: Period | None,
    charges: Charges,
    earlier: Charges | None,
    usage: list[Usage],
) -> Iterator[str]:
    """What the figures cover, and what they don't."""
    yield (
        "charges are the account's monthly and one-time charges; usage (messages, calls, ...) is "
        + ("what detail records say, and not in them." if usage else 'not in them: usage=["all"].')
    )
    if hint := left_out(call.params.end_date):
        yield hint
    if period.zone is not UTC:
        yield "Days of charges are Telnyx's, whose zone is not told."
    if period.end > call.day:
        yield "The period is not over yet."
    if before and before.firsts != period.firsts:
        yield (
            f"The period holds {period.firsts} firsts of a month and the one compared "
            f"{before.firsts}: monthly charges weigh differently, so differences say little."
        )
    for which, each in (("", charges), (" compared with", earlier)):
        if each and each.missing:
            parts = ", ".join(f"{part.start} to {part.end}" for part in each.missing)
            why = each.error.happened if each.error else ""
            yield f"No total of the period{which}: {parts} could not be had ({why}); call again."
        if each and not each.adds_up:
            yield f"Telnyx's own parts{which} do not add up to its total, which is shown as told."
    if missing := [each.record_type for each in usage if not each.whole]:
        alone = f"for usage={json.dumps(missing)} alone, or " if len(missing) < len(usage) else ""
        yield f"usage is no total: ask {alone}for a shorter period."
    if before and usage:
        yield "usage is not compared: ask for that of the other period."


def _signed(amount: Decimal) -> str:
    return f"+{written(amount)}" if amount > 0 else written(amount)


SUMMARIZE_SPEND = ToolSpec(
    name="telnyx_summarize_spend",
    title="Spend",
    description="What was spent in a period, in one call: charges added up and compared, and usage by "
    "record type if asked.",
    params=SpendParams,
    result=SpendResult,
    run=summarize_spend,
)
