"""A payment and a change of the preferences really happen."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from telnyx_mcp.sandbox import Sandbox

PAY = "/payment/stored_payment_transactions"
RECHARGE = "/payment/auto_recharge_prefs"


def test_a_payment_raises_the_balance_and_is_audited(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    """Balance, credit, transaction and audit event tell the same."""
    before = client.get("/balance").json()["data"]
    answer = client.post(PAY, json={"amount": "120.00"})
    assert answer.status_code == 200
    transaction = answer.json()["data"]
    assert (transaction["amount_cents"], transaction["amount_currency"]) == (12000, "USD")
    assert transaction["processor_status"] == "submitted_for_settlement"
    after = client.get("/balance").json()["data"]
    for field in ("balance", "available_credit"):
        assert Decimal(after[field]) - Decimal(before[field]) == Decimal("120.00")
    event = client.get("/audit_events").json()["data"][0]
    assert event["resource_id"] == transaction["id"]
    assert event["created_at"] == transaction["created_at"]
    assert {"field": "amount", "from": None, "to": "120.00"} in event["changes"]
    assert sandbox.payments == [transaction]


@pytest.mark.parametrize(
    "amount",
    ["120", "120.0", "120.000", "-5.00", "1e3", "0.00", "", " 5.00", "\u0665.00", 120.0, None],
)
def test_an_amount_without_dollars_and_cents_is_refused(
    sandbox: Sandbox, client: httpx.Client, amount: Any
) -> None:
    """422, code 10027, and nothing changes."""
    answer = client.post(PAY, json={"amount": amount})
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert error["code"] == "10027"
    assert error["source"] == {"pointer": "/"}
    assert sandbox.payments == []


def test_a_payment_without_json_is_refused(sandbox: Sandbox, client: httpx.Client) -> None:
    """400, and nothing changes."""
    assert client.post(PAY, content=b"amount=120.00").status_code == 400
    assert client.post(PAY, json=["120.00"]).status_code == 422
    assert sandbox.payments == []


def test_preferences_change_only_where_named(client: httpx.Client) -> None:
    """The rest stays, and the audit event names the field, before and after."""
    before = client.get(RECHARGE).json()["data"]
    answer = client.patch(RECHARGE, json={"recharge_amount": "75.50", "enabled": True})
    assert answer.status_code == 200
    assert answer.json()["data"] == {**before, "recharge_amount": "75.50"}
    assert client.get(RECHARGE).json()["data"] == answer.json()["data"]
    event = client.get("/audit_events").json()["data"][0]
    assert event["record_type"] == "auto_recharge_pref"
    change = {"field": "recharge_amount", "from": before["recharge_amount"], "to": "75.50"}
    assert event["changes"] == [change]


def test_a_patch_that_changes_nothing_leaves_no_audit_event(client: httpx.Client) -> None:
    """An empty body is accepted."""
    before = client.get("/audit_events").json()["meta"]["total_results"]
    assert client.patch(RECHARGE, json={}).status_code == 200
    assert client.patch(RECHARGE, json={"enabled": True}).status_code == 200
    assert client.get("/audit_events").json()["meta"]["total_results"] == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recharge_amount", 104),
        ("recharge_amount", "a lot"),
        ("threshold_amount", "-1.00"),
        ("threshold_amount", "1.001"),
        ("threshold_amount", None),
        ("enabled", "yes"),
        ("enabled", 1),
        ("preference", "cash"),
        ("preference", ["ach"]),
        ("thresold_amount", "10.00"),
    ],
)
def test_preferences_of_another_type_are_refused(
    client: httpx.Client, field: str, value: Any
) -> None:
    """422 that points at the field, and nothing changes."""
    before = client.get(RECHARGE).json()
    answer = client.patch(RECHARGE, json={"invoice_enabled": True, field: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["source"] == {"pointer": f"/{field}"}
    assert client.get(RECHARGE).json() == before


def test_reset_undoes_everything(sandbox: Sandbox, client: httpx.Client) -> None:
    """Balance, preferences, audit events."""
    before = [client.get(path).json() for path in ("/balance", RECHARGE, "/audit_events")]
    client.post(PAY, json={"amount": "5.00"})
    client.patch(RECHARGE, json={"enabled": False})
    sandbox.reset()
    assert [client.get(path).json() for path in ("/balance", RECHARGE, "/audit_events")] == before
    assert sandbox.payments == []
