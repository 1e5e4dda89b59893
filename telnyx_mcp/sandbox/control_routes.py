"""The sandbox's own routes, `/_sandbox/...`, for tests and demonstrations in another process.

They need no key, and a loopback port can be reached by every page that a browser shows. So a request
counts only under the sandbox's own name (`Host`), if no web page sent it (`Origin`,
`Sec-Fetch-Site`), and, if it changes something, as JSON, which no form can send.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from telnyx_mcp.sandbox.refusals import Refusal
from telnyx_mcp.sandbox.responses import SANDBOX_HEADER

if TYPE_CHECKING:
    from telnyx_mcp.sandbox.control import Sandbox

PREFIX = "/_sandbox"
LARGEST_BODY = 64 * 1024
LONGEST_LATENCY = 60_000
"""Milliseconds."""

_Route = Callable[[bytes], Awaitable[JSONResponse]]


class ControlRoutes:
    """The control routes of one sandbox, as an ASGI application."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._routes: dict[str, tuple[str, _Route]] = {
            "/faults": ("POST", self._faults),
            "/latency": ("POST", self._latency),
            "/blocks": ("POST", self._blocks),
            "/requests": ("GET", self._requests),
            "/payments": ("GET", self._payments),
            "/reset": ("POST", self._reset),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(Request(scope, receive))
        except Refusal as refusal:
            response = _json(refusal.body(), refusal.status)
            if refusal.status == 405:
                response.headers["allow"] = self._route(scope["path"])[0]
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> JSONResponse:
        _check_sender(request)
        method, handle = self._route(request.url.path)
        if request.method != method:
            raise Refusal(
                405,
                f"{request.url.path} takes {method} only.",
                code="10005",
                title="Method not allowed",
            )
        return await handle(await _body(request) if method == "POST" else b"")

    def _route(self, path: str) -> tuple[str, _Route]:
        found = self._routes.get(path.removeprefix(PREFIX))
        if found is None:
            known = ", ".join(PREFIX + each for each in self._routes)
            raise Refusal(404, f"There is no control route here; there are: {known}.")
        return found

    async def _faults(self, body: bytes) -> JSONResponse:
        """`{"operation", "kind", "times"?, "skip"?, "status"?, ...}`: see `Faults.add`."""
        try:
            wanted: Any = json.loads(body)
            fault = self._sandbox.fault(wanted.pop("operation"), wanted.pop("kind"), **wanted)
        except KeyError as error:
            raise Refusal(400, f"A fault needs {error}.", title="Bad fault") from None
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise Refusal(400, str(error), title="Bad fault") from None
        return _json({"data": {"operation": fault.operation, "kind": fault.kind}}, 201)

    async def _latency(self, body: bytes) -> JSONResponse:
        """`{"milliseconds": 150}`: how long every answer takes, at least, until the next reset."""
        try:
            milliseconds: Any = json.loads(body)["milliseconds"]
        except (KeyError, ValueError, TypeError, RecursionError):
            milliseconds = None
        if not isinstance(milliseconds, int | float) or not 0 <= milliseconds <= LONGEST_LATENCY:
            detail = f"The latency must be 0 to {LONGEST_LATENCY} milliseconds."
            raise Refusal(400, detail, title="Bad latency")
        self._sandbox.latency = milliseconds / 1000
        return _json({"data": {"milliseconds": milliseconds}})

    async def _blocks(self, body: bytes) -> JSONResponse:
        """`{"product", "period"?}`: blocks a product as if it had gone over its spend limit."""
        try:
            wanted: dict[str, str] = json.loads(body)
            self._sandbox.block(**wanted)
        except (ValueError, TypeError, RecursionError) as error:
            raise Refusal(400, str(error), title="Bad block") from None
        return _json({"data": wanted}, 201)

    async def _requests(self, _body: bytes) -> JSONResponse:
        log = self._sandbox.log
        return _json({"data": [seen.as_dict() for seen in log.seen], "counts": log.counts()})

    async def _payments(self, _body: bytes) -> JSONResponse:
        return _json({"data": self._sandbox.payments, "balance": str(self._sandbox.balance)})

    async def _reset(self, _body: bytes) -> JSONResponse:
        self._sandbox.reset()
        return _json({"data": {"reset": True}})


def _check_sender(request: Request) -> None:
    """Raises `Refusal` for a request that a web page may have caused."""
    host, port = request.scope["server"]
    own = {f"{name}:{port}" for name in ("localhost", f"[{host}]" if ":" in host else host)}
    if port == 80:
        own |= {each.removesuffix(":80") for each in own}
    headers = request.headers
    names = headers.getlist("host")
    if len(names) != 1 or names[0].lower() not in own:
        raise Refusal(
            421,
            f"The Host must be one of: {', '.join(sorted(own))}.",
            code="10005",
            title="Wrong host",
        )
    if "origin" in headers or not set(headers.getlist("sec-fetch-site")) <= {"none", "same-origin"}:
        raise Refusal(403, "A web page can't control the sandbox.")


async def _body(request: Request) -> bytes:
    """The JSON of a request. Raises `Refusal`, at most one chunk beyond the limit."""
    headers = request.headers
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(
            415,
            "The content-type must be application/json.",
            code="10015",
            title="Unsupported media type",
        )
    length = headers.get("content-length", "0")
    body = b""
    if int(length) <= LARGEST_BODY:  # digits: the HTTP parser refuses anything else
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST_BODY:
                break
        else:
            return body
    raise Refusal(
        413,
        f"A body has at most {LARGEST_BODY} bytes.",
        code="10015",
        title="Payload too large",
    )


def _json(payload: Any, status: int = 200) -> JSONResponse:
    name, value = SANDBOX_HEADER
    return JSONResponse(payload, status, headers={name.decode(): value.decode()})
