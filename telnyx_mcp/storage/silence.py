"""Ends the wait for a database server that keeps its connection open and says nothing.

A server that hangs, or a proxy that stops forwarding, still acknowledges what it is sent, so that no
time-out of the system or of the server ends the wait. The connection is shut down from this side then,
and the thread that waits on it fails.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any


class SilenceWatch:
    """One timer for each connection in use."""

    def __init__(self) -> None:
        self._timers: dict[int, threading.Timer] = {}

    def begins(self, connection: Any, seconds: float) -> None:
        """Shuts the connection down unless `ends` is called within that many seconds."""
        self.ends(connection)
        timer = threading.Timer(seconds, _shut_down, [connection])
        timer.daemon = True
        self._timers[id(connection)] = timer
        timer.start()

    def ends(self, connection: Any) -> None:
        """Says that nobody waits on the connection any more."""
        if timer := self._timers.pop(id(connection), None):
            timer.cancel()


def _shut_down(connection: Any) -> None:
    # A copy of the descriptor: closing this one leaves the driver's alone. Fails if it was closed.
    with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as copy:
        copy.shutdown(socket.SHUT_RDWR)
