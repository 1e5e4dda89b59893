"""One request to Telnyx: pace, send, classify, perhaps again, within a deadline.

The only module that imports httpx.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import anyio
import pydantic_core
from pydantic import SecretStr

from telnyx_mcp import __version__
from telnyx_mcp.config.addresses import is_loopback
from telnyx_mcp.telnyx.certificates import Certificates, certificates
from telnyx_mcp.telnyx.coalescing import RequestCoalescer
from telnyx_mcp.telnyx.connection import ConnectionMonitor
from telnyx_mcp.telnyx.deadline import Clock, Deadline
from telnyx_mcp.telnyx.decoding import ACCEPTED, Body
from telnyx_mcp.telnyx.errors import (
    BY_STATUS,
    OWN_RATE_LIMIT_CODE,
    Failure,
    TelnyxError,
    complaints_in,
    unusable_variable,
)
from telnyx_mcp.telnyx.long_list import LongList, cut_out
from telnyx_mcp.telnyx.operations import MAX_TRIES, Operation
from telnyx_mcp.telnyx.proxies import Proxy, route_to
from telnyx_mcp.telnyx.rate_limit.headers import wait_seconds
from telnyx_mcp.telnyx.rate_limit.pacer import (
    LONGEST_WAIT,
    REPORTED_WAIT,
    Moment,
    Pacer,
    Sleep,
    Waiting,
)
from telnyx_mcp.telnyx.rate_limit.schedule import LONGEST_BELIEVED
from telnyx_mcp.telnyx.rate_limit.stores import InMemoryStore
from telnyx_mcp.telnyx.server_clock import ServerClock, http_date, utc_now
from telnyx_mcp.untrusted import may_hold_keys, remember, without_keys_in

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0
MOST_CONNECTIONS = 20
SANDBOX_HEADER = "x-telnyx-sandbox"

Query = Mapping[str, str | int | Sequence[str] | None]
"""Parameters by name. A sequence repeats its parameter; None leaves it out."""


@dataclass(frozen=True, slots=True)
class Response:
    """A usable answer: its JSON, whether a sandbox gave it, and when, by the clock of the server."""

    body: Any
    sandbox: bool
    date: datetime | None = None


class _RetryBudget:
    """Allows few retries while most requests fail: a retry costs one, a success earns a tenth."""

    def __init__(self, most: float = 10.0) -> None:
        self._most = self._left = most

    def earn(self) -> None:
        self._left = min(self._most, self._left + 0.1)

    def spend(self) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Transport:
    """Sends requests for one key to one address.

    Opens its connection pool with the first request, so that a server that is only probed has
    none. `clock`, `now`, `sleep` and `jitter` are injected.
    """

    def __init__(
        self,
        key: SecretStr | None,
        base_url: str,
        *,
        read_only: bool = False,
        pacer: Pacer | None = None,
        clock: Clock = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        sleep: Sleep = anyio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._key = key
        if key:
            remember(key.get_secret_value())
        self._base_url = base_url
        self._read_only = read_only
        self.clock = clock
        """The clock of deadlines."""
        self.server_clock = ServerClock(now)
        self._sleep = sleep
        self._jitter = jitter
        self.pacer = pacer or Pacer(own=InMemoryStore(clock), sleep=sleep, clock=clock)
        self._retries = _RetryBudget()
        self._flights: RequestCoalescer[Response] = RequestCoalescer()
        self._changes = 0
        self._pool: httpx.AsyncHTTPTransport | None = None
        self._proxy: Proxy | None = None
        self._certificates: Certificates | None = None

    async def aclose(self) -> None:
        """Cancels the requests in flight and closes the connections. A later request opens new ones."""
        await self._flights.aclose()
        pool, self._pool = self._pool, None
        self.pacer.close()
        if pool is not None:
            await pool.aclose()

    async def request(
        self,
        operation: Operation,
        *,
        id: str | tuple[str, ...] = "",
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        deadline: Deadline | None = None,
        waiting: Waiting | None = None,
    ) -> Response:
        """The JSON that Telnyx answered.

        `id` is put into the path, quoted; several in the order in which the path names them. Values
        of `query` that are None are left out. `waiting` is called for a longer wait. Identical reads in
        flight share one request.
        Raises `TelnyxError`, and nothing else, for whatever goes wrong.
        """
        if self._key is None:
            raise TelnyxError(Failure.NO_KEY)
        if self._read_only and operation.method != "GET":
            raise TelnyxError(Failure.READ_ONLY)
        deadline = deadline or Deadline.after(clock=self.clock)
        if operation.method == "GET":
            identity = (operation.id, id, tuple((query or {}).items()), self._changes)
            return await self._flights.share(
                identity,
                deadline,
                waiting,
                lambda report_wait: self._request(
                    operation, id, query, body, deadline, report_wait
                ),
            )
        self._changes += 1
        try:
            return await self._request(operation, id, query, body, deadline, waiting)
        finally:
            self._changes += 1  # answers to earlier requests may be out of date now

    async def _request(
        self,
        operation: Operation,
        id: str | tuple[str, ...],
        query: Query | None,
        body: Mapping[str, Any] | None,
        deadline: Deadline,
        waiting: Waiting | None,
    ) -> Response:
        tried = 0
        failed: TelnyxError | None = None
        while True:
            try:
                turn = await self.pacer.turn(operation.path, deadline.left(), waiting)
            except TelnyxError as paced:
                if failed is None:
                    raise
                failed.retry_in = paced.retry_in
                raise failed from None
            tried += 1
            try:
                response = await self._send_once(operation, id, query, body, deadline, turn)
            except TelnyxError as error:
                failed = error
                pause = self._pause_before_again(operation, error, tried, deadline)
                if pause is None:
                    raise
                if error.status != 429:  # the pacer waits after a 429, for all copies
                    if waiting and pause > REPORTED_WAIT:
                        await waiting(pause, "Telnyx to be ready again")
                    await self._sleep(pause)
            else:
                self._retries.earn()
                return response

    def _pause_before_again(
        self, operation: Operation, error: TelnyxError, tried: int, deadline: Deadline
    ) -> float | None:
        """Seconds to wait before the next try; None if there must not be one."""
        if tried >= MAX_TRIES or not operation.retry.after(error.failure, error.status):
            return None
        pause = error.retry_in
        if pause is None:
            pause = self._jitter() * min(8.0, 0.5 * 2 ** (tried - 1))
        longest = min(LONGEST_WAIT, deadline.left())
        return pause if pause < longest and self._retries.spend() else None

    async def _send_once(
        self,
        operation: Operation,
        id: str | tuple[str, ...],
        query: Query | None,
        body: Mapping[str, Any] | None,
        deadline: Deadline,
        turn: Moment,
    ) -> Response:
        import httpx

        pool = self._pool or self._open(httpx)
        seconds = deadline.left()
        content, unread = b"", None
        monitor = self._monitor(deadline, changes=operation.method != "GET")
        waits = dict.fromkeys(("read", "write", "pool"), seconds)
        waits["connect"] = min(seconds, CONNECT_SECONDS)
        try:
            request = httpx.Request(
                operation.method,
                _url(self._base_url, _path(operation.path, id)),
                params=_parameters(query),
                headers=self._headers(),
                json=body,
                extensions={"timeout": waits, "trace": monitor.trace},
            )
            with anyio.fail_after(seconds):
                response = await pool.handle_async_request(request)
                response.request = request
                try:
                    content = await _read(response, operation.largest_reply)
                except TelnyxError as error:
                    unread = error
                finally:
                    await response.aclose()
        except TelnyxError:
            raise
        except asyncio.CancelledError:
            await monitor.abandon()
            raise
        except Exception as error:
            # TimeoutError of fail_after is an OSError. What a proxy answers may raise anything.
            known = isinstance(error, httpx.HTTPError | httpx.InvalidURL | ssl.SSLError | OSError)
            if not known and not monitor.in_proxys_hands:
                raise
            await monitor.abandon()
            source = self._certificates.source if self._certificates else ""
            raise monitor.failure(error, httpx, self._base_url, source) from None
        status, headers = response.status_code, response.headers
        self.server_clock.learn(http_date(headers.get("date", "")))
        own = status == 429 and _is_telnyx_own(content)
        await self.pacer.learn(operation.path, status, headers, turn, own=own)
        if unread:
            unread.status = status
            raise unread
        return _classify(operation, response, content)

    def _monitor(self, deadline: Deadline, *, changes: bool) -> ConnectionMonitor:
        host = urlsplit(self._base_url).hostname or ""
        return ConnectionMonitor(deadline, host, self._proxy, changes=changes)

    def _headers(self) -> Mapping[str, str]:
        return {
            "authorization": f"Bearer {self._key.get_secret_value() if self._key else ''}",
            "accept": "application/json",
            "accept-encoding": ACCEPTED,
            "user-agent": f"telnyx-account-mcp/{__version__}",
        }

    def _open(self, httpx_: Any) -> httpx.AsyncHTTPTransport:
        """The connection pool: httpx without the parts that follow redirects, keep cookies and read the
        environment. Raises `TelnyxError` for a variable of the environment that it can't be
        made with."""
        self._proxy = proxy = route_to(self._base_url).proxy
        # Plain http is allowed on loopback only; certificates would be loaded for nothing.
        if urlsplit(self._base_url).scheme == "https":
            self._certificates = certificates()
        context = self._certificates.context if self._certificates else False
        variable = "TELNYX_BASE_URL"
        try:
            _url(self._base_url, "")
            variable = proxy.variable if proxy else variable
            self._pool = pool = httpx_.AsyncHTTPTransport(
                trust_env=False,  # `route_to` and `certificates` read the environment
                proxy=proxy
                and httpx_.Proxy(
                    proxy.url,
                    auth=proxy.auth,
                    ssl_context=context if proxy.scheme == "https" else None,
                ),
                verify=context,
                limits=httpx_.Limits(
                    max_connections=MOST_CONNECTIONS, max_keepalive_connections=10
                ),
            )
        except (ValueError, httpx_.InvalidURL):
            raise unusable_variable(variable, "no address can be read in it") from None
        return pool  # type: ignore[no-any-return]


_PLACE = re.compile(r"\{\w+\}")


def _path(template: str, id: str | tuple[str, ...]) -> str:
    """The path with its ids in their places."""
    ids = iter((id,) if isinstance(id, str) else id)
    return _PLACE.sub(lambda _: _segment(next(ids)), template).removeprefix("/")


def _segment(id: str) -> str:
    """An id as one part of a path. `..` would be resolved and lead to another address."""
    return id.replace(".", "%2E") if id in (".", "..") else quote(id, safe="")


@lru_cache(maxsize=32)
def _url(base_url: str, path: str) -> httpx.URL:
    """Where a request goes. Kept, as parsing an address is the slowest step before a request is sent.
    Raises httpx's `InvalidURL`."""
    import httpx

    url = httpx.URL(f"{base_url.rstrip('/')}/{path}")
    if not url.host:  # to read it is to decode it: `xn--` is a name that IDNA has no letters for
        raise httpx.InvalidURL("it names no host")
    return url


