"""Refusals carry the status, code and body that Telnyx documents."""

from __future__ import annotations

import uuid

import httpx
import pytest

from telnyx_mcp.sandbox import NO_PERMISSIONS_KEY, Sandbox
from telnyx_mcp.sandbox.operations import OPERATIONS

ID = uuid.UUID(int=7, version=4)
PATHS = [
    (operation.method, operation.path.format(id=ID, record_type="call-control", event_id=ID))
    for operation in OPERATIONS
]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["errors"][0]
    assert error.get("title") or error["message"]
    assert error["detail"]
    assert answer.headers["x-telnyx-sandbox"] == "true"
    return answer.status_code, str(error["code"])  # billing groups have integers


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_missing_or_unknown_key_is_401(client: httpx.Client, method: str, path: str) -> None:
    """Code 10009, on every operation."""
    for authorization in ("", "Bearer KEY_OTHER", f"Basic {NO_PERMISSIONS_KEY}"):
        answer = client.request(method, path, headers={"authorization": authorization})
        assert refusal(answer) == (401, "10009")


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_key_without_permissions_is_403(client: httpx.Client, method: str, path: str) -> None:
    """Code 10010, on every operation."""
    headers = {"authorization": f"Bearer {NO_PERMISSIONS_KEY}"}
    assert refusal(client.request(method, path, headers=headers)) == (403, "10010")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("GET", "/v2/balance"),
        ("POST", "/v2/payment/stored_payment_transactions"),
        ("GET", "/payments/auto_recharge_prefs"),
        ("DELETE", "/balance"),
        ("GET", "/detail_records/options"),
        ("GET", f"/invoices/{uuid.UUID(int=7, version=4)}"),
        ("GET", f"/webhook_deliveries/{uuid.UUID(int=7, version=4)}"),
        ("GET", "/webhook_deliveries/not-an-id"),
    ],
)
def test_what_is_not_there_is_404(client: httpx.Client, method: str, path: str) -> None:
    """Code 10005, the doubled path of the payment included."""
    assert refusal(client.request(method, path)) == (404, "10005")


RECORDS = "/detail_records?filter[record_type]=messaging"
BAD_REQUESTS = [
    ("/charges_breakdown", "10004"),
    ("/charges_summary?start_date=2026-05-01", "10004"),
    ("/charges_summary?end_date=2026-05-01", "10004"),
    ("/charges_summary?start_date=2026-05-01&end_date=2026-06-02", "10015"),
    ("/charges_breakdown?start_date=2026-05-01&end_date=2026-06-02", "10015"),
    ("/charges_breakdown?start_date=2026-05-01&end_date=2026-05-01", "10015"),
    ("/charges_breakdown?start_date=2026-05-02&end_date=2026-05-01", "10015"),
    ("/charges_breakdown?start_date=May+2026", "10015"),
    ("/charges_breakdown?start_date=2026-05-01&format=xml", "10015"),
    ("/detail_records", "10004"),
    ("/detail_records?filter[record_type]=wirelessxx", "10011"),
    (f"{RECORDS}&filter[colour]=red", "10015"),
    (f"{RECORDS}&filter[cost][about]=1", "10015"),
    (f"{RECORDS}&filter[created_at][gte]=soon", "10015"),
    (f"{RECORDS}&filter[date_range]=last_year", "10015"),
    (f"{RECORDS}&filter[date_range]=last_0_days", "10015"),
    (f"{RECORDS}&filter[a][b][c]=1", "10015"),
    (f"{RECORDS}&sort=-colour", "10015"),
    ("/detail_records?filter[record_type]=call-control&sort=-created_at", "10015"),
    (
        "/detail_records?filter[record_type]=sip-trunking&filter[created_at][gte]=2026-01-01",
        "10015",
    ),
    (f"{RECORDS}&page[size]=51", "10015"),
    (f"{RECORDS}&page[number]=0", "10015"),
    ("/invoices?page[size]=251", "10015"),
    ("/invoices?page[size]=0", "10015"),
    ("/invoices?page[number]=one", "10015"),
    ("/invoices?sort=paid", "10015"),
    ("/invoices/not-an-id", "10015"),
    ("/audit_events?sort=-created_at", "10015"),
    ("/audit_events?filter[created_after]=yesterday", "10015"),
    ("/webhook_deliveries?page[size]=251", "10015"),
]


@pytest.mark.parametrize(("path", "code"), BAD_REQUESTS)
def test_a_bad_parameter_is_400(client: httpx.Client, path: str, code: str) -> None:
    """Required parameters, limits, ranges, fields and operators."""
    assert refusal(client.get(path)) == (400, code)


@pytest.mark.parametrize("query", ["filter[status][eq]=lost", "filter[started_at][gte]=soon"])
def test_a_bad_filter_of_deliveries_is_422(client: httpx.Client, query: str) -> None:
    """The status that operation declares."""
    assert refusal(client.get(f"/webhook_deliveries?{query}")) == (422, "10015")


def test_a_bad_action_of_an_invoice_is_400(client: httpx.Client, sandbox: Sandbox) -> None:
    """Only `json` and `link` exist."""
    invoice_id = sandbox.account.invoices.all[0]["invoice_id"]
    assert refusal(client.get(f"/invoices/{invoice_id}?action=pdf")) == (400, "10015")


def test_exactly_31_days_are_accepted(client: httpx.Client) -> None:
    """As the documented example has it."""
    query = "start_date=2025-05-01&end_date=2025-06-01"
    assert client.get(f"/charges_summary?{query}").status_code == 200
