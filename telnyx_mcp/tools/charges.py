"""`telnyx_get_charges_breakdown`, `telnyx_get_charges_summary`"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from itertools import islice
from typing import Any

from pydantic import Field

from telnyx_mcp.periods import LONGEST_PART, Period
from telnyx_mcp.telnyx.models import NumberCharges, SummaryLine
from telnyx_mcp.telnyx.pagination import page_of
from telnyx_mcp.tools.arguments import Day, PageNumber, Params
from telnyx_mcp.tools.exports import exporting
from telnyx_mcp.tools.ranges import left_out
from telnyx_mcp.tools.results import ListResult, Result, Row, paging, taken_from
from telnyx_mcp.tools.tool import Call, Failed, ToolSpec

MOST_PARTS = 24
_END = "Day after the last one."


class BreakdownParams(Params):
    start_date: Day = Field(description="First day, YYYY-MM-DD.")
    end_date: Day | None = Field(None, description=_END + " Default: a month later.")
    page: PageNumber = 1
    page_size: int = Field(20, ge=1, le=250, description="Numbers per page.")
    export: bool = Field(False, description="All as a CSV file in the user's folder instead.")


class SummaryParams(Params):
    start_date: Day = Field(description="First day, YYYY-MM-DD.")
    end_date: Day = Field(description=_END)


class NumberRow(Row):
    tn: str | None = None
    charge_type: str | None = None
    services: list[Any] | None = None


class BreakdownResult(ListResult):
    start_date: str | None = Field(None, description="First day.")
    end_date: str | None = Field(None, description="Not included.")
    today: str
    currency: str | None = None
    items: list[NumberRow]
    file: dict[str, Any] | None = Field(None, description="path, rows, bytes")


class SummaryResult(Result):
    start_date: str | None = Field(None, description="First day.")
    end_date: str | None = Field(None, description="Not included.")
    today: str
    currency: str | None = None
    user_email: str | None = None
    total: dict[str, Any] | None = None
    lines: list[Any]
    adjustments: list[Any]


async def get_charges_breakdown(call: Call[BreakdownParams]) -> BreakdownResult:
    asked = call.params
    _check_range(asked.start_date, asked.end_date, call)
    charges = await call.client.get_charges_breakdown(asked.start_date, asked.end_date)
    numbers = charges.results or []
    echoed: dict[str, Any] = {
        "start_date": charges.start_date,
        "end_date": charges.end_date,
        "today": call.today,
        "currency": charges.currency,
    }
    if asked.export:
        with exporting(call, f"charges-{charges.start_date}") as export:
            export.write(_cells(numbers, charges.currency))
            file = export.finish(complete=not export.full)
        return BreakdownResult(**echoed, items=[], total=len(numbers), file=asdict(file))
    page = page_of(numbers, asked.page, asked.page_size)
    items = [_number(each) for each in page.items]
    return BreakdownResult(**echoed, items=items, **paging(page))


async def get_charges_summary(call: Call[SummaryParams]) -> SummaryResult:
    asked = call.params
    _check_range(asked.start_date, asked.end_date, call)
    charges = await call.client.get_charges_summary(asked.start_date, asked.end_date)
    body = charges.summary
    return SummaryResult(
        note=_note(asked.end_date, call),
        start_date=charges.start_date,
        end_date=charges.end_date,
        today=call.today,
        currency=charges.currency,
        user_email=charges.user_email,
        total=charges.total.model_dump(exclude_none=True) if charges.total else None,
        lines=[_line(line) for line in (body and body.lines) or []],
        adjustments=[
            each.model_dump(exclude_none=True) for each in (body and body.adjustments) or []
        ],
    )


def _cells(numbers: list[NumberCharges], currency: str | None) -> Iterator[dict[str, Any]]:
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


def _number(charges: NumberCharges) -> NumberRow:
    """The number without its owner, who is the account's user."""
    owner = {"service_owner_user_id", "service_owner_email"}
    return taken_from(charges, NumberRow, without=owner)


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
    description="Monthly (MRC) and one-time (OTC) charges number by number, without totals or usage.",
    params=BreakdownParams,
    result=BreakdownResult,
    run=get_charges_breakdown,
)
GET_CHARGES_SUMMARY = ToolSpec(
    name="telnyx_get_charges_summary",
    title="Charges summary",
    description="Charges of at most 31 days as Telnyx tells them: per service, new and existing, and "
    "every adjustment; mrc is monthly, otc one-time.",
    params=SummaryParams,
    result=SummaryResult,
    run=get_charges_summary,
)
