"""The arithmetic of the pace: never over the limit, and never idle while there is room."""

from __future__ import annotations

import itertools
import math
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.telnyx.rate_limit.headers import RateLimitHeaders
from telnyx_mcp.telnyx.rate_limit.schedule import (
    EDGE,
    LATE,
    NEAR,
    Observation,
    Pace,
    Turn,
    assume,
    current,
    due,
    give_back,
    learn,
    room,
    take,
    turned_away,
)

NOON = 1_700_000_000.0


def known(limit: int = 5, remaining: int = 5, reset: float = 10.0, at: float = NOON) -> Pace:
    """The pace after one answer that told this."""
    pace, _ = take(Pace(), at)
    return learn(pace, Observation(RateLimitHeaders(limit, remaining, reset), at, at), at)


def turns(pace: Pace, count: int, at: float = NOON) -> tuple[Pace, list[float]]:
    given_out = []
    for _ in range(count):
        pace, turn = take(pace, at)
        given_out.append(turn.at - at)
    return pace, given_out


def test_while_nothing_is_known_everybody_goes() -> None:
    _, given_out = turns(Pace(), 1000)
    assert given_out == [0.0] * 1000


def test_what_is_left_of_the_window_goes_at_once_and_the_rest_by_turns_from_the_next_one_on() -> (
    None
):
    _, given_out = turns(known(limit=5, remaining=3), 6)
    gap = 10 / (5 * 0.98)
    assert given_out[:3] == [0, 0, 0]
    assert given_out[3:] == pytest.approx([10 + EDGE, 10 + EDGE + gap, 10 + EDGE + 2 * gap])


def test_turns_already_given_count_although_no_answer_includes_them() -> None:
    pace, _ = turns(known(limit=5, remaining=4), 3)
    late = Observation(RateLimitHeaders(5, 4, 10.0), NOON, NOON + 0.1)
    _, given_out = turns(learn(pace, late, NOON + 0.1), 2, NOON + 0.1)
    assert given_out[0] == 0
    assert given_out[1] > 9


def test_the_smallest_count_of_a_window_is_the_latest() -> None:
    pace = known(limit=5, remaining=1)
    pace = learn(pace, Observation(RateLimitHeaders(5, 4, 10.0), NOON, NOON), NOON)
    _, given_out = turns(pace, 2)
    assert given_out[0] == 0
    assert given_out[1] > 9


def test_answers_narrow_down_when_the_window_ends() -> None:
    """Each tells it in whole seconds, rounded up; two of them a second apart tell it exactly."""
    pace = known(limit=5, remaining=0, reset=10.0)
    assert pace.ends == NOON + 10
    pace = learn(pace, Observation(RateLimitHeaders(5, 0, 9.0), NOON + 0.3, NOON + 0.4), NOON + 0.4)
    assert pace.ends == pytest.approx(NOON + 9.4)


def test_an_answer_of_the_window_before_changes_nothing_in_this_one() -> None:
    later = NOON + 10.5
    pace = current(known(limit=5, remaining=2), later)
    pace = learn(
        pace, Observation(RateLimitHeaders(5, 0, 1.0), NOON + 9.2, later, refused=True), later
    )
    _, given_out = turns(pace, 5, later)
    assert given_out == [0.0] * 5


@pytest.mark.parametrize(
    ("seen", "opens"),
    [
        (Observation(RateLimitHeaders(), NOON, NOON, refused=True, retry_after=7.0), 7.0),
        (Observation(RateLimitHeaders(), NOON, NOON, refused=True), 1.0),
        (Observation(RateLimitHeaders(reset=4.0), NOON, NOON, refused=True), 4.0),
        (Observation(RateLimitHeaders(5, 0, 4.0), NOON, NOON, refused=True), 4.0 + EDGE),
        (Observation(RateLimitHeaders(5, 3, 4.0), NOON, NOON, refused=True), 4.0 + EDGE),
        (Observation(RateLimitHeaders(5, 0, 9.0), NOON, NOON, refused=True, retry_after=2.0), 2.0),
    ],
    ids=["retry-after", "no word", "only a reset", "used up", "some left", "retry-after is first"],
)
def test_a_429_closes_for_as_long_as_it_says(seen: Observation, opens: float) -> None:
    _, given_out = turns(learn(known(limit=5, remaining=4), seen, NOON), 1)
    assert given_out == pytest.approx([opens])


