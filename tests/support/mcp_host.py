"""A real server, and a host that may have any number of calls in flight there, whose user approves."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from telnyx_mcp.sandbox import Sandbox
from tests.support.sandbox_requests import posts
from tests.support.server_process import (
    COMMAND,
    OVER_HTTP,
    ServerProcess,
    printed_its_configuration,
    spawned,
    started_http,
)

PAY = "telnyx_create_stored_payment_transaction"
POST = "create_stored_payment_transaction"
BUDGET = {
    "TELNYX_MCP_STANDING_BUDGET_PER_PAYMENT": "200",
    "TELNYX_MCP_STANDING_BUDGET_PER_DAY": "200",
}
"""With it, `call` pays without asking."""
SECONDS = 60.0
"""How long any call may take on a machine under load, and what a test waits for at most."""
AS_SHELLS_START = 'trap - HUP INT; exec "$0" "$@"'


class Ended(Exception):
    """The server ended before it answered."""


class Host(ServerProcess):
    """The server's other end. Its user approves what is asked, with the amount that the question names."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        super().__init__(process)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading: asyncio.Task[None] | None = None
        self.questions = 0
        self.declines = False

    async def opens(self) -> None:
        """Opens the session, and reads on from then on."""
        await self.initialize()
        self._reading = asyncio.create_task(self._read())

    def begins(self, tool: str, **arguments: Any) -> asyncio.Task[dict[str, Any]]:
        """A call in flight."""
        return asyncio.create_task(self.call(tool, **arguments))

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The result of a call. Raises `Ended`, or `TimeoutError` if it hangs."""
        return await self.ask_beside("tools/call", {"name": tool, "arguments": arguments})

    async def ask_beside(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a request, while others may be in flight. Raises as `call`."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._last_id += 1
        self._answers[self._last_id] = answer
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": dict(params)}
        await self.send(request)
        async with asyncio.timeout(SECONDS):
            return await answer

    async def pay(self, amount: str = "120.00", **more: Any) -> dict[str, Any]:
        return await self.call(PAY, amount=amount, **more)

    async def changes(self) -> list[dict[str, Any]]:
        """The ledger, newest first."""
        result = await self.call("telnyx_list_changes")
        assert not result["isError"], result
        return list(result["structuredContent"]["items"])

    async def leaves(self) -> int:
        """The exit status after the end of stdin. Raises `TimeoutError`."""
        assert self.process.stdin
        self.process.stdin.close()
        return await self.exits()

    async def exits(self) -> int:
        """The exit status. Raises `TimeoutError`."""
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()

    async def close(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        if self._reading:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        for answer in self._answers.values():
            answer.cancel()
        await self.process.communicate()

    async def _read(self) -> None:
        assert self.process.stdout
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            if message.get("method") == "elicitation/create":
                await self._approve(message)
            elif (answer := self._answers.pop(message.get("id"), None)) and not answer.done():
                answer.set_result(message["result"])
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Ended())

    async def _approve(self, message: Mapping[str, Any]) -> None:
        self.questions += 1
        asked = message["params"]
        named = asked["message"].rpartition("type the amount: ")[2]
        fields = asked["requestedSchema"]["properties"]
        content = {"amount": named} if "amount" in fields else {"approve": True}
        answer = {"action": "accept", "content": content}
        result = {"action": "decline"} if self.declines else answer
        await self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})


@asynccontextmanager
async def hosted(
    environment: Mapping[str, str], *, by: Sequence[str] = (), stderr: int = asyncio.subprocess.PIPE
) -> AsyncIterator[Host]:
    """A server on stdio with an open session, killed at the latest when the test is over.

    `by` is a command that starts another: the server's follows.
    """
    async with spawned(*by, *COMMAND, environment=environment, stderr=stderr) as process:
        host = Host(process)
        try:
            async with asyncio.timeout(SECONDS):
                await host.opens()
            yield host
        finally:
            await host.close()


@asynccontextmanager
async def serving(environment: Mapping[str, str]) -> AsyncIterator[tuple[Process, str]]:
    """A server over HTTP that is ready, and its address."""
    with_token = {**environment, **OVER_HTTP}
    async with started_http(environment=with_token, seconds=None) as (server, url):
        async with asyncio.timeout(SECONDS):
            await printed_its_configuration(server.process)
        yield server.process, url


@asynccontextmanager
async def command(environment: Mapping[str, str], *arguments: str) -> AsyncIterator[Process]:
    """A command without a terminal."""
    nothing = asyncio.subprocess.DEVNULL
    async with spawned(*COMMAND, *arguments, environment=environment, stdin=nothing) as process:
        yield process


def text_of(result: Mapping[str, Any]) -> str:
    return "\n".join(block["text"] for block in result["content"] if block["type"] == "text")


def state_of(result: Mapping[str, Any]) -> str | None:
    """The state of the change that a call made, as the model is told."""
    state = (result.get("structuredContent") or {}).get("state")
    return None if state is None else str(state)


NOTHING_SENT = frozenset({"proposed", "approved", "not_sent", "declined", "expired", "void"})


async def told_truly(environment: Mapping[str, str], sandbox: Sandbox) -> str | None:
    """What the next server says of the only payment, held against what the sandbox account really did;
    None where the ledger has no change. Then the same payment is asked for again: Telnyx makes one in
    all, and none where it is unknown what came of the first."""
    sandbox.faults.clear()
    async with hosted(environment) as host:
        changes = await host.changes()
        made, sent = len(sandbox.payments), posts(sandbox)
        assert sent <= 1
        state = changes[0]["state"] if changes else None
        if state == "succeeded":
            assert made == 1
        if state is None or state in NOTHING_SENT:
            assert made == 0, f"it was made, and the ledger says {state}"
        again = await host.pay()
        if sent:
            assert posts(sandbox) == sent, text_of(again)
        else:
            assert len(sandbox.payments) <= 1
        if state in ("unknown", "sending"):
            other = await host.pay("80.00")
            assert "no other payment is made" in text_of(other), text_of(other)
            assert posts(sandbox) == sent
    return state


def file_of(environment: Mapping[str, str]) -> Path:
    """The ledger's SQLite file."""
    return Path(environment["TELNYX_MCP_STATE_URL"].removeprefix("sqlite:///"))
