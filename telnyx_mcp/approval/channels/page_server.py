"""Serves the pages on a loopback port, and takes their answers.

A port on this computer can be reached by every site that the browser shows, so a request counts
only with the page's own secret, under the page's own name (`Host`), and, if it answers, from the
page itself (`Origin`, `Sec-Fetch-Site`). What is decided goes into the ledger; the page is shown
from there, so that reloading, going back and clicking twice change nothing.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from telnyx_mcp.approval.changes import Change
from telnyx_mcp.approval.channels import page, typed_matches
from telnyx_mcp.approval.channels.bounded import BACKLOG, BoundedProtocol
from telnyx_mcp.state import StoreError

if TYPE_CHECKING:
    from telnyx_mcp.approval.ledger import Ledger

HOST = "127.0.0.1"
CHANNEL = "browser"
BODY_BYTES = 4096
READY_WITHIN = 10.0
STOPPED_WITHIN = 3.0

_PATH = re.compile(r"/change/([0-9a-f]{1,32})/([A-Za-z0-9_-]{20,100})")
_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{page.STYLE_HASH}'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    # Not no-referrer: the form would be sent with `Origin: null`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-robots-tag": "noindex",
}


class PageServer:
    """A thread with the port. `ledger` may be replaced by a later one of the same account."""

    def __init__(
        self, ledger: Ledger, now: Callable[[], datetime], loaded: Callable[[str], None]
    ) -> None:
        self.ledger = ledger
        self._now = now
        self._loaded = loaded
        self._ready = threading.Event()
        # Named as TCP, or asyncio would not switch off Nagle's delay on the connections accepted.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._listener.bind((HOST, 0))
        except OSError:
            self._listener.close()
            raise
        self.authority = f"{HOST}:{self._listener.getsockname()[1]}"
        self._server = _Server(self, self._ready.set)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._listener]},
            name="telnyx-approval-pages",
            daemon=True,
        )

    def start(self) -> None:
        """Returns when the port answers. Raises `OSError` if it does not."""
        self._thread.start()
        if not self._ready.wait(READY_WITHIN):
            self.stop()
            raise OSError(f"the approval page was not ready within {READY_WITHIN} s")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(STOPPED_WITHIN)
        self._listener.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as an ASGI application."""
        request = Request(scope, receive)
        try:
            response = self._refused(request) or await self._answered(request)
        except ClientDisconnect:
            return
        except StoreError:
            text = "The record of changes can't be used, and nothing is decided without it. Reload."
            response = _notice(503, "Not now", text)
        response.headers.update(_HEADERS)
        await response(scope, receive, send)

    def _refused(self, request: Request) -> Response | None:
        """Why this request is not even looked at, if it is not."""
        headers, origin = request.headers, f"http://{self.authority}"
        if headers.getlist("host") != [self.authority]:
            return _notice(421, "Wrong address", "This page has another address.")
        if request.method not in ("GET", "HEAD", "POST"):
            refused = _notice(
                405, "Not possible", "This page is read, and answered by its buttons."
            )
            refused.headers["allow"] = "GET, HEAD, POST"
            return refused
        if request.method == "POST":
            sites = set(headers.getlist("sec-fetch-site"))
            if headers.getlist("origin") != [origin] or not sites <= {"same-origin", "none"}:
                return _notice(403, "Not from here", "Only this page's own buttons answer it.")
        return None

    async def _answered(self, request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _notice(413, "Too much", "That is more than this page's form sends.")
        path = _PATH.fullmatch(request.scope["path"])
        if path is None:
            return _not_found()
        change_id, secret = path.groups()
        # Not anyio's threads: an idle one would hold up the end of a process that never stops this.
        if not await asyncio.to_thread(self.ledger.opens, change_id, secret):
            return _not_found()
        change = await asyncio.to_thread(self.ledger.get, change_id)
        if change is None:
            return _not_found()
        if request.method == "POST":
            mistaken = not await asyncio.to_thread(self._decided, change, body)
            return RedirectResponse(request.scope["path"] + ("?again=" if mistaken else ""), 303)
        self._loaded(change_id)
        now = self._now()
        if page.waits_for_answer(change, now):
            return HTMLResponse(
                page.question(change, now, mistaken="again" in request.query_params)
            )
        return HTMLResponse(page.decided(change, now, self.ledger.profile))

    def _decided(self, change: Change, body: bytes) -> bool:
        """Puts the answer into the ledger, where only the first counts; False if it is mistaken."""
        form = parse_qs(body.decode("latin-1"))
        if form.get("decision") == ["decline"]:
            self.ledger.decline(change.id, CHANNEL, self._now())
        elif form.get("decision") == ["approve"] and _confirmed(change, form):
            self.ledger.approve(change.id, CHANNEL, self._now())
        else:
            return False
        return True


def _confirmed(change: Change, form: Mapping[str, list[str]]) -> bool:
    """Whether the amount was typed, or the box ticked."""
    if change.amount is None:
        return form.get("approve") == ["yes"]
    return typed_matches("".join(form.get("amount", [])), change.amount)


class _Server(uvicorn.Server):
    """uvicorn, saying when it is ready."""

    def __init__(self, app: PageServer, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                backlog=BACKLOG,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


async def _body(request: Request) -> bytes | None:
    """The whole body; None if it is larger than the form's."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            return None
    return body


def _not_found() -> Response:
    """The same for an address that never was, a secret that is wrong, and a change that is not."""
    return _notice(
        404,
        "Nothing here",
        "No question has this address, or a newer page asks it.",
    )


def _notice(status: int, heading: str, text: str) -> Response:
    return HTMLResponse(page.notice(heading, text), status)
