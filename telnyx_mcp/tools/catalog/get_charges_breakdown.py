"""`telnyx_get_charges_breakdown`"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, ClassVar, Literal

import anyio.lowlevel
from pydantic import Field

from telnyx_mcp.billing.number_costs import (
    AT_ONCE,
    NumberCost,
    NumberList,
    cost_field,
    number_usage,
    totals,
)
from telnyx_mcp.billing.periods import LONGEST_PART
from telnyx_mcp.telnyx.models import ChargesBreakdown, NumberCharges
from telnyx_mcp.telnyx.pagination import page_of
from telnyx_mcp.tools.framework.arguments import Day, PageNumber, Params
from telnyx_mcp.tools.framework.results import ListResult, Row, copy_fields, paging
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.charge_ranges import END_DESCRIPTION, START_DESCRIPTION, check_range
from telnyx_mcp.tools.support.csv_export import Exported, exporting
from telnyx_mcp.tools.support.spelling import spellings

MAX_NUMBERS = 100
"""What one answer holds, with their services. Telnyx sends all numbers at once."""


class BreakdownParams(Params):
    reads_many: ClassVar[bool] = True

    start_date: Day = Field(description=START_DESCRIPTION)
    end_date: Day | None = Field(
        None, description=f"{END_DESCRIPTION} Default: a month after start_date."
    )
    sort: Literal["number", "cost"] = Field(
        "number", description="Order of the rows: number, or cost (highest first)."
    )
    top: int | None = Field(
        None,
        ge=1,
        le=MAX_NUMBERS,
        description="Only this many numbers, those with the highest cost.",
    )
    unused: bool = Field(
        False, description="Only numbers without calls, messages or other usage in this range."
    )
    page: PageNumber = 1
    page_size: int = Field(20, ge=1, le=MAX_NUMBERS, description="Numbers per page.")
    export: bool = Field(
        False, description="Write all numbers to a CSV file in the user's folder instead."
    )


class ServiceRow(Row):
    """What one service of a number costs."""

    name: str | None = Field(None, description="Name of the service.")
    cost_type: str | None = Field(None, description="MRC (monthly) or OTC (one-time).")
    cost: str | None = Field(
        None, description="Cost as a decimal string, in the currency of the answer."
    )


class NumberRow(Row):
    tn: str | None = Field(None, description="Phone number.")
    charge_type: str | None = Field(None, description="What kind of number it is charged as.")
    unused: bool | None = Field(
        None, description="Present and true if no usage report names the number."
    )
    cost: str | None = Field(
        None, description="Sum of its services as a decimal string, in the currency of the answer."
    )
    part_cost: str | None = Field(
        None, description="Instead of cost, where that of a service can't be read."
    )
    owner_email: str | None = Field(
        None, description="E-mail address of the owner, if not the account's own user."
    )
    services: list[ServiceRow] | None = Field(
        None, description="Services of the number, each with its cost."
    )


class NumberTotals(Row):
    """How many numbers there are, and what they cost."""

    numbers: int | None = Field(None, description="How many numbers.")
    cost: str | None = Field(
        None, description="Their cost as a decimal string, in the currency of the answer."
    )
    part_cost: str | None = Field(
        None, description="Instead of cost, if that of a service can't be read."
    )
    by_charge_type: dict[str, int] | None = Field(
        None, description="How many numbers by charge type."
    )


class BreakdownResult(ListResult):
    start_date: str | None = None
    end_date: str | None = None
    today: str
    currency: str | None = None
    items: list[NumberRow]
    all: NumberTotals = Field(description="All charged numbers, and their cost.")
    unused_numbers: NumberTotals | None = Field(
        None, description="With unused: the numbers without usage, and their cost."
    )
    usage_until: str | None = Field(
        None, description="Where the reports of usage end before end_date."
    )
    usage_unknown: dict[str, str] | None = Field(
        None, description="Products whose usage could not be read: no number is proven unused."
    )
    file: Exported | None = Field(None, description="With export: the file that was written.")


async def get_charges_breakdown(call: Call[BreakdownParams]) -> BreakdownResult:
    params = call.params
    check_range(params.start_date, params.end_date, call)
    charges = await call.client.get_charges_breakdown(params.start_date, params.end_date)
    result = BreakdownResult(
        start_date=charges.start_date,
        end_date=charges.end_date,
        today=call.today,
        currency=charges.currency,
        all=NumberTotals(),
        items=[],
    )
    if charges.results is None:
        result.note = "Telnyx sent no list of numbers: what they cost is unknown. Call again later."
        return result
    listed = NumberList(call.client, charges.results)
    numbers = await listed.costs()
    result.all = NumberTotals(**totals(numbers))
    if params.unused:
        numbers = await _without_usage(call, numbers, result)
    numbers = _sorted(numbers, params)
    if params.export:
        result.file = await _exported(call, charges, numbers, listed)
        return result.model_copy(update={"total": len(numbers)})
    page = page_of(numbers, params.page, params.top or params.page_size)
    unused = bool(result.unused_numbers)
    items = [
        _row(each, listed.charges(each), charges.user_email, unused=unused) for each in page.items
    ]
    return result.model_copy(update={**paging(page), "items": items})


async def _exported(
    call: Call[BreakdownParams],
    charges: ChargesBreakdown,
    numbers: list[NumberCost],
    listed: NumberList,
) -> Exported:
    """All numbers in a file, some at a time."""
    with exporting(call, f"charges-{charges.start_date}") as export:
        for first in range(0, len(numbers), AT_ONCE):
            some = map(listed.charges, numbers[first : first + AT_ONCE])
            if not export.write(_csv_rows(some, charges.currency)):
                break
            await anyio.lowlevel.checkpoint()
        return export.finish(complete=not export.full)


def _sorted(numbers: list[NumberCost], params: BreakdownParams) -> list[NumberCost]:
    by_number = sorted(numbers, key=lambda each: each.number or "")
    if params.sort == "cost" or params.top:
        return sorted(by_number, key=lambda each: -each.cost)
    return by_number


async def _without_usage(
    call: Call[BreakdownParams], numbers: list[NumberCost], result: BreakdownResult
) -> list[NumberCost]:
    """The numbers that no usage report names. Adds to `result` what this is based on."""
    start = call.params.start_date
    end = call.params.end_date or _day_of(result.end_date) or start + LONGEST_PART
    usage = await number_usage(call.client, start, end)
    used = {spelling for each in usage.numbers for spelling in spellings(each)}
    found = []
    for count, each in enumerate(numbers):
        if (own := spellings(each.number or "")) and used.isdisjoint(own):
            found.append(each)
        if count % AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()
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
        result.unused_numbers = NumberTotals(**totals(found))
    result.note = " ".join(notes)
    return found


def _day_of(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _csv_rows(numbers: Iterable[NumberCharges], currency: str | None) -> Iterator[dict[str, Any]]:
    """A row for each service of each number."""
    for number in numbers:
        for service in number.services or []:
            yield {
                "number": number.tn,
                "charge_type": number.charge_type,
                "service": service.name,
                "cost_type": service.cost_type,
                "cost": service.cost,
                "currency": currency,
            }


def _row(
    number: NumberCost, charges: NumberCharges, account_email: str | None, *, unused: bool
) -> NumberRow:
    """The number with what it costs, and with its owner where that is not the account's own user."""
    owner = charges.service_owner_email
    same = owner and account_email and owner.casefold() == account_email.casefold()
    return copy_fields(
        charges,
        NumberRow,
        without={"service_owner_user_id", "service_owner_email"},
        unused=unused or None,
        owner_email=None if same else owner,
        **cost_field([number]),
    )


GET_CHARGES_BREAKDOWN = ToolSpec(
    name="telnyx_get_charges_breakdown",
    group="billing",
    title="Charges by phone number",
    description="What each phone number costs: monthly (MRC) and one-time (OTC) charges with their sum, "
    "not usage. The dearest numbers, and those that are paid for but unused.",
    params=BreakdownParams,
    result=BreakdownResult,
    run=get_charges_breakdown,
)
