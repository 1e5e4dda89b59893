"""`telnyx_search_detail_records`"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from telnyx_mcp.telnyx.models import DetailRecord
from telnyx_mcp.tools.arguments import PageNumber, Params, Text, TextList
from telnyx_mcp.tools.results import ListResult, paging
from telnyx_mcp.tools.tool import Call, Failed, ToolSpec

RecordType = Literal[
    "messaging",
    "call-control",
    "sip-trunking",
    "verify",
    "conference",
    "conference-participant",
    "amd",
    "ai-voice-assistant",
    "embedding",
    "fax",
    "inference",
    "inference-speech-to-text",
    "media_storage",
    "media-streaming",
    "noise-suppression",
    "recording",
    "siprec-client",
    "stt",
    "tts",
    "webrtc",
    "wireless",
]

_DATE_RANGE = re.compile(
    r"(yesterday|today|tomorrow|(last|this|next)_(week|month)|last_\d{1,3}_days)"
)
_FILTER = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,63})\s*(>=|<=|=|<|>|~)(?!=)\s*(.+)", re.DOTALL)
_OPERATORS = {"=": "", ">=": "[gte]", "<": "[lt]", "~": "[contains]"}
_HELD_BY_OTHERS = {"record_type", "date_range"}


def _date_range(value: object) -> object:
    if not isinstance(value, str) or not _DATE_RANGE.fullmatch(value):
        raise ValueError(
            "must be today, yesterday, this_week, last_week, this_month, last_month or last_N_days "
            "(such as last_7_days); for other ranges use filters"
        )
    return value


class RecordsParams(Params):
    record_type: RecordType = Field(description="Kind of usage.")
    date_range: Annotated[Text, BeforeValidator(_date_range)] | None = Field(
        None,
        description="today, yesterday, this_week, last_week, this_month, last_month, last_N_days.",
    )
    filters: TextList = Field(
        [],
        max_length=20,
        description='"field=value", "field>=value", "field<value", "field~text" (contains), e.g. '
        '["direction=outbound", "created_at>=2026-05-01"].',
    )
    sort: TextList = Field(
        [], max_length=5, description='Fields, with - for descending, e.g. ["-created_at"].'
    )
    page: PageNumber = 1
    page_size: int = Field(5, ge=1, le=50, description="Rows per page.")


class RecordsResult(ListResult):
    today: str
    record_type: str
    date_range: str | None = None
    filters: list[str] | None = None
    same_in_all: dict[str, Any] | None = Field(
        None, description="Fields with the same value in every item."
    )


async def search_detail_records(call: Call[RecordsParams]) -> RecordsResult:
    asked = call.params
    page = await call.client.search_detail_records(
        asked.record_type,
        date_range=asked.date_range,
        filters=_wire_filters(asked.filters),
        sort=_wire_sort(asked.sort),
        page=asked.page,
        page_size=asked.page_size,
    )
    same, items = _same_apart(page.items)
    return RecordsResult(
        today=call.today,
        record_type=asked.record_type,
        date_range=asked.date_range,
        filters=asked.filters or None,
        same_in_all=same or None,
        items=items,
        **paging(page),
    )


def _wire_filters(filters: list[str]) -> dict[str, str]:
    wire: dict[str, str] = {}
    for text in filters:
        match = _FILTER.fullmatch(text)
        field, operator, value = match.groups() if match else ("", "", "")
        if operator not in _OPERATORS:
            raise Failed(
                f'Nothing was asked of Telnyx: the filter "{text[:60]}" must be written field=value, '
                "field>=value, field<value or field~text (contains). Correct it and call again."
            )
        if field in _HELD_BY_OTHERS:
            raise Failed(
                f"Nothing was asked of Telnyx: {field} is an argument of its own, not a filter. "
                "Call again with it there."
            )
        name = f"filter[{field}]{_OPERATORS[operator]}"
        if name in wire:
            raise Failed(
                f"Nothing was asked of Telnyx: two filters say {field}{operator}…, and only one can "
                "count. Call again with one of them."
            )
        wire[name] = value.strip()
    return wire


def _wire_sort(sort: list[str]) -> list[str]:
    for field in sort:
        if not re.fullmatch(r"-?[A-Za-z_][A-Za-z0-9_]{0,63}", field):
            raise Failed(
                f'Nothing was asked of Telnyx: sort takes field names such as "-created_at"; got '
                f'"{field[:60]}". Call again.'
            )
    return sort


def _same_apart(records: list[DetailRecord]) -> tuple[DetailRecord, list[DetailRecord]]:
    """The fields that are equal in all of several records, and the records without them."""
    records = [{k: v for k, v in each.items() if v not in (None, "", [])} for each in records]
    if len(records) < 2:
        return {}, records
    first = records[0]
    same = {k: v for k, v in first.items() if all(k in r and r[k] == v for r in records[1:])}
    return same, [{k: v for k, v in each.items() if k not in same} for each in records]


SEARCH_DETAIL_RECORDS = ToolSpec(
    name="telnyx_search_detail_records",
    title="Detail records",
    description="Usage records one by one, no totals: messages, calls, verifications, SIM data and so "
    "on, with cost. Give a date_range. Which fields can be filtered and sorted depends on the record "
    "type: messaging has created_at; call-control and sip-trunking have started_at instead.",
    params=RecordsParams,
    result=RecordsResult,
    run=search_detail_records,
)
