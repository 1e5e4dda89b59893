"""Reads in flight: identical ones share one request.

The first caller starts it, in a task of its own; callers that ask the same meanwhile wait for the
same answer. A caller that is cancelled does not affect the others; when the last one leaves, the
request is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.rate_limit.pacer import LONGEST_WAIT, Waiting

LATER = LONGEST_WAIT
"""A request is shared only with callers whose deadline is at most this many seconds later: it may have
waited that long for its turn, and where requests are scarce, a second one helps nobody."""

T = TypeVar("T")


@dataclass(eq=False)
class _Flight(Generic[T]):
    deadline: Deadline
    callers: list[Waiting | None] = field(default_factory=list)
    task: asyncio.Task[T] = field(init=False)

    async def waiting(self, left: float, what_for: str) -> None:
        """Reports to every caller that the request waits."""
        for each in list(self.callers):
            with suppress(Exception):  # one waiter that fails does not spoil it for the others
                if each:
                    await each(left, what_for)

    def suits(self, deadline: Deadline) -> bool:
        """Whether the request ends in time for a caller, and does not give up long before."""
        return -0.1 <= deadline.left() - self.deadline.left() <= LATER


class RequestCoalescer(Generic[T]):
    """The requests now in flight, by their identity."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()

    async def share(
        self,
        identity: Hashable,
        deadline: Deadline,
        waiting: Waiting | None,
        start: Callable[[Waiting], Coroutine[Any, Any, T]],
    ) -> T:
        """The answer of the request in flight with this identity, or of a new one by `start`."""
        flight = self._flights.get(identity)
        if flight is None or not flight.suits(deadline):
            flight = self._flights[identity] = _Flight(deadline)
            flight.task = asyncio.create_task(start(flight.waiting))
            self._tasks.add(flight.task)
            flight.task.add_done_callback(partial(self._landed, identity, flight))
        flight.callers.append(waiting)
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.callers.remove(waiting)
            if not flight.callers:
                flight.task.cancel()
                self._forget(identity, flight)

    async def aclose(self) -> None:
        """Cancels the requests in flight; returns when they, and those cancelled before, have ended."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _landed(self, identity: Hashable, flight: _Flight[T], task: asyncio.Task[T]) -> None:
        self._forget(identity, flight)
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # or asyncio complains if the last caller has just left

    def _forget(self, identity: Hashable, flight: _Flight[T]) -> None:
        if self._flights.get(identity) is flight:
            del self._flights[identity]
