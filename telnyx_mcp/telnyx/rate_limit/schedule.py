"""The pace of one endpoint: who may go when, as arithmetic without clocks, waiting or storage.

While there is room in the limit's window, everybody goes at once. When it is used up, each gets a
turn of its own, one after the other at the limit's rate from the next window on (GCRA with the
window as its burst), so that nothing rushes in when it opens and whoever came first goes first.
What the answers tell corrects the count; a 429 puts all given turns off by the same time.

Headers may lie. Only a 429 of Telnyx's own closes for more than a minute; a limit that drops counts
from the window after the next; and where the told count leaves this key little of its limit, one
request now and then tries it: if more get through than were told to be left, the count is not
believed for a while.

All moments are seconds of one clock, the one of the place where the copies keep the pace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from math import floor, inf

from telnyx_mcp.telnyx.rate_limit.headers import RateLimitHeaders

HEADROOM = 0.98
"""The part of the limit's rate at which turns are given out: what the network delays a little then
still fits into its window."""
EDGE = 0.02
"""Seconds after a window's end until its successor is used."""
UNTOLD_PERIOD = 10.0
UNTOLD_GAP = 0.05
"""Seconds, where nothing was told: a window, and between two turns."""
SHORTEST_CLOSED = 1.0
"""Seconds; no 429 closes for less, whatever it says."""
LONGEST_BELIEVED = 60.0
"""Seconds; nothing but a 429 of Telnyx's own closes for more, or makes a window longer."""
LONGEST_CUT = LONGEST_BELIEVED - EDGE
FAIR_PART = 0.2
"""Where a told count leaves nothing though less than this part of the limit was used here, and did so
in the window before too, it is tried whether that is true."""
TRY_GAPS = 4
"""Gaps between two such tries."""
DOUBT = 600.0
"""Seconds for which a told count is not believed that was found to be wrong."""
SHORTEST_PERIOD = 0.1
"""Seconds; no window is taken to be shorter."""
NEAR = 7.5
"""Seconds, half of what one may wait: the queue behind this is for those who were turned away, while
some were."""
RECENT = 2
"""Periods; who had a turn longer ago may queue there too."""
LATE = 2.0
"""Seconds by which one may come late who was told when to come."""
STEP = 1.0
"""Seconds; a clock that is further back than this was set back."""


class ClosedBy(IntEnum):
    """Who said that nothing may go."""

    NOBODY = 0
    COUNT = 1
    """The headers of an answer, which told that nothing is left."""
    TELNYX = 2
    """A 429 with Telnyx's own code."""
    PROXY = 3
    """A 429 without it: of something in front of Telnyx."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment to go at; put off by as much as `slid` of the pace has grown since."""

    at: float
    slid: float


@dataclass(frozen=True, slots=True)
class Observation:
    """An answer: what it told, and between which moments it was made."""

    told: RateLimitHeaders
    sent: float
    received: float
    refused: bool = False
    """429"""
    retry_after: float | None = None
    """Seconds, as told."""
    own: bool = False
    """Whether a 429 carries Telnyx's own code."""
    silent: bool = False
    """Whether it succeeded and said nothing of a limit."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What all copies know of one endpoint."""

    limit: int = 0
    """Requests in a window; 0 while unknown."""
    began: float = 0.0
    ends: float = 0.0
    """The current window: [began, ends)."""
    told: bool = False
    """Whether `ends` is from an answer, not reckoned."""
    used: int = 0
    """Turns given out in this window, or more if the answers say so."""
    given: int = 0
    """Turns given out in this window."""
    highest: int = 0
    highest_before: int = 0
    """The highest limit told in this window, and in the one before."""
    starved: bool = False
    starved_before: bool = False
    """Whether a told count left little of the limit, in this window and in the one before."""
    left_told: int = 0
    """How many more may get through, by the lowest count told in this window, until `left_until`."""
    left_until: float = 0.0
    """When that window ends at the earliest."""
    left_since: float = 0.0
    """When that was told."""
    doubted_until: float = 0.0
    """Until when told counts are not believed."""
    longest: float = 0.0
    longest_before: float = 0.0
    """The longest reset told in this window, and in the one before."""
    closed_until: float = 0.0
    closed_by: int = ClosedBy.NOBODY
    head: float = 0.0
    tail: float = 0.0
    """The first and the last turn of those that wait."""
    left: tuple[float, ...] = ()
    """The turns before the last whose callers left, as if nothing had ever been put off."""
    expected: float = 0.0
    """Until when somebody who was turned away should be back."""
    slid: float = 0.0
    """Seconds by which turns were put off, in all."""
    written: float = 0.0

    @property
    def period(self) -> float:
        """Seconds for which the limit counts."""
        told = max(self.longest, self.longest_before)
        return max(told, SHORTEST_PERIOD) if told else UNTOLD_PERIOD

    @property
    def gap(self) -> float:
        """Seconds between two turns of those that wait."""
        return self.period / (self.limit * HEADROOM) if self.limit else UNTOLD_GAP


