"""A server over HTTP that is asked to leave does so at once, whatever its clients hold open."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.shared.exceptions import MCPError

from telnyx_mcp.approval.change import State
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from tests.support.client import Mode
from tests.support.person import Person, agrees
from tests.support.sandbox_requests import arrives
from tests.support.server_process import (
    BEARER,
    OVER_HTTP,
    TOKEN,
    ServerProcess,
    client_of,
    environment_for,
    printed_its_configuration,
    started_http,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
]

LEAVES_WITHIN = 3.0
SIGNALS = [signal.SIGTERM, signal.SIGINT]
PAY = "telnyx_create_stored_payment_transaction"
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@dataclass(frozen=True)
class Port:
    """A server, its address, and a plain client with an open session of revision 2025-11-25."""

    url: str
    server: ServerProcess
    http: httpx.AsyncClient
    stack: AsyncExitStack

    async def post(self, method: str, params: dict[str, Any], **headers: str) -> httpx.Response:
        """A request whose answer is not waited for, as it is a stream."""
        message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        stream = self.http.stream("POST", self.url, json=message, headers=headers)
        return await self.stack.enter_async_context(stream)

    async def leaves(self, number: signal.Signals) -> str:
        """What it said on stderr after it was asked to leave, and left in time and cleanly."""
        before = anyio.current_time()
        self.server.process.send_signal(number)
        assert await self.server.process.wait() == 0
        assert anyio.current_time() - before < LEAVES_WITHIN
        assert self.server.process.stderr
        return (await self.server.process.stderr.read()).decode()


@asynccontextmanager
async def serving(environment: dict[str, str]) -> AsyncIterator[Port]:
    async with (
        started_http(environment=environment | OVER_HTTP) as (server, url),
        httpx.AsyncClient(verify=False, headers={**BEARER, **ACCEPT}, timeout=20) as http,
        AsyncExitStack() as stack,
    ):
        await printed_its_configuration(server.process)
        yield Port(url, server, http, stack)


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return environment_for(sandbox, tmp_path)


async def session(port: Port, **capabilities: Any) -> dict[str, str]:
    """The headers of a new session."""
    initialize = {
        "protocolVersion": "2025-11-25",
        "capabilities": capabilities,
        "clientInfo": {"name": "test", "version": "1"},
    }
    opened = await port.post("initialize", initialize)
    await opened.aread()
    return {"mcp-session-id": opened.headers["mcp-session-id"]}


# --- what a client may hold open ------------------------------------------------------------------


async def nothing(_port: Port, _sandbox: Sandbox) -> None:
    return None


async def a_stream_of_notifications(port: Port, _sandbox: Sandbox) -> None:
    stream = port.http.stream("GET", port.url, headers=await session(port))
    assert (await port.stack.enter_async_context(stream)).status_code == 200


async def ten_streams(port: Port, sandbox: Sandbox) -> None:
    for _ in range(10):
        await a_stream_of_notifications(port, sandbox)


async def a_subscription(port: Port, _sandbox: Sandbox) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}
    params = {"_meta": meta, "notifications": {"toolsListChanged": True}}
    await port.post("subscriptions/listen", params, **headers)


async def a_question_to_the_person(port: Port, _sandbox: Sandbox) -> AsyncIterator[str]:
    headers = await session(port, elicitation={"form": {}})
    call = {"name": PAY, "arguments": {"amount": "120.00"}}
    asked = await port.post("tools/call", call, **headers)
    lines = asked.aiter_lines()
    while "elicitation/create" not in await anext(lines):
        pass
    return lines  # which would close the stream, if nobody had them


async def a_question_that_it_left(port: Port, sandbox: Sandbox) -> None:
    await a_question_to_the_person(port, sandbox)


async def a_slow_call(port: Port, sandbox: Sandbox) -> None:
    sandbox.fault("get_balance", "slow", seconds=30)
    await port.post("tools/call", {"name": "telnyx_get_balance"}, **await session(port))
    await arrives(sandbox, "GET")


async def half_a_body(port: Port, _sandbox: Sandbox) -> None:
    url = httpx.URL(port.url)
    _, writer = await asyncio.open_connection(url.host, url.port)
    port.stack.callback(writer.close)
    head = f"POST /mcp HTTP/1.1\r\nHost: {url.netloc.decode()}\r\nAuthorization: Bearer {TOKEN}\r\n"
    writer.write(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
    await writer.drain()
    # Served in the order they came: once this is answered, that one has begun.
    await port.http.get(port.url)


Holds = Callable[[Port, Sandbox], Awaitable[object]]
HELD: list[Holds] = [
    nothing,
    a_stream_of_notifications,
    ten_streams,
    a_subscription,
    a_question_to_the_person,
    a_question_that_it_left,
    a_slow_call,
    half_a_body,
]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("holds", HELD, ids=lambda each: each.__name__)
async def test_it_leaves_at_once_and_quietly_though_a_client_holds(
    environment: dict[str, str], sandbox: Sandbox, holds: Holds, number: signal.Signals
) -> None:
    async with serving(environment) as port:
        _kept = await holds(port, sandbox)
        assert await port.leaves(number) == ""
    assert sandbox.payments == []


# --- what is on its way ---------------------------------------------------------------------------


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_payment_that_was_sent_is_recorded_and_its_outcome_reaches_the_client(
    environment: dict[str, str],
    sandbox: Sandbox,
    mode: Mode,
    number: signal.Signals,
) -> None:
    sandbox.fault("create_stored_payment_transaction", "slow", seconds=2.5)  # beyond every grace
    outcomes: list[Any] = []
    async with serving(environment) as port, anyio.create_task_group() as tasks:

        async def pay() -> None:
            # The client fails at its end, as the server has left by then.
            with suppress(BaseExceptionGroup):
                async with client_of(port.url, mode, elicitation_callback=Person(agrees)) as client:
                    await client.list_tools()  # which it would ask for after the result
                    outcomes.append(await client.call_tool(PAY, {"amount": "120.00"}))

        tasks.start_soon(pay)
        await arrives(sandbox, "POST")
        port.server.process.send_signal(number)
        assert await port.server.process.wait() == 0
    settings = Settings(**environment)  # type: ignore[arg-type]
    ledger = open_ledger(settings)
    [change] = ledger.newest(2, datetime.now(UTC))
    ledger.close()
    assert change.state is State.SUCCEEDED
    assert change.evidence["transaction_id"] == sandbox.payments[0]["id"]
    assert len(sandbox.payments) == 1
    [outcome] = outcomes
    assert outcome.structured_content["state"] == "succeeded"


async def test_a_call_that_is_nearly_done_is_answered(
    environment: dict[str, str], sandbox: Sandbox, mode: Mode
) -> None:
    sandbox.fault("get_balance", "slow", seconds=0.6)
    results: list[Any] = []
    async with serving(environment) as port, anyio.create_task_group() as tasks:

        async def ask() -> None:
            with suppress(BaseExceptionGroup):
                async with client_of(port.url, mode) as client:
                    await client.list_tools()
                    results.append(await client.call_tool("telnyx_get_balance", {}))

        tasks.start_soon(ask)
        await arrives(sandbox, "GET")
        port.server.process.terminate()
        assert await port.server.process.wait() == 0
    assert [each.is_error for each in results] == [False]


# --- what the server offers -----------------------------------------------------------------------


async def test_lists_that_never_change_are_not_offered_to_be_watched(
    environment: dict[str, str], mode: Mode
) -> None:
    async with serving(environment) as port, client_of(port.url, mode) as client:
        told = client.server_capabilities.model_dump(exclude_none=True)
        for each in ("tools", "prompts", "resources"):
            assert not told[each].get("list_changed")
            assert not told[each].get("subscribe")
        if mode == "auto":
            with pytest.raises(MCPError, match=r"(?i)method not found"):
                async with client.listen(tools_list_changed=True):
                    pass
