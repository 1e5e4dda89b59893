"""What each store of the pace offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from telnyx_mcp.storage.postgres import PACE
from telnyx_mcp.telnyx.rate_limit.schedule import Pace

PATIENCE = PACE.seconds
"""Seconds after which a store that others hold, or that does not answer, is given up."""

T = TypeVar("T")
Update = Callable[[Pace, float], tuple[Pace, T]]
"""From the pace and the moment to the pace as it is to be, and what to return."""

Saved = tuple[float, str]
"""When a text was saved, on the store's clock, and the text."""


class StoreUnavailable(Exception):
    """The pace can't be shared. Its text says where and why."""


class PaceStore(Protocol):
    """Where the pace of each endpoint is kept."""

    place: str

    def now(self) -> float:
        """The moment on the clock that all copies share."""

    async def change(self, endpoint: str, change: Update[T]) -> T:
        """What `change` returns, once its pace is kept. Raises `StoreUnavailable`."""

    async def all(self) -> Mapping[str, Pace]:
        """The pace of every endpoint used so far. Raises `StoreUnavailable`."""

    async def load(self, name: str) -> Saved | None:
        """The text saved under this name. Raises `StoreUnavailable`."""

    async def save(self, name: str, text: str) -> None:
        """Keeps a text beside the paces. `name` does not begin with a slash, as endpoints do.
        Raises `StoreUnavailable`."""

    def close(self) -> None: ...
