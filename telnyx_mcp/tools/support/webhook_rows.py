"""Webhook deliveries and their attempts as rows: secrets masked, long texts cut."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from telnyx_mcp.telnyx.models import DeliveryAttempt, WebhookDelivery
from telnyx_mcp.tools.framework.results import Row
from telnyx_mcp.untrusted import cut, redact, sanitize, to_json

LONGEST_PAYLOAD = 4000
LONGEST_BODY = 500


class AttemptRow(Row):
    status: str | None = Field(None, description="Result of the attempt: delivered or failed.")
    started_at: str | None = Field(None, description="Start of the attempt, RFC 3339.")
    finished_at: str | None = Field(None, description="End of the attempt, RFC 3339.")
    url: str | None = Field(None, description="URL it was sent to, without secrets.")
    http_status: int | None = Field(None, description="HTTP status of the answer.")
    errors: list[Any] | None = Field(
        None, description="Error codes, or objects with code, title and detail."
    )


class AttemptDetail(AttemptRow):
    request_headers: dict[str, str] | None = Field(
        None, description="HTTP headers that were sent, without secrets."
    )
    response_headers: dict[str, str] | None = Field(
        None, description="HTTP headers of the answer, without secrets."
    )
    untrusted_response_body: str | None = Field(
        None, description="Body of the answer, written by a stranger, cut if long."
    )


class DeliveryRow(Row):
    id: str | None = Field(None, description="Id of the delivery, for telnyx_get_webhook_delivery.")
    status: str | None = Field(None, description="delivered, or failed if every attempt failed.")
    event_type: str | None = Field(
        None, description="Type of the event, such as message.finalized."
    )
    started_at: str | None = Field(None, description="Start of the first attempt, RFC 3339.")
    attempts: int = Field(0, description="How many attempts were made.")
    url: str | None = Field(None, description="URL of the latest attempt, without secrets.")
    http_status: int | None = Field(None, description="HTTP status of the latest attempt.")
    errors: str | None = Field(None, description="Errors of the latest attempt.")


def delivery_row(delivery: WebhookDelivery) -> DeliveryRow:
    """A delivery with the result of its latest attempt."""
    attempts = delivery.attempts or []
    latest = _attempt(attempts[0]) if attempts else {}
    return DeliveryRow(
        id=delivery.id,
        status=delivery.status,
        event_type=delivery.webhook.event_type if delivery.webhook else None,
        started_at=delivery.started_at,
        attempts=len(attempts),
        url=latest.get("url"),
        http_status=latest.get("http_status"),
        errors=", ".join(_code(each) for each in latest.get("errors") or []) or None,
    )


def attempt_detail(attempt: DeliveryAttempt) -> AttemptDetail:
    http = attempt.http
    request, response = (http.request, http.response) if http else (None, None)
    return AttemptDetail(
        **_attempt(attempt),
        request_headers=_headers(request.headers) if request else None,
        response_headers=_headers(response.headers) if response else None,
        untrusted_response_body=_body(response.body) if response else None,
    )


def _body(body: Any) -> str | None:
    """The body of an answer as text, though Telnyx may have parsed it."""
    text = body if isinstance(body, str | None) else to_json(redact(body))
    return sanitize(text, LONGEST_BODY) if text else text


def payload_of(delivery: WebhookDelivery) -> Any:
    """The event's payload, or its beginning as text if it is long."""
    payload = redact(delivery.webhook.payload if delivery.webhook else None)
    text = to_json(payload)
    return payload if len(text) <= LONGEST_PAYLOAD else cut(text, LONGEST_PAYLOAD)


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


def _code(error: Any) -> str:
    """An error of an attempt, which is a code or an object with one."""
    if isinstance(error, dict):
        return " ".join(str(error[name]) for name in ("code", "title") if error.get(name))
    return str(error)


def _headers(headers: Any) -> dict[str, str]:
    """Headers by name, from `[name, value]` pairs, `"Name: value"` texts, objects with a name and a value,
    or one object or text of them all."""
    if isinstance(headers, dict):
        return {name.strip(): _header_value(value) for name, value in headers.items()}
    if isinstance(headers, str):
        headers = headers.splitlines()
    found: dict[str, str] = {}
    for header in headers if isinstance(headers, list) else []:
        match header:
            case str():
                name, _, value = header.partition(":")
            case [name, value]:
                pass
            case {"name": name, "value": value}:
                pass
            case _:
                continue
        found[str(name).strip()] = _header_value(value)
    return found


def _header_value(value: Any) -> str:
    """One text; a header that was sent several times may come as a list."""
    if isinstance(value, list):
        return ", ".join(map(_header_value, value))
    return value.strip() if isinstance(value, str) else to_json(value)
