"""Every way a change can go wrong on the wire, over real sockets, and what comes of each.

The tables are data: `tests/approval/test_fault_matrix.py` goes through them row by row, and
`scripts/generate/faults.py` writes `docs/faults.md` from them.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
)
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
from mcp import Client
from pydantic import SecretStr

from telnyx_mcp.approval.change import State
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.build import build_server
from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.transport import Response, Transport
from tests.support.client import connected, text_of
from tests.support.clock import NOW
from tests.support.person import PAY, Person, agrees
from tests.support.polling import until
from tests.support.sandbox_requests import sent
from tests.support.simulated_time import Time

SHORT = 0.3
"""Seconds that a change has for its answer where none comes."""
POOL = 20
"""Connections that a transport opens at most."""


# --- the ways to Telnyx --------------------------------------------------------------------------


class Fork(Transport):
    """The sandbox for what reads; for what changes, another way until `healed`. Both are real."""

    def __init__(self, sandbox: Sandbox, way: Transport | None, seconds: float) -> None:
        time = Time()  # what it waits before it tries again takes no time here
        super().__init__(
            SecretStr(sandbox.key), sandbox.base_url, clock=time.clock, sleep=time.sleep
        )
        self.way = way
        self.seconds = seconds
        self.healed = False

    async def request(self, operation: op.Operation, **more: Any) -> Response:
        if operation.method == "GET" or self.healed:
            return await super().request(operation, **more)
        more["deadline"] = Deadline.after(self.seconds)
        if self.way is None:
            return await super().request(operation, **more)
        return await self.way.request(operation, **more)


Way = Callable[[Sandbox], AbstractAsyncContextManager[Transport | None]]


@asynccontextmanager
async def transport_to(base_url: str, sandbox: Sandbox) -> AsyncIterator[Transport]:
    transport = Transport(SecretStr(sandbox.key), base_url, jitter=lambda: 0.0)
    yield transport
    await transport.aclose()


@asynccontextmanager
async def the_usual_one(_sandbox: Sandbox) -> AsyncIterator[None]:
    """There is nothing wrong with the way; the fault waits at its end."""
    yield


@asynccontextmanager
async def nobody_listens(sandbox: Sandbox) -> AsyncIterator[Transport]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with transport_to(_address_of(bound), sandbox) as way:
            yield way


def no_such_name(sandbox: Sandbox) -> AbstractAsyncContextManager[Transport]:
    return transport_to("https://telnyx.invalid/v2", sandbox)


def no_tls_there(sandbox: Sandbox) -> AbstractAsyncContextManager[Transport]:
    return transport_to(sandbox.base_url.replace("http://", "https://"), sandbox)


@asynccontextmanager
async def nobody_accepts(sandbox: Sandbox) -> AsyncIterator[Transport]:
    """The queue of a listener that accepts nothing is full, so a connection is never made."""
    with ExitStack() as open_sockets:
        listening = open_sockets.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            queued = open_sockets.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(listening.getsockname())
        async with transport_to(_address_of(listening), sandbox) as way:
            yield way


@asynccontextmanager
async def no_connection_free(sandbox: Sandbox) -> AsyncIterator[Transport]:
    """All connections of the pool wait for answers that don't come."""
    sandbox.fault("list_user_tags", "slow", seconds=30, times=POOL)
    async with transport_to(sandbox.base_url, sandbox) as way, anyio.create_task_group() as tasks:
        for number in range(POOL):
            one = {"filter[starts_with]": str(number)}  # or they would share one request
            tasks.start_soon(partial(way.request, op.LIST_USER_TAGS, query=one))
        await until(lambda: len(sandbox.requests) >= POOL)
        yield way
        tasks.cancel_scope.cancel()


def _address_of(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}/v2"


# --- the rows ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ends:
    """How one change ends: requests of it that reach Telnyx, whether Telnyx did it, the ledger."""

    requests: int
    state: State
    done: bool
    tells: str
    """A phrase of what the model is told."""


@dataclass(frozen=True)
class Row:
    """One fault, and how the payment and the PATCH of auto-recharge end in it."""

    fault: str
    payment: Ends
    recharge: Ends
    kind: str = ""
    """The sandbox's name for it, if it happens there."""
    options: Mapping[str, Any] = field(default_factory=dict)
    way: Way = the_usual_one
    within: float = 5.0
    """Seconds that it has for its answer."""


