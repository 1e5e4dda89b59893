"""The rate limit: who may send when.

One pace for all copies of the server on one API key (`stores.py`), calculated from the headers of
answers (`headers.py`) by the rules of `schedule.py`. This module waits.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, TypeVar

import anyio

from telnyx_mcp.telnyx.deadline import Clock
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.rate_limit.headers import RateLimitHeaders, parse_rate_limit, retry_after
from telnyx_mcp.telnyx.rate_limit.schedule import (
    ClosedBy,
    Observation,
    Pace,
    Turn,
    assume,
    current,
    due,
    give_back,
    learn,
    reopen,
    room,
    take,
    turned_away,
)
from telnyx_mcp.telnyx.rate_limit.stores import PATIENCE, InMemoryStore, PaceStore, StoreUnavailable
from telnyx_mcp.telnyx.rate_limit.watch import PaceWatch

LONGEST_WAIT = 15.0
"""Seconds a call may wait for its turn; a later turn fails at once and says when."""
REPORTED_WAIT = 2.0
"""Seconds; a longer wait is reported."""
LOOK_AGAIN = 1.0
"""Seconds after which a waiting caller checks whether its turn was delayed."""
SHARE_AGAIN = 60.0
"""Seconds after which a store that could not be used is tried again."""

ASSUMED_LIMITS: Mapping[str, tuple[int, float]] = {
    "/usage_reports": (5, 1.0),
    "/detail_records": (40, 60.0),
}
"""Requests and seconds, by endpoint: limits measured on the live API by others in July 2026. They hold
until an answer states its own, so that the first burst of requests is not refused."""

Sleep = Callable[[float], Awaitable[None]]
Waiting = Callable[[float, str], Awaitable[None]]
"""Called with the seconds left to wait, and what for."""
T = TypeVar("T")
UpdateAt = Callable[[PaceStore, Pace, float], tuple[Pace, T]]
"""An update that also gets the store that it is made in."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment on the clock of one store. It means nothing on the clock of another."""

    at: float
    place: PaceStore


CLOSED_BY: Mapping[int, str] = {
    ClosedBy.COUNT: "an answer of Telnyx states that no requests remain",
    ClosedBy.TELNYX: "Telnyx answered 429",
    ClosedBy.PROXY: "something in front of Telnyx (a proxy or gateway) answered 429, not Telnyx "
    "itself",
}
"""Why nothing may be sent, as text."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A turn, and the store that gave it."""

    turn: Turn
    place: PaceStore


_Waits = tuple[_Held | None, float, str]
"""A turn, or none that may be waited for; the seconds until then; who closed the pace."""


def _say(words: str) -> None:
    if sys.stderr:  # there is none where it was closed before the start
        sys.stderr.write(words)


