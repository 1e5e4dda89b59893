"""`telnyx_get_webhook_delivery`"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from telnyx_mcp.telnyx.models import WebhookEvent
from telnyx_mcp.tools.framework.arguments import (
    Id,
    Params,
)
from telnyx_mcp.tools.framework.results import Result
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.webhook_rows import (
    AttemptDetail,
    attempt_detail,
    payload_of,
)


class DeliveryParams(Params):
    delivery_id: Id = Field(description="Id of the delivery, from telnyx_list_webhook_deliveries.")
    include_payload: bool = Field(
        False, description="Add the event itself: may hold message texts and phone numbers."
    )


class DeliveryResult(Result):
    rows: ClassVar[str] = "attempts"

    id: str | None = Field(None, description="Id of the delivery.")
    status: str | None = Field(None, description="delivered, or failed if every attempt failed.")
    event_type: str | None = Field(
        None, description="Type of the event, such as message.finalized."
    )
    event_id: str | None = Field(None, description="Id of the event.")
    occurred_at: str | None = Field(None, description="When the event happened, RFC 3339.")
    started_at: str | None = Field(None, description="Start of the first attempt, RFC 3339.")
    finished_at: str | None = Field(None, description="End of the last attempt, RFC 3339.")
    attempts: list[AttemptDetail] = Field(description="Attempts to deliver it, latest first.")
    untrusted_payload: Any = Field(
        None, description="With include_payload: the event as sent; its beginning as text if long."
    )


async def get_webhook_delivery(call: Call[DeliveryParams]) -> DeliveryResult:
    delivery = await call.client.get_webhook_delivery(call.params.delivery_id)
    event = delivery.webhook or WebhookEvent()
    return DeliveryResult(
        **delivery.model_dump(include={"id", "status", "started_at", "finished_at"}),
        event_type=event.event_type,
        event_id=event.id,
        occurred_at=event.occurred_at,
        attempts=[attempt_detail(each) for each in delivery.attempts or []],
        untrusted_payload=payload_of(delivery) if call.params.include_payload else None,
        note=None if call.params.include_payload else "include_payload=true adds the event itself.",
    )


GET_WEBHOOK_DELIVERY = ToolSpec(
    name="telnyx_get_webhook_delivery",
    group="webhooks",
    title="Webhook delivery",
    description="One delivery with every attempt: URL, headers, HTTP status, answer, errors. "
    "Secrets are masked.",
    params=DeliveryParams,
    result=DeliveryResult,
    run=get_webhook_delivery,
)
