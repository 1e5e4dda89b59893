"""Thousands of seconds in a moment: copies of the server, and Telnyxes with limits of every kind.

The pacers are real; only the clock, sleeping and the network are not. Coroutines are run by hand in
the order of their moments, so that every run is the same.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.rate_limit.pacer import Pacer
from telnyx_mcp.telnyx.rate_limit.stores import InMemoryStore, PaceStore

HERE = "/balance"
EPOCH = 1_700_000_000.0


@types.coroutine
def sleep(seconds: float) -> Generator[float, None, None]:
    """Sleeps in the world that runs the coroutine."""
    yield seconds


class World:
    """The moments to come. Seconds since the world began are `at`; what its clock shows can be set."""

    def __init__(self) -> None:
        self.at = 0.0
        self.shown = EPOCH
        """What the clock showed when the world began; change it to set the clock."""
        self.random = random.Random(7)
        self._numbers = itertools.count()
        self._coming: list[tuple[float, int, Coroutine[Any, Any, Any]]] = []

    def clock(self) -> float:
        return self.shown + self.at

    def start(self, coroutine: Coroutine[Any, Any, Any], after: float = 0.0) -> None:
        heapq.heappush(self._coming, (self.at + after, next(self._numbers), coroutine))

    def run(self, seconds: float) -> None:
        """Lets so many seconds pass."""
        until = self.at + seconds
        while self._coming and self._coming[0][0] <= until:
            self.at, _, coroutine = heapq.heappop(self._coming)
            try:
                pause = coroutine.send(None)
            except StopIteration:
                continue
            self.start(coroutine, pause)
        self.at = until

    def kill(self, some: int) -> None:
        """Ends so many of those that sleep, wherever they are."""
        for _ in range(min(some, len(self._coming))):
            heapq.heappop(self._coming)[2].close()

    def end(self) -> None:
        self.kill(len(self._coming))


class Limited(Protocol):
    """A limit at Telnyx's end."""

    def take(self, at: float) -> tuple[bool, dict[str, str]]:
        """Whether a request of this moment is let through, and the headers of its answer."""


def headers(limit: int, remaining: float, reset: float) -> dict[str, str]:
    """As Telnyx tells them: in whole seconds, rounded up."""
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(int(remaining)),
        "x-ratelimit-reset": str(math.ceil(reset)),
    }


@dataclass
class FixedWindow:
    """So many a window, which begins with the first request after the one before; or by the clock."""

    limit: int = 200
    period: float = 10.0
    aligned: bool = False
    ends: float = 0.0
    used: int = 0

    def take(self, at: float) -> tuple[bool, dict[str, str]]:
        if at >= self.ends:
            begins = at // self.period * self.period if self.aligned else at
            self.ends, self.used = begins + self.period, 0
        allowed = self.used < self.limit
        self.used += allowed
        return allowed, headers(self.limit, self.limit - self.used, self.ends - at)


@dataclass
class SlidingWindow:
    """So many in any `period`; tells when the oldest leaves."""

    limit: int = 200
    period: float = 10.0
    taken: deque[float] = field(default_factory=deque)

    def take(self, at: float) -> tuple[bool, dict[str, str]]:
        while self.taken and self.taken[0] <= at - self.period:
            self.taken.popleft()
        allowed = len(self.taken) < self.limit
        if allowed:
            self.taken.append(at)
        left = self.taken[0] + self.period - at
        return allowed, headers(self.limit, self.limit - len(self.taken), left)


@dataclass
class TokenBucket:
    """A bucket that fills evenly; tells when it is full, or when the next token comes."""

    limit: int = 200
    period: float = 10.0
    tells_next: bool = False
    tokens: float = 200.0
    at: float = 0.0

    def take(self, at: float) -> tuple[bool, dict[str, str]]:
        rate = self.limit / self.period
        self.tokens = min(self.limit, self.tokens + (at - self.at) * rate)
        self.at = at
        allowed = self.tokens >= 1
        self.tokens -= allowed
        missing = max(0.0, 1 - self.tokens) if self.tells_next else self.limit - self.tokens
        return allowed, headers(self.limit, self.tokens, missing / rate)


