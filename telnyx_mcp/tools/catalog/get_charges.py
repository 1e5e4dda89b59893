"""`telnyx_get_charges_breakdown`, `telnyx_get_charges_summary`"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from itertools import islice
from typing import Any, ClassVar, Literal

from pydantic import Field

from telnyx_mcp.billing.number_costs import (
    NumberCost,
    cost_field,
    number_costs,
    number_usage,
    numbers_by_type,
    totals,
)
from telnyx_mcp.billing.periods import LONGEST_PART, Period
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.models import SummaryLine
from telnyx_mcp.telnyx.pagination import page_of
from telnyx_mcp.tools.framework.arguments import Day, PageNumber, Params
from telnyx_mcp.tools.framework.results import ListResult, Result, Row, copy_fields, paging
from telnyx_mcp.tools.framework.spec import Call, Failed, ToolSpec
from telnyx_mcp.tools.support.csv_export import exporting
from telnyx_mcp.tools.support.period_arguments import left_out
from telnyx_mcp.tools.support.spelling import spellings

MOST_PARTS = 24
MOST_NUMBERS = 100
"""What one answer holds, with their services. Telnyx sends all numbers at once."""
COUNTING_SECONDS = 10.0
"""How long the summary waits for the count of numbers, which is not its main figure."""
_END = "Day after the last one."


class BreakdownParams(Params):
    reads_many: ClassVar[bool] = True

    start_date: Day = Field(description="First day, YYYY-MM-DD.")
    end_date: Day | None = Field(None, description=_END + " Default: a month later.")
    sort: Literal["number", "cost"] = Field("number", description="cost: the dearest first.")
    top: int | None = Field(
        None, ge=1, le=MOST_NUMBERS, description="Only this many, the dearest first."
    )
    unused: bool = Field(
        False, description="Only numbers without calls, messages or other usage in this time."
    )
    page: PageNumber = 1
    page_size: int = Field(20, ge=1, le=MOST_NUMBERS, description="Numbers per page.")
    export: bool = Field(False, description="All as a CSV file in the user's folder instead.")


class SummaryParams(Params):
    start_date: Day = Field(description="First day, YYYY-MM-DD.")
    end_date: Day = Field(description=_END)


class NumberRow(Row):
    tn: str | None = None
    charge_type: str | None = None
    unused: bool | None = None
    cost: str | None = None
    part_cost: str | None = Field(
        None, description="Instead of cost, where that of a service can't be read."
    )
    owner_email: str | None = None
    services: list[Any] | None = None


class BreakdownResult(ListResult):
    start_date: str | None = Field(None, description="First day.")
    end_date: str | None = Field(None, description="Not included.")
    today: str
    currency: str | None = None
    items: list[NumberRow]
    all: dict[str, Any] = Field(description="Charged numbers, by charge type, and their cost.")
    unused_numbers: dict[str, Any] | None = Field(None, description="The same, of the unused ones.")
    usage_until: str | None = Field(
        None, description="Where the reports of usage end before end_date."
    )
    usage_unknown: dict[str, str] | None = Field(
        None, description="Products whose usage could not be read: no number is proven unused."
    )
    file: dict[str, Any] | None = Field(None, description="path, rows, bytes")


class SummaryResult(Result):
    start_date: str | None = Field(None, description="First day.")
    end_date: str | None = Field(None, description="Not included.")
    today: str
    currency: str | None = None
    user_email: str | None = None
    total: dict[str, Any] | None = None
    numbers: dict[str, int] | None = Field(None, description="Charged numbers by charge type.")
    lines: list[Any]
    adjustments: list[Any]


async def get_charges_breakdown(call: Call[BreakdownParams]) -> BreakdownResult:
    asked = call.params
    _check_range(asked.start_date, asked.end_date, call)
    charges = await call.client.get_charges_breakdown(asked.start_date, asked.end_date)
    numbers = number_costs(charges.results or [])
    result = BreakdownResult(
        start_date=charges.start_date,
        end_date=charges.end_date,
        today=call.today,
        currency=charges.currency,
        all=totals(numbers),
        items=[],
    )
    if asked.unused:
        numbers = await _without_usage(call, numbers, result)
    numbers = _sorted(numbers, asked)
    if asked.export:
        with exporting(call, f"charges-{charges.start_date}") as export:
            export.write(_cells(numbers, charges.currency))
            result.file = asdict(export.finish(complete=not export.full))
        return result.model_copy(update={"total": len(numbers)})
    page = page_of(numbers, asked.page, asked.top or asked.page_size)
    items = [
        _number(each, charges.user_email, unused=bool(result.unused_numbers)) for each in page.items
    ]
    return result.model_copy(update={**paging(page), "items": items})


def _sorted(numbers: list[NumberCost], asked: BreakdownParams) -> list[NumberCost]:
    by_number = sorted(numbers, key=lambda each: each.charges.tn or "")
    if asked.sort == "cost" or asked.top:
        return sorted(by_number, key=lambda each: -each.cost)
    return by_number


async def _without_usage(
    call: Call[BreakdownParams], numbers: list[NumberCost], result: BreakdownResult
) -> list[NumberCost]:
    """The numbers that no usage report names. Adds to `result` what this rests on."""
    start = call.params.start_date
    end = call.params.end_date or _day_of(result.end_date) or start + LONGEST_PART
    usage = await number_usage(call.client, start, end)
    used = {spelling for each in usage.numbers for spelling in spellings(each)}
    found = [
        each
        for each in numbers
        if (own := spellings(each.charges.tn or "")) and used.isdisjoint(own)
    ]
    if usage.until.date() < end:
        result.usage_until = usage.until.isoformat()
    notes = [f"Usage read: {', '.join(usage.products) or 'none'}."]
    if usage.without_numbers:
        notes.append(f"Not read, as it names no numbers: {', '.join(usage.without_numbers)}.")
    if usage.unknown or not usage.products:
        result.usage_unknown = usage.unknown or {"all products": "no report names numbers"}
        unknown = ", ".join(result.usage_unknown)
        notes.append(f"INCOMPLETE: usage of {unknown} is unknown: no number is proven unused.")
    else:
        result.unused_numbers = totals(found)
    result.note = " ".join(notes)
    return found


def _day_of(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


async def get_charges_summary(call: Call[SummaryParams]) -> SummaryResult:
    asked = call.params
    _check_range(asked.start_date, asked.end_date, call)
    charges = await call.client.get_charges_summary(asked.start_date, asked.end_date)
    body = charges.summary
    numbers, missing = await _count_numbers(call)
    return SummaryResult(
        note=_note(asked.end_date, call) + missing,
        start_date=charges.start_date,
        end_date=charges.end_date,
        today=call.today,
        currency=charges.currency,
        user_email=charges.user_email,
        total=charges.total.model_dump(exclude_none=True) if charges.total else None,
        numbers=numbers,
        lines=[_line(line) for line in (body and body.lines) or []],
        adjustments=[
            each.model_dump(exclude_none=True) for each in (body and body.adjustments) or []
        ],
    )


async def _count_numbers(call: Call[SummaryParams]) -> tuple[dict[str, int] | None, str]:
    """The charged numbers by charge type, which only the breakdown tells; or why they are missing."""
    asked = call.params
    client = call.client.within(COUNTING_SECONDS)
    try:
        charges = await client.get_charges_breakdown(asked.start_date, asked.end_date)
    except TelnyxError as error:
        return None, f" The count of numbers is missing: {error.happened}."
    numbers = number_costs(charges.results or [])
    return numbers_by_type(each.charges for each in numbers) or None, ""


def _cells(numbers: list[NumberCost], currency: str | None) -> Iterator[dict[str, Any]]:
    """A row for each service of each number."""
    for number in (each.charges for each in numbers):
        for service in number.services or []:
            yield {
                "number": number.tn,
                "charge_type": number.charge_type,
                "service": service.name,
                "cost_type": service.cost_type,
                "cost": service.cost,
                "currency": currency,
            }


def _number(number: NumberCost, account_email: str | None, *, unused: bool) -> NumberRow:
    """The number with what it costs, and with its owner where that is not the account's own user."""
    owner = number.charges.service_owner_email
    same = owner and account_email and owner.casefold() == account_email.casefold()
    return copy_fields(
        number.charges,
        NumberRow,
        without={"service_owner_user_id", "service_owner_email"},
        unused=unused or None,
        owner_email=None if same else owner,
        **cost_field([number]),
    )


