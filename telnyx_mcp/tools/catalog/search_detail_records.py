"""`telnyx_search_detail_records`"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from telnyx_mcp.billing.periods import plain_words
from telnyx_mcp.billing.records import RECORD_TYPES, mark_of, time_fields
from telnyx_mcp.telnyx.models import DetailRecord, Page
from telnyx_mcp.telnyx.pagination import MAX_RECORD_PAGES, Scan
from telnyx_mcp.tools.framework.arguments import PageNumber, Params, Text, TextList
from telnyx_mcp.tools.framework.failure import not_asked
from telnyx_mcp.tools.framework.results import ListResult, coverage, paging
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.csv_export import Exported, exporting
from telnyx_mcp.tools.support.filters import FILTERS, NOT, excluded, split_filter, wire_filters
from telnyx_mcp.tools.support.vocabulary import product_named

_DATE_RANGE = re.compile(
    r"(yesterday|today|tomorrow|(last|this|next)_(week|month)|last_\d{1,3}_days)"
)


def _record_type(value: str) -> str:
    """The record type that a word means, such as `sms`."""
    product = product_named(value)
    if product is None or product.record_type is None:
        raise ValueError(f"must be one of {', '.join(RECORD_TYPES)}")
    return product.record_type


def _date_range(value: object) -> object:
    if isinstance(value, str):
        value = plain_words(value).replace(" ", "_")
    if not isinstance(value, str) or not _DATE_RANGE.fullmatch(value):
        raise ValueError(
            "must be today, yesterday, this_week, last_week, this_month, last_month or last_N_days "
            "(such as last_7_days); for other ranges use filters"
        )
    return value


BATCH = 500
"""Records that are written at once."""


class RecordsParams(Params):
    reads_many: ClassVar[bool] = True

    record_type: Annotated[Text, AfterValidator(_record_type)] = Field(
        description="Type: messaging, call-control, sip-trunking, verify, wireless, fax, recording, ..."
    )
    date_range: Annotated[Text, BeforeValidator(_date_range)] | None = Field(
        None,
        description="Days: today, yesterday, this_week, last_month, last_7_days, ...",
    )
    filters: TextList = Field(
        [],
        max_length=20,
        description=FILTERS,
    )
    sort: TextList = Field(
        [], max_length=5, description='Fields, with - for descending, e.g. ["-created_at"].'
    )
    page: PageNumber = 1
    page_size: int = Field(5, ge=1, le=50, description="Rows per page.")
    export: bool = Field(
        False,
        description="Write all that match to a CSV file in the user's folder; one request per 50.",
    )


class RecordsResult(ListResult):
    today: str
    record_type: str = Field(description="Type of the records.")
    date_range: str | None = Field(None, description="The date_range that was asked for.")
    filters: list[str] | None = Field(None, description="The filters that were asked for.")
    same_in_all: dict[str, Any] | None = Field(
        None, description="Fields that are equal in every record, and left out of the records."
    )
    items: list[dict[str, Any]] = Field(
        description="Records with the fields that Telnyx sends for their type."
    )
    file: Exported | None = Field(None, description="With export: the file that was written.")


async def search_detail_records(call: Call[RecordsParams]) -> RecordsResult:
    params = call.params
    search = partial(
        call.client.search_detail_records,
        params.record_type,
        date_range=params.date_range,
        filters=wire_filters(params.filters, params.record_type),
        sort=_wire_sort(params.sort),
    )
    request_fields: dict[str, Any] = {
        "today": call.today,
        "record_type": params.record_type,
        "date_range": params.date_range,
        "filters": params.filters or None,
    }
    if params.export:
        return await _exported(call, search, request_fields)
    page = await search(page=params.page, page_size=params.page_size)
    unwanted = excluded(params.filters, params.record_type)
    records = [each for each in page.items if not _is_excluded(each, unwanted)]
    same, items = _split_common(records)
    left_out = len(page.items) - len(records)
    note = (
        f"{left_out} rows of this page are left out by !=, and counted in total."
        if left_out
        else None
    )
    page_fields = {**paging(page), "returned": len(records)}
    return RecordsResult(
        **request_fields, same_in_all=same or None, items=items, note=note, **page_fields
    )


def _is_excluded(record: DetailRecord, unwanted: Mapping[str, set[str]]) -> bool:
    return any(str(record.get(field)) in values for field, values in unwanted.items())


async def _exported(
    call: Call[RecordsParams],
    search: Callable[..., Coroutine[Any, Any, Page[DetailRecord]]],
    request_fields: dict[str, Any],
) -> RecordsResult:
    """All records that match, in a file. One that is not whole says so in its name."""
    scan = Scan(
        lambda number: search(page=number),
        mark_of,
        call.progress.rows,
        max_pages=MAX_RECORD_PAGES,
    )
    unwanted = excluded(call.params.filters, call.params.record_type)
    about = f"{call.params.record_type}-{call.params.date_range or 'records'}"
    with exporting(call, about) as export:
        batch: list[DetailRecord] = []
        async with aclosing(scan.rows()) as rows:
            async for record in rows:
                if _is_excluded(record, unwanted):
                    continue
                batch.append(record)
                if len(batch) >= BATCH:
                    if not export.write(batch):
                        break
                    batch = []
            else:
                export.write(batch)
        whole = scan.complete and not export.full
        file = export.finish(complete=whole)
    too_large = "" if not export.full else " The file is as large as files may get."
    rest = "" if whole else f" {_whole_export(call)}"
    return RecordsResult(
        **request_fields, items=[], file=file, note=coverage(scan) + too_large + rest
    )


def _whole_export(call: Call[RecordsParams]) -> str:
    """Which command exports all records that match, for the user to run."""
    params = call.params
    start, end, filters = "YYYY-MM-DD", None, []
    for text in params.filters:
        field, operator, value = split_filter(text)
        if field in time_fields(params.record_type) and operator in (">=", "<"):
            start, end = (value, end) if operator == ">=" else (start, value)
        elif operator != NOT:
            filters.append(text)
    span = ["--start", start, *(["--end", end] if end else [])]
    if params.date_range:
        span = ["--period", params.date_range.replace("_", " ")]
    more = [word for each in filters for word in ("--filter", each)]
    about = shlex.join(["--type", params.record_type, *span, *more])
    words = f"export detail-records {about} --to {params.record_type}.csv"
    without = " (without !=)" if excluded(params.filters, params.record_type) else ""
    to = call.services.gate.directions
    return f"For all of them{without}, {to.operator} can run: {to.command(words)}"


def _wire_sort(sort: list[str]) -> list[str]:
    for field in sort:
        if not re.fullmatch(r"-?[A-Za-z_][A-Za-z0-9_]{0,63}", field):
            raise not_asked(
                f'sort takes field names such as "-created_at"; got "{field[:60]}".', "Call again."
            )
    return sort


def _split_common(records: list[DetailRecord]) -> tuple[DetailRecord, list[DetailRecord]]:
    """The fields that are equal in all of several records, and the records without them."""
    records = [{k: v for k, v in each.items() if v not in (None, "", [])} for each in records]
    if len(records) < 2:
        return {}, records
    first = records[0]
    same = {k: v for k, v in first.items() if all(k in r and r[k] == v for r in records[1:])}
    return same, [{k: v for k, v in each.items() if k not in same} for each in records]


SEARCH_DETAIL_RECORDS = ToolSpec(
    name="telnyx_search_detail_records",
    group="usage",
    title="Detail records",
    description="Single usage records, with cost. Give a date_range. Most types have created_at; "
    "call-control, sip-trunking and recording have started_at.",
    params=RecordsParams,
    result=RecordsResult,
    run=search_detail_records,
)