def test_a_429_delays_all_waiting_callers_by_the_same_time_in_their_order() -> None:
    pace = known(limit=5, remaining=0, reset=3.0)
    given_out: list[Turn] = []
    for _ in range(4):
        pace, turn = take(pace, NOON)
        given_out.append(turn)
    before = [due(pace, turn) for turn in given_out]
    refused = Observation(RateLimitHeaders(), NOON + 1, NOON + 1, refused=True, retry_after=9.0)
    pace = learn(pace, refused, NOON + 1)
    after = [due(pace, turn) for turn in given_out]
    assert after[0] == pytest.approx(NOON + 10)
    assert [b - a for a, b in zip(before, after, strict=True)] == pytest.approx([7 - EDGE] * 4)
    _, late = take(pace, NOON + 1)
    assert late.at > after[-1], "who comes later goes later"


def test_two_429s_of_one_closing_delay_callers_once() -> None:
    pace = known(limit=5, remaining=0, reset=3.0)
    pace, turn = take(pace, NOON)
    refused = Observation(RateLimitHeaders(), NOON, NOON, refused=True, retry_after=9.0)
    once = learn(pace, refused, NOON)
    assert due(learn(once, refused, NOON), turn) == due(once, turn)


@pytest.mark.parametrize("back", [-3600.0, -86_400.0 * 365])
def test_a_clock_set_back_moves_every_moment_with_it(back: float) -> None:
    pace, _ = turns(known(limit=5, remaining=0), 1)
    pace, turn = take(pace, NOON)
    wait = due(pace, turn) - NOON
    assert due(current(pace, NOON + back), turn) - (NOON + back) == pytest.approx(wait)


def waiting(count: int) -> tuple[Pace, list[Turn]]:
    """So many wait for the next window of 5 per 10 s."""
    pace, given_out = known(limit=5, remaining=0), []
    for _ in range(count):
        pace, turn = take(pace, NOON)
        given_out.append(turn)
    return pace, given_out


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_when_all_leave_the_queue_no_caller_waits_behind_them(order: tuple[int, ...]) -> None:
    first = take(known(limit=5, remaining=0), NOON)[1]
    pace, given_out = waiting(3)
    for each in order:
        pace = give_back(pace, given_out[each], NOON)
    assert take(pace, NOON)[1] == first
    assert pace.abandoned == ()


def test_a_caller_that_leaves_between_others_changes_nothing_for_them() -> None:
    pace, given_out = waiting(3)
    last = take(pace, NOON)[1]
    pace = give_back(pace, given_out[1], NOON)
    assert take(pace, NOON)[1] == last
    assert [due(pace, each) for each in given_out] == [each.at for each in given_out]


def test_turns_that_have_passed_are_forgotten() -> None:
    pace, given_out = waiting(3)
    pace = give_back(pace, given_out[0], NOON)
    assert len(pace.abandoned) == 1
    pace = give_back(pace, given_out[1], NOON + 12)
    assert pace.abandoned == (given_out[1].at,)


def test_the_last_caller_that_leaves_gives_its_turn_to_the_next() -> None:
    pace, given_out = waiting(3)
    pace = give_back(pace, given_out[2], NOON)
    assert take(pace, NOON)[1].at == pytest.approx(given_out[2].at)


def test_a_turn_given_back_in_the_window_that_has_begun_is_free_there() -> None:
    pace, given_out = waiting(7)
    later = NOON + 10.1
    pace = current(pace, later)
    used = pace.used
    for each in given_out[1:]:
        pace = give_back(pace, each, later)
    assert pace.used < used
    assert take(pace, later)[1].at == later


