"""The arguments that name a period, shared by the tools that sum something up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, ClassVar

from pydantic import Field

from telnyx_mcp.billing.periods import Period, PeriodError, period_between, period_of
from telnyx_mcp.tools.framework.arguments import Day, Params, Text
from telnyx_mcp.tools.framework.failure import ToolFailure, not_asked
from telnyx_mcp.tools.framework.spec import Call


class PeriodParams(Params):
    """A period by its name, or by two days."""

    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("month", "year", "quarter", "date", "day", "date_range", "range"),
        "Use period, such as 2026-05 or last month.",
    )

    period: Text | None = Field(
        None,
        description="2026-05, 2026-Q2, last month, last 7 days, year to date, ...; or give start_date and "
        "end_date.",
    )
    start_date: Day | None = Field(
        None, description="First day of the period, YYYY-MM-DD, e.g. 2026-05-01."
    )
    end_date: Day | None = Field(
        None, description="Day after the last day, YYYY-MM-DD, e.g. 2026-06-01."
    )


def check_one_range(period: object, start: object, end: object) -> None:
    """Raises `PeriodError` unless there is either a period, or a start and an end."""
    if (period is None) == (start is None):
        raise PeriodError(
            "Give either period (such as 2026-05 or last month) or start_date and end_date, "
            f"{'not both' if period else 'one of them is needed'}."
        )
    if period is not None and end is not None:
        raise PeriodError("end_date goes with start_date, not with period.")
    if period is None and end is None:
        raise PeriodError("end_date is missing: the day after the last one.")


def wrong_range(error: PeriodError, today: date | str) -> ToolFailure:
    """The failure for a range that is not valid."""
    return not_asked(f"{error} Today is {today}.", "Correct that and call again.")


def requested_period(params: PeriodParams, call: Call[Any]) -> Period:
    """The period that a call asks for. Raises `ToolFailure`."""
    try:
        check_one_range(params.period, params.start_date, params.end_date)
        if params.start_date and params.end_date:
            return period_between(params.start_date, params.end_date, call.day, call.services.zone)
        return period_of(params.period or "", call.day, call.services.zone)
    except PeriodError as error:
        raise wrong_range(error, call.today) from None


def month_end_hint(end: date | None) -> str:
    """A hint for a range whose end is the last day of a month, which is then not included; else empty."""
    next_day = end + timedelta(days=1) if end else None
    if not next_day or next_day.day != 1:
        return ""
    return f"{end} itself is not included; for the whole month: end_date={next_day}."


def named_period(text: str, call: Call[Any]) -> Period:
    """The period that an argument names. Raises `ToolFailure`."""
    try:
        return period_of(text, call.day, call.services.zone)
    except PeriodError as error:
        raise wrong_range(error, call.today) from None
