"""Serves the pages on a loopback port, and takes their answers.

A port on this computer can be reached by every site that the browser shows, so a request counts
only with the page's own secret, under the page's own name (`Host`), and, if it answers, from the
page itself (`Origin`, `Sec-Fetch-Site`). A decision goes into the ledger; the page is shown from
there, so that reloading, going back and clicking twice change nothing. Whether the question is still
true is checked whenever it is shown and answered; if it is not, the page goes on to a fresh one.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.page import render
from telnyx_mcp.approval.page.answers import Form, field_of, headers_of_pages, is_confirmed
from telnyx_mcp.approval.page.bounded import BACKLOG, BoundedProtocol
from telnyx_mcp.approval.reasons import Blocked, NotAllowed
from telnyx_mcp.approval.signature import this_user
from telnyx_mcp.storage.store import StoreError

if TYPE_CHECKING:
    from telnyx_mcp.approval.ledger import Ledger

HOST = "127.0.0.1"
CHANNEL = "browser"
BODY_BYTES = 4096
READY_WITHIN = 10.0
STOPPED_WITHIN = 3.0

_PATH = re.compile(r"/change/([0-9a-f]{1,32})/([A-Za-z0-9_-]{20,100})")


class OpenPages(Protocol):
    """The pages that are open, by the secrets in their links."""

    def opens(self, change_id: str, secret: str) -> bool:
        """Whether this is the secret of the change's page."""
        ...

    def loaded(self, change_id: str) -> None:
        """Notes that the browser has the page."""
        ...

    def check(self, change_id: str) -> Change | None:
        """The change as it stands, or the one that replaces it; None if this is unknown.
        Blocks; raises `NotAllowed`."""
        ...


class PageServer:
    """A thread with the port. `ledger` may be replaced by a later one of the same account."""

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], datetime],
        pages: OpenPages,
        protocol: type[BoundedProtocol] = BoundedProtocol,
    ) -> None:
        self.ledger = ledger
        self._now = now
        self._pages = pages
        self._ready = threading.Event()
        # Named as TCP, or asyncio would not switch off Nagle's delay on the connections accepted.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._listener.bind((HOST, 0))
        except OSError:
            self._listener.close()
            raise
        self.authority = f"{HOST}:{self._listener.getsockname()[1]}"
        self._server = _Server(self, self._ready.set, protocol)
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
            response = self._rejection(request) or await self._respond(request)
        except ClientDisconnect:
            return
        except StoreError:
            text = "The ledger of changes can't be used, and nothing is decided without it. Reload."
            response = _notice(503, "Not now", text)
        except (Blocked, NotAllowed) as refusal:
            response = _notice(409, "No longer possible", str(refusal))
        response.headers.update(headers_of_pages())
        await response(scope, receive, send)

    def _rejection(self, request: Request) -> Response | None:
        """The refusal of a request with a wrong host, method or origin; None if it is accepted."""
        headers, origin = request.headers, f"http://{self.authority}"
        if headers.getlist("host") != [self.authority]:
            return _notice(421, "Wrong address", "This page has another address.")
        if request.method not in ("GET", "HEAD", "POST"):
            refused = _notice(
                405, "Not possible", "This page can be read, and answered with its buttons."
            )
            refused.headers["allow"] = "GET, HEAD, POST"
            return refused
        if request.method == "POST":
            sites = set(headers.getlist("sec-fetch-site"))
            if headers.getlist("origin") != [origin] or not sites <= {"same-origin", "none"}:
                return _notice(403, "Not from here", "Only this page's own buttons answer it.")
        return None

    async def _respond(self, request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _notice(413, "Too much", "That is more than this page's form sends.")
        path = _PATH.fullmatch(request.scope["path"])
        if path is None:
            return _not_found()
        change_id, secret = path.groups()
        # Not anyio's threads: an idle one would hold up the end of a process that never stops this.
        return await asyncio.to_thread(self._page, request, change_id, secret, body)

    def _page(self, request: Request, change_id: str, secret: str, body: bytes) -> Response:
        """The page of a change; after an answer, a redirect to it. Blocks."""
        change = self._current(change_id) if self._pages.opens(change_id, secret) else None
        if change is None:
            return _not_found()
        if change.id != change_id:  # a fresh question took the place of the one in the link
            return _redirect(change.id, secret)
        if request.method == "POST":
            form = parse_qs(body.decode("latin-1"), keep_blank_values=True)
            decided = self._decide(change, form)
            if decided and decided.state is State.VOID:
                decided = self._pages.check(decided.id) or decided
            return _redirect(
                decided.id if decided else change.id, secret, "" if decided else "?again="
            )
        self._pages.loaded(change_id)
        mistaken = "again" in request.query_params
        if change.state is State.PROPOSED:
            return HTMLResponse(render.question(change, self._now(), mistaken=mistaken))
        page = render.decided(change, self._now(), self.ledger.profile, mistaken=mistaken)
        return HTMLResponse(page)

    def _current(self, change_id: str) -> Change | None:
        """The change as it stands; a question that is no longer true is replaced before it is shown
        or answered."""
        change = self.ledger.get(change_id, self._now())
        if change and (change.state is State.PROPOSED or change.replaced_by):
            # Where no fresh question can be written, this one may be void by now.
            return self._pages.check(change_id) or self.ledger.get(change_id, self._now())
        return change

    def _decide(self, change: Change, form: Form) -> Change | None:
        """The change after the answer went into the ledger, where only the first counts; None if the
        answer is mistaken."""
        act = {
            "decline": self._decline,
            "withdraw": self._withdraw,
            "approve": self._approve,
            "paid": self._resolve,
            "not_paid": self._resolve,
        }.get(field_of(form, "decision"))
        return act(change, form) if act else None

    def _decline(self, change: Change, _form: Form) -> Change:
        declined = self.ledger.decline(change.id, CHANNEL, self._now(), this_user())
        return declined or change

    def _withdraw(self, change: Change, _form: Form) -> Change:
        withdrawn = self.ledger.withdraw(change.id, CHANNEL, self._now(), this_user())
        return withdrawn or change

    def _approve(self, change: Change, form: Form) -> Change | None:
        if not is_confirmed(change, form):
            return None if change.state is State.PROPOSED else change
        return self.ledger.approve(change.id, CHANNEL, self._now(), this_user()) or change

    def _resolve(self, change: Change, form: Form) -> Change | None:
        if not is_confirmed(change, form):
            return None if change.state is State.UNKNOWN else change
        paid = form["decision"] == ["paid"]
        note = f"Found {'to have happened' if paid else 'not to have happened'}."
        resolved = self.ledger.resolve(
            change.id, paid=paid, note=note, now=self._now(), channel=CHANNEL, by=this_user()
        )
        return resolved or change


def _redirect(change_id: str, secret: str, query: str = "") -> Response:
    return RedirectResponse(f"/change/{change_id}/{secret}{query}", 303)


class _Server(uvicorn.Server):
    """uvicorn that reports when it is ready."""

    def __init__(
        self, app: PageServer, on_ready: Callable[[], None], protocol: type[BoundedProtocol]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
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
    """The same answer for an unknown address, a wrong secret and a missing change."""
    return _notice(
        404,
        "Nothing here",
        "No question has this address, or a newer page asks it.",
    )


def _notice(status: int, heading: str, text: str) -> Response:
    return HTMLResponse(render.notice(heading, text), status)
