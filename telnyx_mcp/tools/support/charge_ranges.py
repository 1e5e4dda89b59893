"""The ranges of days that the tools for charges take."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice
from typing import Any

from telnyx_mcp.billing.periods import LONGEST_PART, Period
from telnyx_mcp.tools.framework.failure import not_asked
from telnyx_mcp.tools.framework.spec import Call

MAX_PARTS = 24


START_DESCRIPTION = "First day of the charges, YYYY-MM-DD, e.g. 2026-05-01."
END_DESCRIPTION = "Day after the last day, YYYY-MM-DD, e.g. 2026-06-01."


def check_range(start: date, end: date | None, call: Call[Any]) -> None:
    """Raises `ToolFailure` for a range that Telnyx would refuse, with the calls to make instead."""
    today = call.day
    if start > today:
        raise not_asked(
            f"start_date {start} is in the future (today is {today}).",
            "Call again with a day in the past.",
        )
    if end is None:
        return
    if end <= start:
        raise not_asked(
            f"end_date {end} must be after start_date {start}, as it is not included itself.",
            f"For the single day {start}: start_date={start} end_date={start + timedelta(days=1)}. "
            "Call again.",
        )
    if end - start > LONGEST_PART:
        parts = list(islice(Period(start, end).parts(), MAX_PARTS))
        listed = "; ".join(f"start_date={each.start} end_date={each.end}" for each in parts)
        more = "; and more in the same way" if parts[-1].end < end else ""
        raise not_asked(
            f"{start} to {end} is {(end - start).days} days, and one call covers at most 31.",
            "telnyx_summarize_spend adds up any period in one call. Here, call once for each of "
            f"these: {listed}{more}.",
        )
