"""Looking behind the sandbox, in the same process and over HTTP; a web page can't."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from telnyx_mcp.sandbox import Sandbox, running_sandbox

FAULT = {"operation": "get_balance", "kind": "status", "status": 503}
JSON = {"content-type": "application/json"}
ROUTES = (
    ("POST", "faults"),
    ("POST", "latency"),
    ("GET", "requests"),
    ("GET", "payments"),
    ("POST", "reset"),
)


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
    with httpx.Client(verify=False, trust_env=False) as control:
        assert control.post(f"{url}/faults", json=fault).status_code == 201
        assert [client.get("/balance").status_code for _ in range(3)] == [503, 503, 200]
        client.post("/payment/stored_payment_transactions", json={"amount": "9.00"})
        requests = control.get(f"{url}/requests").json()
        assert [each["status"] for each in requests["data"]] == [503, 503, 200, 200]
        assert requests["counts"] == {"total": 4, "200": 2, "503": 2}
        payments = control.get(f"{url}/payments").json()
        assert [each["amount_cents"] for each in payments["data"]] == [900]
        assert payments["balance"] == str(sandbox.balance)
        answer = control.post(f"{url}/reset", json={})
        assert answer.headers["x-telnyx-sandbox"] == "true"
        assert control.get(f"{url}/requests").json()["data"] == []
        assert control.get(f"{url}/payments").json()["data"] == []


def test_a_misspelt_fault_over_http_is_400(sandbox: Sandbox) -> None:
    """With what is known in the text."""
    url = f"{sandbox.control_url}/faults"
    with httpx.Client(verify=False, trust_env=False) as control:
        known = {"operation": "get_balance", "kind": "slow"}
        bodies: list[Any] = [{}, [], {**known, "kind": "dropp"}, {**known, "times": "twice"}]
        for body in bodies:
            answer = control.post(url, json=body)
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["detail"]


# --- who may control it ---------------------------------------------------------------------------


@pytest.fixture
def control(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(verify=False, base_url=sandbox.control_url, trust_env=False) as client:
        yield client


def refused(answer: httpx.Response, status: int) -> str:
    """The text of a refusal, which is JSON and says that a sandbox wrote it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-telnyx-sandbox"] == "true"
    [error] = answer.json()["errors"]
    assert error["code"]
    assert error["title"]
    return str(error["detail"])


def nothing_changed(sandbox: Sandbox, client: httpx.Client) -> None:
    """No fault waits, and what was asked before is still remembered."""
    assert client.get("/balance").status_code == 200
    assert sandbox.requests != []


FOREIGN_HOSTS = (
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "127.0.0.1:1",
    "127.0.0.1",
    "localhost.evil.example:{port}",
    "127.0.0.1:{port}@evil.example",
    "",
)


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_another_host_name_controls_nothing(
    sandbox: Sandbox,
    client: httpx.Client,
    control: httpx.Client,
    method: str,
    route: str,
    host: str,
) -> None:
    client.get("/balance")
    port = urlsplit(sandbox.base_url).port
    headers = {**JSON, "host": host.format(port=port)}
    body = json.dumps(FAULT) if method == "POST" else None
    answer = control.request(method, f"/{route}", content=body, headers=headers)
    assert "Host" in refused(answer, 421)
    nothing_changed(sandbox, client)


def test_two_host_names_control_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    client.get("/balance")
    address = urlsplit(sandbox.base_url)
    head = f"POST /_sandbox/reset HTTP/1.1\r\nHost: {address.netloc}\r\nHost: {address.netloc}\r\n"
    with socket.create_connection((address.hostname, address.port), 5) as connection:
        connection.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n")
        assert b" 4" in connection.recv(1000).partition(b"\r\n")[0]
    nothing_changed(sandbox, client)


FROM_A_PAGE: tuple[Mapping[str, str], ...] = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:8000"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "something new"},
)


@pytest.mark.attack(
    "A web page sends requests to a sandbox's control routes",
    "Refused",
)
@pytest.mark.parametrize("headers", FROM_A_PAGE)
@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_a_web_page_controls_nothing_and_reads_nothing(
    sandbox: Sandbox,
    client: httpx.Client,
    control: httpx.Client,
    method: str,
    route: str,
    headers: Mapping[str, str],
) -> None:
    client.get("/balance")
    body = json.dumps(FAULT) if method == "POST" else None
    answer = control.request(method, f"/{route}", content=body, headers={**JSON, **headers})
    assert "web page" in refused(answer, 403)
    nothing_changed(sandbox, client)


