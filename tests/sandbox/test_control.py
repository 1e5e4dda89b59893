"""Looking behind the sandbox, in the same process and over HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from telnyx_mcp.sandbox import Sandbox


def test_requests_are_remembered_without_their_key(sandbox: Sandbox, client: httpx.Client) -> None:
    """Method, path, query, headers, body, status and time."""
    client.get("/invoices?page[size]=2", headers={"x-mark": "7"})
    client.post("/payment/stored_payment_transactions", json={"amount": "1"})
    listed, paid = sandbox.requests
    assert (listed.operation, listed.method, listed.path) == (
        "list_invoices",
        "GET",
        "/v2/invoices",
    )
    assert listed.query == [("page[size]", "2")]
    assert listed.headers["x-mark"] == "7"
    assert sandbox.key not in str(sandbox.requests)
    assert (paid.status, paid.body) == (422, b'{"amount":"1"}')
    assert listed.time <= paid.time


def test_another_process_controls_it_over_http(sandbox: Sandbox, client: httpx.Client) -> None:
    """Faults, requests, payments and reset, without a key."""
    url = sandbox.control_url
    fault = {"operation": "get_balance", "kind": "status", "status": 503, "times": 2}
    with httpx.Client(trust_env=False) as control:
        assert control.post(f"{url}/faults", json=fault).status_code == 201
        assert [client.get("/balance").status_code for _ in range(3)] == [503, 503, 200]
        client.post("/payment/stored_payment_transactions", json={"amount": "9.00"})
        requests = control.get(f"{url}/requests").json()
        assert [each["status"] for each in requests["data"]] == [503, 503, 200, 200]
        assert requests["counts"] == {"total": 4, "200": 2, "503": 2}
        payments = control.get(f"{url}/payments").json()
        assert [each["amount_cents"] for each in payments["data"]] == [900]
        assert payments["balance"] == str(sandbox.balance)
        answer = control.post(f"{url}/reset")
        assert answer.headers["x-telnyx-sandbox"] == "true"
        assert control.get(f"{url}/requests").json()["data"] == []
        assert control.get(f"{url}/payments").json()["data"] == []


def test_a_misspelt_fault_over_http_is_400(sandbox: Sandbox) -> None:
    """With what is known in the text."""
    url = f"{sandbox.control_url}/faults"
    with httpx.Client(trust_env=False) as control:
        known = {"operation": "get_balance", "kind": "slow"}
        bodies: list[Any] = [{}, [], {**known, "kind": "dropp"}, {**known, "times": "twice"}]
        for body in bodies:
            answer = control.post(url, json=body)
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["detail"]
