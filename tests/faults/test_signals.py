"""Signals, once, twice and together, whatever the server or the command does at the moment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.mcp_host import BUDGET, PAY, POST, Ended, command, hosted, serving, told_truly
from tests.support.person import Person, agrees
from tests.support.polling import until
from tests.support.proxy import Proxy
from tests.support.sandbox_requests import posts
from tests.support.server_process import client_of

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's"),
    pytest.mark.usefixtures("hears_hang_ups"),
]

Signals = Sequence[signal.Signals]
SIGNALS = pytest.mark.parametrize(
    "signals",
    [
        [signal.SIGTERM],
        [signal.SIGINT],
        [signal.SIGHUP],
        [signal.SIGTERM, signal.SIGTERM],
        [signal.SIGHUP, signal.SIGHUP],
        [signal.SIGINT, signal.SIGINT, signal.SIGINT],
        [signal.SIGHUP, signal.SIGTERM, signal.SIGINT],
    ],
    ids=lambda signals: "+".join(each.name for each in signals),
)
BALANCE = "telnyx_get_balance"


def sends(process: asyncio.subprocess.Process, signals: Signals) -> None:
    for each in signals:
        with suppress(ProcessLookupError):
            os.kill(process.pid, each)  # `send_signal` would reap a process that has ended


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stderr
    return (await process.stderr.read()).decode()


# --- serve, on stdio -----------------------------------------------------------------------------


@SIGNALS
@pytest.mark.fault("signals while `serve` reads from Telnyx", "it leaves at once, with status 0")
async def test_a_server_that_reads_leaves_at_once(
    environment: dict[str, str], sandbox: Sandbox, signals: Signals
) -> None:
    sandbox.fault("get_balance", "slow", seconds=60, times=None)
    async with hosted(environment) as host:
        reads = host.begins(BALANCE)
        await until(lambda: sandbox.requests)
        sends(host.process, signals)
        async with asyncio.timeout(10):
            assert await host.exits() == 0
        assert await said(host.process) == ""
        with pytest.raises(Ended):
            await reads


@SIGNALS
@pytest.mark.fault(
    "signals while `serve` on stdio has a payment in flight",
    "the payment is finished and recorded before the server leaves",
)
async def test_a_server_with_a_payment_in_flight_records_it_before_it_leaves(
    environment: dict[str, str], sandbox: Sandbox, signals: Signals
) -> None:
    sandbox.fault(POST, "slow", seconds=1.5)
    async with hosted(environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        sends(host.process, signals)
        assert await host.exits() == 0
        with suppress(Ended):
            await pays
    assert await told_truly(environment, sandbox) == "succeeded"


@pytest.mark.fault(
    "signals, again and again, until the payment in flight is recorded",
    "the payment is finished and recorded",
)
async def test_signals_without_end_do_not_cut_off_a_payment(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    sandbox.fault(POST, "slow", seconds=1.5)
    async with hosted(environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))

        def ended() -> bool:
            sends(host.process, [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
            return host.process.returncode is not None

        await until(ended)
        assert host.process.returncode == 0
        with suppress(Ended):
            await pays
    assert await told_truly(environment, sandbox) == "succeeded"


@pytest.mark.fault("`nohup`: SIGHUP is ignored when `serve` is started", "it serves on")
async def test_a_server_that_was_started_to_ignore_hang_ups_serves_on(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    async with hosted(environment) as host:
        host.process.send_signal(signal.SIGHUP)
        assert not (await host.call(BALANCE))["isError"]
        host.process.terminate()
        assert await host.exits() == 0


# --- stdin and stdout ----------------------------------------------------------------------------


@pytest.mark.parametrize("signals", [[], [signal.SIGTERM], [signal.SIGHUP, signal.SIGINT]])
@pytest.mark.fault(
    "stdin ends while a payment is in flight, with or without a signal",
    "the payment is finished and recorded before the server leaves",
)
async def test_the_end_of_stdin_lets_a_payment_finish(
    environment: dict[str, str], sandbox: Sandbox, signals: Signals
) -> None:
    sandbox.fault(POST, "slow", seconds=1.5)
    async with hosted(environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        assert host.process.stdin
        host.process.stdin.close()
        sends(host.process, signals)
        assert await host.exits() == 0
        with suppress(Ended):
            await pays
    assert await told_truly(environment, sandbox) == "succeeded"


# --- serve, over HTTP ----------------------------------------------------------------------------


@SIGNALS
@pytest.mark.fault("signals while `serve --http` is idle", "it leaves at once, with status 0")
async def test_a_server_over_http_leaves_at_once(
    environment: dict[str, str], signals: Signals
) -> None:
    async with serving(environment) as (process, _):
        sends(process, signals)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
        assert await said(process) == ""


@SIGNALS
@pytest.mark.fault(
    "signals while `serve --http` has a read in flight", "it leaves within seconds, with status 0"
)
async def test_a_server_over_http_that_reads_leaves_within_seconds(
    environment: dict[str, str], sandbox: Sandbox, signals: Signals
) -> None:
    sandbox.fault("get_balance", "slow", seconds=60, times=None)

    async def reads(url: str) -> None:
        with suppress(BaseExceptionGroup):
            async with client_of(url) as client:
                await client.call_tool(BALANCE, {})

    async with serving(environment) as (process, url):
        reading = asyncio.create_task(reads(url))
        await until(lambda: sandbox.requests)
        sends(process, signals)
        async with asyncio.timeout(15):
            assert await process.wait() == 0
        assert await said(process) == ""
        reading.cancel()
        await asyncio.wait([reading])


@SIGNALS
@pytest.mark.fault(
    "signals while `serve --http` has a payment in flight",
    "the payment is finished and recorded, and the client gets the outcome",
)
async def test_a_server_over_http_finishes_a_payment_and_answers_its_client(
    environment: dict[str, str], sandbox: Sandbox, signals: Signals
) -> None:
    sandbox.fault(POST, "slow", seconds=2.5)
    told: list[Any] = []

    async def pays(url: str) -> None:
        with suppress(BaseExceptionGroup):  # the client fails at its end: the server has left
            async with client_of(url, elicitation_callback=Person(agrees)) as client:
                await client.list_tools()  # or it would ask for them after the result
                told.append(await client.call_tool(PAY, {"amount": "120.00"}))

    async with serving(environment) as (process, url):
        paying = asyncio.create_task(pays(url))
        await until(lambda: posts(sandbox))
        sends(process, signals)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
        await asyncio.wait([paying])
    assert [each.structured_content["state"] for each in told] == ["succeeded"]
    assert await told_truly(environment, sandbox) == "succeeded"


# --- call ----------------------------------------------------------------------------------------


@SIGNALS
@pytest.mark.fault("signals while `call` reads from Telnyx", "it stops at once, with status 130")
async def test_a_call_that_reads_stops_at_once(
    environment: dict[str, str], sandbox: Sandbox, signals: Signals
) -> None:
    sandbox.fault("get_balance", "slow", seconds=60, times=None)
    async with command(environment, "call", BALANCE) as process:
        await until(lambda: sandbox.requests)
        sends(process, signals)
        async with asyncio.timeout(10):
            out, err = await process.communicate()
    assert process.returncode == 130
    assert out == b""
    assert "stopped" in err.decode()
    assert "Traceback" not in err.decode()


@SIGNALS
@pytest.mark.fault(
    "signals while `call` has a payment in flight",
    "it finishes the payment and says what came of it",
)
async def test_a_call_with_a_payment_in_flight_says_what_came_of_it(
    environment: dict[str, str], sandbox: Sandbox, signals: Signals
) -> None:
    sandbox.fault(POST, "slow", seconds=1.5)
    async with command(environment | BUDGET, "call", PAY, "amount=120", "--json") as process:
        await until(lambda: posts(sandbox))
        sends(process, signals)
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    assert process.returncode == 0, err
    assert b'"succeeded"' in out
    assert await told_truly(environment, sandbox) == "succeeded"


@SIGNALS
@pytest.mark.fault(
    "signals while `call` has a payment in flight, whose connection then breaks",
    "it says that the outcome is unknown; the next server blocks payments",
)
async def test_a_call_whose_payment_gets_no_answer_says_that_it_is_unknown(
    through: dict[str, str], sandbox: Sandbox, between: Proxy, signals: Signals
) -> None:
    sandbox.fault(POST, "slow", seconds=1)
    async with command(through | BUDGET, "call", PAY, "amount=120", "--json") as process:
        await until(lambda: posts(sandbox))
        between.hang()
        sends(process, signals)
        assert process.stderr
        await process.stderr.readuntil(b"waiting for its outcome.")
        between.cut()
        between.flow()
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    assert process.returncode == 1, err
    assert b'"unknown"' in out
    assert await told_truly(through, sandbox) == "unknown"