@pytest.mark.parametrize("route", ["faults", "reset"])
@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/jsonp",
    ],
)
def test_what_a_form_could_send_changes_nothing(
    sandbox: Sandbox, client: httpx.Client, control: httpx.Client, route: str, kind: str | None
) -> None:
    client.get("/balance")
    headers = {"content-type": kind} if kind else {}
    answer = control.post(f"/{route}", content=json.dumps(FAULT), headers=headers)
    assert "application/json" in refused(answer, 415)
    nothing_changed(sandbox, client)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_taken_in_every_spelling(control: httpx.Client, kind: str) -> None:
    answer = control.post("/faults", content=json.dumps(FAULT), headers={"content-type": kind})
    assert answer.status_code == 201


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_its_own_names_control_it(sandbox: Sandbox, control: httpx.Client, name: str) -> None:
    host = {"host": f"{name}:{urlsplit(sandbox.base_url).port}"}
    assert control.get("/requests", headers=host).status_code == 200
    own = {**host, "sec-fetch-site": "none"}  # a person opened the address
    assert control.get("/payments", headers=own).status_code == 200


def test_a_body_of_64_kilobytes_is_read_and_no_larger_one(
    sandbox: Sandbox, client: httpx.Client, control: httpx.Client
) -> None:
    text = json.dumps(FAULT)
    largest = text + " " * (64 * 1024 - len(text))
    assert control.post("/faults", content=largest, headers=JSON).status_code == 201
    assert client.get("/balance").status_code == 503
    pieces = iter([largest.encode(), b" "])  # of unknown length
    for content in (largest + " ", pieces):
        answer = control.post("/faults", content=content, headers=JSON)
        assert "65536" in refused(answer, 413)
    nothing_changed(sandbox, client)


def test_a_large_body_is_refused_before_it_was_sent(sandbox: Sandbox) -> None:
    address = urlsplit(sandbox.base_url)
    head = (
        f"POST /_sandbox/faults HTTP/1.1\r\nHost: {address.netloc}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), 5) as connection:
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(1000)


NO_FAULTS = {
    "nothing": b"",
    "broken JSON": b"{",
    "no UTF-8": b"\xff",
    "a list": b"[]",
    "a number": b"5",
    "60,000 brackets": b"[" * 60_000,
    "no kind": b'{"operation": "get_balance"}',
    "not a number": b"NaN",
}


@pytest.mark.parametrize("content", NO_FAULTS.values(), ids=NO_FAULTS)
def test_an_invalid_fault_is_refused_with_the_reason(control: httpx.Client, content: bytes) -> None:
    assert refused(control.post("/faults", content=content, headers=JSON), 400)


def test_another_path_or_method_is_refused_in_json(control: httpx.Client) -> None:
    assert "faults" in refused(control.get("/nothing"), 404)
    for method, route in ROUTES:
        other = {"GET": "POST", "POST": "GET"}[method]
        answer = control.request(other, f"/{route}", headers=JSON)
        assert method in refused(answer, 405)
        assert answer.headers["allow"] == method


def test_answers_take_as_long_as_is_asked_until_the_reset(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    """Refusals, too; several wait at the same time."""
    url = sandbox.control_url
    answer = httpx.post(f"{url}/latency", json={"milliseconds": 150}, verify=False, trust_env=False)
    assert answer.json() == {"data": {"milliseconds": 150}}
    for path in ("/balance", "/nothing", "/detail_records"):
        assert client.get(path).elapsed >= timedelta(milliseconds=149)
    httpx.post(f"{url}/reset", json={}, verify=False, trust_env=False)
    assert sandbox.latency == 0


def test_a_sandbox_can_start_with_a_latency() -> None:
    with running_sandbox(latency=0.05) as slow:
        headers = {"authorization": f"Bearer {slow.key}"}
        answer = httpx.get(
            f"{slow.base_url}/balance", headers=headers, verify=False, trust_env=False
        )
        assert answer.elapsed >= timedelta(milliseconds=49)
        slow.latency = 1.0
        slow.reset()
        assert slow.latency == 0.05


@pytest.mark.parametrize("body", ["{}", '{"milliseconds": -1}', '{"milliseconds": "1"}', "[]", "x"])
def test_an_invalid_latency_is_answered_with_400(sandbox: Sandbox, body: str) -> None:
    url = f"{sandbox.control_url}/latency"
    assert (
        httpx.post(url, content=body, headers=JSON, verify=False, trust_env=False).status_code
        == 400
    )
    assert sandbox.latency == 0
