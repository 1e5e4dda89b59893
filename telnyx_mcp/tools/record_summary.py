"""`telnyx_summarize_detail_records`"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from telnyx_mcp.telnyx.operations import SEARCH_DETAIL_RECORDS
from telnyx_mcp.telnyx.usage import RECORD_TYPES, Reading, read_records, time_fields
from telnyx_mcp.tools.arguments import Text, TextList
from telnyx_mcp.tools.filters import wire_filters
from telnyx_mcp.tools.grouping import MOST_GROUPS, Groups, shown
from telnyx_mcp.tools.ranges import PeriodParams, asked_period, left_out
from telnyx_mcp.tools.results import Result
from telnyx_mcp.tools.tool import Call, Failed, ToolSpec

TELL_EVERY = 500
"""Records between two notices of progress."""
PAGE_SIZE = SEARCH_DETAIL_RECORDS.largest_page
TOP, TOP_DAYS = 10, 31
"""Groups shown unless asked for, and where they are days or hours."""


def _known(record_type: str) -> str:
    """The record type. The list of them is published once, with the search for records."""
    if record_type not in RECORD_TYPES:
        raise ValueError(f"must be one of {', '.join(RECORD_TYPES)}")
    return record_type


class RecordSummaryParams(PeriodParams):
    reads_many: ClassVar[bool] = True

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
    top: int | None = Field(None, ge=1, le=100, description="Groups to show, 10 (31 by day).")

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


async def summarize_detail_records(call: Call[RecordSummaryParams]) -> RecordSummaryResult:
    asked = call.params
    period = asked_period(asked, call)
    groups = Groups(asked.group_by, call.services.zone)

    async def progress(reading: Reading) -> None:
        if reading.records % TELL_EVERY < PAGE_SIZE:
            counted = f"{reading.records} of {reading.total or '?'} records"
            await call.progress.report(reading.records, reading.total, counted)

    reading = await read_records(
        call.client,
        asked.record_type,
        *period.instants(),
        groups.add,
        progress,
        filters=_filters(asked),
    )
    if reading.error and not reading.records:
        raise reading.error
    rows, rest, others = groups.top(asked.top or (TOP_DAYS if groups.in_time else TOP))
    return RecordSummaryResult(
        record_type=asked.record_type,
        start_date=period.start.isoformat(),
        end_date=period.end.isoformat(),
        zone=str(period.zone),
        today=call.today,
        all=shown(groups.all),
        groups=rows if asked.group_by else None,
        rest={"groups": others, **shown(rest)} if rest else None,
        note=" ".join(_notes(call, groups, reading)) or None,
    )


def _filters(asked: RecordSummaryParams) -> dict[str, str]:
    """The filters as sent. Raises `Failed` for one that the period would have to give way to."""
    filters = wire_filters(asked.filters, asked.record_type)
    for field in time_fields(asked.record_type):
        if not filters.keys().isdisjoint((f"filter[{field}][gte]", f"filter[{field}][lt]")):
            raise Failed(
                f"Nothing was asked of Telnyx: the time is given by period, or by start_date and "
                f"end_date, not by a filter on {field}; parts of a day are groups of hour. Call "
                "again without that filter."
            )
    return filters


def _notes(call: Call[RecordSummaryParams], groups: Groups, reading: Reading) -> Iterator[str]:
    asked, zone = call.params, call.services.zone
    if reading.wrong_fields:
        yield (
            f"NO TOTAL: {reading.why}. telnyx_search_detail_records shows the fields that they have."
        )
    elif not reading.whole:
        go_on = (
            f"go on with start_date={reading.until.astimezone(zone).date()}, counting that day anew"
            if reading.more and reading.until
            else "call again"
        )
        yield (
            f"NO TOTAL: only {reading.extent} were read ({reading.why}). Ask for a shorter period, "
            f"or {go_on}."
        )
    if hint := left_out(asked.end_date):
        yield hint
    if groups.all.unreadable:
        yield f"NO TOTAL of costs: those of {groups.all.unreadable} records are no amounts."
    if asked.filters and not reading.records and reading.whole:
        yield "Filters take whole values, as written: group_by shows which there are."
    if groups.lacking:
        has = ", ".join(sorted(groups.fields)[:40])
        yield f"No record has {' or '.join(groups.lacking)}. The records' fields are: {has}."
    if groups.several:
        yield "A record with several values counts in each of their groups, and once in all."
    if groups.too_many:
        yield (
            f"There are over {MOST_GROUPS} groups, and those that came after them count as rest only: "
            "a large one may be among them. Ask for a shorter period, or filter."
        )


SUMMARIZE_DETAIL_RECORDS = ToolSpec(
    name="telnyx_summarize_detail_records",
    title="Detail records summed up",
    description="How many usage records, at what cost, by group: one request per 50 records.",
    params=RecordSummaryParams,
    result=RecordSummaryResult,
    run=summarize_detail_records,
)
