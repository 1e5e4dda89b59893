"""What clients without a sufficient access token are answered: the challenges of MCP's authorization.

One layer in front of the SDK's application. It judges the token before anything else happens, so that
a client learns which scope to ask its user for (RFC 6750, RFC 9728). The SDK judges it again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pydantic_core
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telnyx_mcp.service.tokens.claims import SubjectDenied, TokenRefused
from telnyx_mcp.service.tokens.config import PROPOSE, READ, SCOPES
from telnyx_mcp.service.tokens.issuer import IssuerUnavailable
from telnyx_mcp.service.tokens.verifier import ServiceTokens

METADATA_PATH = "/.well-known/oauth-protected-resource"
LONGEST_BODY = 4 * 1024 * 1024
"""In bytes; the SDK's own limit."""

# The metadata is for everybody, also for clients in browsers.
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "*",
}

_logger = logging.getLogger(__name__)


def auth_settings(tokens: ServiceTokens) -> AuthSettings:
    """What `Server.streamable_http_app(auth=...)` takes, with `token_verifier=tokens`."""
    return AuthSettings(
        issuer_url=AnyHttpUrl(tokens.config.url),
        resource_server_url=AnyHttpUrl(tokens.resource),
        required_scopes=[READ],
        validate_token_resource=True,
    )


def protected(app: ASGIApp, tokens: ServiceTokens, changing: Set[str]) -> ASGIApp:
    """The application behind the challenges. `changing` are the names of the tools that need
    `telnyx:propose`. Every path needs a token, except that of the metadata (RFC 9728)."""
    return _Protected(app, tokens, frozenset(changing), _Challenges(tokens))


