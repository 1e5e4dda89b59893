"""Trying again: which requests, after which failures, how often and when."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import anyio
import pytest
from pydantic import SecretStr

from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.operations import Operation
from telnyx_mcp.telnyx.transport import Transport
from tests.support.client import SECONDS
from tests.support.scripted_telnyx import KEY, Answer, Scripted, answer, complaint, hang_up, raw
from tests.support.simulated_time import Time

GOOD = answer(200, {"data": {}})
PATCH = op.UPDATE_AUTO_RECHARGE_PREFERENCES
PAYMENT = op.CREATE_STORED_PAYMENT_TRANSACTION
TRUNCATED = hang_up(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{")
OWN_429 = complaint(429, "10011")

BUSY_OR_LOST = {
    "429 of Telnyx": OWN_429,
    "429 of a proxy": answer(429, b"slow down"),
    "502": answer(502, b"<html>"),
    "503": complaint(503),
    "504": complaint(504),
    "no answer": hang_up(),
    "half an answer": TRUNCATED,
}
FINAL = {
    "302": answer(302, headers={"location": "/"}),
    "400": complaint(400),
    "401": complaint(401),
    "403": complaint(403),
    "404": complaint(404),
    "409": complaint(409),
    "422": complaint(422),
    "500": complaint(500),
    "501": complaint(501),
    "empty": answer(200),
    "204": answer(204),
    "HTML": answer(200, b"<html>"),
    "half JSON": answer(200, b'{"data"'),
}


def table(rows: dict[str, Answer]) -> list[object]:
    """Rows as parameters with names that can be read."""
    return [pytest.param(told, id=name) for name, told in rows.items()]


async def try_it(
    transport: Transport, operation: Operation, deadline: Deadline | None = None
) -> TelnyxError:
    with anyio.fail_after(SECONDS), pytest.raises(TelnyxError) as caught:
        await transport.request(operation, deadline=deadline)
    return caught.value


@pytest.mark.parametrize("told", table(BUSY_OR_LOST))
async def test_a_read_is_tried_three_times_at_most(
    scripted: Scripted, transport: Transport, told: Answer
) -> None:
    scripted.will(told)
    await try_it(transport, op.GET_BALANCE)
    assert len(scripted.requests) == 3


@pytest.mark.parametrize("told", table(BUSY_OR_LOST))
async def test_a_read_takes_the_first_good_answer(
    scripted: Scripted, transport: Transport, told: Answer
) -> None:
    scripted.will(told, GOOD)
    await transport.request(op.GET_BALANCE)
    assert len(scripted.requests) == 2


@pytest.mark.parametrize("told", table(FINAL))
async def test_a_read_is_not_tried_again_when_that_cannot_help(
    scripted: Scripted, transport: Transport, time: Time, told: Answer
) -> None:
    scripted.will(told)
    await try_it(transport, op.GET_BALANCE)
    assert len(scripted.requests) == 1
    assert time.slept == []


@pytest.mark.parametrize(
    "told", table(BUSY_OR_LOST | FINAL | {"408": complaint(408), "noise": raw(b"noise\r\n\r\n")})
)
async def test_a_payment_is_sent_once_whatever_comes_of_it(
    scripted: Scripted, transport: Transport, time: Time, told: Answer
) -> None:
    scripted.will(told, GOOD)
    await try_it(transport, PAYMENT)
    assert len(scripted.requests) == 1
    assert time.slept == []


async def test_a_payment_that_found_no_connection_is_not_tried_again(time: Time) -> None:
    transport = Transport(
        SecretStr(KEY), "https://telnyx.invalid/v2", clock=time.clock, sleep=time.sleep
    )
    await try_it(transport, PAYMENT)
    await transport.aclose()
    assert time.slept == []


@pytest.mark.parametrize(
    "told",
    table(
        {name: told for name, told in BUSY_OR_LOST.items() if told is not OWN_429}
        | FINAL
        | {"408": complaint(408)}
    ),
)
async def test_the_preferences_are_not_sent_again_when_they_may_have_arrived(
    scripted: Scripted, transport: Transport, told: Answer
) -> None:
    scripted.will(told, GOOD)
    await try_it(transport, PATCH)
    assert len(scripted.requests) == 1


async def test_the_preferences_are_sent_again_after_the_rate_limit_of_telnyx(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(OWN_429, GOOD)
    await transport.request(PATCH)
    assert len(scripted.requests) == 2


@pytest.mark.parametrize("operation", [PATCH, op.GET_BALANCE])
async def test_a_request_without_a_connection_is_tried_three_times(
    time: Time, operation: Operation
) -> None:
    transport = Transport(
        SecretStr(KEY), "https://telnyx.invalid/v2", clock=time.clock, sleep=time.sleep
    )
    assert (await try_it(transport, operation)).failure is Failure.DNS
    await transport.aclose()
    assert len(time.slept) == 2


# --- when ----------------------------------------------------------------------------------------


async def test_without_a_word_of_telnyx_the_pause_doubles_and_is_random(
    scripted: Scripted, transport: Transport, time: Time
) -> None:
    """Full jitter of 0.5 s, then of 1 s; the jitter of these tests is one half."""
    scripted.will(complaint(502))
    await try_it(transport, op.GET_BALANCE)
    assert time.slept == [0.25, 0.5]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "3"}, 3.0),
        ({"x-ratelimit-reset": "4"}, 4.0),
        ({"retry-after-ms": "1500", "retry-after": "3"}, 1.5),
        ({"retry-after": "3", "x-ratelimit-reset": "9"}, 3.0),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
    ],
)
async def test_the_pause_is_the_one_that_telnyx_stated(
    scripted: Scripted,
    transport: Transport,
    time: Time,
    status: int,
    headers: dict[str, str],
    seconds: float,
) -> None:
    scripted.will(complaint(status, "10011", headers), GOOD)
    await transport.request(op.GET_BALANCE)
    assert sum(time.slept) == pytest.approx(seconds)


async def test_a_date_to_try_again_at_is_obeyed(
    scripted: Scripted, transport: Transport, time: Time
) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=6), usegmt=True)
    scripted.will(complaint(503, headers={"retry-after": at}), GOOD)
    await transport.request(op.GET_BALANCE)
    assert 3 < sum(time.slept) <= 6


@pytest.mark.parametrize(
    ("status", "what_for"),
    [(429, "Telnyx's rate limit"), (503, "Telnyx to be ready again")],
)
async def test_a_long_wait_before_the_next_try_is_reported_with_its_reason(
    scripted: Scripted, transport: Transport, status: int, what_for: str
) -> None:
    heard: list[tuple[int, str]] = []

    async def waiting(left: float, what: str) -> None:
        heard.append((round(left), what))

    scripted.will(complaint(status, headers={"retry-after": "6"}), GOOD)
    await transport.request(op.GET_BALANCE, waiting=waiting)
    assert heard[0] == (6, what_for)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_pause_of_more_than_15_seconds_is_reported_instead_of_waited_for(
    scripted: Scripted, transport: Transport, time: Time, status: int
) -> None:
    scripted.will(complaint(status, "10011", {"retry-after": "16"}))
    error = await try_it(transport, op.GET_BALANCE)
    assert error.retry_in == 16
    assert time.slept == []


async def test_the_seconds_to_wait_are_in_the_words_of_a_rate_limit(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(complaint(429, "10011", {"retry-after": "40"}))
    assert "in 40 s" in str(await try_it(transport, op.GET_BALANCE))


async def test_a_pause_that_outlasts_the_deadline_is_not_begun(
    scripted: Scripted, transport: Transport, time: Time
) -> None:
    scripted.will(complaint(503, headers={"retry-after": "5"}))
    await try_it(transport, op.GET_BALANCE, Deadline.after(4, time.clock))
    assert time.slept == []


async def test_a_call_has_25_seconds_in_all(
    scripted: Scripted, transport: Transport, time: Time
) -> None:
    scripted.will(complaint(503, headers={"retry-after": "14"}))
    await try_it(transport, op.GET_BALANCE)
    assert time.slept == [14.0]


async def test_while_most_requests_fail_few_are_tried_again(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(complaint(502))
    for _ in range(20):
        await try_it(transport, op.GET_BALANCE)
    assert len(scripted.requests) == 20 + 10


async def test_good_answers_earn_back_the_right_to_try_again(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will(complaint(502))
    for _ in range(20):
        await try_it(transport, op.GET_BALANCE)
    scripted.will(*[GOOD] * 30, complaint(502), GOOD)
    scripted.requests.clear()
    for _ in range(31):
        await transport.request(op.GET_BALANCE)
    assert len(scripted.requests) == 32


# --- the turn ------------------------------------------------------------------------------------


def limited(remaining: int, reset: int) -> Answer:
    """A good answer whose headers tell of the limit."""
    headers = {
        "x-ratelimit-limit": "200",
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }
    return answer(200, {"data": {}}, headers)


async def test_a_used_up_limit_is_waited_for(
    scripted: Scripted, transport: Transport, time: Time
) -> None:
    scripted.will(limited(0, 10))
    await transport.request(op.GET_BALANCE)
    await transport.request(op.GET_BALANCE)
    assert sum(time.slept) == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("operation", [op.GET_BALANCE, PATCH, PAYMENT])
async def test_a_turn_later_than_15_seconds_fails_at_once_with_the_seconds(
    scripted: Scripted, transport: Transport, time: Time, operation: Operation
) -> None:
    scripted.will(limited(0, 30))
    await transport.request(operation)
    error = await try_it(transport, operation)
    assert (error.failure, error.fate.value) == (Failure.PACED, "not_sent")
    assert "in 30 s" in str(error)
    assert len(scripted.requests) == 1
    assert time.slept == []


async def test_a_turn_later_than_the_deadline_fails_at_once(
    scripted: Scripted, transport: Transport, time: Time
) -> None:
    scripted.will(limited(0, 10))
    await transport.request(op.GET_BALANCE)
    error = await try_it(transport, op.GET_BALANCE, Deadline.after(5, time.clock))
    assert error.failure is Failure.PACED


async def test_the_limit_of_one_endpoint_delays_no_other(
    scripted: Scripted, transport: Transport, time: Time
) -> None:
    scripted.will(limited(0, 30))
    await transport.request(op.GET_BALANCE)
    await transport.request(op.LIST_INVOICES)
    assert time.slept == []


# --- what the pace and the user are told ----------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "own"),
    [
        (OWN_429, True),
        (complaint(429), False),
        (answer(429, b"slow down"), False),
        (answer(429, {"errors": [{"code": "10015"}, {"code": "10011"}]}), True),
        (complaint(400, "10011"), False),
        (GOOD, False),
    ],
)
async def test_the_pace_learns_whether_a_429_is_telnyx_own(
    scripted: Scripted,
    transport: Transport,
    monkeypatch: pytest.MonkeyPatch,
    told: Answer,
    own: bool,
) -> None:
    learnt: list[tuple[str, bool]] = []

    async def learn(path: str, *_: object, own: bool) -> None:
        learnt.append((path, own))

    monkeypatch.setattr(transport.pacer, "learn", learn)
    scripted.will(told)
    with suppress(TelnyxError):
        await transport.request(PATCH)
    assert learnt[0] == (PATCH.path, own)


@pytest.mark.parametrize(
    ("seconds", "reported"), [("1", False), ("2", False), ("3", True), ("9", True)]
)
async def test_a_wait_of_more_than_two_seconds_is_reported_and_no_shorter_one(
    scripted: Scripted, transport: Transport, time: Time, seconds: str, *, reported: bool
) -> None:
    waits: list[tuple[float, str]] = []

    async def waiting(left: float, what_for: str) -> None:
        waits.append((left, what_for))

    scripted.will(complaint(503, headers={"retry-after": seconds}), GOOD)
    await transport.request(op.GET_BALANCE, waiting=waiting)
    expected = [(float(seconds), "Telnyx to be ready again")]
    assert waits == (expected if reported else [])
    assert float(seconds) in time.slept


async def test_a_wait_without_a_listener_is_waited_all_the_same(
    scripted: Scripted, transport: Transport, time: Time
) -> None:
    scripted.will(complaint(503, headers={"retry-after": "9"}), GOOD)
    await transport.request(op.GET_BALANCE)
    assert 9.0 in time.slept
