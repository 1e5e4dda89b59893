"""`telnyx_get_charges_summary`"""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from telnyx_mcp.billing.number_costs import NumberList, numbers_by_type
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.models import SummaryLine
from telnyx_mcp.tools.framework.arguments import Day, Params
from telnyx_mcp.tools.framework.results import Result, Row
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.charge_ranges import END_DESCRIPTION, START_DESCRIPTION, check_range
from telnyx_mcp.tools.support.period_arguments import month_end_hint

COUNTING_SECONDS = 10.0
"""How long the summary waits for the count of numbers, which is not its main figure."""


class SummaryParams(Params):
    start_date: Day = Field(description=START_DESCRIPTION)
    end_date: Day = Field(description=END_DESCRIPTION)


class ChargesTotal(Row):
    """The sums of the charges."""

    new_mrc: str | None = Field(
        None, description="Monthly charges of what is new, as a decimal string."
    )
    new_otc: str | None = Field(
        None, description="One-time charges of what is new, as a decimal string."
    )
    existing_mrc: str | None = Field(
        None, description="Monthly charges of what was there before, as a decimal string."
    )
    other: str | None = Field(None, description="Other charges, as a decimal string.")
    credits: str | None = Field(None, description="Credits, as a decimal string.")
    ledger_adjustments: str | None = Field(
        None, description="Adjustments of the ledger, as a decimal string."
    )
    grand_total: str | None = Field(None, description="Sum of all charges, as a decimal string.")


class ChargesLine(Row):
    """The charges of one service."""

    name: str | None = Field(None, description="Name of the service.")
    alias: str | None = Field(None, description="Other name of the service.")
    quantity: int | None = Field(None, description="How many were charged.")
    amount: str | None = Field(
        None, description="Amount as a decimal string, in the currency of the answer."
    )
    new_quantity: int | None = Field(None, description="How many are new.")
    new_mrc: str | None = Field(
        None, description="Monthly charges of the new ones, as a decimal string."
    )
    new_otc: str | None = Field(
        None, description="One-time charges of the new ones, as a decimal string."
    )
    existing_quantity: int | None = Field(None, description="How many were there before.")
    existing_mrc: str | None = Field(
        None, description="Monthly charges of those there before, as a decimal string."
    )
    existing_otc: str | None = Field(
        None, description="One-time charges of those there before, as a decimal string."
    )


class AdjustmentRow(Row):
    """One adjustment."""

    amount: str | None = Field(
        None, description="Amount as a decimal string, in the currency of the answer."
    )
    description: str | None = Field(None, description="What it is for.")
    event_date: str | None = Field(None, description="Day of the adjustment.")


class SummaryResult(Result):
    start_date: str | None = None
    end_date: str | None = None
    today: str
    currency: str | None = None
    user_email: str | None = Field(None, description="E-mail address of the account's user.")
    total: ChargesTotal | None = Field(
        None, description="Sums of all charges, as Telnyx states them."
    )
    numbers: dict[str, int] | None = Field(None, description="Charged numbers by charge type.")
    lines: list[ChargesLine] = Field(description="Charges by service.")
    adjustments: list[AdjustmentRow] = Field(description="Every adjustment of the range.")


async def get_charges_summary(call: Call[SummaryParams]) -> SummaryResult:
    params = call.params
    check_range(params.start_date, params.end_date, call)
    charges = await call.client.get_charges_summary(params.start_date, params.end_date)
    body = charges.summary
    numbers, missing = await _count_numbers(call)
    return SummaryResult(
        note=_note(params.end_date, call) + missing,
        start_date=charges.start_date,
        end_date=charges.end_date,
        today=call.today,
        currency=charges.currency,
        user_email=charges.user_email,
        total=ChargesTotal(**charges.total.model_dump()) if charges.total else None,
        numbers=numbers,
        lines=[_line(line) for line in (body and body.lines) or []],
        adjustments=[
            AdjustmentRow(**each.model_dump()) for each in (body and body.adjustments) or []
        ],
    )


async def _count_numbers(call: Call[SummaryParams]) -> tuple[dict[str, int] | None, str]:
    """The charged numbers by charge type, which only the breakdown states; or why they are missing."""
    params = call.params
    client = call.client.within(COUNTING_SECONDS)
    try:
        charges = await client.get_charges_breakdown(params.start_date, params.end_date)
        if charges.results is None:
            return None, " The count of numbers is missing: Telnyx sent no list of them."
        numbers = await NumberList(client, charges.results).costs()
    except TelnyxError as error:
        return None, f" The count of numbers is missing: {error.summary}."
    return numbers_by_type(numbers) or None, ""


def _note(end: date, call: Call[Any]) -> str:
    """What the figures are not, and what the range may have left out by mistake."""
    parts = [
        "Monthly and one-time charges only: usage (messages, calls, ...) is not in these figures."
    ]
    if month_end_hint(end):
        parts.append(month_end_hint(end))
    if end > call.day:
        parts.append("The range is not over yet.")
    return " ".join(parts)


def _line(line: SummaryLine) -> ChargesLine:
    """A line as one flat row: `new_quantity`, `new_mrc`, ..., `existing_mrc`."""
    row = line.model_dump(
        exclude={"type", "new_this_month", "existing_this_month"}, exclude_none=True
    )
    for prefix, detail in (("new", line.new_this_month), ("existing", line.existing_this_month)):
        if detail:
            fields = detail.model_dump(exclude_none=True)
            row |= {f"{prefix}_{name}": value for name, value in fields.items()}
    return ChargesLine(**row)


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
