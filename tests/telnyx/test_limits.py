"""What an answer's headers tell of the rate limit, in every form there is."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telnyx_mcp.telnyx.rate_limit.headers import (
    LONGEST_BELIEVED,
    RateLimitHeaders,
    parse_rate_limit,
    retry_after,
    wait_seconds,
)

NOON = 1_767_268_800.0
"""2026-01-01T12:00:00Z"""


def telnyx(limit: object, remaining: object, reset: object) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, RateLimitHeaders()),
        (telnyx(200, 12, 7), RateLimitHeaders(200, 12, 7.0)),
        (telnyx(200, 0, 0.5), RateLimitHeaders(200, 0, 0.5)),
        ({"x-ratelimit-remaining": "3"}, RateLimitHeaders(None, 3, None)),
        ({"x-ratelimit-limit": "200"}, RateLimitHeaders()),
        ({"ratelimit": '"default";r=1;t=1'}, RateLimitHeaders()),
        ({"ratelimit-remaining": "1", "ratelimit-reset": "9"}, RateLimitHeaders()),
    ],
)
def test_the_limit_is_understood(headers: dict[str, str], expected: RateLimitHeaders) -> None:
    assert parse_rate_limit(headers) == expected


ABSURD = ("", "x", "-1", "nan", "inf", "-inf", "1e999", "9 s", "0x10")


@pytest.mark.parametrize(("place", "value"), list(itertools.product(range(3), ABSURD)))
def test_an_absurd_figure_is_passed_over_and_the_others_are_kept(place: int, value: str) -> None:
    figures: list[object] = [200, 12, 7]
    expected: list[float | None] = [200, 12, 7.0]
    figures[place], expected[place] = value, None
    assert parse_rate_limit(telnyx(*figures)) == RateLimitHeaders(*expected)  # type: ignore[arg-type]


def test_more_than_the_limit_cannot_remain() -> None:
    assert parse_rate_limit(telnyx(200, 10**9, 7)).remaining == 200


@pytest.mark.parametrize("limit", [0, 10**12])
def test_a_limit_of_nothing_or_of_everything_is_passed_over(limit: int) -> None:
    assert parse_rate_limit(telnyx(limit, 12, 7)) == RateLimitHeaders(None, 12, 7.0)


@pytest.mark.parametrize("reset", [3601, 1_767_268_800])
def test_a_reset_of_more_than_an_hour_is_not_believed(reset: int) -> None:
    """An epoch among them: Telnyx tells seconds from now."""
    assert parse_rate_limit(telnyx(200, 0, reset)).reset is None


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is not where it is UTC (on Windows, where it happens to be)."""
    take_zone = getattr(time, "tzset", lambda: None)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XXX-05:45")
        take_zone()
        yield
    take_zone()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 13:00:30 +0100"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Thursday, 01-Jan-26 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu Jan  1 12:00:30 2026"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        # by the clock of who sent it, where that is told
        (
            {
                "retry-after": "Thu, 01 Jan 2026 12:10:30 GMT",
                "date": "Thu, 01 Jan 2026 12:10:00 GMT",
            },
            30.0,
        ),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT", "date": "today"}, 30.0),
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
def test_the_wait_is_the_first_usable_one_stated(
    headers: dict[str, str], seconds: float | None, elsewhere: None
) -> None:
    assert wait_seconds(headers, now=lambda: NOON) == seconds


NAMES = (
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.floats().map(str),
    st.integers().map(str),
    st.text(alphabet='"=;,rtqw0123456789 ', max_size=60),
)


@given(st.dictionaries(st.sampled_from(NAMES), TEXTS))
@example({"retry-after": "Thu, 99 Jan 2026 99:99:99 GMT"})
@example({"x-ratelimit-reset": "1", "x-ratelimit-limit": "a" + ";" * 60 + '"'})
def test_whatever_the_headers_state_the_figures_are_usable(headers: dict[str, str]) -> None:
    for wait in (wait_seconds(headers, lambda: NOON), retry_after(headers, lambda: NOON)):
        assert wait is None or 0 <= wait <= LONGEST_BELIEVED
    tells = parse_rate_limit(headers)
    assert tells.limit is None or tells.limit >= 1
    assert tells.remaining is None or tells.remaining >= 0
    assert tells.reset is None or 0 <= tells.reset <= LONGEST_BELIEVED