def _parameters(query: Query | None) -> Query | None:
    """The parameters that have a value; None if there are none."""
    return {name: value for name, value in (query or {}).items() if value is not None} or None


async def _read(response: httpx.Response, largest: int) -> bytes:
    body = Body(response.headers.get("content-encoding", ""), largest)
    async for chunk in response.aiter_raw():
        body.feed(chunk)
    return body.content()


def _is_telnyx_own(content: bytes) -> bool:
    """Whether a 429 carries Telnyx's own code."""
    try:
        complaints = complaints_in(pydantic_core.from_json(content), {})
    except ValueError:
        return False
    return any(each.code == OWN_RATE_LIMIT_CODE for each in complaints)


def _json(content: bytes, operation: Operation) -> Any:
    """The JSON of a body, without keys. Where the operation is `exact`, a number with a fraction stays its
    text: `"0.1"`."""
    clean = without_keys_in if may_hold_keys(content) else None
    if operation.long_list and (found := cut_out(content, operation.long_list, clean)):
        body, rows = found
        if isinstance(data := body.get("data"), dict) and data.get(operation.long_list) == []:
            data[operation.long_list] = rows
            return body
    if operation.exact:
        body = json.loads(content, parse_float=str, parse_constant=str)
    else:
        body = pydantic_core.from_json(content, allow_inf_nan=False)
    body = clean(body) if clean else body
    if operation.long_list and isinstance(body, dict) and isinstance(body.get("data"), dict):
        rows = body["data"].get(operation.long_list)
        if isinstance(rows, list):
            body["data"][operation.long_list] = LongList.of(rows)
    return body


