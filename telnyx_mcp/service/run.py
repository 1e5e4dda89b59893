"""Runs one replica: its two ports, the signals, and a stop that loses no request and no payment.

SIGTERM: /readyz answers 503 while requests go on being served (`drain_seconds`), so that the proxy sends
no more; then no connection is accepted, streams end, and calls may finish. The whole takes at most 28 s, as
orchestrators kill after 30. SIGINT does the same with a shorter drain, a second signal ends the drain, and
SIGHUP reads the roles again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import anyio
import uvicorn
from starlette.types import ASGIApp, Scope

from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.http_server import HttpServer, OpenRequests
from telnyx_mcp.service.config import Address
from telnyx_mcp.service.health import Health, HealthRoutes
from telnyx_mcp.service.telemetry.calls import KEY, CallLog
from telnyx_mcp.service.telemetry.exporting import Telemetry

STOP_SECONDS = 28.0
"""How long a stop may take."""
CLOSING_SECONDS = 2.0
"""What is kept of it for connections to close, and for the lifespan to end."""
SHORT_DRAIN_SECONDS = 0.5
"""The drain after Ctrl-C, where somebody waits at a terminal."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than proxies keep theirs (60 s), as a request that meets a
closing connection fails."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replica:
    """What is served, and what a signal changes."""

    app: ASGIApp
    """MCP and the pages, with its lifespan."""
    mcp: AccountServer
    """Whose payments are waited for."""
    health: Health
    telemetry: Telemetry
    reload: Callable[[], object]
    """Reads the roles again. Raises nothing."""
    listen: Address
    metrics_listen: Address | None
    drain_seconds: float


async def serve(replica: Replica) -> None:
    """Serves until SIGTERM or SIGINT."""
    requests = OpenRequests(replica.app, _is_stream)
    app = HealthRoutes(CallLog(requests, replica.telemetry.metrics), replica.health)
    main = _MainServer(_config(app, replica.listen, lifespan="on"), replica, requests)
    async with anyio.create_task_group() as tasks:
        metrics = None
        if replica.metrics_listen:
            config = _config(replica.telemetry.app, replica.metrics_listen, lifespan="off")
            metrics = HttpServer(config, _nothing, _at_once, hears_signals=False)
            tasks.start_soon(metrics.serve)
        await main.serve()
        if metrics:
            metrics.should_exit = True


def _config(app: ASGIApp, at: Address, *, lifespan: Literal["on", "off"]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=at.host,
        port=at.port,
        lifespan=lifespan,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Nothing is decided by what a proxy claims, or somebody who reaches the port without one.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def _is_stream(scope: Scope) -> bool:
    """Whether a request lasts as long as its client. A page that is being read does not."""
    call = scope.get(KEY)  # of messages to /mcp
    return call is not None and (scope["method"] == "GET" or call.method == "subscriptions/listen")


def _nothing() -> None:
    """Metrics are served without a word about it."""


async def _at_once() -> None:
    """Nobody waits for metrics."""


class _MainServer(HttpServer):
    """The port of MCP and the pages."""

    def __init__(self, config: uvicorn.Config, replica: Replica, requests: OpenRequests) -> None:
        super().__init__(config, self._announce, _at_once)
        self._replica = replica
        self._requests = requests
        self._hurried = anyio.Event()
        self._soon: Callable[[Callable[[], object]], object] = lambda _: None

    def _announce(self) -> None:
        _logger.info("serving on %s", self._replica.listen)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._soon = asyncio.get_running_loop().call_soon_threadsafe
        await super().startup(sockets)

    def on_signal(self, number: int) -> None:
        if sys.platform != "win32" and number == signal.SIGHUP:
            self._soon(self._replica.reload)
        elif self.should_exit:
            self._soon(self._hurried.set)
        else:
            super().on_signal(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        drain = self._replica.drain_seconds
        if self.signal == signal.SIGINT:
            drain = min(drain, SHORT_DRAIN_SECONDS)
        self._replica.health.draining = True
        _logger.info("asked to stop: /readyz says so, no new connections in %g s", drain)
        with anyio.move_on_after(drain):
            await self._hurried.wait()
        left = STOP_SECONDS - drain
        with anyio.move_on_after(left):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._end_requests, left - CLOSING_SECONDS)
                # Closes the port, and returns when every connection is closed.
                await uvicorn.Server.shutdown(self, sockets)
        _logger.info("stopped")

    async def _end_requests(self, seconds: float) -> None:
        await self._requests.leave(self._replica.mcp, seconds)
        await anyio.sleep(CLOSING_SECONDS / 2)
        # Of a client that does not read its answer; uvicorn would wait for it.
        for connection in list(self.server_state.connections):
            if transport := getattr(connection, "transport", None):
                transport.abort()
