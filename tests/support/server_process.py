"""A real server process, spoken to in lines of JSON-RPC."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from telnyx_mcp.sandbox import Sandbox
from tests.support.ports import accepts, free_port

SECONDS = 20
COMMAND = (sys.executable, "-m", "telnyx_mcp")
KEPT = ("PATH", "HOME", "TELNYX_MCP_PROFILES", "PYTHON_KEYRING_BACKEND")


TOKEN = "tests-token-0123456789abcdef"
"""What clients of a server over HTTP send, where its environment says so."""
OVER_HTTP = {"TELNYX_MCP_HTTP_TOKEN": TOKEN}
BEARER = {"authorization": f"Bearer {TOKEN}"}


@asynccontextmanager
async def client_of(
    url: str, mode: Literal["legacy", "auto"] = "auto", token: str = TOKEN, **more: Any
) -> AsyncIterator[Client]:
    """A client over HTTP that carries the token."""
    http = httpx2.AsyncClient(
        verify=False, headers={"authorization": f"Bearer {token}"}, timeout=30
    )
    async with http, Client(streamable_http_client(url, http_client=http), mode=mode, **more) as it:
        yield it


def environment_for(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """The environment of a server for the sandbox that keeps its state in this folder."""
    return {
        "TELNYX_API_KEY": sandbox.key,
        "TELNYX_BASE_URL": sandbox.base_url,
        "TELNYX_MCP_STATE_URL": f"sqlite:///{folder}/state.sqlite3",
        "XDG_CONFIG_HOME": str(folder / "config"),
    }


class ServerProcess:
    """The other end of a server's stdin and stdout."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._last_id = 0

    async def send(self, message: Mapping[str, Any] | bytes) -> None:
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        await self.process.stdin.drain()

    async def receive(self) -> dict[str, Any]:
        """The next line, which must be a JSON-RPC message."""
        assert self.process.stdout
        line = await self.process.stdout.readline()
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return dict(message)

    async def request(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        """Sends a request and returns its id, without waiting."""
        self._last_id += 1
        await self.send(
            {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": dict(params or {})}
        )
        return self._last_id

    async def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The result of a request."""
        asked = await self.request(method, params)
        while (message := await self.receive()).get("id") != asked:
            pass
        assert "result" in message, message
        return dict(message["result"])

    async def initialize(self, *, elicitation: bool = True) -> dict[str, Any]:
        result = await self.ask(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {"elicitation": {"form": {}}} if elicitation else {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        )
        await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return result

    def signal(self, *numbers: signal.Signals) -> None:
        """Sends these signals. asyncio's `send_signal` first looks whether the process has ended, and then
        its status is lost to `wait`, which calls it 255."""
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    async def start_payment(self, amount: str) -> None:
        """Asks for a payment and approves it, without waiting for its outcome."""
        await self.request(
            "tools/call",
            {
                "name": "telnyx_create_stored_payment_transaction",
                "arguments": {"amount": amount},
            },
        )
        question = await self.receive()
        assert question["method"] == "elicitation/create"
        await self.send(
            {
                "jsonrpc": "2.0",
                "id": question["id"],
                "result": {"action": "accept", "content": {"amount": amount}},
            }
        )

    async def ended(self) -> tuple[int, bytes, bytes]:
        """Exit status, and what is left on stdout and stderr, after the end of stdin."""
        assert self.process.stdin
        self.process.stdin.close()
        out, err = await self.process.communicate()
        return self.process.returncode or 0, out, err


def whole(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, with what no process can do without."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | dict(environment)


@asynccontextmanager
async def spawned(
    *command: str,
    environment: Mapping[str, str],
    cwd: str | None = None,
    stdin: int = asyncio.subprocess.PIPE,
    stdout: int = asyncio.subprocess.PIPE,
    stderr: int | None = asyncio.subprocess.PIPE,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process, killed at the latest when the test is over."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=whole(environment),
        cwd=cwd,
        limit=2**24,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def newly_started(
    *arguments: str,
    environment: Mapping[str, str],
    cwd: str | None = None,
    seconds: float | None = SECONDS,
) -> AsyncIterator[ServerProcess]:
    """A server process as a host starts it, killed when the test is over, or after so many seconds."""
    with anyio.fail_after(seconds):
        async with spawned(*COMMAND, *arguments, environment=environment, cwd=cwd) as process:
            yield ServerProcess(process)


@asynccontextmanager
async def started(
    *arguments: str,
    environment: Mapping[str, str],
    cwd: str | None = None,
    seconds: float | None = SECONDS,
) -> AsyncIterator[ServerProcess]:
    """The same, forked from one that has imported everything: it starts at once."""
    if sys.platform == "win32":  # where nothing can be forked
        async with newly_started(*arguments, environment=environment, cwd=cwd) as server:
            yield server
        return
    from tests.support.forked_command import ForkedProcess

    with anyio.fail_after(seconds):
        process = await ForkedProcess.start(arguments, whole(environment), cwd, limit=2**24)
        try:
            yield ServerProcess(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


@asynccontextmanager
async def started_http(
    *arguments: str, environment: Mapping[str, str], seconds: float | None = SECONDS
) -> AsyncIterator[tuple[ServerProcess, str]]:
    """A server over HTTP that accepts connections, and the address of its endpoint."""
    port = free_port()
    serve = ("serve", "--http", f"127.0.0.1:{port}", *arguments)
    async with started(*serve, environment=environment, seconds=seconds) as server:
        await accepts(port)
        yield server, f"http://127.0.0.1:{port}/mcp"


async def printed_its_configuration(process: asyncio.subprocess.Process) -> None:
    """Returns once a server over HTTP has written the entry for clients, the last of its start."""
    assert process.stderr
    await process.stderr.readuntil(b"\n}\n")


def check_end(status: int, out: bytes, err: bytes) -> None:
    """An end in peace: all that was said is JSON-RPC, and a log of warnings at most."""
    assert status == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in out.splitlines())
    assert b"Traceback" not in err
    assert b"ERROR" not in err
