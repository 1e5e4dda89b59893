"""Serves MCP over Streamable HTTP on loopback, to clients that carry the bearer token.

A loopback port is open to every user of the computer, so the token is checked before anything else
is done with a request.
"""

from __future__ import annotations

import hmac
import json
import sys
from functools import partial

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.http_server import HttpServer, OpenRequests
from telnyx_mcp.server.http_token import VARIABLE, Token
from telnyx_mcp.server.stdio import changes_recorded, leave_process

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

    await HttpServer(config, announce, partial(requests.leave, server)).serve()
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
