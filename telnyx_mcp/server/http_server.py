"""An HTTP server that leaves in peace: it ends streams, lets calls finish, and loses no outcome."""

from __future__ import annotations

import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import anyio
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import HANDLED_SIGNALS

from telnyx_mcp.process.signals import stopping_signals
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.stdio import changes_recorded

CALL_GRACE_SECONDS = 1.0
"""How long calls may go on when the server is asked to leave; one that asks a person has no end."""
ANSWER_GRACE_SECONDS = 0.5
"""How long the outcome of a payment may take to reach the client after it is recorded."""
CLOSE_GRACE_SECONDS = 0.5
"""How long connections may take to close. The SDK spends 6 s on telling a client that has gone."""


def is_get(scope: Scope) -> bool:
    """Whether it may be a stream of notifications, which lasts as long as its client."""
    return bool(scope["method"] == "GET")


class OpenRequests:
    """The requests that are being answered; the server ends them when it leaves, those for which
    `is_stream` is true at once."""

    def __init__(self, app: ASGIApp, is_stream: Callable[[Scope], bool] = is_get) -> None:
        self._app = app
        self._is_stream = is_stream
        self._open: dict[anyio.CancelScope, Scope] = {}
        self._changed = anyio.Event()
        self._leaving = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        with anyio.CancelScope() as request:
            if self._leaving:
                request.cancel()
            self._open[request] = scope
            try:
                await self._app(scope, receive, answer)
            finally:
                del self._open[request]
                self._changed.set()
        if request.cancelled_caught:
            await answer.end(scope, receive)

    async def leave(
        self, server: AccountServer, seconds: float = CALL_GRACE_SECONDS, *, refuse: bool = True
    ) -> None:
        """Returns when every request was answered, or ended after so many `seconds`, and every payment
        sent is recorded. Until then it can `refuse` the requests that still come."""
        self._leaving = refuse
        self._end(self._is_stream)
        await self._all_answered_within(seconds)
        await changes_recorded(server)
        await self._all_answered_within(ANSWER_GRACE_SECONDS)
        self._leaving = True
        self._end(lambda _: True)

    def _end(self, chosen: Callable[[Scope], bool]) -> None:
        for request, scope in list(self._open.items()):
            if chosen(scope):
                request.cancel()

    async def _all_answered_within(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            while self._open:
                self._changed = anyio.Event()
                await self._changed.wait()


class _Answer:
    """Sends an answer, and can end it where it stands."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = self._complete = False

    async def __call__(self, message: Message) -> None:
        self._started = True
        self._complete = message["type"] == "http.response.body" and not message.get("more_body")
        await self._send(message)

    async def end(self, scope: Scope, receive: Receive) -> None:
        if not self._started:
            text = "The server is shutting down.\n"
            await PlainTextResponse(text, 503)(scope, receive, self._send)
        elif not self._complete:
            await self._send({"type": "http.response.body", "body": b""})


class HttpServer(uvicorn.Server):
    """uvicorn, which says when it serves, and leaves within seconds and with status 0: at a signal, or
    where it hears none, when `should_exit` is set."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: Callable[[], None],
        leave: Callable[[], Awaitable[None]],
        *,
        hears_signals: bool = True,
    ) -> None:
        super().__init__(config)
        self._hears_signals = hears_signals
        self._on_ready = on_ready
        self._leave = leave
        self.signal: int | None = None
        """The signal that it leaves at."""

    def on_signal(self, number: int) -> None:
        """A signal came. Called between two instructions of whatever runs."""
        self.signal = number
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._leave()
        with anyio.move_on_after(CLOSE_GRACE_SECONDS):
            await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal again in the end, and so fails. The handler is no method
        # of this object: sse-starlette looks for one, and would cut off every answer at once.
        def hear(number: int, _frame: FrameType | None) -> None:
            self.on_signal(number)

        heard = {*HANDLED_SIGNALS, *stopping_signals()} if self._hears_signals else set()
        previous = {each: signal.signal(each, hear) for each in heard}
        try:
            yield
        finally:
            for each, handler in previous.items():
                signal.signal(each, handler)