def assume(pace: Pace, limit: int, period: float) -> Pace:
    """A pace that nobody has used yet, with a limit taken for true until an answer states one.

    An answer that succeeds and states none ends the assumption.
    """
    if pace.written:
        return pace
    return replace(pace, limit=limit, highest=limit, longest=period, longest_before=period)


def _is_assumed(pace: Pace) -> bool:
    return bool(pace.limit) and not pace.left_since


def take(pace: Pace, now: float) -> tuple[Pace, Turn]:
    """The next turn: now if there is room, else behind those that wait."""
    pace = current(pace, now)
    waiting = pace.tail > now
    at = max(now, pace.closed_until, pace.tail + pace.gap if waiting else 0.0)
    if at < pace.ends:
        if pace.limit and pace.used >= pace.limit:
            at = pace.ends + EDGE
        else:
            pace = replace(pace, used=pace.used + 1, given=pace.given + 1)
    if at > now:
        pace = replace(pace, head=pace.head if waiting else at, tail=at)
    return pace, Turn(at, pace.slid)


def due(pace: Pace, turn: Turn) -> float:
    """When a turn that is waited for has come, after all that put it off."""
    return max(turn.at + pace.slid - turn.slid, pace.closed_until)


def give_back(pace: Pace, turn: Turn, now: float) -> Pace:
    """The pace without the turn of one who leaves, and without those before it that are left too,
    if nobody has come behind them."""
    pace = current(pace, now)
    left = [at for at in (*pace.left, turn.at - turn.slid) if at + pace.slid > now]
    tail, gone_now = pace.tail, 0
    while gone := [at for at in left if abs(at + pace.slid - tail) < pace.gap / 2]:
        left.remove(gone[0])
        gone_now += tail < pace.ends
        tail -= pace.gap
    none_waits = tail < pace.head - pace.gap / 2
    return replace(
        pace,
        used=max(0, pace.used - gone_now),
        given=max(0, pace.given - gone_now),
        head=0.0 if none_waits else pace.head,
        tail=0.0 if none_waits else tail,
        left=tuple(left),
    )


def turned_away(pace: Pace, turn: Turn) -> Pace:
    """The pace that expects one back for whom this turn is too far away."""
    return replace(pace, expected=max(pace.expected, turn.at + LATE))


def room(pace: Pace, since: float, now: float) -> float:
    """Seconds ahead of now up to which one may queue who had a turn `since` seconds ago.

    While some were turned away, the far end of the queue is theirs: or whoever has just had a turn
    would always be there before those who come back when they were told to.
    """
    if now >= pace.expected or since >= RECENT * pace.period:
        return inf
    return max(pace.head, pace.closed_until, now) - now + NEAR


def learn(pace: Pace, seen: Observation, now: float) -> Pace:
    """The pace corrected by an answer."""
    pace = current(pace, now)
    if seen.received > now + STEP:
        return pace  # it came before the clock was set back: its moments are none now
    if _is_assumed(pace) and (seen.silent or seen.told.limit is not None):
        pace = replace(pace, highest=0, highest_before=0)
        if seen.silent:
            return replace(pace, limit=0, longest=0.0, longest_before=0.0)
    if not (seen.refused and seen.own):
        seen = _of_a_minute(seen)
    pace = _limited(pace, seen)
    remaining, reset = seen.told.remaining, seen.told.reset
    until = None
    if seen.refused:
        reset = reset or None  # as all would come back at once, 0 tells no more than silence
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
    """The pace as if nothing had closed it; those that wait go on from now, in their order."""
    pace = current(pace, now)
    by = max(0.0, pace.head - now) if pace.tail > now else 0.0
    return replace(
        pace,
        ends=now,
        closed_until=0.0,
        closed_by=ClosedBy.NOBODY,
        head=pace.head - by,
        tail=pace.tail - by,
        slid=pace.slid - by,
    )


def _of_a_minute(seen: Observation) -> Observation:
    """An answer without anything longer than a minute. What is cut is no whole number of seconds, as
    those are taken to be rounded up."""

    def cut(seconds: float | None) -> float | None:
        return seconds if seconds is None or seconds <= LONGEST_BELIEVED else LONGEST_CUT

    told = replace(seen.told, reset=cut(seen.told.reset), window=cut(seen.told.window))
    return replace(seen, told=told, retry_after=cut(seen.retry_after))


