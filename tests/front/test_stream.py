"""The front in a process of its own: stdin, stdout, signals, and the hand-over."""

from __future__ import annotations

import array
import fcntl
import json
import os
import signal
import sys
import termios
from pathlib import Path

import anyio
import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.server_process import (
    ServerProcess,
    environment_for,
    newly_started,
    spawned,
    started,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no front")

LIBRARIES = ("mcp", "mcp_types", "anyio", "pydantic", "httpx", "sqlalchemy", "asyncio", "argparse")
LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
CALL = {"name": "telnyx_get_balance", "arguments": {}}


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return environment_for(sandbox, tmp_path)


async def test_a_copy_that_is_only_listed_imports_no_library(environment: dict[str, str]) -> None:
    command = (sys.executable, "-X", "importtime", "-m", "telnyx_mcp")
    with anyio.fail_after(20):
        async with spawned(*command, environment=environment) as process:
            server = ServerProcess(process)
            await server.initialize()
            for each in (*LISTS, "ping"):
                await server.ask(each)
            _, _, err = await server.ended()
    imported = {line.rpartition("|")[2].strip() for line in err.decode().splitlines()}
    assert "telnyx_mcp.front.stream" in imported
    assert imported.isdisjoint(LIBRARIES)


async def test_a_payment_is_asked_for_and_made_after_the_lists(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    async with newly_started(environment=environment) as server:
        await server.initialize()
        for each in LISTS:
            await server.ask(each)
        await server.start_payment("120.00")
        answer = await server.receive()
        assert not answer["result"].get("isError"), answer
        assert (await server.ended())[0] == 0
    assert len(sandbox.payments) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what stdin is")
async def test_a_program_that_the_server_starts_does_not_read_its_stdin(
    environment: dict[str, str],
) -> None:
    async with newly_started(environment=environment) as server:
        await server.initialize()
        await server.ask("tools/call", CALL)
        stdin = anyio.Path(f"/proc/{server.process.pid}/fd/0")
        assert str(await stdin.readlink()) == os.devnull
        assert (await server.ended())[0] == 0


def request(method: str, number: int, params: object = None) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}
    return json.dumps(message).encode() + b"\n"


GREETING = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
CONVERSATION = (
    request("initialize", 0, GREETING)
    + b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
    + request("tools/list", 1)
    + request("tools/call", 2, {"name": "telnyx_nothing"})
    + request("prompts/list", 3)
)


async def is_read(server: ServerProcess) -> None:
    """Returns once the process has taken everything from its stdin."""
    assert server.process.stdin
    await server.process.stdin.drain()
    descriptor = server.process.stdin.transport.get_extra_info("pipe").fileno()
    waiting = array.array("i", [1])
    while waiting[0]:
        fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
        await anyio.sleep(0.001)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much of a pipe is unread")
@pytest.mark.parametrize("cut", range(1, len(CONVERSATION), len(CONVERSATION) // 12))
async def test_a_conversation_may_be_cut_anywhere(cut: int, environment: dict[str, str]) -> None:
    async with started(environment=environment) as server:
        assert server.process.stdin
        for part in (CONVERSATION[:cut], CONVERSATION[cut:]):
            server.process.stdin.write(part)
            await is_read(server)
        answers = [await server.receive() for _ in range(4)]
        assert sorted(each["id"] for each in answers) == [0, 1, 2, 3]
        assert all("result" in each for each in answers)
        assert await server.ended() == (0, b"", b"")


@pytest.mark.parametrize("calls_at", [None, 100, 200], ids=["never", "between", "at the end"])
async def test_a_client_may_send_much_before_it_reads(
    calls_at: int | None, environment: dict[str, str]
) -> None:
    async with started(environment=environment) as server:
        await server.initialize()
        assert server.process.stdin
        numbers = range(1000, 1200)
        for number in numbers:
            server.process.stdin.write(request("tools/list", number))
            if number - numbers.start + 1 == calls_at:
                server.process.stdin.write(request("tools/call", 1, {"name": "telnyx_nothing"}))
        await server.process.stdin.drain()
        expected = {*numbers, *([1] if calls_at else [])}
        assert {(await server.receive())["id"] for _ in expected} == expected
        assert await server.ended() == (0, b"", b"")


SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])


@SIGNALS
@pytest.mark.usefixtures("hears_hang_ups")
async def test_a_signal_ends_an_idle_copy(
    number: signal.Signals, environment: dict[str, str]
) -> None:
    async with newly_started(environment=environment) as server:
        await server.initialize()
        await server.ask("tools/list")
        server.signal(number)
        assert await server.process.wait() == 0
        assert server.process.stderr
        assert await server.process.stderr.read() == b""


@SIGNALS
@pytest.mark.usefixtures("hears_hang_ups")
async def test_a_signal_during_the_hand_over_ends_it_and_sends_nothing(
    number: signal.Signals, environment: dict[str, str], sandbox: Sandbox
) -> None:
    async with newly_started(environment=environment) as server:
        await server.initialize()
        await server.request("tools/call", CALL)
        server.signal(number)
        assert await server.process.wait() == 0
        assert server.process.stderr
        assert await server.process.stderr.read() == b""
    assert sandbox.requests == []


@pytest.mark.parametrize("asked", ["tools/list", "tools/call"])
async def test_a_client_that_no_longer_reads_ends_it_without_a_traceback(
    asked: str, environment: dict[str, str]
) -> None:
    read, write = os.pipe()
    with anyio.fail_after(20):
        async with spawned(
            sys.executable, "-m", "telnyx_mcp", environment=environment, stdout=write
        ) as process:
            os.close(write)
            os.close(read)
            assert process.stdin
            assert process.stderr
            process.stdin.write(request("initialize", 0, GREETING))
            process.stdin.write(request(asked, 1, CALL if asked == "tools/call" else {}))
            assert await process.stderr.read() == b""
            assert await process.wait() == 0
