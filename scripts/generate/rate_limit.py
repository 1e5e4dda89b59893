"""The worked time line of docs/rate-limiting.md, made by the same arithmetic that paces requests."""

from __future__ import annotations

from telnyx_mcp.telnyx.rate_limit.headers import RateLimitHeaders
from telnyx_mcp.telnyx.rate_limit.schedule import (
    Observation,
    Pace,
    Turn,
    due,
    give_back,
    learn,
    take,
)

ZERO = 1_000.0
"""The moment that the page calls 0 s."""


class TimeLine:
    """Takes turns of one endpoint and writes down what happens."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.turns: dict[str, Turn] = {}
        self.rows = [
            "| at | what happens | result | `used` | window | `queue_start`-`queue_end` |",
            "|---:|---|---|---:|---|---|",
        ]

    def _row(self, at: float, event: str, result: str) -> None:
        pace = self.pace
        waits = pace.queue_end > ZERO + at
        queue = f"{pace.queue_start - ZERO:.2f}-{pace.queue_end - ZERO:.2f} s" if waits else "empty"
        window = f"until {pace.ends - ZERO:.2f} s"
        self.rows.append(f"| {at:.1f} s | {event} | {result} | {pace.used} | {window} | {queue} |")

    def take(self, at: float, name: str) -> None:
        self.pace, turn = take(self.pace, ZERO + at)
        self.turns[name] = turn
        goes = turn.at - ZERO
        result = "goes at once" if goes <= at else f"gets the turn at {goes:.2f} s"
        self._row(at, f"{name} comes", result)

    def answer(self, at: float, event: str, result: str, seen: Observation) -> None:
        self.pace = learn(self.pace, seen, ZERO + at)
        self._row(at, event, result)

    def leave(self, at: float, name: str) -> None:
        self.pace = give_back(self.pace, self.turns[name], ZERO + at)
        self._row(at, f"{name} gives up", "its turn is free")

    def due(self, name: str) -> float:
        return due(self.pace, self.turns[name]) - ZERO


def time_line() -> str:
    """A limit of 4 requests in 10 s: a full window, a queue, a caller that leaves, and a 429."""
    line = TimeLine()
    line.take(0, "A")
    line.answer(
        0.2,
        "the answer to A: limit 4, remaining 3, reset 10",
        "the limit is known",
        Observation(RateLimitHeaders(limit=4, remaining=3, reset=10.0), ZERO, ZERO + 0.2),
    )
    for name in "BCD":
        line.take(1, name)
    for name in "EFG":
        line.take(2, name)
    line.leave(3, "G")
    refusal = Observation(
        RateLimitHeaders(limit=4, remaining=0, reset=12.0),
        ZERO + 4.0,
        ZERO + 4.2,
        refused=True,
        retry_after=12.0,
        own=True,
    )
    line.answer(4.2, "429 to D, from Telnyx: retry after 12 s", "all turns move", refusal)
    line.rows.append(
        f"| later | | E goes at {line.due('E'):.2f} s, F at {line.due('F'):.2f} s | | | |"
    )
    return "\n".join(line.rows) + "\n"
