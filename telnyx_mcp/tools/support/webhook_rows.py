"""Webhook deliveries and their attempts as rows: secrets masked, long texts cut."""

from __future__ import annotations

from typing import Any

from telnyx_mcp.telnyx.models import DeliveryAttempt, WebhookDelivery
from telnyx_mcp.tools.framework.results import Row
from telnyx_mcp.untrusted import cut, redact, sanitize, to_json

LONGEST_PAYLOAD = 4000
LONGEST_BODY = 500


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
    errors: str | None = None


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
    body = response.body if response else None
    return AttemptDetail(
        **_attempt(attempt),
        request_headers=_headers(request.headers) if request else None,
        response_headers=_headers(response.headers) if response else None,
        untrusted_response_body=sanitize(body, LONGEST_BODY) if body else body,
    )


def payload_of(delivery: WebhookDelivery) -> Any:
    """The event's payload, or its beginning as text where it is long."""
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
