"""The rate limit: who may send when.

One pace for all copies of the server on one API key (`shared_pace.py`), reckoned from what the
answers tell (`limits.py`) by the rules of `pace.py`. This module waits.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import anyio

from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.limits import told, told_retry
from telnyx_mcp.telnyx.pace import Pace, Seen, Turn, current, due, learn, take
from telnyx_mcp.telnyx.shared_pace import Change, OwnPace, PacePlace, PlaceLost

LONGEST_WAIT = 15.0
"""Seconds a call may wait for its turn; a later turn fails at once and says when."""
TOLD_FROM = 2.0
"""Seconds; who waits longer than this is told."""
LOOK_AGAIN = 1.0
"""Seconds after which one who waits looks whether the turn was put off."""
SHARE_AGAIN = 60.0
"""Seconds after which a place that could not be used is tried again."""

Sleep = Callable[[float], Awaitable[None]]
Waiting = Callable[[float, float], Awaitable[None]]
"""Told how many seconds are left to wait, and how many were waited."""
T = TypeVar("T")


class Pacer:
    """Gives each request its turn. One per server; `own` (with its clock) and `sleep` are injected."""

    def __init__(
        self,
        shared: PacePlace | None = None,
        own: OwnPace | None = None,
        sleep: Sleep = anyio.sleep,
        say: Callable[[str], object] = sys.stderr.write,
    ) -> None:
        self._own = own or OwnPace()
        self._shared = shared
        self._sleep = sleep
        self._say: Callable[[str], object] | None = say
        self._share_from = 0.0
        self._seen: defaultdict[str, list[Seen]] = defaultdict(list)
        """Answers that the pace does not know of yet; it learns of them with the next turn."""

    async def turn(
        self, endpoint: str, longest: float = LONGEST_WAIT, waiting: Waiting | None = None
    ) -> float:
        """Returns when a request to `endpoint` may go: the moment, for `learn`.

        Raises `TelnyxError` (`PACED`, with `retry_in`) at once if that is more than `longest`
        seconds away, and if it is put off beyond them.
        """
        longest = min(longest, LONGEST_WAIT)
        turn, wait = await self._change(endpoint, self._taking(endpoint, longest))
        waited = 0.0
        while wait > 0:
            if waited + wait > longest:
                raise TelnyxError(Failure.PACED, retry_in=round(wait, 1))
            if waiting and waited + wait > TOLD_FROM:
                await waiting(wait, waited)
            nap = min(wait, LOOK_AGAIN)
            await self._sleep(nap)
            waited += nap
            wait = await self._change(endpoint, _left(turn))
        return self.now()

    async def learn(
        self, endpoint: str, status: int, headers: Mapping[str, str], sent: float
    ) -> None:
        """Takes in what an answer to a request of the moment `sent` tells of the limit.

        What closes the endpoint is told to all copies at once, the rest with the next turn.
        """
        refused = status == 429
        tells = told(headers)
        self._seen[endpoint].append(
            Seen(tells, sent, self.now(), refused, told_retry(headers) if refused else None)
        )
        if refused or tells.remaining == 0 or len(self._seen[endpoint]) > 1:
            await self._change(endpoint, self._learning(endpoint))

    def now(self) -> float:
        """The moment, on the clock of the place in use."""
        return self._place().now()

    async def known(self) -> list[dict[str, Any]]:
        """What is known of each endpoint's limit."""
        for endpoint in list(self._seen):
            await self._change(endpoint, self._learning(endpoint))
        place = self._place()
        try:
            paces = await place.all()
        except PlaceLost as lost:
            place = self._alone(lost)
            paces = await place.all()
        now = place.now()
        return [_shown(endpoint, pace, now) for endpoint, pace in sorted(paces.items())]

    @property
    def place(self) -> str:
        """Where the pace is shared; empty while this process paces itself."""
        return self._place().place

    def close(self) -> None:
        if self._shared:
            self._shared.close()

    def _place(self) -> PacePlace:
        if self._shared is None or self._own.now() < self._share_from:
            return self._own
        return self._shared

    def _alone(self, lost: PlaceLost) -> OwnPace:
        """Paces this process by itself for a while, and says so once."""
        self._share_from = self._own.now() + SHARE_AGAIN
        self._seen.clear()  # their moments are of the other clock
        say, self._say = self._say, None
        if say:
            say(
                f"telnyx-account-mcp: this process keeps the rate limit by itself, as {lost}. "
                "Other copies on the same API key are not taken into account.\n"
            )
        return self._own

    async def _change(self, endpoint: str, change: Change[T]) -> T:
        try:
            return await self._place().change(endpoint, change)
        except PlaceLost as lost:
            return await self._alone(lost).change(endpoint, change)

    def _taking(self, endpoint: str, longest: float) -> Change[tuple[Turn, float]]:
        seen = self._seen.pop(endpoint, [])

        def change(pace: Pace, now: float) -> tuple[Pace, tuple[Turn, float]]:
            for each in seen:
                pace = learn(pace, each, now)
            taken, turn = take(pace, now)
            wait = turn.at - now
            return pace if wait > longest else taken, (turn, wait)

        return change

    def _learning(self, endpoint: str) -> Change[None]:
        seen = self._seen.pop(endpoint, [])

        def change(pace: Pace, now: float) -> tuple[Pace, None]:
            for each in seen:
                pace = learn(pace, each, now)
            return pace, None

        return change


def _left(turn: Turn) -> Change[float]:
    """The seconds left until a turn."""

    def change(pace: Pace, now: float) -> tuple[Pace, float]:
        as_it_is = current(pace, now)
        return (as_it_is if as_it_is.slid != pace.slid else pace), due(as_it_is, turn) - now

    return change


def _shown(endpoint: str, pace: Pace, now: float) -> dict[str, Any]:
    pace = current(pace, now)
    limit = {
        "limit": pace.limit,
        "period_s": round(pace.period, 1),
        "remaining": max(0, pace.limit - pace.used),
        "resets_in_s": round(max(0.0, pace.ends - now), 1),
    }
    return {
        "endpoint": endpoint,
        **(limit if pace.limit else {}),
        "waiting_s": round(max(0.0, pace.tail - now, pace.closed_until - now), 1),
    }
