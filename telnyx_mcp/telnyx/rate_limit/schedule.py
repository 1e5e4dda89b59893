"""The pace of one endpoint: which request may go when. Arithmetic without clocks, waiting or storage.

While the limit's window has room, requests go at once. When it is used up, each request gets a turn,
one after the other at the limit's rate from the next window on (GCRA with the window as its burst).
So requests do not rush in when a window opens, and the first to come is the first to go. Answers correct the
count; a 429 delays all turns by the same time. docs/rate-limiting.md has the rules and a time line.

Headers may be wrong. Only a 429 with Telnyx's own code closes for more than a minute; a limit that
drops counts from the window after the next; and where the stated count leaves this key little of its
limit, a request now and then tests it: if more get through than were stated to remain, the count is not
believed for a while.

All moments are seconds of one clock: the clock of the store where the copies share the pace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from math import floor, inf

from telnyx_mcp.telnyx.rate_limit.headers import RateLimitHeaders

HEADROOM = 0.98
"""The part of the limit's rate at which turns are given: a request that the network delays a little
still fits into its window."""
EDGE = 0.02
"""Seconds after a window's end until its successor is used."""
UNKNOWN_PERIOD = 10.0
UNKNOWN_GAP = 0.05
"""Seconds, while the limit is unknown: a window, and between two turns."""
SHORTEST_CLOSED = 1.0
"""Seconds; no 429 closes for less, whatever it says."""
LONGEST_BELIEVED = 60.0
"""Seconds; nothing but a 429 of Telnyx's own closes for more, or makes a window longer."""
LONGEST_CUT = LONGEST_BELIEVED - EDGE
FAIR_PART = 0.2
"""A stated count is tested if it leaves nothing although less than this part of the limit was used here,
in this window and in the one before."""
TRY_GAPS = 4
"""Gaps between two of these tests."""
DOUBT = 600.0
"""Seconds for which counts are not believed after one was found to be wrong."""
SHORTEST_PERIOD = 0.1
"""Seconds; no window is taken to be shorter."""
NEAR = 7.5
"""Seconds, half of the longest wait. While callers that were turned away are expected back, only this
much of the queue is open to others."""
RECENT = 2
"""Periods. Callers that have been idle for longer count as new."""
LATE = 2.0
"""Seconds of grace for a caller that returns when it was asked to."""
STEP = 1.0
"""Seconds. A clock that is further back than this was set back."""


class ClosedBy(IntEnum):
    """Why nothing may go."""

    NOBODY = 0
    COUNT = 1
    """The headers of an answer: nothing remains."""
    TELNYX = 2
    """A 429 with Telnyx's own code."""
    PROXY = 3
    """A 429 without it: from a proxy in front of Telnyx."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The moment at which a request may go; delayed by as much as `shift` of the pace has grown since."""

    at: float
    shift: float


@dataclass(frozen=True, slots=True)
class Observation:
    """What an answer says of the limit, and the moments between which it was made."""

    headers: RateLimitHeaders
    sent: float
    received: float
    refused: bool = False
    """429"""
    retry_after: float | None = None
    """Seconds, as the 429 states them."""
    own: bool = False
    """Whether a 429 carries Telnyx's own code."""
    silent: bool = False
    """Whether it succeeded and states no limit."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What all copies know of one endpoint. docs/rate-limiting.md says what each field is for."""

    limit: int = 0
    """Requests in a window; 0 while unknown."""
    began: float = 0.0
    ends: float = 0.0
    """The current window: [began, ends)."""
    ends_stated: bool = False
    """Whether `ends` comes from an answer. Otherwise it is calculated."""
    used: int = 0
    """Turns given in this window, or more if answers say so."""
    given: int = 0
    """Turns given in this window."""
    highest: int = 0
    highest_before: int = 0
    """The highest limit stated in this window, and in the one before."""
    starved: bool = False
    starved_before: bool = False
    """Whether a stated count left little of the limit, in this window and in the one before."""
    remaining: int = 0
    """How many more may get through until `remaining_until`, by the lowest count stated in this window."""
    remaining_until: float = 0.0
    """When that window ends at the earliest."""
    remaining_since: float = 0.0
    """When that was stated."""
    doubted_until: float = 0.0
    """Until when stated counts are not believed."""
    longest: float = 0.0
    longest_before: float = 0.0
    """The longest reset stated in this window, and in the one before."""
    closed_until: float = 0.0
    closed_by: int = ClosedBy.NOBODY
    queue_start: float = 0.0
    queue_end: float = 0.0
    """The first and the last turn of the queue."""
    abandoned: tuple[float, ...] = ()
    """Turns in the middle of the queue that were given back, as they were before any shift."""
    reserved_until: float = 0.0
    """Until when callers that were turned away should be back."""
    shift: float = 0.0
    """Seconds by which the queue was delayed, in all."""
    written: float = 0.0

    @property
    def period(self) -> float:
        """Seconds for which the limit counts."""
        stated = max(self.longest, self.longest_before)
        return max(stated, SHORTEST_PERIOD) if stated else UNKNOWN_PERIOD

    @property
    def gap(self) -> float:
        """Seconds between two turns of the queue."""
        return self.period / (self.limit * HEADROOM) if self.limit else UNKNOWN_GAP


