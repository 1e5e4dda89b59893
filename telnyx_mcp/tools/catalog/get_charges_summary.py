"""`telnyx_get_charges_summary`"""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from telnyx_mcp.billing.number_costs import (
    number_costs,
    numbers_by_type,
)
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.models import SummaryLine
from telnyx_mcp.tools.framework.arguments import Day, Params
from telnyx_mcp.tools.framework.results import Result
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.charge_ranges import END_DESCRIPTION, check_range
from telnyx_mcp.tools.support.period_arguments import left_out

COUNTING_SECONDS = 10.0
"""How long the summary waits for the count of numbers, which is not its main figure."""


class SummaryParams(Params):
    start_date: Day = Field(description="First day, YYYY-MM-DD.")
    end_date: Day = Field(description=END_DESCRIPTION)


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


async def get_charges_summary(call: Call[SummaryParams]) -> SummaryResult:
    asked = call.params
    check_range(asked.start_date, asked.end_date, call)
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


GET_CHARGES_SUMMARY = ToolSpec(
    name="telnyx_get_charges_summary",
    group="billing",
    title="Charges summary",
    description="Charges of at most 31 days as Telnyx states them: per service, new and existing, every "
    "adjustment, and the numbers charged by type; mrc is monthly, otc one-time.",
    params=SummaryParams,
    result=SummaryResult,
    run=get_charges_summary,
)
