"""The pace of one process, shared with no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from telnyx_mcp.telnyx.rate_limit.schedule import Pace
from telnyx_mcp.telnyx.rate_limit.stores.interface import Saved, T, Update


class InMemoryStore:
    """Keeps the paces until the process ends. `clock` is injected."""

    place = ""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.now = clock
        self._paces: dict[str, Pace] = {}
        self._texts: dict[str, Saved] = {}

    async def change(self, endpoint: str, change: Update[T]) -> T:
        self._paces[endpoint], result = change(self._paces.get(endpoint, Pace()), self.now())
        return result

    async def all(self) -> Mapping[str, Pace]:
        return self._paces

    async def load(self, name: str) -> Saved | None:
        return self._texts.get(name)

    async def save(self, name: str, text: str) -> None:
        self._texts[name] = (self.now(), text)

    def close(self) -> None:
        pass
