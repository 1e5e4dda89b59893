"""Every fault, as a real HTTP client meets it."""

from __future__ import annotations

import contextlib
import json
import time

import httpx
import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.sandbox.faults import KINDS
from telnyx_mcp.sandbox.operations import OPERATIONS
from tests.support.polling import wait_until

PAYMENT = "create_stored_payment_transaction"


def pay(client: httpx.Client, timeout: float = 5) -> httpx.Response:
    path = "/payment/stored_payment_transactions"
    return client.post(path, json={"amount": "120.00"}, timeout=timeout)


@pytest.mark.parametrize(
    ("kind", "error", "paid"),
    [
        ("drop_before", httpx.RemoteProtocolError, False),
        ("drop_after", httpx.RemoteProtocolError, True),
        ("reset_before", httpx.ReadError, False),
        ("reset_after", httpx.ReadError, True),
    ],
)
@pytest.mark.parametrize("reused", [False, True])
def test_a_lost_connection_made_the_payment_or_did_not(
    sandbox: Sandbox,
    client: httpx.Client,
    kind: str,
    error: type[Exception],
    paid: bool,
    reused: bool,
) -> None:
    """The client can't tell the two apart; the sandbox can. On new and kept connections."""
    if reused:
        client.get("/balance")
    before = sandbox.balance
    sandbox.fault(PAYMENT, kind)
    with pytest.raises(error):
        pay(client)
    assert len(sandbox.payments) == paid
    assert sandbox.balance - before == (120 if paid else 0)
    assert pay(client).status_code == 200
    assert sandbox.requests[-2].status is None


def test_a_slow_answer_is_the_right_one(sandbox: Sandbox, client: httpx.Client) -> None:
    """It only takes its time."""
    sandbox.fault("get_balance", "slow", seconds=0.2)
    began = time.perf_counter()
    assert client.get("/balance").status_code == 200
    assert time.perf_counter() - began >= 0.2


@pytest.mark.parametrize("applied", [True, False])
def test_a_payment_given_up_on_was_made_or_not(
    sandbox: Sandbox, client: httpx.Client, applied: bool
) -> None:
    """`slow` pays first; with `applied=False` it notices that the client has gone."""
    sandbox.fault(PAYMENT, "slow", seconds=0.3, applied=applied)
    with pytest.raises(httpx.ReadTimeout):
        pay(client, timeout=0.05)
    wait_until(lambda: sandbox.counts.get("unanswered") == 1)
    assert len(sandbox.payments) == applied


def test_a_slow_payment_not_given_up_on_is_made(sandbox: Sandbox, client: httpx.Client) -> None:
    """`applied=False` means late, not never."""
    sandbox.fault(PAYMENT, "slow", seconds=0.05, applied=False)
    assert pay(client).status_code == 200
    assert len(sandbox.payments) == 1


def test_a_dripping_answer_comes_a_byte_at_a_time(sandbox: Sandbox, client: httpx.Client) -> None:
    """And is complete in the end."""
    sandbox.fault("get_balance", "drip", seconds=0.0005)
    with client.stream("GET", "/balance") as answer:
        chunks = list(answer.iter_raw())
    assert len(chunks) > 20
    assert json.loads(b"".join(chunks)) == client.get("/balance").json()