class Pacer:
    """Gives each request its turn. One per server.

    `own` (with its clock), `sleep` and `clock`, which is never set back, are injected.
    """

    def __init__(
        self,
        shared: PaceStore | None = None,
        own: InMemoryStore | None = None,
        sleep: Sleep = anyio.sleep,
        say: Callable[[str], object] | None = None,
        clock: Clock = time.monotonic,
        watch: PaceWatch | None = None,
    ) -> None:
        self._own = own or InMemoryStore()
        self._watch = watch or PaceWatch()
        self._shared = shared
        self._sleep = sleep
        self._say: Callable[[str], object] | None = say or _say
        self._clock = clock
        self._share_from = -inf
        self._seen: defaultdict[str, list[tuple[PaceStore, Observation]]] = defaultdict(list)
        """Answers that the pace does not know of yet; it learns of them with the next turn."""
        self._went: dict[str, Moment] = {}
        """When this process had its last turn."""

    async def turn(
        self, endpoint: str, longest: float = LONGEST_WAIT, waiting: Waiting | None = None
    ) -> Moment:
        """Returns when a request to `endpoint` may go: the moment, for `learn`.

        Raises `TelnyxError` (`PACED`, with `retry_in`) at once if that is more than `longest`
        seconds away, or if it is delayed beyond them.
        """
        began = self._clock()
        try:
            moment = await self._turn_within(endpoint, longest, waiting)
        except TelnyxError:
            self._watch.turned_away(endpoint)
            raise
        self._watch.waited(endpoint, self._clock() - began)
        return moment

    async def _turn_within(self, endpoint: str, longest: float, waiting: Waiting | None) -> Moment:
        if longest >= LONGEST_WAIT:
            return await self._turn(endpoint, LONGEST_WAIT, waiting)
        with anyio.move_on_after(longest):  # the store may take longer than that
            return await self._turn(endpoint, longest, waiting)
        raise TelnyxError(Failure.PACED, retry_in=PATIENCE)

    async def _turn(self, endpoint: str, longest: float, waiting: Waiting | None) -> Moment:
        began = self._clock()
        held, wait, why = await self._change(endpoint, self._taking(endpoint, longest))
        try:
            while wait > 0:
                waited = self._clock() - began
                if held is None or waited + wait > longest:
                    raise TelnyxError(Failure.PACED, why, retry_in=round(wait, 1))
                if waiting and waited + wait > REPORTED_WAIT:
                    await waiting(wait, "Telnyx's rate limit")
                await self._sleep(min(wait, LOOK_AGAIN))
                looking = self._looking(endpoint, longest, held)
                held, wait, why = await self._change(endpoint, looking)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await self._give_back(endpoint, held)
            raise
        except Exception:
            await self._give_back(endpoint, held)
            raise
        went = self._went[endpoint] = self.now()
        return went

    async def learn(
        self,
        endpoint: str,
        status: int,
        headers: Mapping[str, str],
        sent: Moment,
        *,
        own: bool = False,
    ) -> None:
        """Learns about the limit from the answer to a request that was sent at `sent`.

        `own`: a 429 carries Telnyx's own code; without it, it closes for a minute at most. What
        closes the endpoint is shared with all copies at once, the rest with the next turn.
        """
        refused = status == 429
        if refused:
            self._watch.refused(endpoint, own=own)
        now = self.now()
        if sent.place is not now.place:
            return
        limits = parse_rate_limit(headers)
        wait = retry_after(headers) if refused else None
        silent = 200 <= status < 300 and limits == RateLimitHeaders()
        seen = Observation(limits, sent.at, now.at, refused, wait, own, silent)
        self._seen[endpoint].append((now.place, seen))
        if refused or limits.remaining == 0 or len(self._seen[endpoint]) > 1:
            await self._change(endpoint, self._learning(endpoint))

    async def _give_back(self, endpoint: str, held: _Held | None) -> None:
        if held:
            await self._change(endpoint, self._giving_back(held))

    def now(self) -> Moment:
        """The moment, on the clock of the store in use."""
        place = self._place()
        return Moment(place.now(), place)

    async def known(self) -> list[dict[str, Any]]:
        """What is known of each endpoint's limit; `closed_s` and `closed_by` while it is closed."""
        for endpoint in list(self._seen):
            await self._change(endpoint, self._learning(endpoint))
        place = self._place()
        try:
            paces = await place.all()
        except StoreUnavailable as lost:
            place = self._alone(lost)
            paces = await place.all()
        now = place.now()
        return [_shown(endpoint, pace, now) for endpoint, pace in sorted(paces.items())]

    async def reopen(self) -> list[str]:
        """Opens every endpoint that is closed, for all copies. Returns their names."""
        closed = [each["endpoint"] for each in await self.known() if "closed_s" in each]
        for each in closed:
            await self._change(each, lambda _, pace, now: (reopen(pace, now), None))
        return closed

    async def load(self, name: str) -> tuple[float, str] | None:
        """A text that a copy on this key saved, and its age in seconds; None if there is none."""
        place = self._place()
        try:
            saved = await place.load(name)
        except StoreUnavailable as lost:
            place = self._alone(lost)
            saved = await place.load(name)
        return (place.now() - saved[0], saved[1]) if saved else None

    async def save(self, name: str, text: str) -> None:
        """Keeps a text for all copies on this key. `name` does not begin with a slash."""
        place = self._place()
        try:
            await place.save(name, text)
        except StoreUnavailable as lost:
            await self._alone(lost).save(name, text)

    @property
    def place(self) -> str:
        """Where the pace is shared; empty while this process paces itself."""
        return self._place().place

    def close(self) -> None:
        if self._shared:
            self._shared.close()

    def _place(self) -> PaceStore:
        if self._shared is None or self._clock() < self._share_from:
            return self._own
        return self._shared

    def _alone(self, lost: StoreUnavailable) -> InMemoryStore:
        """Paces this process by itself for a while, and says so once."""
        self._share_from = self._clock() + SHARE_AGAIN
        say, self._say = self._say, None
        if say:
            say(
                f"telnyx-account-mcp: this process keeps the rate limit by itself, as {lost}. "
                "Other copies on the same API key are not taken into account.\n"
            )
        return self._own

    async def _change(self, endpoint: str, change: UpdateAt[T]) -> T:
        place = self._place()
        try:
            return await place.change(endpoint, partial(change, place))
        except StoreUnavailable as lost:
            own = self._alone(lost)
            return await own.change(endpoint, partial(change, own))

    def _taking(self, endpoint: str, longest: float) -> UpdateAt[_Waits]:
        """A turn and the seconds until then; no turn if they are more than one may wait."""
        learning, went = self._learning(endpoint), self._went.get(endpoint)

        def change(place: PaceStore, pace: Pace, now: float) -> tuple[Pace, _Waits]:
            if endpoint in ASSUMED_LIMITS:
                pace = assume(pace, *ASSUMED_LIMITS[endpoint])
            pace, _ = learning(place, pace, now)
            taken, turn = take(pace, now)
            wait = turn.at - now
            if wait > 0:
                since = now - went.at if went and went.place is place else inf
                if wait > min(longest, room(pace, since, now)):
                    pace = turned_away(pace, turn) if wait > longest else pace
                    return pace, (None, wait, _closed_by(pace, now))
            return taken, (_Held(turn, place), wait, "")

        return change

    def _looking(self, endpoint: str, longest: float, held: _Held) -> UpdateAt[_Waits]:
        """The same turn and the seconds left; a new one if another store keeps the pace now."""

        def change(place: PaceStore, pace: Pace, now: float) -> tuple[Pace, _Waits]:
            if place is not held.place:
                return self._taking(endpoint, longest)(place, pace, now)
            as_it_is = current(pace, now)
            kept = as_it_is if as_it_is.shift != pace.shift else pace
            return kept, (held, due(as_it_is, held.turn) - now, _closed_by(as_it_is, now))

        return change

    def _giving_back(self, held: _Held) -> UpdateAt[None]:
        """Gives a turn back to the store that gave it."""

        def change(place: PaceStore, pace: Pace, now: float) -> tuple[Pace, None]:
            return (give_back(pace, held.turn, now) if place is held.place else pace), None

        return change

    def _learning(self, endpoint: str) -> UpdateAt[None]:
        """Learns from the answers, except those that came by another store's clock."""
        seen = self._seen.pop(endpoint, [])

        def change(place: PaceStore, pace: Pace, now: float) -> tuple[Pace, None]:
            for where, each in seen:
                if where is place:
                    pace = learn(pace, each, now)
            return pace, None

        return change


def _closed_by(pace: Pace, now: float) -> str:
    """Why the pace is closed, as text; empty if it is open."""
    return CLOSED_BY.get(pace.closed_by, "") if pace.closed_until > now else ""


def _shown(endpoint: str, pace: Pace, now: float) -> dict[str, Any]:
    pace = current(pace, now)
    limit = {
        "limit": pace.limit,
        "period_s": round(pace.period, 1),
        "remaining": max(0, pace.limit - pace.used),
        "resets_in_s": round(max(0.0, pace.ends - now), 1),
    }
    why = _closed_by(pace, now)
    closed = {"closed_s": round(pace.closed_until - now, 1), "closed_by": why}
    return {
        "endpoint": endpoint,
        **(limit if pace.limit else {}),
        **(closed if why else {}),
        "waiting_s": round(max(0.0, pace.queue_end - now, pace.closed_until - now), 1),
    }