def test_delayed_callers_that_leave_are_not_waited_for() -> None:
    """A 429 that closes for longer than anybody waits meets a queue."""
    pace, given_out = waiting(3)
    refused = Observation(RateLimitHeaders(), NOON + 1, NOON + 1, refused=True, retry_after=30.0)
    pace = learn(pace, refused, NOON + 1)
    for each in given_out:
        pace = give_back(pace, each, NOON + 1)
    assert take(pace, NOON + 1)[1].at == pytest.approx(NOON + 31)


def test_while_some_were_turned_away_a_recent_caller_leaves_them_room() -> None:
    pace, _ = waiting(7)
    assert room(pace, 1.0, NOON) == math.inf, "nobody was"
    _, turn = take(pace, NOON)
    pace = turned_away(pace, turn)
    assert room(pace, 1.0, NOON) == pytest.approx(10 + EDGE + NEAR), "behind the first in the queue"
    assert room(pace, 3 * pace.period, NOON) == math.inf, "who had none lately"
    assert room(pace, 1.0, turn.at + LATE) == math.inf, "they are back"


def test_an_answer_from_before_the_clock_was_set_back_closes_nothing() -> None:
    refused = Observation(RateLimitHeaders(), NOON, NOON, refused=True, retry_after=2.0)
    back = NOON - 600
    assert take(learn(known(), refused, back), back)[1].at == back


def test_waiting_callers_count_in_the_window_that_they_wait_for() -> None:
    pace, _ = waiting(3)
    assert current(pace, NOON + 10.01).used == pytest.approx(3, abs=1)


def test_waiting_callers_count_in_a_window_that_an_answer_states() -> None:
    pace, _ = waiting(3)
    pace = learn(pace, Observation(RateLimitHeaders(5, 4, 60.5), NOON + 1, NOON + 1), NOON + 1)
    assert pace.used == pytest.approx(1 + 3, abs=1)


def test_the_window_of_delayed_callers_begins_when_it_opens_for_them() -> None:
    pace, _ = waiting(3)
    refused = Observation(RateLimitHeaders(), NOON + 1, NOON + 1, refused=True, retry_after=30.0)
    pace = current(learn(pace, refused, NOON + 1), NOON + 31.01)
    assert pace.began == NOON + 31
    assert pace.used == pytest.approx(3, abs=1)


# --- properties ----------------------------------------------------------------------------------

LIMITS = st.integers(1, 300)
PERIODS = st.sampled_from([1.0, 2.5, 10.0, 60.0])
PAUSES = st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.3, 1.7, 12.0, 70.0]), max_size=400)


class Window:
    """A fixed window that tells the truth: it begins with the first request after the one before."""

    def __init__(self, limit: int, period: float) -> None:
        self.limit, self.period = limit, period
        self.ends, self.used = 0.0, 0

    def answer(self, at: float) -> Observation:
        if at >= self.ends:
            self.ends, self.used = at + self.period, 0
        refused = self.used >= self.limit
        self.used += not refused
        told = RateLimitHeaders(
            self.limit, self.limit - self.used, float(math.ceil(self.ends - at))
        )
        return Observation(told, at, at, refused)


@given(LIMITS, PERIODS, PAUSES)
def test_no_window_gets_more_requests_than_its_limit(
    limit: int, period: float, pauses: list[float]
) -> None:
    window, pace, now = Window(limit, period), Pace(), NOON
    for pause in pauses:
        now += pause
        pace, turn = take(pace, now)
        now = max(now, due(pace, turn))
        seen = window.answer(now)
        assert not seen.refused
        pace = learn(pace, seen, now)