def _classify(operation: Operation, response: httpx.Response, content: bytes) -> Response:
    """The response of a 2xx with JSON; every other answer as the `TelnyxError` it means."""
    status, headers = response.status_code, response.headers
    # Believed from this machine only: no other host may call a real account a sandbox.
    sandbox = SANDBOX_HEADER in headers and is_loopback(response.request.url.host)
    try:
        body = _json(content, operation)
    except (ValueError, RecursionError):
        body = None
    if 200 <= status < 300:
        if body is not None:
            return Response(body, sandbox, http_date(headers.get("date", "")))
        why = "the answer is empty" if not content.strip() else ""
        raise TelnyxError(Failure.NOT_JSON, why, status=status, sandbox=sandbox)

    complaints = complaints_in(body, operation.names)
    if 300 <= status < 400:
        failure = Failure.REDIRECT
    elif status >= 500:
        failure = Failure.SERVER_ERROR
    else:
        failure = BY_STATUS.get(status, Failure.UNEXPECTED_STATUS)
    if failure is Failure.NOT_FOUND and not operation.takes_id:
        failure = Failure.NO_SUCH_PATH
    retry_in = wait_seconds(headers) if status in (429, 503) else None
    if failure is Failure.THROTTLED and any(c.code == OWN_RATE_LIMIT_CODE for c in complaints):
        failure = Failure.RATE_LIMITED
    elif failure is Failure.THROTTLED and retry_in:
        retry_in = min(retry_in, LONGEST_BELIEVED)
    raise TelnyxError(failure, "", status, complaints, retry_in, sandbox)