class _TooLong(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Challenges:
    """The answers to a client whose token is not sufficient."""

    tokens: ServiceTokens

    def metadata(self) -> Response:
        """Where to get tokens."""
        document = {
            "resource": self.tokens.resource,
            "authorization_servers": [self.tokens.config.url],
            "scopes_supported": [self._prefixed(each) for each in SCOPES],
            "bearer_methods_supported": ["header"],
            "resource_name": "Telnyx account",
        }
        headers = {"cache-control": "public, max-age=3600", **_CORS}
        return JSONResponse(document, headers=headers)

    def no_token(self) -> Response:
        return self._response(401, None, "Sign in to use this server.", self._first())

    def invalid(self, why: TokenRefused) -> Response:
        text = f"The access token is not accepted: {why}. Sign in again."
        return self._response(401, "invalid_token", text, self._first())

    def several(self) -> Response:
        return self._response(
            400, "invalid_request", "Send one Authorization header.", self._first()
        )

    def not_read(self) -> Response:
        text = f"The access token lacks the scope {READ}."
        return self._response(403, "insufficient_scope", text, self._first())

    def not_propose(self) -> Response:
        text = f"Tools that change something need the scope {PROPOSE}. Nothing was done."
        return self._response(403, "insufficient_scope", text, SCOPES)

    def denied(self) -> Response:
        # Without a challenge: the client would sign the same person in for ever.
        text = "The operator of this server has blocked this user. Signing in again does not help."
        return JSONResponse({"error": "access_denied", "error_description": text}, 403)

    def unavailable(self, error: IssuerUnavailable) -> Response:
        text = f"The access token can't be checked: {error}. Try again later. Nothing was done."
        body = {"error": "temporarily_unavailable", "error_description": text}
        return JSONResponse(body, 503, {"retry-after": str(error.retry_after)})

    def too_long(self) -> Response:
        text = f"The request is longer than {LONGEST_BODY} bytes. Nothing was done."
        return JSONResponse({"error": "invalid_request", "error_description": text}, 413)

    def _first(self) -> tuple[str, ...]:
        return SCOPES if self.tokens.config.ask_all_scopes else (READ,)

    def _prefixed(self, scope: str) -> str:
        return self.tokens.config.scope_prefix + scope

    def _response(
        self, status: int, error: str | None, text: str, scopes: tuple[str, ...]
    ) -> Response:
        parameters = {
            "error": error,
            "error_description": error and text.replace('"', "'"),
            "resource_metadata": metadata_url(self.tokens.resource),
            "scope": " ".join(map(self._prefixed, scopes)),
        }
        challenge = ", ".join(f'{name}="{value}"' for name, value in parameters.items() if value)
        body = {"error": error or "unauthorized", "error_description": text}
        return JSONResponse(body, status, {"www-authenticate": f"Bearer {challenge}"})


def metadata_url(resource: str) -> str:
    """Where the metadata of this resource is (RFC 9728, 3.1)."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{METADATA_PATH}{parts.path.rstrip('/')}"


@dataclass(frozen=True, slots=True)
class _Protected:
    app: ASGIApp
    tokens: ServiceTokens
    changing: frozenset[str]
    answers: _Challenges

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(receive)
        try:
            response = await self._refusal(scope, body)
        except IssuerUnavailable as error:
            response = self.answers.unavailable(error)
        if response is None:
            await self.app(scope, body.receive, send)
        else:
            await response(scope, receive, send)

    async def _refusal(self, scope: Scope, body: _Body) -> Response | None:
        """What to answer instead of the application; None for a request that may go on to it."""
        if scope["path"].startswith(METADATA_PATH):
            return self.answers.metadata()
        given = Headers(scope=scope).getlist("authorization")
        if len(given) > 1:
            return self.answers.several()
        scheme, _, token = (given[0] if given else "").partition(" ")
        if scheme.lower() != "bearer":
            return self.answers.no_token()
        try:
            access = await self.tokens.judge(token)
        except SubjectDenied as denied:
            _logger.warning("an access token was refused: %s", denied)
            return self.answers.denied()
        except TokenRefused as refused:
            _logger.info("an access token was refused: %s", refused)
            return self.answers.invalid(refused)
        return await self._missing_scope(access, scope["method"], body)

    async def _missing_scope(
        self, access: AccessToken, method: str, body: _Body
    ) -> Response | None:
        if READ not in access.scopes:
            return self.answers.not_read()
        if PROPOSE in access.scopes or method != "POST":
            return None
        try:
            content = await body.read(LONGEST_BODY)
        except _TooLong:
            return self.answers.too_long()
        if self.changing.isdisjoint(called_tools(content)):
            return None
        return self.answers.not_propose()


def called_tools(body: bytes) -> set[str]:
    """The names of the tools that a request calls, alone or in a batch; empty for what is not JSON.

    Read as the SDK reads it: one of these for each revision of the protocol. They differ in what they
    accept, and no call may slip through in the difference.
    """
    parsers: tuple[Callable[[bytes], Any], ...] = (json.loads, pydantic_core.from_json)
    names: set[str] = set()
    for parse in parsers:
        try:
            message = parse(body)
        except (ValueError, RecursionError):
            continue
        names.update(_calls(message))
    return names


def _calls(message: object) -> Iterator[str]:
    for each in message if isinstance(message, list) else [message]:
        if isinstance(each, dict) and each.get("method") == "tools/call":
            parameters = each.get("params")
            if isinstance(parameters, dict) and isinstance(name := parameters.get("name"), str):
                yield name


@dataclass(slots=True)
class _Body:
    """The body of a request, which the application reads again after it was looked at."""

    _receive: Receive
    _again: list[Message] = field(default_factory=list)

    async def read(self, most: int) -> bytes:
        """The whole body. Raises `_TooLong`."""
        content = bytearray()
        while (message := await self._receive())["type"] == "http.request":
            content += message.get("body", b"")
            if len(content) > most:
                raise _TooLong
            if not message.get("more_body", False):
                message = {"type": "http.request", "body": bytes(content), "more_body": False}
                break
        self._again.append(message)  # all of it at once, or that the client has gone
        return bytes(content)

    async def receive(self) -> Message:
        return self._again.pop(0) if self._again else await self._receive()
