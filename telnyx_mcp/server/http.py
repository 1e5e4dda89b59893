"""Serves MCP over Streamable HTTP on loopback, to clients that carry the bearer token.

A loopback port is open to every user of the computer, so the token is checked before anything else
is done with a request.
"""

from __future__ import annotations

import hmac
import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

import anyio
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import HANDLED_SIGNALS

from telnyx_mcp.process.signals import stopping_signals
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.http_token import VARIABLE, Token
from telnyx_mcp.server.stdio import changes_recorded, leave_process

CALL_GRACE_SECONDS = 1.0
"""How long calls may go on when the server is asked to leave; one that asks a person has no end."""
ANSWER_GRACE_SECONDS = 0.5
"""How long the outcome of a payment may take to reach the client after it is recorded."""
CLOSE_GRACE_SECONDS = 0.5
"""How long connections may take to close. The SDK spends 6 s on telling a client that has gone."""

_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_SECURITY = TransportSecuritySettings(
    enable_dns_rebinding_protection=True,
    allowed_hosts=[f"{name}:*" for name in _LOCAL_NAMES],
    allowed_origins=[f"http://{name}:*" for name in _LOCAL_NAMES],
)
_OPEN_DOOR = """\
NO TOKEN: every user and program of this computer can read the account and propose changes. The
client's answer approves no change: approve it on the page in your browser, or with
`telnyx-account-mcp approve`. Standing budgets are off.
"""


class BearerToken:
    """Answers 401 to a request without the token, whatever its path and method; reads no body."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._allows(scope):
            await self._app(scope, receive, send)
            return
        text = (
            "This server needs its bearer token: Authorization: Bearer TOKEN. Nothing was done.\n"
        )
        await PlainTextResponse(text, 401, {"www-authenticate": "Bearer"})(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        # Compared whatever the scheme, in a time that does not depend on where the two differ.
        matches = hmac.compare_digest(token.strip(b" \t"), self._token)
        return matches and scheme.lower() == b"bearer"


class OpenRequests:
    """The requests that are being answered; the server ends them when it leaves."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: dict[anyio.CancelScope, str] = {}
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
            self._open[request] = scope["method"]
            try:
                await self._app(scope, receive, answer)
            finally:
                del self._open[request]
                self._changed.set()
        if request.cancelled_caught:
            await answer.end(scope, receive)

    async def leave(self, server: AccountServer) -> None:
        """Returns when every request was answered or ended, and every payment sent is recorded."""
        self._leaving = True
        self._end("GET")  # a stream of notifications, which lasts as long as its client
        await self._all_answered_within(CALL_GRACE_SECONDS)
        await changes_recorded(server)
        await self._all_answered_within(ANSWER_GRACE_SECONDS)
        self._end()

    def _end(self, only: str | None = None) -> None:
        for request, method in list(self._open.items()):
            if only in (None, method):
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


class _Server(uvicorn.Server):
    """uvicorn, which says when it serves, and at a signal leaves within seconds and with status 0."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: Callable[[], None],
        leave: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._leave = leave

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
        def leave(_signal: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        heard = {*HANDLED_SIGNALS, *stopping_signals()}
        previous = {each: signal.signal(each, leave) for each in heard}
        try:
            yield
        finally:
            for each, handler in previous.items():
                signal.signal(each, handler)


async def serve_http(server: AccountServer, host: str, port: int, token: Token | None) -> None:
    """Serves Streamable HTTP at `/mcp`, on loopback, until a signal comes; then ends the process.

    Without a token every user of this computer is answered: build the server with
    `client_may_answer=False` then.
    """
    requests = OpenRequests(server.streamable_http_app(host=host, transport_security=_SECURITY))
    config = uvicorn.Config(
        BearerToken(requests, token.value) if token else requests,
        host=host,
        port=port,
        ws="none",
        log_config=None,
        access_log=False,
    )
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/mcp"

    def announce() -> None:
        sys.stderr.write(f"telnyx-account-mcp: serving {url}\n{about_token(url, token)}")
        sys.stderr.flush()

    await _Server(config, announce, partial(requests.leave, server)).serve()
    await changes_recorded(server)  # of a call that went on, as its client had gone
    leave_process(server)


def about_token(url: str, token: Token | None) -> str:
    """What the user has to know about the token. Shows it only if it was made for this start."""
    if token is None:
        return _OPEN_DOOR
    entry = {
        "type": "http",
        "url": url,
        "headers": {"Authorization": f"Bearer {'TOKEN' if token.source else token.value}"},
    }
    shown = json.dumps({"mcpServers": {"telnyx-account": entry}}, indent=2)
    if token.source:
        return f"In a client, with the token of {token.source} in place of TOKEN:\n{shown}\n"
    return (
        "In a client, with the token of this start, which is not shown again (for one that stays the "
        f"same, use --token-file or {VARIABLE}):\n{shown}\n"
    )
