"""`telnyx_list_webhook_deliveries`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.models import WebhookDelivery
from telnyx_mcp.telnyx.pagination import Scan, page_of
from telnyx_mcp.tools.framework.arguments import (
    Instant,
    PageNumber,
    Params,
    Text,
    TextList,
    check_order,
    isoformat,
)
from telnyx_mcp.tools.framework.results import ListResult, Row, coverage, paging
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.webhook_failures import AllTraffic, Counts, UrlRow, url_rows
from telnyx_mcp.tools.support.webhook_rows import (
    DeliveryRow,
    delivery_row,
)


class DeliveriesParams(Params):
    reads_many: ClassVar[bool] = True

    status: Literal["delivered", "failed"] | None = Field(
        None, description="failed: every attempt failed."
    )
    event_types: TextList = Field(
        [], max_length=20, description='Types of events, e.g. ["message.finalized"].'
    )
    webhook_contains: Text | None = Field(None, description="Text in the event, e.g. a number.")
    attempts_contains: Text | None = Field(None, description="Text in the attempts, e.g. a URL.")
    started_after: Instant | None = Field(
        None, description="First attempt at or after this RFC 3339 time."
    )
    started_before: Instant | None = Field(
        None, description="First attempt at or before this RFC 3339 time."
    )
    finished_after: Instant | None = Field(
        None, description="Last attempt ended at or after, RFC 3339."
    )
    finished_before: Instant | None = Field(
        None, description="Last attempt ended at or before, RFC 3339."
    )
    group_failures: bool = Field(
        False,
        description="Failed deliveries by URL: why, share delivered, still failing.",
    )
    page: PageNumber = 1
    page_size: int = Field(10, ge=1, le=250, description="Rows per page.")

    @model_validator(mode="after")
    def _failed_only(self) -> Self:
        if self.group_failures and self.status == "delivered":
            raise ValueError("group_failures goes with status=failed, or without status")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order(self.started_after, self.started_before, "started_after, started_before")
        check_order(self.finished_after, self.finished_before, "finished_after, finished_before")
        return self


class SameInAll(Row):
    """Fields that are equal in every row."""

    url: str | None = Field(None, description="URL of every latest attempt, without secrets.")
    http_status: int | None = Field(None, description="HTTP status of every latest attempt.")
    errors: str | None = Field(None, description="Errors of every latest attempt.")


class DeliveriesResult(ListResult):
    today: str
    started_after: str | None = Field(
        None, description="The started_after that was asked for, RFC 3339."
    )
    started_before: str | None = Field(
        None, description="The started_before that was asked for, RFC 3339."
    )
    finished_after: str | None = Field(
        None, description="The finished_after that was asked for, RFC 3339."
    )
    finished_before: str | None = Field(
        None, description="The finished_before that was asked for, RFC 3339."
    )
    same_in_all: SameInAll | None = Field(
        None, description="Fields that are equal in every row, and left out of the rows."
    )
    all_urls: Counts | None = Field(
        None, description="With group_failures: counts of all URLs, also of those without failures."
    )
    items: Sequence[DeliveryRow | UrlRow] = Field(
        description="Deliveries; with group_failures, URLs with failed deliveries."
    )


async def list_webhook_deliveries(call: Call[DeliveriesParams]) -> DeliveriesResult:
    params = call.params
    given_ranges: dict[str, Any] = {
        name: isoformat(getattr(params, name))
        for name in ("started_after", "started_before", "finished_after", "finished_before")
    }
    if params.group_failures:
        return await _failures(call, given_ranges)
    page = await call.client.list_webhook_deliveries(**_query(params))
    rows = [delivery_row(each) for each in page.items]
    return DeliveriesResult(
        today=call.today,
        **given_ranges,
        same_in_all=_extract_common(rows),
        items=rows,
        **paging(page),
    )


def _query(params: DeliveriesParams) -> dict[str, Any]:
    return params.model_dump(exclude={"group_failures"})


def _extract_common(rows: list[DeliveryRow]) -> SameInAll | None:
    """What several rows would repeat, each of them."""
    same: dict[str, Any] = {}
    for name in ("url", "http_status", "errors"):
        values = {getattr(row, name) for row in rows}
        if len(rows) > 1 and len(values) == 1 and None not in values:
            same[name] = values.pop()
            for row in rows:
                setattr(row, name, None)
    return SameInAll(**same) if same else None


async def _failures(call: Call[DeliveriesParams], given_ranges: dict[str, Any]) -> DeliveriesResult:
    """The failed deliveries by URL, with what else was sent there.

    All deliveries are read a second time, whatever their status, as the rate and the last delivery
    need them: without `attempts_contains`, which may name the error.
    """
    params = call.params
    scan = _scan(call, status="failed")
    failed = [delivery_row(each) async for each in scan.rows()]
    notes = [coverage(scan)]
    traffic = AllTraffic(whole=scan.complete)
    if failed:
        notes.append(await _read_all(call, traffic))
    ends = [each for each in (params.started_before, params.finished_before) if each]
    until_now = all(each >= call.services.now() for each in ends)
    rows = url_rows(failed, traffic, whole=scan.complete, until_now=until_now)
    page = page_of(rows, params.page, params.page_size)
    return DeliveriesResult(
        today=call.today,
        **given_ranges,
        all_urls=Counts(**traffic.everything.counts(whole=traffic.whole)) if failed else None,
        items=page.items,
        note=" ".join(notes),
        **paging(page) | {"total": len(rows) if scan.complete else None},
    )


async def _read_all(call: Call[DeliveriesParams], traffic: AllTraffic) -> str:
    """Reads all deliveries into `traffic`. The failures are the answer: without the rest of the
    deliveries it is still one."""
    scan = _scan(call, status=None, attempts_contains=None)
    traffic.whole = False
    try:
        async for each in scan.rows():
            traffic.add(delivery_row(each))
    except TelnyxError as error:
        return f"sent, delivered and rates are missing: {error.summary}."
    traffic.whole = scan.complete
    return f"For sent, delivered and rates: {coverage(scan)}"


def _scan(call: Call[DeliveriesParams], **overrides: Any) -> Scan[WebhookDelivery]:
    """A scan of all deliveries that were asked for, with other filters `instead`."""
    query = _query(call.params) | {"page_size": None} | overrides
    return Scan(
        lambda number: call.client.list_webhook_deliveries(**query | {"page": number}),
        lambda delivery: delivery.id,
        call.progress.rows,
    )


LIST_WEBHOOK_DELIVERIES = ToolSpec(
    name="telnyx_list_webhook_deliveries",
    group="webhooks",
    title="Webhook deliveries",
    description="Webhook deliveries, each with the URL, HTTP status and errors of its latest attempt.",
    params=DeliveriesParams,
    result=DeliveriesResult,
    run=list_webhook_deliveries,
)
