"""The rate limit, in simulated time: who may send when."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import suppress

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.pacing import LONGEST_BELIEVED, LONGEST_WAIT, Pacer, told_wait
from tests.conftest import SECONDS, Time

HERE = "/balance"


def limit(remaining: object, reset: object) -> dict[str, str]:
    return {
        "x-ratelimit-limit": "200",
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }


async def test_while_nothing_is_known_of_a_limit_everybody_may_go(time: Time) -> None:
    pacer = time.pacer()
    for _ in range(1000):
        await pacer.turn(HERE)
    assert time.slept == []


async def test_what_remains_is_counted_down_and_then_waited_for(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 200, limit(2, 5))
    await pacer.turn(HERE)
    await pacer.turn(HERE)
    assert time.slept == []
    await pacer.turn(HERE)
    assert time.slept == [5.0]


async def test_an_answer_that_comes_late_gives_nothing_back(time: Time) -> None:
    """Answers of one window arrive in any order: the smallest count is the latest."""
    pacer = time.pacer()
    pacer.learn(HERE, 200, limit(0, 5))
    pacer.learn(HERE, 200, limit(7, 5))
    await pacer.turn(HERE)
    assert time.slept == [5.0]


async def test_a_new_window_counts_anew(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 200, limit(0, 5))
    time.at += 5
    pacer.learn(HERE, 200, limit(3, 10))
    for _ in range(3):
        await pacer.turn(HERE)
    assert time.slept == []


async def test_a_429_closes_the_endpoint_for_as_long_as_it_says(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 429, {"retry-after": "7"})
    await pacer.turn(HERE)
    assert time.slept == [7.0]


async def test_a_429_without_a_word_closes_the_endpoint_for_a_second(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 429, {})
    await pacer.turn(HERE)
    assert time.slept == [1.0]


async def test_a_429_closes_the_endpoint_even_while_requests_remained(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 200, limit(50, 5))
    pacer.learn(HERE, 429, limit(50, 5))
    await pacer.turn(HERE)
    assert time.slept == [5.0]


async def test_each_endpoint_has_a_limit_of_its_own(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 200, limit(0, 5))
    await pacer.turn("/invoices")
    assert time.slept == []


async def test_a_turn_later_than_15_seconds_is_refused_at_once(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 200, limit(0, 16))
    with pytest.raises(TelnyxError) as caught:
        await pacer.turn(HERE)
    assert (caught.value.failure, caught.value.retry_in) == (Failure.PACED, 16.0)
    assert time.slept == []


async def test_a_turn_in_15_seconds_is_waited_for(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 200, limit(0, LONGEST_WAIT))
    await pacer.turn(HERE)
    assert time.slept == [LONGEST_WAIT]


async def test_a_turn_later_than_the_caller_can_wait_is_refused_at_once(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 200, limit(0, 5))
    with pytest.raises(TelnyxError):
        await pacer.turn(HERE, longest=4)


async def test_no_more_go_at_once_than_remain(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 200, limit(20, 12))
    gone: list[float] = []

    async def one() -> None:
        await pacer.turn(HERE)
        gone.append(time.clock())

    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(one)
    assert sum(at == 1000.0 for at in gone) == 20


@pytest.mark.parametrize(
    "headers",
    [
        limit(remaining, reset)
        for remaining, reset in itertools.product(["", "x", "-1", "nan", "inf", "1e999"], ["5"])
    ]
    + [limit(0, reset) for reset in ("", "x", "-1", "nan", "-inf", "inf", "1e999", "9 s")],
)
async def test_an_absurd_limit_is_passed_over(time: Time, headers: dict[str, str]) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 200, headers)
    await pacer.turn(HERE)
    assert time.slept == []


async def test_no_limit_is_believed_for_more_than_an_hour(time: Time) -> None:
    pacer = time.pacer()
    pacer.learn(HERE, 200, limit(0, 10**12))
    with pytest.raises(TelnyxError) as caught:
        await pacer.turn(HERE)
    assert caught.value.retry_in == LONGEST_BELIEVED


# --- how long to wait ----------------------------------------------------------------------------

NOON = 1_767_268_800.0
"""2026-01-01T12:00:00Z"""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 13:00:30 +0100"}, 1830.0 - 1800.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 2099 12:00:00 GMT"}, LONGEST_BELIEVED),
        ({"x-ratelimit-reset": "9"}, 9.0),
        ({"retry-after-ms": "250", "retry-after": "2", "x-ratelimit-reset": "9"}, 0.25),
        ({"retry-after": "2", "x-ratelimit-reset": "9"}, 2.0),
        ({"retry-after": "soon", "x-ratelimit-reset": "9"}, 9.0),
        ({"retry-after": "-3", "x-ratelimit-reset": "9"}, 9.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "99999999999"}, LONGEST_BELIEVED),
    ],
)
def test_the_wait_is_the_first_usable_one_told(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert told_wait(headers, now=lambda: NOON) == seconds


TEXTS = st.one_of(
    st.text(max_size=40),
    st.floats().map(str),
    st.integers().map(str),
    st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    st.from_regex(r"[A-Z][a-z]{2}, \d{1,9} [JFM][a-z]{2} \d{1,9} \d{1,3}:\d\d:\d\d [+-]\d{1,9}"),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["retry-after-ms", "retry-after", "x-ratelimit-remaining", "x-ratelimit-reset"]
    ),
    TEXTS,
)


@given(HEADERS)
@example({"retry-after": "Mon, 01 Jan 0001 00:00:00 -0000"})
@example({"retry-after": "Fri, 31 Dec 9999 23:59:59 -0000"})
@example({"retry-after": "Mon, 01 Jan 2026 00:00:00 +9999999999"})
def test_no_header_makes_the_wait_absurd(headers: Mapping[str, str]) -> None:
    wait = told_wait(headers, now=lambda: NOON)
    assert wait is None or 0 <= wait <= LONGEST_BELIEVED


@given(st.lists(st.tuples(st.sampled_from([200, 429, 503]), HEADERS), max_size=8))
@settings(max_examples=60)
async def test_no_headers_stop_the_pace_for_good(
    answers: list[tuple[int, Mapping[str, str]]],
) -> None:
    """Whatever was learned, an hour later everybody may go."""
    time = Time()
    pacer = Pacer(time.clock, time.sleep)
    for status, headers in answers:
        pacer.learn(HERE, status, headers)
        with suppress(TelnyxError):
            await pacer.turn(HERE)
        assert sum(time.slept) <= LONGEST_WAIT * len(answers)
    time.at += LONGEST_BELIEVED
    time.slept.clear()
    await pacer.turn(HERE)
    assert time.slept == []
