"""The routes of the pages, and what protects them.

A decision counts only from the page itself (`Origin`, `Sec-Fetch-Site`), with the form's own token, from a
person whom the issuer still knows and whose groups, read at that moment, allow it. The ledger decides
the rest.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from urllib.parse import parse_qs, quote, urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.ledger_async import in_thread
from telnyx_mcp.approval.page.answers import Form, field_of, headers_of_pages, is_confirmed
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.approval.team.gate import NotPermitted, TeamGate
from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.service.pages import render
from telnyx_mcp.service.pages.sessions import LIFETIME, Session, Sessions
from telnyx_mcp.service.pages.sign_in import CALLBACK, IssuerSilent, SignedOut, SignIn, SignInFailed

BODY_BYTES = 4096
MOST_LISTED = 100
FRESH = timedelta(minutes=5)
"""How old a sign-in may be for a decision, where the issuer can't be asked about groups later."""
_SIGN_IN_SECONDS = 600
_OWN_PATH = re.compile(r"/changes(/[0-9a-f]{1,32})?")
_AFTER = "after"


class Pages:
    """The pages at `public_url`. `keys` sign forms and the cookie of a sign-in that is under way; the first
    signs, all are accepted."""

    def __init__(
        self,
        gate: TeamGate,
        sessions: Sessions,
        sign_in: SignIn,
        public_url: str,
        keys: list[bytes],
        now: Callable[[], datetime],
        *,
        asks_issuer: bool = True,
    ) -> None:
        self._gate = gate
        self._sessions = sessions
        self._sign_in = sign_in
        self._origin = public_url
        self._host = urlsplit(public_url).netloc
        self._is_https = public_url.startswith("https:")
        self._cookie = "__Host-telnyx-session" if self._is_https else "telnyx-session"
        self._keys = keys
        self._now = now
        self._asks_issuer = asks_issuer

    def app(self) -> ASGIApp:
        """All routes, as an application."""
        middleware = Middleware(
            SessionMiddleware,
            secret_key=self._keys[0].hex(),
            session_cookie="__Host-telnyx-sign-in" if self._is_https else "telnyx-sign-in",
            max_age=_SIGN_IN_SECONDS,
            same_site="lax",
            https_only=self._is_https,
        )
        routes = [
            Route("/", self._guarded(self._home), methods=["GET"]),
            Route("/sign-in", self._guarded(self._begin), methods=["GET"]),
            Route(CALLBACK, self._guarded(self._finish), methods=["GET"]),
            Route("/sign-out", self._guarded(self._end), methods=["POST"]),
            Route("/changes", self._guarded(self._list), methods=["GET"]),
            Route("/changes/{id}", self._guarded(self._show), methods=["GET"]),
            Route("/changes/{id}", self._guarded(self._decide), methods=["POST"]),
        ]
        return Starlette(routes=routes, middleware=[middleware])

    def _guarded(
        self, handle: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The handler behind the checks that all share, with headers and pages for what goes wrong."""

        async def guarded(request: Request) -> Response:
            try:
                response = self._rejection(request) or await handle(request)
            except NotPermitted as refusal:
                response = _notice(403, "Not permitted", str(refusal))
            except NotAllowed as refusal:
                response = _notice(409, "Not now", refusal.reason)
            except IssuerSilent:
                text = "Who you are could not be checked, so nothing was decided. Try again in a minute."
                response = _notice(503, "The sign-in service does not answer", text)
            except ClientDisconnect:
                response = Response(status_code=400)
            response.headers.update(headers_of_pages())
            if self._is_https:
                response.headers["strict-transport-security"] = "max-age=31536000"
            return response

        return guarded

    def _rejection(self, request: Request) -> Response | None:
        """The refusal of a request under another name or from another page; None if it is accepted."""
        headers = request.headers
        if headers.getlist("host") != [self._host]:
            return _notice(421, "Wrong address", f"This service is at {self._origin}.")
        if request.method == "POST":
            sites = set(headers.getlist("sec-fetch-site"))
            if headers.getlist("origin") != [self._origin] or not sites <= {"same-origin", "none"}:
                return _notice(403, "Not from here", "Only the pages' own buttons decide anything.")
        return None

    # --- sign-in ---------------------------------------------------------------------------------

    async def _home(self, _request: Request) -> Response:
        return RedirectResponse("/changes", 303)

    async def _begin(self, request: Request) -> Response:
        after = request.query_params.get(_AFTER, "")
        response = await self._sign_in.begin(request)
        request.session[_AFTER] = after if _OWN_PATH.fullmatch(after) else "/changes"
        return response

    async def _finish(self, request: Request) -> Response:
        try:
            person, access_token = await self._sign_in.finish(request)
        except (SignInFailed, SignedOut) as failed:
            text = str(failed) or "The issuer did not accept its own sign-in. Begin again."
            return _notice(400, "Not signed in", text, ("/sign-in", "Sign in"))
        after = str(request.session.get(_AFTER, "/changes"))
        request.session.clear()
        if old := request.cookies.get(self._cookie):
            await in_thread(self._sessions.end, old)
        session_id = await in_thread(self._sessions.start, person, access_token)
        response = RedirectResponse(after if _OWN_PATH.fullmatch(after) else "/changes", 303)
        response.set_cookie(
            self._cookie,
            session_id,
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            secure=self._is_https,
            httponly=True,
            samesite="lax",
        )
        return response

    async def _end(self, request: Request) -> Response:
        session, form = await self._session(request), await _form(request)
        if session and self._is_own_form(form, session):
            await in_thread(self._sessions.end, session.id)
        response = _notice(200, "Signed out", "You are signed out here.", ("/sign-in", "Sign in"))
        response.delete_cookie(self._cookie, path="/", secure=self._is_https, httponly=True)
        return response

    async def _session(self, request: Request) -> Session | None:
        given = request.cookies.get(self._cookie)
        return await in_thread(self._sessions.find, given) if given else None

    def _to_sign_in(self, request: Request) -> Response:
        return RedirectResponse(_sign_in_for(request), 303)

    def _undecided(self, request: Request) -> Response:
        """The answer to a form of somebody who is no longer signed in. It is no redirect: browsers do
        not follow one from a form to the issuer, where `form-action` allows these pages alone."""
        text = "Your sign-in has ended. Sign in again, then answer on the page that follows."
        link = (_sign_in_for(request), "Sign in again")
        return _notice(403, "Nothing was decided", text, link)

    async def _person_now(self, session: Session) -> Person:
        """The person with the groups of this moment. Raises `SignedOut`, `IssuerSilent`."""
        if self._asks_issuer:
            return await self._sign_in.ask(session.person.subject, session.access_token)
        if self._now() - session.signed_in_at > FRESH:
            raise SignedOut
        return session.person

    # --- changes ---------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        session = await self._session(request)
        if session is None:
            return self._to_sign_in(request)
        self._check_may_look(session.person)
        changes = await self._gate.changes(MOST_LISTED)
        return HTMLResponse(render.list_page(changes, session.person, self._token(session)))

    async def _show(self, request: Request) -> Response:
        session = await self._session(request)
        if session is None:
            return self._to_sign_in(request)
        self._check_may_look(session.person)
        asked = request.path_params["id"]
        change = await self._gate.check(asked)
        if change.id != asked:  # a fresh question took the place of the one in the link
            return RedirectResponse(f"/changes/{change.id}", 303)
        mistaken = "again" in request.query_params
        return self._page(change, session, session.person, mistaken=mistaken)

    async def _decide(self, request: Request) -> Response:
        session = await self._session(request)
        if session is None:
            return self._undecided(request)
        form, asked = await _form(request), request.path_params["id"]
        if not self._is_own_form(form, session):
            return _notice(
                403, "Nothing was decided", "The form was not this page's own. Open the page again."
            )
        try:
            person = await self._person_now(session)
        except SignedOut:
            await in_thread(self._sessions.end, session.id)
            return self._undecided(request)
        self._check_may_look(person)
        change = await self._gate.check(asked)
        if change.id != asked:
            return RedirectResponse(f"/changes/{change.id}", 303)
        try:
            after = await self._act(change, person, form)
        except NotPermitted as refusal:
            page = self._page(change, session, person, refusal=str(refusal))
            page.status_code = 403
            return page
        if after is None:
            page = self._page(change, session, person, mistaken=True)
            page.status_code = 400
            return page
        return RedirectResponse(f"/changes/{after.id}", 303)

    async def _act(self, change: Change, person: Person, form: Form) -> Change | None:
        """The change after the decision; None if the answer is mistaken."""
        decision = field_of(form, "decision")
        if decision == "decline":
            return await self._gate.decline(change.id, person)
        if decision == "withdraw":
            return await self._gate.withdraw(change.id, person)
        if not is_confirmed(change, form):
            return None if change.state in (State.PROPOSED, State.UNKNOWN) else change
        if decision == "approve":
            return await self._gate.approve(change.id, person)
        if decision in ("paid", "not_paid"):
            happened = decision == "paid"
            note = f"Found {'to have happened' if happened else 'not to have happened'}."
            return await self._gate.resolve(change.id, person, happened=happened, note=note)
        return None

    def _check_may_look(self, person: Person) -> None:
        held = self._gate.permissions(person)
        if not (held.read or held.propose or held.approves):
            raise NotPermitted(
                f"{person.label}, none of your groups has a role in this service. Ask its operator."
            )

    def _page(
        self,
        change: Change,
        session: Session,
        person: Person,
        *,
        mistaken: bool = False,
        refusal: str = "",
    ) -> Response:
        requester = change.requester
        is_own = requester is not None and person.is_same(requester.issuer, requester.subject)
        approved = any(person.is_same(each.by.issuer, each.by.subject) for each in change.approvals)
        page = render.change_page(
            change,
            person,
            self._token(session),
            why_not=self._gate.why_not(change, person),
            can_withdraw=is_own or approved,
            mistaken=mistaken,
            refusal=refusal,
        )
        return HTMLResponse(page)

    def _token(self, session: Session) -> str:
        """What the forms of this session carry."""
        return _signature(self._keys[0], session)

    def _is_own_form(self, form: Form, session: Session) -> bool:
        given = field_of(form, "token").encode()
        return any(
            hmac.compare_digest(given, _signature(key, session).encode()) for key in self._keys
        )


def _sign_in_for(request: Request) -> str:
    """Where to sign in and come back to this page."""
    return f"/sign-in?{_AFTER}={quote(request.url.path)}"


def _signature(key: bytes, session: Session) -> str:
    return hmac.digest(key, f"form {session.id}".encode(), "sha256").hex()


async def _form(request: Request) -> Form:
    """The fields of a form; none if it is larger than those of the pages."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            return {}
    return parse_qs(body.decode("latin-1"), keep_blank_values=True)


def _notice(
    status: int, heading: str, text: str, link: tuple[str, str] | None = None
) -> HTMLResponse:
    return HTMLResponse(render.notice(heading, text, link), status)