def assume(pace: Pace, limit: int, period: float) -> Pace:
    """A pace that was not used yet, with a limit that is assumed until an answer states one.

    An answer that succeeds and states none ends the assumption.
    """
    if pace.written:
        return pace
    return replace(pace, limit=limit, highest=limit, longest=period, longest_before=period)


def _is_assumed(pace: Pace) -> bool:
    return bool(pace.limit) and not pace.remaining_since


def take(pace: Pace, now: float) -> tuple[Pace, Turn]:
    """The next turn: now if there is room, else at the end of the queue.

    Example: of 4 requests in 10 s. Seven callers at 0 s get the turns at 0, 0, 0, 0, 10.02, 12.57 and
    15.12 s.
    """
    pace = current(pace, now)
    waiting = pace.queue_end > now
    at = max(now, pace.closed_until, pace.queue_end + pace.gap if waiting else 0.0)
    if at < pace.ends:
        if pace.limit and pace.used >= pace.limit:
            at = pace.ends + EDGE
        else:
            pace = replace(pace, used=pace.used + 1, given=pace.given + 1)
    if at > now:
        pace = replace(pace, queue_start=pace.queue_start if waiting else at, queue_end=at)
    return pace, Turn(at, pace.shift)


def due(pace: Pace, turn: Turn) -> float:
    """When a turn comes, with all delays."""
    return max(turn.at + pace.shift - turn.shift, pace.closed_until)


def give_back(pace: Pace, turn: Turn, now: float) -> Pace:
    """The pace without the turn of a caller that leaves, and without the abandoned turns before it, if they
    are at the end of the queue now.

    Example: the turns at 10.02, 12.57 and 15.12 s wait. If the caller of 12.57 s leaves, its turn becomes
    `abandoned`, as 15.12 s keeps its place. If that caller leaves too, the queue ends at 10.02 s.
    """
    pace = current(pace, now)
    left = [at for at in (*pace.abandoned, turn.at - turn.shift) if at + pace.shift > now]
    queue_end, gone_now = pace.queue_end, 0
    while gone := [at for at in left if abs(at + pace.shift - queue_end) < pace.gap / 2]:
        left.remove(gone[0])
        gone_now += queue_end < pace.ends
        queue_end -= pace.gap
    none_waits = queue_end < pace.queue_start - pace.gap / 2
    return replace(
        pace,
        used=max(0, pace.used - gone_now),
        given=max(0, pace.given - gone_now),
        queue_start=0.0 if none_waits else pace.queue_start,
        queue_end=0.0 if none_waits else queue_end,
        abandoned=tuple(left),
    )


def turned_away(pace: Pace, turn: Turn) -> Pace:
    """The pace that expects a caller back for which this turn is too far away."""
    return replace(pace, reserved_until=max(pace.reserved_until, turn.at + LATE))


def room(pace: Pace, since: float, now: float) -> float:
    """How far ahead of now, in seconds, a caller may queue that had its last turn `since` seconds ago.

    While callers that were turned away are expected back, the far end of the queue is theirs. Otherwise
    a caller that has just had a turn would always be there before them.

    Example: the queue begins at 10.02 s, and a caller is expected back at 17.12 s. Until then a caller that
    had a turn a second ago may queue up to 17.52 s (7.5 s more); one that is new, without a bound.
    """
    if now >= pace.reserved_until or since >= RECENT * pace.period:
        return inf
    return max(pace.queue_start, pace.closed_until, now) - now + NEAR


