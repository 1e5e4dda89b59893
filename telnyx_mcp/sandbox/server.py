"""Serving the sandbox on a loopback port: in a thread for tests, in the foreground for users."""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TypedDict, Unpack

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from telnyx_mcp.sandbox.connection import ConnectionProtocol
from telnyx_mcp.sandbox.control import Sandbox
from telnyx_mcp.sandbox.limits import RateLimit
from telnyx_mcp.sandbox.records import Count

HOST = "127.0.0.1"
PORT = 8765
READY_WITHIN = 10.0
STOPPED_WITHIN = 5.0


class SandboxOptions(TypedDict, total=False):
    """What `Sandbox` takes, by name."""

    seed: int
    today: date | None
    rate_limit: RateLimit
    records_per_day: Count | None
    records_per_month: Count | None
    latency: float
    key: str
    no_permissions_key: str
    clock: Callable[[], float]


class _Server(uvicorn.Server):
    """uvicorn that reports when it is ready, and ends quietly on a signal."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal again once it has stopped, and so ends the program in a
        # traceback or with a failure; to stop is what was asked for.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {each: signal.signal(each, self.handle_exit) for each in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for each, handler in previous.items():
                signal.signal(each, handler)


@contextmanager
def running_sandbox(
    host: str = HOST, port: int = 0, **options: Unpack[SandboxOptions]
) -> Iterator[Sandbox]:
    """A sandbox on a port of its own, ready when it is yielded and stopped afterwards."""
    sandbox = Sandbox(**options)
    ready = threading.Event()
    listener = _listen(sandbox, host, port)
    server = _Server(_config(sandbox), ready.set)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="telnyx-sandbox", daemon=True
    )
    thread.start()
    try:
        if not ready.wait(READY_WITHIN):
            raise RuntimeError(f"the sandbox was not ready within {READY_WITHIN} s")
        yield sandbox
    finally:
        server.should_exit = True
        thread.join(STOPPED_WITHIN)
        listener.close()


def run_sandbox(
    host: str = HOST,
    port: int = PORT,
    *,
    on_ready: Callable[[Sandbox], None] | None = None,
    **options: Unpack[SandboxOptions],
) -> None:
    """Serve a sandbox until SIGINT or SIGTERM. `on_ready` is called when it accepts requests.

    Raises ValueError for a host that is not loopback, OSError for a port that is taken.
    """
    sandbox = Sandbox(**options)

    def ready() -> None:
        if on_ready is not None:
            on_ready(sandbox)

    listener = _listen(sandbox, host, port)
    try:
        _Server(_config(sandbox), ready).run(sockets=[listener])
    finally:
        listener.close()


def _listen(sandbox: Sandbox, host: str, port: int) -> socket.socket:
    """Bind a socket and give the sandbox its address."""
    if host == "localhost":
        host = HOST
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ValueError(f"the sandbox listens on loopback only, not on {host!r}")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # Named as TCP, or asyncio would not switch off Nagle's delay on the connections accepted.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    shown = f"[{host}]" if address.version == 6 else host
    sandbox.base_url = f"http://{shown}:{listener.getsockname()[1]}/v2"
    return listener


def _config(sandbox: Sandbox) -> uvicorn.Config:
    return uvicorn.Config(
        sandbox.app,
        http=ConnectionProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # the account has a clock of its own
        timeout_graceful_shutdown=1,
    )
