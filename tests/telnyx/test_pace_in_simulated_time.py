"""Many copies under limits of every kind, for thousands of simulated seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telnyx_mcp.telnyx.rate_limit.stores import SqliteStore
from tests.support.rate_limit_simulation import (
    Changing,
    FixedWindow,
    Limited,
    Lying,
    Shared,
    SlidingWindow,
    TokenBucket,
    Told,
    World,
    load,
)

SECONDS = 1000
FULL = SECONDS * 20
"""What the limit of 200 per 10 s lets through."""


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.end()


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 8, 20])
@pytest.mark.parametrize("aligned", [False, True], ids=["from the first request", "by the clock"])
def test_a_window_that_is_stated_correctly_is_used_up_and_never_overrun(
    world: World, copies: int, aligned: bool
) -> None:
    seen = load(world, FixedWindow(aligned=aligned), copies)
    world.run(SECONDS)
    assert seen.useful >= 0.97 * FULL
    assert seen.refused_share < 0.001
    assert seen.failed == 0
    assert seen.longest < 12
    assert min(seen.served) > 0.97 * max(seen.served), "every copy gets its share"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "useful", "refused"),
    [
        (SlidingWindow, 0.84, 0.04),
        (TokenBucket, 0.97, 0.002),
        (lambda: TokenBucket(tells_next=True), 0.97, 0.002),
        (lambda: Lying({}), 0.93, 0.01),
        (lambda: Lying({"x-ratelimit-remaining": "0"}), 0.93, 0.01),
        (lambda: Lying({"ratelimit": "@", "x-ratelimit-reset": "soon"}), 0.93, 0.01),
        (
            lambda: Lying(
                {
                    "x-ratelimit-limit": "200",
                    "x-ratelimit-remaining": "200",
                    "x-ratelimit-reset": "0",
                }
            ),
            0.95,
            0.02,
        ),
        (lambda: Lying({"retry-after": "0"}), 0.93, 0.01),
        (lambda: Lying({"retry-after": "0"}, else_true=True), 0.97, 0.001),
        (lambda: Lying({"retry-after-ms": "1"}, else_true=True), 0.97, 0.002),
        (lambda: Lying({"x-ratelimit-reset": "0"}), 0.93, 0.01),
        (lambda: Lying({"x-ratelimit-reset": "0"}, else_true=True), 0.97, 0.002),
    ],
    ids=[
        "sliding window",
        "bucket, tells when full",
        "bucket, tells the next token",
        "tells nothing",
        "tells half",
        "tells nonsense",
        "always full",
        "at once, and nothing else",
        "at once, and the rest truly",
        "nearly at once",
        "resets at once, and nothing else",
        "resets at once, and the rest truly",
    ],
)
def test_other_limits_and_liars_cost_little(
    world: World, limit: Callable[[], Limited], useful: float, refused: float
) -> None:
    seen = load(world, limit(), 20)
    world.run(SECONDS)
    assert seen.useful >= useful * FULL
    assert seen.refused_share <= refused
    assert seen.failed <= 2
    assert min(seen.served) > 0.9 * max(seen.served)


LIMIT, REMAINING, RESET = (f"x-ratelimit-{each}" for each in ("limit", "remaining", "reset"))
FAR = "Fri, 31 Dec 9999 23:59:59 GMT"
PAST = "Fri, 31 Dec 1999 23:59:59 GMT"
Tell = Callable[[dict[str, str], int, bool], dict[str, str]]


def always(**lie: object) -> Tell:
    """The truth but for this, in each answer."""
    names = {"limit": LIMIT, "remaining": REMAINING, "reset": RESET}
    false = {names[name]: str(value) for name, value in lie.items()}
    return lambda true, _number, _allowed: true | false


def jumps(*limits: int) -> Tell:
    """One limit after the other, and no more left than that."""

    def tell(true: dict[str, str], number: int, _allowed: bool) -> dict[str, str]:
        limit = limits[number % len(limits)]
        left = min(limit, int(true[REMAINING]))
        return true | {LIMIT: str(limit), REMAINING: str(left)}

    return tell


def refuses(**lie: str) -> Tell:
    """Nothing but this, in each 429."""
    false = {name.replace("_", "-"): value for name, value in lie.items()}
    return lambda _true, _number, allowed: {} if allowed else false


def once(at: int, lie: dict[str, str]) -> Tell:
    """The truth, but for this in one answer."""
    return lambda true, number, _allowed: true | (lie if number == at else {})


LIES: dict[str, Tell] = {
    "nothing": lambda *_: {},
    "nothing is left": always(remaining=0),
    "one is left": always(remaining=1),
    "three are left": always(remaining=3),
    "nothing is left, for a minute": always(remaining=0, reset=60),
    "nothing is left, for an hour": always(remaining=0, reset=3600),
    "nothing is left of a million": always(remaining=0, limit=1_000_000),
    "nothing is left, now and then": lambda true, number, _: (
        true | ({REMAINING: "0"} if number % 20 == 0 else {})
    ),
    "nothing is left for an hour, once": once(50, {REMAINING: "0", RESET: "3600"}),
    "a limit of 1": always(limit=1),
    "a limit of 2, all of it left": always(limit=2, remaining=2),
    "a limit that jumps down": jumps(1, 200),
    "a limit that jumps up": jumps(200, 1_000_000),
    "a limit that jumps": jumps(1, 1_000_000, 50, 7, 200, 3000),
    "a limit of 0": always(limit=0),
    "a negative limit": always(limit=-7),
    "a huge limit": always(limit="9" * 40),
    "a window of an hour": always(limit="200;w=3600"),
    "a reset in a minute": always(reset=60),
    "a reset in ten minutes": always(reset=600),
    "a reset in an hour": always(reset=3600),
    "a reset at a moment of 2023": always(reset=1_700_000_000),
    "a reset in the past": always(reset=-5),
    "no number": always(limit="NaN", remaining="nan", reset="inf"),
    "empty values": always(limit="", remaining="", reset=""),
    "negative figures": always(remaining=-1, reset=-1),
    "an hour after each 429": refuses(retry_after="3600"),
    "a day after each 429": refuses(retry_after="86400"),
    "milliseconds without end": refuses(retry_after_ms="9e99"),
    "a date far away": refuses(retry_after=FAR),
    "a date in the past": refuses(retry_after=PAST),
    "a negative wait": refuses(retry_after="-1"),
    "no number to wait": refuses(retry_after="nan"),
    "an hour to wait, though it was let through": once(50, {"retry-after": "3600"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 8])
@pytest.mark.parametrize("lie", LIES)
def test_whatever_the_headers_state_a_tenth_of_what_is_allowed_is_used(
    world: World, lie: str, copies: int
) -> None:
    seconds = 400
    seen = load(world, Told(LIES[lie]), copies)
    world.run(seconds)
    assert seen.useful >= 0.1 * seconds * 20
    assert seen.refused_share < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("limit", [(40, 60.0), (1000, 60.0)], ids=["40 a minute", "1000 a minute"])
@pytest.mark.parametrize("lie", LIES)
def test_limits_by_the_minute_are_used_whatever_headers_tell(
    world: World, lie: str, limit: tuple[int, float]
) -> None:
    seconds = 400
    seen = load(world, Told(LIES[lie], FixedWindow(*limit)), 4)
    world.run(seconds)
    assert seen.useful >= 0.1 * seconds * limit[0] / limit[1]


def test_a_limit_that_changes_is_followed(world: World) -> None:
    seen = load(world, Changing(), 8)
    world.run(2 * 1200)
    allowed = 2 * 300 * (20 + 5 + 15 + 200 / 60)
    assert seen.useful >= 0.9 * allowed
    assert seen.refused_share < 0.01


@pytest.mark.parametrize("others", [5.0, 15.0])
def test_what_others_use_on_the_same_key_is_left_to_them(world: World, others: float) -> None:
    seen = load(world, Shared(others), 8)
    world.run(SECONDS)
    assert seen.useful >= 0.9 * (20 - others) * SECONDS
    assert seen.refused_share < 0.03
    assert seen.failed == 0


@pytest.mark.parametrize(("limit", "period"), [(5, 10.0), (60, 60.0), (1000, 60.0)])
def test_small_and_long_limits_are_used_up_too(world: World, limit: int, period: float) -> None:
    seen = load(world, FixedWindow(limit, period), 4)
    world.run(2400)
    assert seen.useful >= 0.93 * 2400 * limit / period
    assert seen.refused_share < 0.01


@pytest.mark.parametrize(("limit", "period"), [(5, 10.0), (10, 10.0), (20, 60.0), (60, 60.0)])
def test_a_caller_that_returns_when_asked_to_gets_a_turn_even_under_overload(
    world: World, limit: int, period: float
) -> None:
    seen = load(world, FixedWindow(limit, period), 20, obedient=True)
    world.run(2000)
    assert seen.useful >= 0.95 * 2000 * limit / period
    assert seen.refused_share < 0.001
    fair = 20 * period / limit
    assert seen.without < max(5 * fair, 3 * period), "no copy starves"
    assert min(seen.served) > 0.5 * max(seen.served)


def test_while_there_is_room_no_caller_waits(world: World) -> None:
    """Ten requests a second, of twenty."""
    seen = load(world, FixedWindow(), 20, think=2.0)
    world.run(SECONDS)
    assert seen.longest < 0.001
    assert seen.refused == 0
    assert seen.useful == pytest.approx(10 * SECONDS, rel=0.05)


def test_nothing_rushes_in_when_a_closed_limit_opens(world: World) -> None:
    limit = FixedWindow()
    seen = load(world, limit, 20)
    world.run(55)
    limit.ends, limit.used = world.at + 7, limit.limit  # used up, by whomever
    world.run(1)
    closed_at = world.at
    world.run(30)
    opened = [at for at in seen.arrivals if at >= closed_at]
    assert opened[0] >= limit.ends - limit.period - 30, "the test looks at the right moments"
    first = opened[0]
    assert sum(at < first + 0.5 for at in opened) <= 15, "as many as the rate allows, not all"
    assert seen.failed == 0


@pytest.mark.parametrize("hours", [-1, 1, -24 * 365, 24 * 365])
def test_a_clock_that_is_set_costs_little(world: World, hours: int) -> None:
    seen = load(world, FixedWindow(), 8)
    world.run(105)
    world.shown += hours * 3600
    before = seen.useful
    world.run(200)
    assert seen.useful - before >= 0.9 * 200 * 20
    assert seen.refused_share < 0.02
    assert seen.failed == 0


def test_a_laptop_that_sleeps_goes_on_when_it_wakes(world: World) -> None:
    """The clock goes on, and nobody is asked anything for eight hours."""
    limit = FixedWindow()
    seen = load(world, limit, 8)
    world.run(105)
    world.shown += 8 * 3600
    limit.ends = 0
    before = seen.useful
    world.run(100)
    assert seen.useful - before >= 0.9 * 100 * 20
    assert seen.failed == 0


def test_copies_that_die_while_they_wait_hold_up_no_other(world: World) -> None:
    limit = FixedWindow()
    seen = load(world, limit, 20)
    world.run(50)
    world.kill(10)
    before = seen.useful
    world.run(200)
    assert seen.useful - before >= 0.9 * 200 * 20
    assert seen.refused_share < 0.005


def test_the_same_holds_through_a_file(world: World, tmp_path: Path) -> None:
    places = []

    def place() -> SqliteStore:
        places.append(SqliteStore(tmp_path / "pace.sqlite3", "account", world.clock))
        return places[-1]

    seen = load(world, FixedWindow(), 8, place=place)
    world.run(300)
    for each in places:
        each.close()
    assert seen.useful >= 0.95 * 300 * 20
    assert seen.refused_share < 0.001
    assert seen.failed == 0
