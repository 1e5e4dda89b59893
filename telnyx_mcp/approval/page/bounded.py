"""HTTP/1.1 with limits, so that another program on this computer can't block the page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 64
BACKLOG = MAX_CONNECTIONS // 2
"""Connections accepted at a time. Fewer than are kept, so that each is read before it can be closed."""
READ_SECONDS = 10.0
"""The connection is dropped if a whole request, head and body, takes longer to arrive."""


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol with a bound on the connections and on the time to read a request.

    uvicorn's own `limit_concurrency` refuses the newest connection, which may be the user's. Here the
    oldest connection without a complete request is closed instead.
    """

    read_seconds = READ_SECONDS
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._made = self.loop.time()
        self._bound_reading()
        # An aborted connection stays in the set until the loop calls its connection_lost.
        open_ = [each for each in self._all() if not each.transport.is_closing()]
        if len(open_) > MAX_CONNECTIONS:
            min(open_, key=lambda each: (not each.owes_request, each._made)).transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._bound_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    @property
    def owes_request(self) -> bool:
        """Whether the head or the body of a request has yet to come."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _bound_reading(self) -> None:
        if not self.owes_request:
            self._stop_timer()
        elif self._reading is None:
            self._reading = self.loop.call_later(self.read_seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._reading:
            self._reading.cancel()
        self._reading = None

    def _all(self) -> Iterable[BoundedProtocol]:
        return cast("Iterable[BoundedProtocol]", self.connections)
