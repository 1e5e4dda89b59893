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
    with httpx.Client(base_url=limited.base_url, headers=headers, trust_env=False) as client:
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


def test_without_a_limit_nothing_is_said_of_one() -> None:
    """`rate_limit=None`."""
    with running_sandbox(rate_limit=None) as sandbox:
        headers = {"authorization": f"Bearer {sandbox.key}"}
        answer = httpx.get(f"{sandbox.base_url}/balance", headers=headers, trust_env=False)
        assert answer.status_code == 200
        assert "x-ratelimit-limit" not in answer.headers
