"""The sandbox's answers, judged by the schemas of Telnyx's OpenAPI document (tests/spec)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from scripts.generate.spec import FOLDER
from telnyx_mcp.sandbox import NO_PERMISSIONS_KEY, Sandbox

# One schema by record type: `DetailRecord` itself contradicts its own examples.
RECORD_SCHEMAS = {
    "messaging": "MessageDetailRecord",
    "verify": "VerifyDetailRecord",
    "wireless": "SimCardUsageDetailRecord",
    "media_storage": "MediaStorageDetailRecord",
    "amd": "AmdDetailRecord",
    "conference": "ConferenceDetailRecord",
    "conference-participant": "ConferenceParticipantDetailRecord",
}


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    return _read("account")


@pytest.fixture(scope="module")
def neighbours() -> dict[str, Any]:
    return _read("neighbours")


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return document


def problems(spec: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    validator = Draft202012Validator(
        {**schema, "components": spec["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def answer_schema(spec: dict[str, Any], method: str, path: str, status: str) -> dict[str, Any]:
    responses = spec["paths"][path][method.lower()]["responses"]
    response = responses.get(status) or responses["default"]
    if "$ref" in response:
        response = spec["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    schema: dict[str, Any] = response["content"]["application/json"]["schema"]
    return schema


def as_declared(delivery: dict[str, Any]) -> dict[str, Any]:
    """A delivery without what Telnyx's own examples have and its schema forbids."""
    copy: dict[str, Any] = json.loads(json.dumps(delivery))
    for attempt in copy["attempts"]:
        if any(not isinstance(error, int) for error in attempt.get("errors", [])):
            del attempt["errors"]
        request = attempt["http"]["request"]
        request["headers"] = [
            header if isinstance(header, list) else header.split(": ", 1)
            for header in request["headers"]
        ]
    return copy


READS = [
    ("/balance", "/balance"),
    ("/audit_events?page[size]=250", "/audit_events"),
    ("/charges_breakdown?start_date=2026-05-01", "/charges_breakdown"),
    ("/charges_summary?start_date=2026-05-01&end_date=2026-06-01", "/charges_summary"),
    ("/charges_summary?start_date=2025-11-07&end_date=2025-11-08", "/charges_summary"),
    ("/invoices", "/invoices"),
    ("/payment/auto_recharge_prefs", "/payment/auto_recharge_prefs"),
    ("/user_tags", "/user_tags"),
]


@pytest.mark.parametrize(("url", "path"), READS)
def test_reads_are_as_declared(
    client: httpx.Client, spec: dict[str, Any], url: str, path: str
) -> None:
    """Every field of the declared type, every required one there."""
    assert problems(spec, answer_schema(spec, "get", path, "200"), client.get(url).json()) == []


@pytest.mark.parametrize("link", ["", "?action=link"])
def test_an_invoice_is_as_declared(client: httpx.Client, spec: dict[str, Any], link: str) -> None:
    """With and without its link."""
    invoice = client.get("/invoices").json()["data"][0]
    answer = client.get(f"/invoices/{invoice['invoice_id']}{link}").json()
    assert problems(spec, answer_schema(spec, "get", "/invoices/{id}", "200"), answer) == []


def test_changes_are_as_declared(client: httpx.Client, spec: dict[str, Any]) -> None:
    """The payment and the preferences."""
    paid = client.post("/payment/stored_payment_transactions", json={"amount": "1.00"}).json()
    schema = answer_schema(spec, "post", "/v2/payment/stored_payment_transactions", "200")
    assert problems(spec, schema, paid) == []
    changed = client.patch("/payment/auto_recharge_prefs", json={"enabled": False}).json()
    schema = answer_schema(spec, "patch", "/payment/auto_recharge_prefs", "200")
    assert problems(spec, schema, changed) == []


def test_deliveries_are_as_declared(client: httpx.Client, spec: dict[str, Any]) -> None:
    """But for the two contradictions of the document with its own examples."""
    answer = client.get("/webhook_deliveries?page[size]=250").json()
    failed = client.get("/webhook_deliveries?page[size]=250&filter[status][eq]=failed").json()
    schema = answer_schema(spec, "get", "/webhook_deliveries", "200")
    for each in (answer, failed):
        each["data"] = [as_declared(delivery) for delivery in each["data"]]
        assert problems(spec, schema, each) == []
    one = client.get(f"/webhook_deliveries/{failed['data'][0]['id']}").json()
    one["data"] = as_declared(one["data"])
    schema = answer_schema(spec, "get", "/webhook_deliveries/{id}", "200")
    assert problems(spec, schema, one) == []


@pytest.mark.parametrize(("record_type", "schema"), RECORD_SCHEMAS.items())
def test_published_records_are_as_declared(
    client: httpx.Client, spec: dict[str, Any], record_type: str, schema: str
) -> None:
    """And hold every declared field, no other."""
    params = {"filter[record_type]": record_type, "page[size]": "50"}
    records = client.get("/detail_records", params=params).json()["data"]
    declared = spec["components"]["schemas"][schema]
    for record in records:
        assert problems(spec, declared, record) == []
        assert set(record) == set(declared["properties"])