def learn(pace: Pace, seen: Observation, now: float) -> Pace:
    """The pace corrected by an answer."""
    pace = current(pace, now)
    if seen.received > now + STEP:
        return pace  # from before the clock was set back: its moments mean nothing now
    if _is_assumed(pace) and (seen.silent or seen.headers.limit is not None):
        pace = replace(pace, highest=0, highest_before=0)
        if seen.silent:
            return replace(pace, limit=0, longest=0.0, longest_before=0.0)
    if not (seen.refused and seen.own):
        seen = _of_a_minute(seen)
    pace = _limited(pace, seen)
    remaining, reset = seen.headers.remaining, seen.headers.reset
    until = None
    if seen.refused:
        reset = reset or None  # 0 would let all come back at once: no better than no reset
        until = seen.received + max(reset or 0.0, SHORTEST_CLOSED)
    if pace.limit and remaining is not None and reset is not None:
        believed = seen.refused or now >= pace.doubted_until
        if not believed:
            pace = replace(pace, used=pace.given)
        pace = _weighed(pace, remaining, reset, seen, now)
        used = pace.limit - remaining if believed else 0
        counted = _counted(pace, used, reset, seen)
        if counted is None:
            until = None
        else:
            pace = counted
            if seen.refused or (believed and remaining == 0):
                until = pace.ends + EDGE
            if not seen.refused and pace.given < FAIR_PART * pace.limit and pace.used >= pace.limit:
                if pace.starved_before:
                    pace = replace(pace, used=pace.limit - 1)  # one more may go, soon
                    until = seen.received + TRY_GAPS * pace.gap
                pace = replace(pace, starved=True)
    if seen.refused and seen.retry_after:
        until = seen.received + max(seen.retry_after, SHORTEST_CLOSED)
        pace = replace(pace, ends=min(pace.ends, max(until, now)))
    if until is None:
        return pace
    if not (seen.refused and seen.own):
        until = min(until, seen.received + LONGEST_BELIEVED)
    return _closed(pace, until, now, _closer(seen))


def reopen(pace: Pace, now: float) -> Pace:
    """The pace as if nothing had closed it; the queue goes on from now, in its order."""
    pace = current(pace, now)
    by = max(0.0, pace.queue_start - now) if pace.queue_end > now else 0.0
    return replace(
        pace,
        ends=now,
        closed_until=0.0,
        closed_by=ClosedBy.NOBODY,
        queue_start=pace.queue_start - by,
        queue_end=pace.queue_end - by,
        shift=pace.shift - by,
    )


def _of_a_minute(seen: Observation) -> Observation:
    """The answer with nothing longer than a minute. A cut value is not a whole number of seconds, as whole
    numbers are taken to be rounded up."""

    def cut(seconds: float | None) -> float | None:
        return seconds if seconds is None or seconds <= LONGEST_BELIEVED else LONGEST_CUT

    reset, retry_after = cut(seen.headers.reset), cut(seen.retry_after)
    if (reset, retry_after) == (seen.headers.reset, seen.retry_after):
        return seen
    return replace(seen, headers=replace(seen.headers, reset=reset), retry_after=retry_after)


def _limited(pace: Pace, seen: Observation) -> Pace:
    """The pace with the highest limit stated lately.

    A limit that says all of it remains, although a request was just answered, is not believed if it
    would be slower than an unknown one. Example: `limit 5, remaining 5`.
    """
    stated = seen.headers.limit
    if stated is None:
        return pace
    if (seen.headers.remaining or 0) >= stated and stated < UNKNOWN_PERIOD / UNKNOWN_GAP:
        return replace(pace, limit=0, highest=0, highest_before=0) if stated == pace.limit else pace
    highest = max(pace.highest, stated)
    limit = max(highest, pace.highest_before)
    if (highest, limit) == (pace.highest, pace.limit):
        return pace
    return replace(pace, highest=highest, limit=limit)


def _weighed(pace: Pace, remaining: int, reset: float, seen: Observation, now: float) -> Pace:
    """The pace, which doubts stated counts if more got through than were stated to remain.

    Example: at 1 s an answer states that 0 remain until 8 s. A request that is sent at 2 s is answered
    without a 429: stated counts are not believed for ten minutes.
    """
    if seen.refused:
        return pace
    if pace.remaining_since < seen.sent and seen.received < pace.remaining_until:
        if pace.remaining == 0 and now >= pace.doubted_until:
            return replace(pace, doubted_until=now + DOUBT)
        pace = replace(pace, remaining=max(0, pace.remaining - 1))
        if remaining >= pace.remaining:
            return pace
    rounding = 1.0 if reset == int(reset) else 0.0
    return replace(
        pace,
        remaining=remaining,
        remaining_since=seen.received,
        remaining_until=seen.sent + reset - rounding,
    )


