"""The pace of one endpoint: who may go when, as arithmetic without clocks, waiting or storage.

While there is room in the limit's window, everybody goes at once. When it is used up, each gets a
turn of its own, one after the other at the limit's rate from the next window on (GCRA with the
window as its burst), so that nothing rushes in when it opens and whoever came first goes first.
What the answers tell corrects the count; a 429 puts all given turns off by the same time.

All moments are seconds of one clock, the one of the place where the copies keep the pace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, inf

from telnyx_mcp.telnyx.limits import Told

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


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment to go at; put off by as much as `slid` of the pace has grown since."""

    at: float
    slid: float


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer: what it told, and between which moments it was made."""

    told: Told
    sent: float
    received: float
    refused: bool = False
    """429"""
    retry_after: float | None = None
    """Seconds, as told."""


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
    longest: float = 0.0
    longest_before: float = 0.0
    """The longest reset told in this window, and in the one before."""
    closed_until: float = 0.0
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


def take(pace: Pace, now: float) -> tuple[Pace, Turn]:
    """The next turn: now if there is room, else behind those that wait."""
    pace = current(pace, now)
    waiting = pace.tail > now
    at = max(now, pace.closed_until, pace.tail + pace.gap if waiting else 0.0)
    if at < pace.ends:
        if pace.limit and pace.used >= pace.limit:
            at = pace.ends + EDGE
        else:
            pace = replace(pace, used=pace.used + 1)
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
    tail, used = pace.tail, pace.used
    while gone := [at for at in left if abs(at + pace.slid - tail) < pace.gap / 2]:
        left.remove(gone[0])
        used -= tail < pace.ends
        tail -= pace.gap
    none_waits = tail < pace.head - pace.gap / 2
    return replace(
        pace,
        used=max(0, used),
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


def learn(pace: Pace, seen: Seen, now: float) -> Pace:
    """The pace corrected by an answer."""
    pace = current(pace, now)
    if seen.received > now + STEP:
        return pace  # it came before the clock was set back: its moments are none now
    limit, remaining, reset = seen.told.limit or pace.limit, seen.told.remaining, seen.told.reset
    if limit != pace.limit:
        pace = replace(pace, limit=limit)
    until = None
    if seen.refused:
        reset = reset or None  # as all would come back at once, 0 tells no more than silence
        until = seen.received + max(reset or 0.0, SHORTEST_CLOSED)
    if limit and remaining is not None and reset is not None:
        counted = _counted(pace, limit - remaining, reset, seen)
        if counted is None:
            until = None
        else:
            pace = counted
            if seen.refused or remaining == 0:
                until = pace.ends + EDGE
    if seen.refused and seen.retry_after:
        until = seen.received + max(seen.retry_after, SHORTEST_CLOSED)
        pace = replace(pace, ends=min(pace.ends, max(until, now)))
    return pace if until is None else _closed(pace, until, now)


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
    pace = replace(pace, longest=0.0, longest_before=before, told=False)
    if pace.tail < pace.ends:
        return replace(pace, began=now, ends=now + pace.period, used=0)
    began = max(pace.head, pace.ends)
    ends = began + pace.period
    return replace(pace, began=began, ends=ends, used=_waiting(pace, began, ends))


def _waiting(pace: Pace, since: float, until: float) -> int:
    """How many turns were given to those that wait, between two moments; one less now and then, as
    moments are not exact to the last digit."""
    since, until = max(since, pace.head), min(until, pace.tail)
    return floor((until - since) / pace.gap) + 1 if until >= since else 0


def _counted(pace: Pace, used: int, reset: float, seen: Seen) -> Pace | None:
    """The pace with its window as an answer counts it; None for a window that is over.

    A reset is told in whole seconds, rounded up: the window ends between `earliest` and `latest`,
    and each answer narrows it.
    """
    rounding = 1.0 if reset == int(reset) else 0.0
    earliest, latest = seen.sent + max(0.0, reset - rounding), seen.received + reset
    if seen.sent < pace.began and earliest < pace.began:
        return None
    if pace.told and earliest >= pace.ends:
        return replace(
            pace,
            began=seen.sent,
            ends=latest,
            used=used + _waiting(pace, seen.received, latest),
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


def _closed(pace: Pace, until: float, now: float) -> Pace:
    """The pace with nothing going before `until`; those that wait keep their order and distance."""
    if until <= pace.closed_until:
        return pace
    pace = replace(pace, closed_until=until)
    if pace.tail <= now:
        return pace
    next_turn = max(pace.head, pace.tail - floor((pace.tail - now) / pace.gap) * pace.gap)
    by = max(0.0, until - next_turn)
    return replace(pace, head=until if by else pace.head, tail=pace.tail + by, slid=pace.slid + by)