@pytest.mark.parametrize(
    ("method", "url", "path", "status"),
    [
        ("get", "/charges_breakdown", "/charges_breakdown", 400),
        ("get", "/charges_summary", "/charges_summary", 400),
        ("get", "/detail_records", "/detail_records", 400),
        ("get", "/invoices/not-an-id", "/invoices/{id}", 400),
        ("get", "/invoices/550e8400-e29b-41d4-a716-446655440000", "/invoices/{id}", 404),
        (
            "post",
            "/payment/stored_payment_transactions",
            "/v2/payment/stored_payment_transactions",
            422,
        ),
    ],
)
def test_refusals_are_as_declared(
    client: httpx.Client, spec: dict[str, Any], method: str, url: str, path: str, status: int
) -> None:
    """Each operation's own error schema."""
    answer = client.request(method, url, json={} if method == "post" else None)
    assert answer.status_code == status
    assert problems(spec, answer_schema(spec, method, path, str(status)), answer.json()) == []


def test_refused_keys_are_as_declared(
    client: httpx.Client, spec: dict[str, Any], sandbox: Sandbox
) -> None:
    """401 and 403, where a body is declared."""
    for path, status, key in (
        ("/balance", 403, NO_PERMISSIONS_KEY),
        ("/invoices", 403, NO_PERMISSIONS_KEY),
        ("/audit_events", 401, "KEY_OTHER"),
        ("/user_tags", 401, "KEY_OTHER"),
    ):
        answer = client.get(path, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == status
        assert problems(spec, answer_schema(spec, "get", path, str(status)), answer.json()) == []


REPORT = "product=messaging&dimensions=date,direction&metrics=cost,count"


@pytest.mark.parametrize(
    ("url", "path", "status"),
    [
        ("/usage_reports/options?product=inference", "/usage_reports/options", 200),
        ("/usage_reports/options?product=telepathy", "/usage_reports/options", 400),
        (f"/usage_reports?{REPORT}&date_range=last_7_days", "/usage_reports", 200),
        (f"/usage_reports?{REPORT}&date_range=last_31_days", "/usage_reports", 400),
        ("/usage_reports?product=messaging", "/usage_reports", 400),
    ],
)
def test_usage_reports_are_as_declared(
    client: httpx.Client, neighbours: dict[str, Any], url: str, path: str, status: int
) -> None:
    """But for `record_types`, which Telnyx's own example has null, against its schema."""
    answer = client.get(url)
    assert answer.status_code == status
    schema = answer_schema(neighbours, "get", path, str(status))
    assert problems(neighbours, schema, answer.json()) == []


NOTIFICATIONS = ("channels", "event_conditions", "events", "profiles", "settings")
NEIGHBOURS = [
    ("/organizations/users?include_groups=true", "/organizations/users"),
    ("/phone_numbers?page[size]=250", "/phone_numbers"),
    ("/phone_numbers?filter[status]=ported-out", "/phone_numbers"),
    ("/phone_numbers/slim?page[size]=250&include_tags=true", "/phone_numbers/slim"),
    ("/messaging_profiles", "/messaging_profiles"),
    ("/connections", "/connections"),
    ("/billing_groups", "/billing_groups"),
    ("/spend_limits", "/spend_limits"),
    *((f"/notification_{name}",) * 2 for name in NOTIFICATIONS),
]


@pytest.mark.parametrize(("url", "path"), NEIGHBOURS)
def test_neighbouring_reads_are_as_declared(
    client: httpx.Client, neighbours: dict[str, Any], url: str, path: str
) -> None:
    """Every field is declared, and of its type."""
    answer = client.get(url).json()
    schema = answer_schema(neighbours, "get", path, "200")
    assert problems(neighbours, schema, answer) == []
    rows = answer["data"]
    assert rows
    schemas = neighbours["components"]["schemas"]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    row = schema["properties"]["data"]["items"]
    declared = schemas[row["$ref"].rsplit("/", 1)[1]]["properties"]
    assert {name for each in rows for name in each} <= {*declared, "tags"}


def test_a_session_is_as_declared(client: httpx.Client, neighbours: dict[str, Any]) -> None:
    """The tree, and its own shape of errors."""
    params = {"filter[record_type]": "call-control", "filter[date_range]": "yesterday"}
    call = client.get("/detail_records", params=params).json()["data"][0]["id"]
    path = "/session_analysis/{record_type}/{event_id}"
    for url, status in (
        (f"/session_analysis/call-session/{call}?max_depth=5", 200),
        (f"/session_analysis/call-control/{call}?expand=none", 200),
        (f"/session_analysis/tts/{call}", 404),
        ("/session_analysis/tts/no-id", 400),
    ):
        answer = client.get(url)
        assert answer.status_code == status
        schema = answer_schema(neighbours, "get", path, str(status))
        assert problems(neighbours, schema, answer.json()) == []
