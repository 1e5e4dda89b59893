"""Names for ids: of users, connections, messaging profiles and billing groups.

Names are optional: if a list can't be read, ids stay ids, no call fails, and `missing` says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import anyio

from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.deadline import Clock
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import Page
from telnyx_mcp.telnyx.pagination import Scan

KEPT = 600.0
"""Seconds for which a list is not read again."""
MAX_PAGES = 20
"""5,000 names."""


class Named(StrEnum):
    """What has a name. The values are used in the message about a missing list."""

    USERS = "users"
    CONNECTIONS = "connections"
    MESSAGING_PROFILES = "messaging profiles"
    BILLING_GROUPS = "billing groups"


_Fetch = Callable[[TelnyxClient, int], Coroutine[Any, Any, Page[Any]]]
_LISTS: Mapping[Named, tuple[_Fetch, str]] = {
    Named.USERS: (lambda client, page: client.list_organization_users(page=page), "email"),
    Named.CONNECTIONS: (lambda client, page: client.list_connections(page=page), "connection_name"),
    Named.MESSAGING_PROFILES: (
        lambda client, page: client.list_messaging_profiles(page=page),
        "name",
    ),
    Named.BILLING_GROUPS: (lambda client, page: client.list_billing_groups(page=page), "name"),
}
"""How a page of each list is read, and the field that is the name."""


@dataclass(frozen=True, slots=True)
class _List:
    names: Mapping[str, str]
    why_missing: str = ""
    """Why names may be missing; empty if the list was read whole."""
    lasts: bool = True
    """Whether it is worth keeping: a failure that may pass is not."""


@dataclass(slots=True)
class NameCache:
    """The lists that were read for one account in the last ten minutes. A server has one for each
    account, as the same id may stand for something else in another."""

    clock: Clock = time.monotonic
    _lists: dict[Named, tuple[float, _List]] = field(default_factory=dict)

    def get(self, kind: Named) -> _List | None:
        """A list that is still fresh."""
        read_at, known = self._lists.get(kind, (0.0, None))
        return known if known and self.clock() - read_at < KEPT else None

    def put(self, kind: Named, known: _List) -> None:
        self._lists[kind] = self.clock(), known


class Names:
    """The names that one call needs. Reads each list when it is first asked for, at most once, and
    not at all if the cache has it."""

    def __init__(self, client: TelnyxClient, cache: NameCache) -> None:
        self.missing: dict[Named, str] = {}
        """The lists that could not be read, or not whole, and why."""
        self._client = client
        self._cache = cache
        self._read: dict[Named, Mapping[str, str]] = {}
        self._reading = {kind: anyio.Lock() for kind in Named}

    async def all(self, kind: Named) -> Mapping[str, str]:
        """Name by id: of users, their e-mail address. Empty if the list can't be read."""
        async with self._reading[kind]:
            if kind not in self._read:
                known = self._cache.get(kind)
                if known is None:
                    known = await _read(self._client, kind)
                    if known.lasts:
                        self._cache.put(kind, known)
                if known.why_missing:
                    self.missing[kind] = known.why_missing
                self._read[kind] = known.names
        return self._read[kind]

    async def name(self, kind: Named, id: str | None) -> str | None:
        """The name of one id; None for an id that is not in the list."""
        return (await self.all(kind)).get(id) if id else None


async def _read(client: TelnyxClient, kind: Named) -> _List:
    fetch, field_name = _LISTS[kind]
    names: dict[str, str] = {}
    scan: Scan[Any] = Scan(
        lambda number: fetch(client, number), lambda row: row.id, max_pages=MAX_PAGES
    )
    try:
        async for row in scan.rows():
            if row.id and (name := getattr(row, field_name)):
                names[row.id] = name
    except TelnyxError as error:
        return _List(names, error.summary, lasts=error.failure is Failure.FORBIDDEN)
    if scan.error:
        return _List(names, scan.why, lasts=False)
    return _List(names, "" if scan.complete else f"only the first {len(names)} were read")
