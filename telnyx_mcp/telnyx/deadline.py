"""A moment by which a call must be over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

CALL_SECONDS = 25.0
"""Seconds one call has in all: waiting for its turn, every try, every page."""
MANY_SECONDS = 40.0
"""The same for a call that reads many pages; hosts give up on a call after 60."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by which a call must be over."""

    at: float
    clock: Clock = time.monotonic
    wall_at: float = inf
    wall: Clock = time.time

    @classmethod
    def after(
        cls, seconds: float = CALL_SECONDS, clock: Clock = time.monotonic, wall: Clock = time.time
    ) -> Deadline:
        return cls(clock() + seconds, clock, wall() + seconds, wall)

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - self.clock())

    def has_passed(self) -> bool:
        """Whether it has passed by either clock: `clock` may stand still while the machine sleeps."""
        return self.left() <= 0 or self.wall() >= self.wall_at