def _limited(pace: Pace, seen: Observation) -> Pace:
    """The pace with the highest limit told lately.

    A limit of which nothing is used, though an answer came, is no true one: it may not be slower
    than silence.
    """
    told = seen.told.limit
    if told is None:
        return pace
    if (seen.told.remaining or 0) >= told and told < UNTOLD_PERIOD / UNTOLD_GAP:
        return replace(pace, limit=0, highest=0, highest_before=0) if told == pace.limit else pace
    highest = max(pace.highest, told)
    return replace(pace, highest=highest, limit=max(highest, pace.highest_before))


def _weighed(pace: Pace, remaining: int, reset: float, seen: Observation, now: float) -> Pace:
    """The pace that doubts what is told if more got through than was said to be left."""
    if seen.refused:
        return pace
    if pace.left_since < seen.sent and seen.received < pace.left_until:
        if pace.left_told == 0 and now >= pace.doubted_until:
            return replace(pace, doubted_until=now + DOUBT)
        pace = replace(pace, left_told=max(0, pace.left_told - 1))
        if remaining >= pace.left_told:
            return pace
    rounding = 1.0 if reset == int(reset) else 0.0
    return replace(
        pace,
        left_told=remaining,
        left_since=seen.received,
        left_until=seen.sent + reset - rounding,
    )


def _closer(seen: Observation) -> ClosedBy:
    if not seen.refused:
        return ClosedBy.COUNT
    return ClosedBy.TELNYX if seen.own else ClosedBy.PROXY


def current(pace: Pace, now: float) -> Pace:
    """The pace as it is at this moment: in the window that has begun, after a clock was set back."""
    if now < pace.written - STEP:
        by = now - pace.written
        pace = replace(
            pace,
            began=pace.began + by,
            ends=pace.ends + by,
            closed_until=pace.closed_until + by,
            head=pace.head + by,
            tail=pace.tail + by,
            slid=pace.slid + by,
        )
    while now >= pace.ends:
        pace = _next_window(pace, now)
    return pace if pace.written == now else replace(pace, written=now)


def _next_window(pace: Pace, now: float) -> Pace:
    """The window after this one, reckoned: it begins with the first request in it."""
    before = pace.longest if pace.told else pace.longest_before
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
        told=False,
    )
    if pace.tail < pace.ends:
        return replace(pace, began=now, ends=now + pace.period, used=0, given=0)
    began = max(pace.head, pace.ends)
    ends = began + pace.period
    waiting = _waiting(pace, began, ends)
    return replace(pace, began=began, ends=ends, used=waiting, given=waiting)


def _waiting(pace: Pace, since: float, until: float) -> int:
    """How many turns were given to those that wait, between two moments; one less now and then, as
    moments are not exact to the last digit."""
    since, until = max(since, pace.head), min(until, pace.tail)
    return floor((until - since) / pace.gap) + 1 if until >= since else 0


def _counted(pace: Pace, used: int, reset: float, seen: Observation) -> Pace | None:
    """The pace with its window as an answer counts it; None for a window that is over.

    A reset is told in whole seconds, rounded up: the window ends between `earliest` and `latest`,
    and each answer narrows it.
    """
    rounding = 1.0 if reset == int(reset) else 0.0
    earliest, latest = seen.sent + max(0.0, reset - rounding), seen.received + reset
    if seen.sent < pace.began and earliest < pace.began:
        return None
    if pace.told and earliest >= pace.ends:
        waiting = _waiting(pace, seen.received, latest)
        return replace(
            pace,
            began=seen.sent,
            ends=latest,
            used=used + waiting,
            given=waiting,
            starved=False,
            starved_before=pace.starved,
            longest=seen.told.window or reset,
            longest_before=pace.longest,
        )
    return replace(
        pace,
        ends=min(pace.ends, latest) if pace.told else latest,
        told=True,
        used=max(pace.used, used),
        longest=seen.told.window or max(pace.longest, reset),
    )


def _closed(pace: Pace, until: float, now: float, by_whom: ClosedBy) -> Pace:
    """The pace with nothing going before `until`; those that wait keep their order and distance."""
    if until <= pace.closed_until:
        return pace
    pace = replace(pace, closed_until=until, closed_by=by_whom)
    if pace.tail <= now:
        return pace
    next_turn = max(pace.head, pace.tail - floor((pace.tail - now) / pace.gap) * pace.gap)
    by = max(0.0, until - next_turn)
    return replace(pace, head=until if by else pace.head, tail=pace.tail + by, slid=pace.slid + by)
