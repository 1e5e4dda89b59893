"""`telnyx_summarize_detail_records`"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from telnyx_mcp.periods import Period
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.seen import Seen
from telnyx_mcp.telnyx.usage import RECORD_TYPES, mark_of, moment_of, records_between
from telnyx_mcp.tools.arguments import Text, TextList
from telnyx_mcp.tools.filters import wire_filters
from telnyx_mcp.tools.grouping import MOST_GROUPS, Groups
from telnyx_mcp.tools.ranges import SUMMARY_SECONDS, PeriodParams, asked_period
from telnyx_mcp.tools.results import Result
from telnyx_mcp.tools.tool import Call, ToolSpec

MOST_PAGES = 4_000
"""200,000 records; past that, a shorter period is the better question."""
TELL_EVERY = 10
"""Pages between two notices of progress."""


def _known(record_type: str) -> str:
    """The record type. The list of them is published once, with the search for records."""
    if record_type not in RECORD_TYPES:
        raise ValueError(f"must be one of {', '.join(RECORD_TYPES)}")
    return record_type


class RecordSummaryParams(PeriodParams):
    record_type: Annotated[Text, AfterValidator(_known)] = Field(
        description="As in telnyx_search_detail_records."
    )
    group_by: TextList = Field(
        [],
        max_length=3,
        description="day, hour, status, direction, country, carrier, profile, connection, tag, "
        "error, from, to, type, or any field.",
    )
    filters: TextList = Field([], max_length=20, description="Likewise.")
    top: int = Field(10, ge=1, le=100, description="Groups to show.")

    @model_validator(mode="after")
    def _different(self) -> Self:
        if len(set(self.group_by)) != len(self.group_by):
            raise ValueError("group_by names a field twice")
        return self


class RecordSummaryResult(Result):
    rows: ClassVar[str] = "groups"

    record_type: str
    start_date: str
    end_date: str = Field(description="Not included.")
    zone: str
    today: str
    all: dict[str, Any]
    """Records, cost, parts or seconds."""
    groups: list[dict[str, Any]] | None = None
    rest: dict[str, Any] | None = Field(None, description="The groups not shown, as one.")


class _Walked:
    """How far the walk came."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.whole = False
        self.until: datetime | None = None
        self.stopped = ""


async def summarize_detail_records(call: Call[RecordSummaryParams]) -> RecordSummaryResult:
    asked = call.params
    period = asked_period(asked, call)
    groups = Groups(asked.group_by, call.services.zone)
    walked = await _walk(call, period, groups)
    rows, rest, others = groups.top(asked.top)
    return RecordSummaryResult(
        record_type=asked.record_type,
        start_date=period.start.isoformat(),
        end_date=period.end.isoformat(),
        zone=str(period.zone),
        today=call.today,
        all=groups.all.shown(),
        groups=rows if asked.group_by else None,
        rest={"groups": others, **rest.shown()} if rest else None,
        note=" ".join(_notes(groups, walked)) or None,
    )


async def _walk(call: Call[RecordSummaryParams], period: Period, groups: Groups) -> _Walked:
    """Puts every record into its group, as far as time allows."""
    asked, walked, seen = call.params, _Walked(), Seen()
    start, end = period.instants()
    pages = records_between(
        call.client,
        asked.record_type,
        start,
        end,
        filters=wire_filters(asked.filters),
        deadline=Deadline.after(SUMMARY_SECONDS),
        most_pages=MOST_PAGES,
    )
    number = 0
    try:
        async for page in pages:
            for record in seen.new(page.items, mark_of):
                groups.add(record)
                walked.until = moment_of(record) or walked.until
            walked.total = page.total_results
            walked.whole = not page.has_more
            number += 1
            if number % TELL_EVERY == 0:
                counted = f"{groups.all.records} of {walked.total or '?'} records"
                await call.progress.report(groups.all.records, walked.total, counted)
    except TelnyxError as error:
        if not groups.all.records:
            raise
        walked.stopped = error.happened
    walked.whole |= not number
    return walked


def _notes(groups: Groups, walked: _Walked) -> Iterator[str]:
    if not walked.whole:
        until = f", those made until {walked.until.isoformat()}" if walked.until else ""
        why = walked.stopped or "the most that one call reads was reached."
        yield (
            f"NO TOTAL: only {groups.all.records} of {walked.total or 'unknown'} records were "
            f"read{until} ({why}). Ask for a shorter period, or go on from there."
        )
    elif walked.total is not None and walked.total != groups.all.records:
        yield f"Telnyx told of {walked.total} records and gave {groups.all.records}."
    if groups.all.unreadable:
        yield f"NO TOTAL of costs: those of {groups.all.unreadable} records are no amounts."
    if groups.several:
        yield "A record with several values counts in each of their groups, and once in all."
    if groups.too_many:
        yield f"There are over {MOST_GROUPS} groups: what came after them counts as (others)."


SUMMARIZE_DETAIL_RECORDS = ToolSpec(
    name="telnyx_summarize_detail_records",
    title="Detail records summed up",
    description="How many usage records, at what cost, by group: one request per 50 records.",
    params=RecordSummaryParams,
    result=RecordSummaryResult,
    run=summarize_detail_records,
)
