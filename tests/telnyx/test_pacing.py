"""The pacer: who waits how long, and who is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import anyio
import pytest
from anyio.lowlevel import checkpoint

from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.rate_limit.headers import RateLimitHeaders
from telnyx_mcp.telnyx.rate_limit.pacer import LONGEST_WAIT, SHARE_AGAIN, Pacer
from telnyx_mcp.telnyx.rate_limit.schedule import Observation, Pace, learn, take
from telnyx_mcp.telnyx.rate_limit.stores import InMemoryStore, StoreUnavailable, T, Update
from tests.support.client import SECONDS
from tests.support.simulated_time import Time

HERE = "/balance"


def limit(remaining: object, reset: object) -> dict[str, str]:
    return {
        "x-ratelimit-limit": "200",
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }


async def answered(pacer: Pacer, headers: Mapping[str, str], status: int = 200) -> None:
    """A request went, and this was its answer."""
    sent = await pacer.turn(HERE)
    await pacer.learn(HERE, status, headers, sent)


async def test_while_nothing_is_known_of_a_limit_everybody_may_go(time: Time) -> None:
    pacer = time.pacer()
    for _ in range(1000):
        await pacer.turn(HERE)
    assert time.slept == []


async def test_what_remains_is_counted_down_and_then_waited_for(time: Time) -> None:
    pacer = time.pacer()
    await answered(pacer, limit(2, 5))
    await pacer.turn(HERE)
    await pacer.turn(HERE)
    assert time.slept == []
    await pacer.turn(HERE)
    assert sum(time.slept) == pytest.approx(5, abs=0.1)


async def test_each_endpoint_has_a_limit_of_its_own(time: Time) -> None:
    pacer = time.pacer()
    await answered(pacer, limit(0, 5))
    await pacer.turn("/invoices")
    assert time.slept == []


async def test_no_more_go_at_once_than_remain(time: Time) -> None:
    pacer = time.pacer()
    await answered(pacer, limit(20, 12))
    gone: list[float] = []

    async def one() -> None:
        await pacer.turn(HERE)
        gone.append(time.clock())

    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(one)
    assert sum(at == 1000.0 for at in gone) == 20


async def test_a_turn_later_than_15_seconds_is_refused_at_once_and_not_taken(time: Time) -> None:
    pacer = time.pacer()
    await answered(pacer, limit(0, 16))
    for _ in range(50):
        with pytest.raises(TelnyxError) as caught:
            await pacer.turn(HERE)
        assert (caught.value.failure, caught.value.retry_in) == (Failure.PACED, 16.0)
    assert time.slept == []
    time.at += 16.1
    await pacer.turn(HERE)
    assert time.slept == [], "those who were refused hold up nobody"


async def test_a_turn_in_nearly_15_seconds_is_waited_for(time: Time) -> None:
    pacer = time.pacer()
    await answered(pacer, limit(0, LONGEST_WAIT - 1))
    await pacer.turn(HERE)
    assert sum(time.slept) == pytest.approx(LONGEST_WAIT - 1, abs=0.1)


async def test_a_turn_later_than_the_caller_can_wait_is_refused_at_once(time: Time) -> None:
    pacer = time.pacer()
    await answered(pacer, limit(0, 5))
    with pytest.raises(TelnyxError):
        await pacer.turn(HERE, longest=4)
    assert time.slept == []


async def test_a_caller_delayed_beyond_the_longest_wait_is_refused_then(time: Time) -> None:
    place = InMemoryStore(time.clock)

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        if len(time.slept) == 2:
            await other.learn(HERE, 429, {"retry-after": "30"}, other.now())

    pacer, other = (Pacer(place, place, sleep, clock=time.clock) for _ in range(2))
    await answered(pacer, limit(0, 5))
    with pytest.raises(TelnyxError) as caught:
        await pacer.turn(HERE)
    assert caught.value.retry_in == pytest.approx(30, abs=0.1)
    assert sum(time.slept) == 2


@pytest.mark.parametrize(("wait", "told"), [(1.5, False), (6, True)])
async def test_a_caller_that_waits_over_two_seconds_is_notified(
    time: Time, wait: float, told: bool
) -> None:
    pacer = time.pacer()
    await answered(pacer, limit(0, wait))
    heard: list[tuple[float, str]] = []

    async def waiting(left: float, what_for: str) -> None:
        heard.append((left, what_for))

    await pacer.turn(HERE, waiting=waiting)
    assert bool(heard) is told
    if told:
        assert [round(left) for left, _ in heard] == [6, 5, 4, 3, 2, 1, 0]
        assert {what_for for _, what_for in heard} == {"Telnyx's rate limit"}


async def test_whoever_learns_of_a_429_all_copies_wait(time: Time) -> None:
    place = InMemoryStore(time.clock)
    one, other = (Pacer(place, place, time.sleep, clock=time.clock) for _ in range(2))
    await other.turn(HERE)
    await answered(one, {"retry-after": "7"}, status=429)
    await other.turn(HERE)
    assert sum(time.slept) == pytest.approx(7)


async def test_what_an_answer_stated_is_known_to_all_with_the_next_turn(time: Time) -> None:
    place = InMemoryStore(time.clock)
    one, other = (Pacer(place, place, time.sleep, clock=time.clock) for _ in range(2))
    await answered(one, limit(1, 5))
    await one.turn(HERE)
    await other.turn(HERE)
    assert sum(time.slept) == pytest.approx(5, abs=0.1)


async def test_that_nothing_is_left_all_know_at_once(time: Time) -> None:
    place = InMemoryStore(time.clock)
    one, other = (Pacer(place, place, time.sleep, clock=time.clock) for _ in range(2))
    await answered(one, limit(0, 5))
    await other.turn(HERE)
    assert sum(time.slept) == pytest.approx(5, abs=0.1)


async def test_what_several_answers_stated_is_known_to_all_at_once(time: Time) -> None:
    """Or twenty copies that begin with many requests each would all go on without a limit."""
    place = InMemoryStore(time.clock)
    one, other = (Pacer(place, place, time.sleep, clock=time.clock) for _ in range(2))
    turns = [await one.turn(HERE) for _ in range(2)]
    for remaining, sent in zip((2, 1), turns, strict=True):
        await one.learn(HERE, 200, limit(remaining, 5), sent)
    await other.turn(HERE)
    await other.turn(HERE)
    assert sum(time.slept) == pytest.approx(5, abs=0.1)


class Fragile(InMemoryStore):
    """A place that can be lost and found."""

    lost = False
    asked = 0
    place = "/there"

    async def change(self, endpoint: str, change: Update[T]) -> T:
        self.asked += 1
        if self.lost:
            raise StoreUnavailable("/there: it is full")
        return await super().change(endpoint, change)


async def test_a_lost_store_is_reported_once_and_tried_again_after_a_while(time: Time) -> None:
    said: list[str] = []
    shared = Fragile(time.clock)
    pacer = Pacer(shared, InMemoryStore(time.clock), time.sleep, said.append, time.clock)
    shared.lost = True
    for _ in range(3):
        await answered(pacer, limit(50, 5))
    assert shared.asked == 1
    assert pacer.place == ""
    (line,) = said
    assert "/there: it is full" in line
    assert line.count("\n") == 1
    time.at += SHARE_AGAIN
    await pacer.turn(HERE)
    assert shared.asked == 2, "still lost"
    shared.lost = False
    time.at += SHARE_AGAIN
    await pacer.turn(HERE)
    assert pacer.place == "/there"
    assert len(said) == 1


async def test_alone_a_process_keeps_to_the_limit_by_itself(time: Time) -> None:
    shared = Fragile(time.clock)
    shared.lost = True
    pacer = Pacer(shared, InMemoryStore(time.clock), time.sleep, lambda _: None, time.clock)
    await answered(pacer, limit(0, 5))
    await pacer.turn(HERE)
    assert sum(time.slept) == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("shift", [300.0, -3600.0])
@pytest.mark.parametrize("lost_first", [False, True], ids=["lost", "found again"])
async def test_a_caller_that_waits_while_the_store_changes_gets_a_turn_at_the_other(
    time: Time, shift: float, lost_first: bool
) -> None:
    """What one place says of a turn of another means nothing."""
    shared, own = Fragile(time.clock), InMemoryStore(time.clock)
    full = learn(
        take(Pace(shift=shift), time.at)[0],
        Observation(RateLimitHeaders(200, 0, 10.0), time.at, time.at),
        time.at,
    )
    other = replace(full, shift=0.0)
    for place, pace in ((shared, full), (own, other)):

        def change(_: Pace, __: float, pace: Pace = pace) -> tuple[Pace, None]:
            return pace, None

        await place.change(HERE, change)

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        if len(time.slept) == 2:
            shared.lost = not lost_first
            if lost_first:
                pacer._share_from = time.at

    pacer = Pacer(shared, own, sleep, lambda _: None, time.clock)
    if lost_first:
        shared.lost = True
        await pacer.turn("/elsewhere")
        shared.lost = False
    await pacer.turn(HERE)
    assert sum(time.slept) == pytest.approx(10, abs=0.1)


async def test_what_an_answer_stated_by_the_clock_of_a_lost_store_is_not_learnt(time: Time) -> None:
    ahead = Fragile(lambda: time.at + 600)
    pacer = Pacer(ahead, InMemoryStore(time.clock), time.sleep, lambda _: None, time.clock)
    sent = await pacer.turn(HERE)
    ahead.lost = True
    await pacer.learn(HERE, 429, {"retry-after": "2"}, sent)
    await pacer.turn(HERE)
    assert time.slept == []
    await pacer.learn(HERE, 429, {"retry-after": "2"}, sent)
    await pacer.turn(HERE)
    assert time.slept == [], "and none to a request that went by it"


async def test_what_an_answer_stated_alone_is_not_learnt_by_the_recovered_store(time: Time) -> None:
    ahead = Fragile(lambda: time.at + 600)
    pacer = Pacer(ahead, InMemoryStore(time.clock), time.sleep, lambda _: None, time.clock)
    ahead.lost = True
    await answered(pacer, limit(50, 5))
    ahead.lost = False
    time.at += SHARE_AGAIN
    await pacer.turn(HERE)
    assert (await ahead.all())[HERE].limit == 0


async def test_a_clock_that_is_set_does_not_keep_a_process_alone(time: Time) -> None:
    """An hour forward and back: the place is tried again after a minute that really passed."""
    wrong = 3600.0
    shared = Fragile(lambda: time.at + wrong)
    pacer = Pacer(
        shared, InMemoryStore(lambda: time.at + wrong), time.sleep, lambda _: None, time.clock
    )
    shared.lost = True
    await pacer.turn(HERE)
    shared.lost, wrong = False, 0.0
    time.at += SHARE_AGAIN
    await pacer.turn(HERE)
    assert pacer.place == "/there"


async def test_a_caller_that_leaves_while_waiting_delays_nobody(time: Time) -> None:
    """Cancelled, by whomever, or because its caller can't be told."""

    async def sleep(_: float) -> None:
        await anyio.sleep_forever()

    async def gone(_left: float, _what_for: str) -> None:
        raise RuntimeError("its client is gone")

    place = InMemoryStore(time.clock)
    pacer = Pacer(place, place, sleep, clock=time.clock)
    await answered(pacer, limit(0, 5))
    before = (await pacer.known())[0]["waiting_s"]
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(pacer.turn, HERE)
        tasks.start_soon(anyio.sleep, 0)
        for _ in range(3):
            await checkpoint()
        assert (await pacer.known())[0]["waiting_s"] >= 5
        with pytest.raises(RuntimeError):
            await pacer.turn(HERE, waiting=gone)
        tasks.cancel_scope.cancel()
    assert (await place.all())[HERE].queue_end == 0
    assert before == (await pacer.known())[0]["waiting_s"]