def not_sent(fault: str, way: Way, tells: str, within: float = 5.0) -> Row:
    ends = Ends(0, State.NOT_SENT, False, tells)
    return Row(fault, ends, ends, way=way, within=within)


def refused(status: int, tells: str, words: str = "", patches: int = 1, **options: Any) -> Row:
    payment, recharge = (Ends(requests, State.REFUSED, False, tells) for requests in (1, patches))
    return Row(
        words or f"HTTP {status}",
        payment,
        recharge,
        options.pop("kind", "status"),
        {"status": status, "times": None, **options},
    )


def unknown(
    fault: str, tells: str, kind: str, *, done: bool, within: float = 5.0, **options: Any
) -> Row:
    ends = Ends(1, State.UNKNOWN, done, tells)
    return Row(
        f"{fault}, after it was done" if done else fault,
        ends,
        ends,
        kind,
        {"applied": done, "times": None, **options},
        within=within,
    )


def either(fault: str, tells: str, kind: str, **options: Any) -> tuple[Row, Row]:
    """The same fault, whether Telnyx did it before or not: nobody here can tell the two apart."""
    return (
        unknown(fault, tells, kind, done=False, **options),
        unknown(fault, tells, kind, done=True, **options),
    )


def succeeded(fault: str, kind: str) -> Row:
    ends = Ends(1, State.SUCCEEDED, True, "Done: ")
    return Row(fault, ends, ends, kind, {"times": None})


BROKE = "The connection to Telnyx broke before the answer was complete"
LATE = "Telnyx did not answer in time"
NOT_JSON = "The answer is not JSON"
OWN_ERROR = "Telnyx reported an internal error"

ROWS = (
    not_sent("connection refused", nobody_listens, "No connection to Telnyx could be made"),
    not_sent("the name can't be looked up", no_such_name, "could not be looked up"),
    not_sent("TLS fails", no_tls_there, "the TLS certificate or handshake failed"),
    not_sent("no connection is made in time", nobody_accepts, "in time", SHORT),
    not_sent("no connection of the pool gets free in time", no_connection_free, LATE, SHORT),
    unknown("the connection is closed without an answer", BROKE, "drop_before", done=False),
    unknown("the connection is closed without an answer", BROKE, "drop_after", done=True),
    unknown("the connection is reset without an answer", BROKE, "reset_before", done=False),
    unknown("the connection is reset without an answer", BROKE, "reset_after", done=True),
    *either("no answer in time", LATE, "slow", seconds=30, within=SHORT),
    unknown(
        "an answer too slow to be read in time", LATE, "drip", done=True, seconds=0.1, within=SHORT
    ),
    unknown("an answer cut off in the middle", BROKE, "truncated", done=True),
    unknown("200 with half of the JSON", NOT_JSON, "truncated_json", done=True),
    unknown("200 without a body", "the answer is empty", "empty", done=True),
    unknown("204", "the answer is empty", "no_content", done=True),
    *either("200 with JSON of another shape", "not of the documented form", "nonsense"),
    *either("200 with a page of HTML", NOT_JSON, "html", status=200),
    unknown("200 with more than 16 MB", "more than 16 MB", "huge", done=True),
    succeeded("200 with values that nobody has heard of", "unknown_values"),
    *either("302 to another address", "a redirect, which is never followed", "redirect"),
    refused(400, "Telnyx refused the request as malformed"),
    refused(401, "Telnyx did not accept the API key"),
    refused(403, "The API key is valid but may not do this"),
    refused(404, "There is no such operation at the address"),
    *either("HTTP 408", LATE, "status", status=408),
    *either("HTTP 409", "an unexpected status", "status", status=409),
    refused(422, "Telnyx refused the values of the request"),
    refused(429, "too many requests were made", "HTTP 429 with Telnyx's own code", patches=3),
    *either("HTTP 429 with a proxy's page", "something in front of Telnyx", "html", status=429),
    *either("HTTP 500", OWN_ERROR, "status", status=500),
    *either("HTTP 502", OWN_ERROR, "status", status=502),
    *either("HTTP 502 with a proxy's page", OWN_ERROR, "html", status=502),
    *either("HTTP 503", OWN_ERROR, "status", status=503),
    *either("HTTP 504", OWN_ERROR, "status", status=504),
)