def _closer(seen: Observation) -> ClosedBy:
    if not seen.refused:
        return ClosedBy.COUNT
    return ClosedBy.TELNYX if seen.own else ClosedBy.PROXY


def current(pace: Pace, now: float) -> Pace:
    """The pace as it is now: in its current window, and moved back with a clock that was set back."""
    if now < pace.written - STEP:
        by = now - pace.written
        pace = replace(
            pace,
            began=pace.began + by,
            ends=pace.ends + by,
            closed_until=pace.closed_until + by,
            queue_start=pace.queue_start + by,
            queue_end=pace.queue_end + by,
            shift=pace.shift + by,
        )
    while now >= pace.ends:
        pace = _next_window(pace, now)
    return pace if pace.written == now else replace(pace, written=now)


def _next_window(pace: Pace, now: float) -> Pace:
    """The window after this one, calculated: it begins with the first request in it.

    Example: turns wait at 10.02, 12.57 and 15.12 s. The next window is that from 10.02 to 20.02 s, and 3 of
    its turns are used.
    """
    before = pace.longest if pace.ends_stated else pace.longest_before
    highest = pace.highest or pace.highest_before
    pace = replace(
        pace,
        longest=0.0,
        longest_before=before,
        highest=0,
        highest_before=highest,
        limit=highest,
        starved=False,
        starved_before=pace.starved,
        ends_stated=False,
    )
    if pace.queue_end < pace.ends:
        return replace(pace, began=now, ends=now + pace.period, used=0, given=0)
    began = max(pace.queue_start, pace.ends)
    ends = began + pace.period
    waiting = _waiting(pace, began, ends)
    return replace(pace, began=began, ends=ends, used=waiting, given=waiting)


def _waiting(pace: Pace, since: float, until: float) -> int:
    """How many turns of the queue lie between two moments. Approximate: float rounding may drop one."""
    since, until = max(since, pace.queue_start), min(until, pace.queue_end)
    return floor((until - since) / pace.gap) + 1 if until >= since else 0


def _counted(pace: Pace, used: int, reset: float, seen: Observation) -> Pace | None:
    """The pace with its window as an answer counts it; None for a window that is over.

    A reset in whole seconds is rounded up: `3` sent at 10.2 and received at 10.4 means that the window
    ends between 12.2 (`earliest`) and 13.4 (`latest`). Each answer narrows it.
    """
    rounding = 1.0 if reset == int(reset) else 0.0
    earliest, latest = seen.sent + max(0.0, reset - rounding), seen.received + reset
    if seen.sent < pace.began and earliest < pace.began:
        return None
    if pace.ends_stated and earliest >= pace.ends:
        waiting = _waiting(pace, seen.received, latest)
        return replace(
            pace,
            began=seen.sent,
            ends=latest,
            used=used + waiting,
            given=waiting,
            starved=False,
            starved_before=pace.starved,
            longest=reset,
            longest_before=pace.longest,
        )
    return replace(
        pace,
        ends=min(pace.ends, latest) if pace.ends_stated else latest,
        ends_stated=True,
        used=max(pace.used, used),
        longest=max(pace.longest, reset),
    )


def _closed(pace: Pace, until: float, now: float, by_whom: ClosedBy) -> Pace:
    """The pace with nothing going before `until`; the queue keeps its order and distances.

    Example: turns wait at 10.02, 12.57 and 15.12 s. Closed until 12 s, they are due at 12, 14.55 and
    17.10 s, and `shift` grows by 1.98 s.
    """
    if until <= pace.closed_until:
        return pace
    pace = replace(pace, closed_until=until, closed_by=by_whom)
    if pace.queue_end <= now:
        return pace
    next_turn = max(
        pace.queue_start, pace.queue_end - floor((pace.queue_end - now) / pace.gap) * pace.gap
    )
    by = max(0.0, until - next_turn)
    return replace(
        pace,
        queue_start=until if by else pace.queue_start,
        queue_end=pace.queue_end + by,
        shift=pace.shift + by,
    )