async def test_a_turn_is_given_back_only_where_it_was_given_and_though_that_takes_a_while(
    time: Time,
) -> None:
    class Far(Fragile):
        async def change(self, endpoint: str, change: Update[T]) -> T:
            await checkpoint()
            return await super().change(endpoint, change)

    async def sleep(_: float) -> None:
        slept.set()
        await anyio.sleep_forever()

    for lost in (False, True):
        slept = anyio.Event()
        far, own = Far(time.clock), InMemoryStore(time.clock)
        pacer = Pacer(far, own, sleep, lambda _: None, time.clock)
        await answered(pacer, limit(0, 5))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pacer.turn, HERE)
            await slept.wait()
            far.lost = lost
            tasks.cancel_scope.cancel()
        assert ((await far.all())[HERE].queue_end > 0) is lost
        assert (await own.all()).get(HERE, Pace()) == Pace()


async def test_a_place_that_takes_longer_than_a_caller_has_is_not_waited_for(time: Time) -> None:
    class Slow(InMemoryStore):
        async def change(self, endpoint: str, change: Update[T]) -> T:
            await anyio.sleep_forever()
            raise AssertionError

    pacer = Pacer(Slow(time.clock), sleep=time.sleep)
    with anyio.fail_after(SECONDS), pytest.raises(TelnyxError) as caught:
        await pacer.turn(HERE, longest=0.01)
    assert caught.value.failure is Failure.PACED


