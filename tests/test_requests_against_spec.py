"""Every request the client can send is one that Telnyx's OpenAPI document describes (tests/spec)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import jsonschema
import pytest

from scripts.generate.spec import FOLDER, NAMES
from telnyx_mcp.sandbox import Sandbox, SeenRequest
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import TelnyxError

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ID = "48eff763-ea80-4345-b688-78249eb165a8"
REQUESTS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "get_balance": ((), {}),
    "list_audit_events": (
        (),
        {"created_after": NOW, "created_before": NOW, "sort": "asc", "page": 2, "page_size": 9},
    ),
    "get_charges_breakdown": ((date(2026, 5, 1), date(2026, 6, 1)), {}),
    "get_charges_summary": ((date(2026, 5, 1), date(2026, 6, 1)), {}),
    "search_detail_records": (
        ("messaging",),
        {
            "date_range": "last_month",
            "filters": {"filter[cost][gte]": "1", "filter[direction]": "outbound"},
            "sort": ["-created_at"],
            "page": 2,
            "page_size": 50,
        },
    ),
    "list_invoices": ((), {"sort": "-period_start", "page": 2, "page_size": 250}),
    "get_invoice": ((ID,), {"include_download_link": True}),
    "get_auto_recharge_preferences": ((), {}),
    "update_auto_recharge_preferences": (
        (
            {
                "enabled": True,
                "threshold_amount": "1.00",
                "recharge_amount": "2.00",
                "preference": "ach",
                "invoice_enabled": False,
            },
        ),
        {},
    ),
    "list_user_tags": (("a",), {}),
    "create_stored_payment_transaction": (("120.00",), {}),
    "list_webhook_deliveries": (
        (),
        {
            "status": "failed",
            "event_types": ["call.initiated", "message.finalized"],
            "webhook_contains": "a",
            "attempts_contains": "b",
            "started_after": NOW,
            "started_before": NOW,
            "finished_after": NOW,
            "finished_before": NOW,
            "page": 2,
            "page_size": 250,
        },
    ),
    "get_webhook_delivery": ((ID,), {}),
    "get_usage_report_options": ((), {}),
    "get_usage_report": (
        ("messaging", ["date", "direction"], ["cost", "count"], NOW, NOW + timedelta(days=31)),
        {"page": 2},  # its filters are described in words only
    ),
    "list_organization_users": ((), {"email": "a", "page": 2}),
    "list_phone_numbers": (
        (),
        {
            "phone_number": "+13125550100",
            "status": "active",
            "country": "us",
            "connection_id": "1",
            "billing_group_id": "null",
            "tag": "a",
            "customer_reference": "b",
            "number_type": "local",
            "sort": "purchased_at",
            "page": 2,
        },
    ),
    "list_messaging_profiles": ((), {"name_contains": "a", "page": 2}),
    "list_connections": ((), {"name_contains": "abc", "sort": "connection_name", "page": 2}),
    "list_billing_groups": ((), {"page": 2}),
    "list_spend_limits": ((), {}),
    "get_session_analysis": (("call-control", ID), {"date": date(2026, 5, 1), "max_depth": 3}),
    "list_notification_channels": ((), {"page": 2}),
    "list_notification_event_conditions": ((), {"page": 2}),
    "list_notification_events": ((), {"page": 2}),
    "list_notification_profiles": ((), {"page": 2}),
    "list_notification_settings": ((), {"page": 2}),
}


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    """The thirteen operations of the mission, and those beside them."""
    return [json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in NAMES]


def described(
    documents: list[dict[str, Any]], method: str, path: str
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The document that has the operation, and the operation. The published path of the payment
    doubles the version."""
    for document in documents:
        paths = {key.removeprefix("/v2"): each for key, each in document["paths"].items()}
        for template, operations in paths.items():
            fixed = template.replace("{id}", ID).replace("{event_id}", ID)
            fixed = fixed.replace("{record_type}", "call-control")
            if path in (template, fixed) and method.lower() in operations:
                return document, operations[method.lower()]
    raise AssertionError(f"{method} {path} is not described")


def resolved(document: Mapping[str, Any], value: Any) -> Any:
    """The same with what its references point at in their place."""
    if isinstance(value, Mapping):
        if "$ref" in value:
            target: Any = document
            for step in value["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            return resolved(document, target)
        return {name: resolved(document, each) for name, each in value.items()}
    if isinstance(value, list):
        return [resolved(document, each) for each in value]
    return value


def problems(parameters: list[dict[str, Any]], sent: SeenRequest) -> list[str]:
    """What the document does not allow in a request."""
    found: list[str] = []
    allowed = {each["name"]: each for each in parameters}
    for name, value in sent.query:
        # Some are written out with their brackets, most as an object.
        whole = name in allowed
        parameter = allowed.get(name if whole else name.partition("[")[0])
        if parameter is None:
            found.append(f"no parameter {name}")
            continue
        schema = parameter["schema"]
        for part in [] if whole else name.split("[")[1:]:
            inner = part.rstrip("]")
            schema = schema.get("properties", {}).get(inner) or (
                {} if schema.get("additionalProperties") else None
            )
            if schema == {}:  # any filter by any field, with any operator
                break
            if schema is None:
                found.append(f"no {name}")
                break
        if schema and "enum" in schema and value not in schema["enum"]:
            found.append(f"{name}={value} is not in {schema['enum']}")
        if schema and schema.get("type") == "integer":
            jsonschema.validate(int(value), {k: v for k, v in schema.items() if k != "example"})
    required = {
        name for name, each in allowed.items() if each.get("required") and each["in"] == "query"
    }
    found += [
        f"{name} is missing" for name in required - {n.partition("[")[0] for n, _ in sent.query}
    ]
    return found


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_request_is_one_that_the_document_describes(
    documents: list[dict[str, Any]], server: AccountServer, sandbox: Sandbox, name: str
) -> None:
    client = TelnyxClient((await server.accounts.main.services()).transport)
    arguments, named = REQUESTS[name]
    with suppress(TelnyxError):  # an id that nobody has, an amount the sandbox minds
        await getattr(client, name)(*arguments, **named)
    (sent,) = sandbox.requests
    document, operation = described(documents, sent.method, sent.path.removeprefix("/v2"))
    assert problems(resolved(document, operation.get("parameters", [])), sent) == []
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        jsonschema.validate(json.loads(sent.body), {**schema, "components": document["components"]})
    else:
        assert sent.body == b""


def test_every_operation_of_the_client_is_in_the_table() -> None:
    operations = {
        name
        for name in vars(TelnyxClient)
        if name.split("_")[0] in ("get", "list", "search", "create", "update")
    }
    assert operations == set(REQUESTS)