@dataclass
class Changing:
    """A fixed window whose limit is another one every five minutes."""

    limits: tuple[tuple[int, float], ...] = ((200, 10.0), (50, 10.0), (300, 20.0), (200, 60.0))
    window: FixedWindow = field(default_factory=FixedWindow)

    def take(self, at: float) -> tuple[bool, dict[str, str]]:
        limit = self.limits[int(at // 300) % len(self.limits)]
        if limit != (self.window.limit, self.window.period):
            self.window = FixedWindow(*limit)
        return self.window.take(at)


@dataclass
class Lying:
    """A fixed window that tells something else, or all but that truly."""

    lie: Mapping[str, str]
    else_true: bool = False
    window: FixedWindow = field(default_factory=FixedWindow)

    def take(self, at: float) -> tuple[bool, dict[str, str]]:
        allowed, told = self.window.take(at)
        return allowed, (told if self.else_true else {}) | dict(self.lie)


@dataclass
class Told:
    """A fixed window whose answers carry what `tell` makes of the true headers: it gets those, the
    number of the answer, and whether the request was let through."""

    tell: Callable[[dict[str, str], int, bool], dict[str, str]]
    window: FixedWindow = field(default_factory=FixedWindow)
    number: int = 0

    def take(self, at: float) -> tuple[bool, dict[str, str]]:
        allowed, told = self.window.take(at)
        self.number += 1
        return allowed, self.tell(told, self.number, allowed)


@dataclass
class Shared:
    """A fixed window of which others on the same key use so many a second."""

    others: float
    window: FixedWindow = field(default_factory=FixedWindow)
    next: float = 0.0

    def take(self, at: float) -> tuple[bool, dict[str, str]]:
        while self.next < at:
            self.window.take(self.next)
            self.next += 1 / self.others
        return self.window.take(at)


@dataclass
class Seen:
    """What came of a load."""

    served: list[int]
    refused: int = 0
    failed: int = 0
    longest: float = 0.0
    arrivals: list[float] = field(default_factory=list)
    without: float = 0.0
    """The longest that one copy went without being served."""

    @property
    def useful(self) -> int:
        return sum(self.served)

    @property
    def refused_share(self) -> float:
        return self.refused / max(1, self.useful + self.refused)


def load(
    world: World,
    limit: Limited,
    copies: int,
    *,
    think: float = 0.0,
    latency: float = 0.01,
    obedient: bool = False,
    place: Callable[[], PaceStore] | None = None,
) -> Seen:
    """Copies on one key that ask one after the other; they begin as the world runs on.

    Who fails at once asks again in a second, or when it was told to.
    """
    together = InMemoryStore(world.clock)
    seen = Seen([0] * copies)

    async def copy(number: int) -> None:
        pacer = Pacer(
            place() if place else together,
            InMemoryStore(world.clock),
            sleep,
            clock=lambda: world.at,
        )
        served_at = world.at
        while True:
            asked = world.at
            try:
                turn = await pacer.turn(HERE)
            except TelnyxError as refusal:
                seen.failed += 1
                await sleep(refusal.retry_in or 0.0 if obedient else 1.0)
                continue
            seen.longest = max(seen.longest, world.at - asked)
            await sleep(latency * world.random.expovariate(1))
            allowed, told = limit.take(world.at)
            seen.arrivals.append(world.at)
            if allowed:
                seen.served[number] += 1
                seen.without = max(seen.without, world.at - served_at)
                served_at = world.at
            seen.refused += not allowed
            await sleep(latency * world.random.expovariate(1))
            await pacer.learn(HERE, 200 if allowed else 429, told, turn)
            await sleep(think * world.random.expovariate(1))

    for number in range(copies):
        world.start(copy(number), world.random.random() / 10)
    return seen