async def test_a_wait_counts_as_long_as_it_really_took(time: Time) -> None:
    """A sleep may take longer than it was to, and the place as well."""
    place = InMemoryStore(time.clock)

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds + 4)
        await other.learn(HERE, 429, {"retry-after": "9"}, other.now())

    pacer, other = (Pacer(place, place, sleep, clock=time.clock) for _ in range(2))
    await answered(pacer, limit(0, 5))
    with pytest.raises(TelnyxError):
        await pacer.turn(HERE, longest=12)
    assert len(time.slept) == 1


async def test_what_is_known_can_be_shown(time: Time) -> None:
    pacer = time.pacer()
    assert await pacer.known() == []
    await pacer.turn("/invoices")
    await answered(pacer, limit(50, 5))
    balance, invoices = await pacer.known()
    assert balance == {
        "endpoint": HERE,
        "limit": 200,
        "period_s": 5.0,
        "remaining": 50,
        "resets_in_s": 5.0,
        "waiting_s": 0.0,
    }
    assert invoices == {"endpoint": "/invoices", "waiting_s": 0.0}


# --- who closed it, for how long -----------------------------------------------------------------

FAR = "Fri, 31 Dec 9999 23:59:59 GMT"
LONG = ["61", "3600", "86400", "1e30", FAR]