def _note(end: date, call: Call[Any]) -> str:
    """What the figures are not, and what the range may have left out by mistake."""
    parts = [
        "Monthly and one-time charges only: usage (messages, calls, ...) is not in these figures."
    ]
    if left_out(end):
        parts.append(left_out(end))
    if end > call.day:
        parts.append("The range is not over yet.")
    return " ".join(parts)


def _line(line: SummaryLine) -> dict[str, Any]:
    """A line as one flat row: `new_quantity`, `new_mrc`, ..., `existing_mrc`."""
    row = line.model_dump(
        exclude={"type", "new_this_month", "existing_this_month"}, exclude_none=True
    )
    for prefix, detail in (("new", line.new_this_month), ("existing", line.existing_this_month)):
        if detail:
            fields = detail.model_dump(exclude_none=True)
            row |= {f"{prefix}_{name}": value for name, value in fields.items()}
    return row


def _check_range(start: date, end: date | None, call: Call[Any]) -> None:
    """Raises `Failed` for a range that Telnyx would refuse, with the calls to make instead."""
    today = call.day
    if start > today:
        raise Failed(
            f"Nothing was asked of Telnyx: start_date {start} is in the future (today is {today}). "
            "Call again with a day in the past."
        )
    if end is None:
        return
    if end <= start:
        raise Failed(
            f"Nothing was asked of Telnyx: end_date {end} must be after start_date {start}, as it "
            f"is not included itself. For the single day {start}: "
            f"start_date={start} end_date={start + timedelta(days=1)}. Call again."
        )
    if end - start > LONGEST_PART:
        parts = list(islice(Period(start, end).parts(), MOST_PARTS))
        listed = "; ".join(f"start_date={each.start} end_date={each.end}" for each in parts)
        more = "; and more in the same way" if parts[-1].end < end else ""
        raise Failed(
            f"Nothing was asked of Telnyx: {start} to {end} is {(end - start).days} days, and one "
            "call covers at most 31. telnyx_summarize_spend adds up any period in one call. Here, "
            f"call once for each of these: {listed}{more}."
        )


GET_CHARGES_BREAKDOWN = ToolSpec(
    name="telnyx_get_charges_breakdown",
    title="Charges by phone number",
    description="What each phone number costs: monthly (MRC) and one-time (OTC) charges with their sum, "
    "not usage. The dearest numbers, and those that are paid for but unused.",
    params=BreakdownParams,
    result=BreakdownResult,
    run=get_charges_breakdown,
)
GET_CHARGES_SUMMARY = ToolSpec(
    name="telnyx_get_charges_summary",
    title="Charges summary",
    description="Charges of at most 31 days as Telnyx states them: per service, new and existing, every "
    "adjustment, and the numbers charged by type; mrc is monthly, otc one-time.",
    params=SummaryParams,
    result=SummaryResult,
    run=get_charges_summary,
)