@given(LIMITS, PERIODS, PAUSES)
def test_no_caller_waits_while_the_window_has_room_and_no_other_waits(
    limit: int, period: float, pauses: list[float]
) -> None:
    window, pace, now = Window(limit, period), Pace(), NOON
    for pause in pauses:
        now += pause
        if now < window.ends and window.used < limit and pace.queue_end <= now:
            _, turn = take(pace, now)
            assert turn.at == now
        pace, turn = take(pace, now)
        now = max(now, due(pace, turn))
        pace = learn(pace, window.answer(now), now)


FIGURES = st.one_of(st.none(), st.sampled_from([0.0, 5e-324, 1e-9]), st.floats(0, 3600))
TOLD = st.builds(
    RateLimitHeaders,
    st.one_of(st.none(), st.integers(1, 10_000_000)),
    st.one_of(st.none(), st.integers(0, 10_000_000)),
    FIGURES,
)
ANSWERS = st.lists(
    st.tuples(TOLD, st.floats(0, 60), st.floats(0, 30), st.booleans(), FIGURES), max_size=30
)


@given(ANSWERS)
def test_whatever_the_headers_state_turns_are_in_order_and_nothing_closes_for_more_than_an_hour(
    answers: list[tuple[RateLimitHeaders, float, float, bool, float | None]],
) -> None:
    pace, now, last = Pace(), NOON, 0.0
    for told, pause, took, refused, after in answers:
        if told.remaining is not None and told.limit is not None:
            told = replace(told, remaining=min(told.remaining, told.limit))
        now += pause
        pace, turn = take(pace, now)
        assert turn.at >= now
        assert due(pace, turn) >= last - 1e-6, "first come, first served"
        last = due(pace, turn) if turn.at > now else 0.0
        sent, now = now, now + took
        shift = pace.shift
        pace = learn(pace, Observation(told, sent, now, refused, after), now)
        last += (pace.shift - shift) if last else 0.0
        assert pace.closed_until <= now + 3600 + EDGE
        assert all(math.isfinite(each) for each in astuple(pace) if each != ())
        assert pace.gap > 0
        assert current(pace, now).ends > now


def test_an_assumed_limit_holds_until_an_answer_states_one() -> None:
    pace = assume(Pace(), 5, 1.0)
    pace, at = turns(pace, 7)
    assert at[:5] == [0.0] * 5
    assert 1 <= at[5] < at[6]
    pace = learn(pace, Observation(RateLimitHeaders(2000, 1995, 1.0), NOON, NOON + 0.1), NOON + 0.1)
    assert pace.limit == 2000


@pytest.mark.parametrize("told", [1, 3])
def test_a_smaller_limit_than_was_assumed_counts_at_once(told: int) -> None:
    pace, _ = take(assume(Pace(), 5, 1.0), NOON)
    assert learn(pace, Observation(RateLimitHeaders(told, 0, 1.0), NOON, NOON), NOON).limit == told


def test_an_answer_that_states_no_limit_ends_what_was_assumed() -> None:
    pace, _ = take(assume(Pace(), 5, 1.0), NOON)
    pace = learn(pace, Observation(RateLimitHeaders(), NOON, NOON, silent=True), NOON)
    assert pace.limit == 0
    assert assume(pace, 5, 1.0).limit == 0
    _, at = turns(pace, 50, NOON + 0.1)
    assert set(at) == {0.0}


def test_a_failure_without_headers_leaves_what_was_assumed() -> None:
    pace, _ = take(assume(Pace(), 5, 1.0), NOON)
    assert learn(pace, Observation(RateLimitHeaders(), NOON, NOON), NOON).limit == 5


def test_an_assumed_limit_lasts_for_windows_in_which_nothing_is_heard() -> None:
    pace, _ = turns(assume(Pace(), 40, 60.0), 40)
    pace, (at,) = turns(pace, 1, NOON + 61)
    assert at == 0.0
    assert (pace.limit, pace.period) == (40, 60.0)


def test_a_limit_that_an_answer_stated_is_not_ended_by_a_silent_one() -> None:
    pace = learn(known(remaining=3), Observation(RateLimitHeaders(), NOON, NOON, silent=True), NOON)
    assert pace.limit == 5
