"""`telnyx_list_webhook_deliveries`, `telnyx_get_webhook_delivery`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from telnyx_mcp.telnyx.models import DeliveryAttempt, WebhookDelivery, WebhookEvent
from telnyx_mcp.telnyx.pagination import Scan
from telnyx_mcp.tools.arguments import (
    Id,
    Instant,
    PageNumber,
    Params,
    Text,
    TextList,
    check_order,
    echo,
)
from telnyx_mcp.tools.results import ListResult, Result, Row, coverage, paging
from telnyx_mcp.tools.tool import Call, ToolSpec
from telnyx_mcp.untrusted import compact, cut, redact, sanitize

LONGEST_PAYLOAD = 4000
LONGEST_BODY = 500
_TIME = "Time, inclusive, e.g. 2026-05-01T00:00:00Z."


class DeliveriesParams(Params):
    reads_many: ClassVar[bool] = True

    status: Literal["delivered", "failed"] | None = Field(
        None, description="failed: every attempt failed."
    )
    event_types: TextList = Field([], max_length=20, description='e.g. ["message.finalized"].')
    webhook_contains: Text | None = Field(None, description="Text in the event.")
    attempts_contains: Text | None = Field(None, description="Text in the attempts, e.g. a URL.")
    started_after: Instant | None = Field(None, description=_TIME)
    started_before: Instant | None = Field(None, description="Likewise.")
    finished_after: Instant | None = Field(None, description="Likewise.")
    finished_before: Instant | None = Field(None, description="Likewise.")
    group_failures: bool = Field(
        False,
        description="The failed ones by URL and error, with an example each; a request per 250.",
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


class DeliveryParams(Params):
    delivery_id: Id = Field(description="From telnyx_list_webhook_deliveries.")
    include_payload: bool = Field(
        False, description="Add the event itself: may hold message texts and phone numbers."
    )


class AttemptRow(Row):
    status: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    url: str | None = None
    http_status: int | None = None
    errors: list[Any] | None = None


class AttemptDetail(AttemptRow):
    request_headers: dict[str, str] | None = None
    response_headers: dict[str, str] | None = None
    untrusted_response_body: str | None = None


class DeliveryRow(Row):
    id: str | None = None
    status: str | None = None
    event_type: str | None = None
    started_at: str | None = None
    attempts: int = 0
    url: str | None = None
    http_status: int | None = None
    errors: list[Any] | None = None


class FailureRow(Row):
    """Failed deliveries that went wrong in the same way."""

    url: str | None = None
    http_status: int | None = None
    errors: str | None = None
    deliveries: int = 0
    first: str | None = None
    last: str | None = None
    event_types: dict[str, int] = Field(default_factory=dict)
    example_id: str | None = None


class DeliveriesResult(ListResult):
    today: str
    started_after: str | None = None
    started_before: str | None = None
    finished_after: str | None = None
    finished_before: str | None = None
    items: Sequence[DeliveryRow | FailureRow]


class DeliveryResult(Result):
    rows: ClassVar[str] = "attempts"

    id: str | None = None
    status: str | None = None
    event_type: str | None = None
    event_id: str | None = None
    occurred_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    attempts: list[AttemptDetail] = Field(description="Latest first")
    untrusted_payload: Any = None


async def list_webhook_deliveries(call: Call[DeliveriesParams]) -> DeliveriesResult:
    asked = call.params
    echoed: dict[str, Any] = {
        name: echo(getattr(asked, name))
        for name in ("started_after", "started_before", "finished_after", "finished_before")
    }
    if asked.group_failures:
        scan = _scan(call)
        rows = await _failures(scan)
        return DeliveriesResult(
            today=call.today,
            **echoed,
            items=rows,
            returned=len(rows),
            total=len(rows) if scan.complete else None,
            note=f"{coverage(scan)} Rows are groups of failed deliveries, the largest first.",
        )
    page = await call.client.list_webhook_deliveries(**_query(asked))
    return DeliveriesResult(
        today=call.today, **echoed, items=[_row(each) for each in page.items], **paging(page)
    )


def _query(asked: DeliveriesParams) -> dict[str, Any]:
    return asked.model_dump(exclude={"group_failures"})


def _scan(call: Call[DeliveriesParams]) -> Scan[WebhookDelivery]:
    """A scan of all failed deliveries that were asked for."""
    query = _query(call.params) | {"status": "failed", "page_size": None}
    return Scan(
        lambda number: call.client.list_webhook_deliveries(**query | {"page": number}),
        lambda delivery: delivery.id,
        call.progress.rows,
    )


async def _failures(scan: Scan[WebhookDelivery]) -> list[FailureRow]:
    """The failed deliveries by URL, HTTP status and errors of their latest attempt."""
    groups: dict[tuple[Any, ...], FailureRow] = {}
    async for delivery in scan.rows():
        row = _row(delivery)
        errors = ", ".join(_code(each) for each in row.errors or []) or None
        key = (row.url, row.http_status, errors)
        group = groups.setdefault(
            key,
            FailureRow(
                url=row.url, http_status=row.http_status, errors=errors, example_id=delivery.id
            ),
        )
        group.deliveries += 1
        times = [each for each in (group.first, group.last, delivery.started_at) if each]
        group.first, group.last = min(times, default=None), max(times, default=None)
        kind = row.event_type or "unknown"
        group.event_types = group.event_types | {kind: group.event_types.get(kind, 0) + 1}
    return sorted(groups.values(), key=lambda each: (-each.deliveries, each.url or ""))


def _code(error: Any) -> str:
    """An error of an attempt, which is a code or an object with one."""
    if isinstance(error, dict):
        return " ".join(str(error[name]) for name in ("code", "title") if error.get(name))
    return str(error)


async def get_webhook_delivery(call: Call[DeliveryParams]) -> DeliveryResult:
    delivery = await call.client.get_webhook_delivery(call.params.delivery_id)
    event = delivery.webhook or WebhookEvent()
    return DeliveryResult(
        **delivery.model_dump(include={"id", "status", "started_at", "finished_at"}),
        event_type=event.event_type,
        event_id=event.id,
        occurred_at=event.occurred_at,
        attempts=[_detail(each) for each in delivery.attempts or []],
        untrusted_payload=_payload(delivery) if call.params.include_payload else None,
        note=None if call.params.include_payload else "include_payload=true adds the event itself.",
    )


def _row(delivery: WebhookDelivery) -> DeliveryRow:
    """A delivery with what came of its latest attempt."""
    attempts = delivery.attempts or []
    latest = _attempt(attempts[0]) if attempts else {}
    return DeliveryRow(
        id=delivery.id,
        status=delivery.status,
        event_type=delivery.webhook.event_type if delivery.webhook else None,
        started_at=delivery.started_at,
        attempts=len(attempts),
        **{name: latest.get(name) for name in ("url", "http_status", "errors")},
    )


def _attempt(attempt: DeliveryAttempt) -> dict[str, Any]:
    http = attempt.http
    return {
        "status": attempt.status,
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
        "url": sanitize(http.request.url or "") or None if http and http.request else None,
        "http_status": http.response.status if http and http.response else None,
        "errors": redact(attempt.errors, 200) or None,
    }


def _detail(attempt: DeliveryAttempt) -> AttemptDetail:
    http = attempt.http
    request, response = (http.request, http.response) if http else (None, None)
    body = response.body if response else None
    return AttemptDetail(
        **_attempt(attempt),
        request_headers=_headers(request.headers) if request else None,
        response_headers=_headers(response.headers) if response else None,
        untrusted_response_body=sanitize(body, LONGEST_BODY) if body else body,
    )


def _payload(delivery: WebhookDelivery) -> Any:
    """The event's payload, or its beginning as text where it is long."""
    payload = redact(delivery.webhook.payload if delivery.webhook else None)
    text = compact(payload)
    return payload if len(text) <= LONGEST_PAYLOAD else cut(text, LONGEST_PAYLOAD)


def _headers(headers: list[Any] | None) -> dict[str, str]:
    """Headers by name, from `[name, value]` pairs or `"Name: value"` texts."""
    found: dict[str, str] = {}
    for header in headers or []:
        if isinstance(header, str):
            name, _, value = header.partition(":")
        elif isinstance(header, list) and len(header) == 2:
            name, value = str(header[0]), str(header[1])
        else:
            continue
        found[name.strip()] = value.strip()
    return found


LIST_WEBHOOK_DELIVERIES = ToolSpec(
    name="telnyx_list_webhook_deliveries",
    title="Webhook deliveries",
    description="Webhooks that Telnyx sent: delivered or failed, attempts, and URL, HTTP status and "
    "errors of the latest one. For why one failed: telnyx_get_webhook_delivery.",
    params=DeliveriesParams,
    result=DeliveriesResult,
    run=list_webhook_deliveries,
)
GET_WEBHOOK_DELIVERY = ToolSpec(
    name="telnyx_get_webhook_delivery",
    title="Webhook delivery",
    description="One delivery with every attempt: URL, headers, HTTP status, answer, errors. "
    "Secrets are masked.",
    params=DeliveryParams,
    result=DeliveryResult,
    run=get_webhook_delivery,
)