def test_a_truncated_answer_promises_more_than_it_holds(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    """The connection closes before the announced length; the payment was made."""
    sandbox.fault(PAYMENT, "truncated")
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|closed"):
        pay(client)
    assert len(sandbox.payments) == 1


@pytest.mark.parametrize(
    ("kind", "status", "media_type"),
    [
        ("truncated_json", 200, "application/json; charset=utf-8"),
        ("html", 502, "text/html"),
        ("empty", 200, None),
        ("no_content", 204, None),
        ("redirect", 302, None),
    ],
)
def test_an_unreadable_answer_is_still_http(
    sandbox: Sandbox, client: httpx.Client, kind: str, status: int, media_type: str | None
) -> None:
    """Complete, of a known status, and not JSON."""
    sandbox.fault("get_balance", kind)
    answer = client.get("/balance")
    assert answer.status_code == status
    assert answer.headers.get("content-type") == media_type
    assert answer.headers["x-telnyx-sandbox"] == "true"
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        answer.json()


def test_nonsense_is_json_of_another_shape(sandbox: Sandbox, client: httpx.Client) -> None:
    """A list, or whatever is asked for."""
    sandbox.fault("get_balance", "nonsense")
    sandbox.fault("get_balance", "nonsense", body="good morning")
    assert isinstance(client.get("/balance").json(), list)
    assert client.get("/balance").json() == "good morning"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("applied", [False, True])
def test_any_status_can_be_answered_for_a_payment_made_or_not(
    sandbox: Sandbox, client: httpx.Client, status: int, applied: bool
) -> None:
    """With the documented error body."""
    sandbox.fault(PAYMENT, "status", status=status, applied=applied)
    answer = pay(client)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["detail"]
    assert len(sandbox.payments) == applied


def test_a_429_is_telnyxs_or_a_proxys(sandbox: Sandbox, client: httpx.Client) -> None:
    """Code 10011, or a page of HTML; with headers if wanted."""
    sandbox.fault("get_balance", "status", status=429, headers={"Retry-After": "7"})
    sandbox.fault("get_balance", "html", status=429)
    telnyx, proxy = client.get("/balance"), client.get("/balance")
    assert telnyx.json()["errors"][0]["code"] == "10011"
    assert telnyx.headers["retry-after"] == "7"
    assert (proxy.status_code, proxy.text[:6]) == (429, "<html>")


def test_a_code_can_be_chosen(sandbox: Sandbox, client: httpx.Client) -> None:
    """As for insufficient funds."""
    sandbox.fault(PAYMENT, "status", status=403, code="20100")
    assert pay(client).json()["errors"][0]["code"] == "20100"


def test_a_huge_answer_is_streamed(sandbox: Sandbox, client: httpx.Client) -> None:
    """More than 16 MB, without an announced length."""
    sandbox.fault("get_balance", "huge")
    received = 0
    with client.stream("GET", "/balance") as answer:
        assert "content-length" not in answer.headers
        for chunk in answer.iter_raw():
            received += len(chunk)
    assert received > 16 * 1024 * 1024


def test_a_redirect_leads_elsewhere(sandbox: Sandbox, client: httpx.Client) -> None:
    """And the payment behind it was not made."""
    sandbox.fault(PAYMENT, "redirect", location="https://example.invalid/steal")
    assert pay(client).headers["location"] == "https://example.invalid/steal"
    assert sandbox.payments == []


def test_fields_can_be_null_or_absent(sandbox: Sandbox, client: httpx.Client) -> None:
    """Of one resource, and of every item of a list."""
    usual = client.get("/balance").json()["data"]
    sandbox.fault("get_balance", "null_fields")
    sandbox.fault("get_balance", "absent_fields")
    sandbox.fault("list_invoices", "null_fields")
    assert client.get("/balance").json()["data"] == dict.fromkeys(usual)
    assert client.get("/balance").json()["data"] == {}
    invoices = client.get("/invoices").json()
    assert len(invoices["data"]) == 18
    assert set(invoices["data"][0].values()) == {None}
    assert invoices["meta"]["total_results"] == 18


def test_values_can_be_unheard_of(sandbox: Sandbox, client: httpx.Client) -> None:
    """Unknown enum values, and fields that nobody knows, at every depth."""
    sandbox.fault("list_webhook_deliveries", "unknown_values")
    answer = client.get("/webhook_deliveries").json()
    delivery = answer["data"][0]
    assert delivery["status"] == delivery["attempts"][0]["status"] == "unheard_of"
    assert "x_new" in answer
    assert "x_new_field" in delivery["attempts"][0]["http"]["request"]


def test_a_list_can_lose_its_meta_or_never_advance(sandbox: Sandbox, client: httpx.Client) -> None:
    """Both have sent other clients round for ever."""
    sandbox.fault("list_invoices", "no_meta")
    sandbox.fault("list_invoices", "stuck_page", times=2)
    assert set(client.get("/invoices").json()) == {"data"}
    pages = [client.get(f"/invoices?page[number]={number}").json() for number in (1, 2)]
    assert pages[0] == pages[1]
    assert pages[0]["meta"]["page_number"] == 1
    assert pages[0]["meta"]["total_pages"] == 2


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_fault_of_every_kind_is_over_after_its_times(
    sandbox: Sandbox, client: httpx.Client, kind: str
) -> None:
    """The next request is answered as usual."""
    small = {"huge": {"size": 10}, "slow": {"seconds": 0}, "drip": {"seconds": 0}}
    sandbox.fault("list_user_tags", kind, **small.get(kind, {}))
    with contextlib.suppress(httpx.TransportError):
        client.get("/user_tags", timeout=5)
    assert client.get("/user_tags").json()["data"]["number_tags"]


def test_faults_count_skip_and_choose_their_operation(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    """`skip` spares the first, `times` counts the rest, `*` is every operation."""
    sandbox.fault("*", "status", status=503, skip=1, times=2)
    paths = ["/balance", "/invoices", "/balance", "/balance"]
    assert [client.get(path).status_code for path in paths] == [200, 503, 503, 200]
    sandbox.fault("get_balance", "status", times=None)
    assert {client.get("/balance").status_code for _ in range(5)} == {500}
    sandbox.reset()
    assert client.get("/balance").status_code == 200


def test_a_refused_request_keeps_its_refusal(sandbox: Sandbox, client: httpx.Client) -> None:
    """A fault that carries out a bad request has nothing to spoil."""
    sandbox.fault(PAYMENT, "truncated")
    answer = client.post("/payment/stored_payment_transactions", json={"amount": "1"})
    assert answer.status_code == 422


def test_a_misspelt_fault_is_an_error_that_names_the_known(sandbox: Sandbox) -> None:
    """Operation, kind and option."""
    with pytest.raises(ValueError, match="get_balance"):
        sandbox.fault("get_balanse", "slow")
    with pytest.raises(ValueError, match="drop_before"):
        sandbox.fault("get_balance", "dropp")
    with pytest.raises(ValueError, match="secnds"):
        sandbox.fault("get_balance", "slow", secnds=1)
    with pytest.raises(ValueError, match="times"):
        sandbox.fault("get_balance", "slow", times=0)


def test_every_operation_has_an_id_of_its_own_and_can_fail(sandbox: Sandbox) -> None:
    assert len({each.id for each in OPERATIONS}) == len(OPERATIONS)
    for each in OPERATIONS:
        assert sandbox.fault(each.id, "slow").operation == each.id
