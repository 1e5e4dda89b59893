"""The rate limit, by a clock that the test turns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from telnyx_mcp.sandbox import NO_PERMISSIONS_KEY, Sandbox, running_sandbox


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limited(clock: Clock) -> Iterator[Sandbox]:
    with running_sandbox(rate_limit=(3, 10.0), clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def client(limited: Sandbox) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {limited.key}"}
    with httpx.Client(
        verify=False, base_url=limited.base_url, headers=headers, trust_env=False
    ) as client:
        yield client


def told(answer: httpx.Response) -> tuple[int, int, int, int]:
    names = ("limit", "remaining", "reset")
    limit, remaining, reset = (int(answer.headers[f"x-ratelimit-{name}"]) for name in names)
    return answer.status_code, limit, remaining, reset


def test_the_window_counts_down_and_then_answers_429(client: httpx.Client, clock: Clock) -> None:
    """Seconds left are whole and rounded up; the body is the documented one."""
    assert told(client.get("/balance")) == (200, 3, 2, 10)
    clock.now += 0.25
    assert told(client.get("/balance")) == (200, 3, 1, 10)
    clock.now += 4
    assert told(client.get("/balance")) == (200, 3, 0, 6)
    clock.now += 5.5
    refused = client.get("/balance")
    assert told(refused) == (429, 3, 0, 1)
    error = refused.json()["errors"][0]
    assert (error["code"], error["title"]) == ("10011", "Too many requests")


def test_a_new_window_begins_when_the_old_one_ends(client: httpx.Client, clock: Clock) -> None:
    """Refused requests do not lengthen it."""
    for _ in range(5):
        client.get("/balance")
    clock.now += 10
    assert told(client.get("/balance")) == (200, 3, 2, 10)


def test_keys_and_endpoints_count_apart(client: httpx.Client) -> None:
    """One endpoint's end is not another's, nor one key's another's."""
    for _ in range(4):
        client.get("/balance")
    assert told(client.get("/invoices"))[:3] == (200, 3, 2)
    headers = {"authorization": f"Bearer {NO_PERMISSIONS_KEY}"}
    assert told(client.get("/balance", headers=headers))[:3] == (403, 3, 2)


def test_every_answer_is_counted(limited: Sandbox, client: httpx.Client) -> None:
    """By status, for whoever measures."""
    for _ in range(5):
        client.get("/balance")
    client.get("/nothing")
    assert limited.counts == {"total": 6, "200": 3, "429": 2, "404": 1}


def test_a_payment_past_the_limit_is_not_made(limited: Sandbox, client: httpx.Client) -> None:
    """429 means refused."""
    answers = [
        client.post("/payment/stored_payment_transactions", json={"amount": "1.00"})
        for _ in range(4)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert len(limited.payments) == 3


def test_without_a_limit_none_is_mentioned() -> None:
    """`rate_limit=None`."""
    with running_sandbox(rate_limit=None) as sandbox:
        headers = {"authorization": f"Bearer {sandbox.key}"}
        answer = httpx.get(
            f"{sandbox.base_url}/balance", headers=headers, verify=False, trust_env=False
        )
        assert answer.status_code == 200
        assert "x-ratelimit-limit" not in answer.headers


@pytest.fixture
def real(clock: Clock) -> Iterator[Sandbox]:
    clock.now = 1_781_697_645.0  # 45 seconds into a minute
    with running_sandbox(clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def real_client(real: Sandbox) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {real.key}"}
    with httpx.Client(
        verify=False, base_url=real.base_url, headers=headers, trust_env=False
    ) as client:
        yield client


def gateway(answer: httpx.Response) -> tuple[int, str, str, str, str | None]:
    names = ("limit", "remaining", "reset")
    limit, remaining, reset = (answer.headers[f"x-ratelimit-{name}"] for name in names)
    assert "retry-after" not in answer.headers
    return answer.status_code, limit, remaining, reset, answer.headers.get("x-envoy-ratelimited")


def test_detail_records_have_40_requests_a_minute_whatever_their_type(
    real_client: httpx.Client, clock: Clock
) -> None:
    """The windows are the clock's minutes, not those after a first request."""
    answers = [
        real_client.get("/detail_records", params={"filter[record_type]": record_type})
        for record_type in ("fax", "amd") * 20
    ]
    assert gateway(answers[0]) == (200, "40, 40;w=60", "39", "15", None)
    assert {answer.status_code for answer in answers} == {200}
    refused = real_client.get("/detail_records", params={"filter[record_type]": "verify"})
    assert gateway(refused) == (429, "40, 40;w=60", "0", "15", "true")
    assert refused.json()["errors"][0]["code"] == "10011"
    clock.now += 15
    again = real_client.get("/detail_records", params={"filter[record_type]": "fax"})
    assert gateway(again) == (200, "40, 40;w=60", "39", "60", None)


def test_usage_reports_have_5_requests_a_second(real_client: httpx.Client, clock: Clock) -> None:
    """Their options and everything else count apart."""
    query = {"product": "amd", "dimensions": "currency", "metrics": "cost"}
    query |= {"start_date": "2026-01-01", "end_date": "2026-01-02"}
    answers = [gateway(real_client.get("/usage_reports", params=query)) for _ in range(6)]
    assert answers[0] == (200, "5, 5;w=1", "4", "1", None)
    assert answers[4:] == [
        (200, "5, 5;w=1", "0", "1", None),
        (429, "5, 5;w=1", "0", "1", "true"),
    ]
    assert told(real_client.get("/usage_reports/options"))[:3] == (200, 200, 199)
    assert told(real_client.get("/balance"))[:3] == (200, 200, 199)
    clock.now += 1
    assert real_client.get("/usage_reports", params=query).status_code == 200