@pytest.mark.parametrize("after", LONG)
@pytest.mark.parametrize("more", [{}, limit(0, 3600), limit(5, 60.5)])
async def test_a_429_without_telnyx_own_code_closes_for_a_minute_at_most_and_names_its_sender(
    time: Time, after: str, more: Mapping[str, str]
) -> None:
    pacer = time.pacer()
    await answered(pacer, {**more, "retry-after": after}, 429)
    with pytest.raises(TelnyxError) as caught:
        await pacer.turn(HERE)
    assert caught.value.failure is Failure.PACED
    assert "something in front of Telnyx (a proxy or gateway) answered 429" in str(caught.value)
    (known,) = await pacer.known()
    assert 59 < known["closed_s"] <= 60
    time.at += 60.1
    await pacer.turn(HERE)


async def test_telnyx_own_429_closes_for_as_long_as_it_says(time: Time) -> None:
    pacer = time.pacer()
    sent = await pacer.turn(HERE)
    await pacer.learn(HERE, 429, {"retry-after": "600"}, sent, own=True)
    with pytest.raises(TelnyxError) as caught:
        await pacer.turn(HERE)
    assert caught.value.retry_in == pytest.approx(600, abs=0.1)
    assert "Telnyx answered 429" in str(caught.value)
    assert "proxy" not in str(caught.value)


@pytest.mark.parametrize("reset", ["60", "61", "3599", "3600"])
async def test_the_headers_of_an_answer_close_for_a_minute_at_most(time: Time, reset: str) -> None:
    pacer = time.pacer()
    await answered(pacer, limit(0, reset))
    (known,) = await pacer.known()
    assert 59 < known["closed_s"] <= 60


async def test_a_closed_endpoint_can_be_reopened_and_waiting_callers_continue_at_once(
    time: Time,
) -> None:
    pacer = time.pacer()
    await answered(pacer, {"retry-after": "12"}, 429)

    async def opened(left: float, _what_for: str) -> None:
        if left < 11:
            await pacer.reopen()

    await pacer.turn(HERE, waiting=opened)
    assert time.clock() <= 1003, "it looks again once a second"
    assert "closed_s" not in (await pacer.known())[0]
    await pacer.turn(HERE)