TOLD_AGAIN = "the same answer; nothing is sent"
ASKS_AND_SENDS = "the user is asked again; sent"
BLOCKED = "blocked until `resolve`"


@dataclass(frozen=True)
class Subject:
    """A change that the rows are tried with, and what comes after each outcome."""

    title: str
    tool: str
    arguments: Mapping[str, Any]
    operation: str
    method: str
    blocks: bool
    """Whether an unknown one blocks payments."""

    def ends(self, row: Row) -> Ends:
        return row.payment if self.method == "POST" else row.recharge

    def same_call_next(self, state: State) -> str:
        return TOLD_AGAIN if state in (State.SUCCEEDED, State.UNKNOWN) else ASKS_AND_SENDS

    def other_payment_next(self, state: State) -> str:
        return BLOCKED if self.blocks and state is State.UNKNOWN else ASKS_AND_SENDS


PAYMENT = Subject(
    "The payment",
    PAY,
    {"amount": "120.00"},
    "create_stored_payment_transaction",
    "POST",
    blocks=True,
)
RECHARGE = Subject(
    "The auto-recharge preferences",
    "telnyx_update_auto_recharge_preferences",
    {"threshold_amount": "75.00", "recharge_amount": "150.00"},
    "update_auto_recharge_preferences",
    "PATCH",
    blocks=False,
)
SUBJECTS = (PAYMENT, RECHARGE)


# --- the rows, tried -----------------------------------------------------------------------------


@dataclass
class Trial:
    """A client of a server in the middle of a fault, and what came of its calls."""

    client: Client
    sandbox: Sandbox
    person: Person

    async def next(self, method: str, tool: str, arguments: Mapping[str, Any]) -> str:
        """What one more call does, in the table's words."""
        questions, requests = len(self.person.questions), sent(self.sandbox, method)
        result = await self.client.call_tool(tool, dict(arguments))
        asked = len(self.person.questions) - questions
        made = sent(self.sandbox, method) - requests
        ended = (result.structured_content or {}).get("state")
        text = text_of(result)
        if (asked, made, ended) == (1, 1, "succeeded"):
            return ASKS_AND_SENDS
        if (asked, made) == (
            0,
            0,
        ) and "no other payment is made until a person has found out" in text:
            return BLOCKED
        if (asked, made) == (0, 0) and "Nothing new was done by this call" in text:
            return TOLD_AGAIN
        return f"asked {asked}, sent {made}, {ended}: {text}"


def done(sandbox: Sandbox, subject: Subject) -> bool:
    """Whether the sandbox account really made the change."""
    if subject.method == "POST":
        return bool(sandbox.payments)
    preferences = sandbox.account.preferences
    return all(preferences[name] == value for name, value in subject.arguments.items())


async def check(settings: Settings, sandbox: Sandbox, subject: Subject, row: Row) -> None:
    """Raises `AssertionError` unless the change ends in this fault as the table says."""
    ends = subject.ends(row)
    person = Person(agrees)
    async with row.way(sandbox) as way:
        if row.kind:
            sandbox.fault(subject.operation, row.kind, **row.options)
        fork = Fork(sandbox, way, row.within)
        server = build_server(settings, transport=fork, now=lambda: NOW)
        async with connected(server, elicitation=person) as client:
            trial = Trial(client, sandbox, person)
            result = await client.call_tool(subject.tool, dict(subject.arguments))

            assert sent(sandbox, subject.method) == ends.requests
            assert done(sandbox, subject) == ends.done
            (change,) = (await (await server.accounts.main.services()).gate.ledger()).newest(2, NOW)
            assert change.state == ends.state
            assert change.owner
            assert result.is_error == (ends.state is not State.SUCCEEDED)
            assert ends.tells in text_of(result)

            sandbox.faults.clear()
            fork.healed = True
            again = await trial.next(subject.method, subject.tool, subject.arguments)
            assert again == subject.same_call_next(ends.state)
            other = await trial.next("POST", PAY, {"amount": "80.00"})
            assert other == subject.other_payment_next(ends.state)
