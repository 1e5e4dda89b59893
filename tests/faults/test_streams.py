"""stdin, stdout and stderr that close, fill up or are not read, and files that may not grow."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.broken_streams import broken, closed, full, unread
from tests.support.mcp_host import BUDGET, PAY, POST, hosted, state_of, text_of, told_truly
from tests.support.polling import until
from tests.support.sandbox_requests import posts
from tests.support.server_process import whole

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="descriptors are POSIX's"),
]

STDERRS = pytest.mark.parametrize("stderr", [closed, full, unread, broken])
CLOSING = ("sh", "-c", 'exec "$0" "$@" 2>&-')
COMMAND = [sys.executable, "-m", "telnyx_mcp"]


@pytest.fixture
def talkative(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a server that has something to say: a setting that it does not know."""
    return environment | {"TELNYX_MCP_TIME_ZONE_": "UTC"}


@STDERRS
@pytest.mark.fault(
    "stderr closed, full, unread or without a reader, while a payment is made",
    "the payment is made once and reported",
)
async def test_a_payment_is_made_and_reported_whatever_becomes_of_stderr(
    talkative: dict[str, str], sandbox: Sandbox, stderr: object
) -> None:
    with stderr() as file:  # type: ignore[operator]
        by = CLOSING if file is None else ()
        async with hosted(
            talkative, by=by, stderr=asyncio.subprocess.DEVNULL if by else file
        ) as host:
            assert state_of(await host.pay()) == "succeeded"
            assert await host.leaves() == 0
    assert await told_truly(talkative, sandbox) == "succeeded"


@pytest.mark.fault(
    "the host dies while a payment is in flight: nobody reads stdout, and stdin ends",
    "the payment is finished and recorded before the server leaves",
)
async def test_a_payment_is_recorded_though_its_host_died(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    sandbox.fault(POST, "slow", seconds=1)
    async with hosted(environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        transport = host.process._transport  # type: ignore[attr-defined]
        for number in (0, 1):
            transport.get_pipe_transport(number).close()
        await host.exits()
        pays.cancel()
        assert host.process.stderr
        assert b"Traceback" not in await host.process.stderr.read()
    assert await told_truly(environment, sandbox) == "succeeded"


@pytest.mark.fault(
    "stdout loses its reader while a payment is in flight, and stdin stays open",
    "the payment is finished and recorded",
)
async def test_a_payment_is_recorded_though_nobody_reads_stdout(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    sandbox.fault(POST, "slow", seconds=1)
    async with hosted(environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        host.process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        await until(lambda: sandbox.payments)
        assert host.process.stdin
        host.process.stdin.close()
        await host.exits()
        pays.cancel()
        assert host.process.stderr
        assert b"Traceback" not in await host.process.stderr.read()
    assert await told_truly(environment, sandbox) == "succeeded"


@pytest.mark.parametrize("tail", ["| head -c 0", ">/dev/full", ">&-"])
@pytest.mark.fault(
    "`call` pays and its stdout is closed, full or without a reader",
    "the payment is made once and recorded; the command fails without a traceback",
)
def test_a_call_whose_stdout_is_gone_has_paid_once(
    environment: dict[str, str], sandbox: Sandbox, tail: str
) -> None:
    pays = shlex.join([*COMMAND, "call", PAY, "amount=120", "--json"])
    done = run(f"{pays} {tail}", environment | BUDGET)
    assert "Traceback" not in done.stderr
    assert ("No space left on device" in done.stderr) == ("full" in tail)
    assert len(sandbox.payments) == posts(sandbox) == 1
    listed = run(shlex.join([*COMMAND, "ledger"]), environment)
    assert "succeeded" in listed.stdout


@pytest.mark.parametrize("tail", ["| head -c 0", ">/dev/full", ">&-"])
@pytest.mark.parametrize(
    "arguments", [["call", "telnyx_get_balance"], ["call"], ["ledger"], ["--version"], ["doctor"]]
)
@pytest.mark.fault(
    "any command whose stdout is closed, full or without a reader", "it ends without a traceback"
)
def test_no_command_ends_in_a_traceback_because_of_its_stdout(
    environment: dict[str, str], arguments: list[str], tail: str
) -> None:
    done = run(f"{shlex.join([*COMMAND, *arguments])} {tail}", environment)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert ("No space left on device" in done.stderr) == ("full" in tail)


@pytest.mark.fault(
    "`ulimit -f 0`: no file may grow, from the start",
    "what reads is answered; a payment is not sent, and the error says why",
)
async def test_where_no_file_may_grow_reads_are_answered_and_nothing_is_paid(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    async with hosted(environment, by=("sh", "-c", 'ulimit -f 0; exec "$0" "$@"')) as host:
        for _ in range(3):
            assert not (await host.call("telnyx_get_balance"))["isError"]
        told = await host.pay()
        assert told["isError"]
        assert "Nothing was sent" in text_of(told)
        assert await host.leaves() == 0
    assert posts(sandbox) == 0


@pytest.mark.parametrize("limit", [4, 16, 40, 64, 100])
@pytest.mark.fault(
    "files may grow to a few kilobytes only (`ulimit -f`)",
    "each payment is either made and recorded, or not sent; never one without the other",
)
async def test_where_files_may_grow_a_little_no_payment_is_made_without_its_record(
    environment: dict[str, str], sandbox: Sandbox, limit: int
) -> None:
    """`ulimit -f` counts blocks of 512 bytes in dash."""
    by = ("sh", "-c", f'ulimit -f {limit}; exec "$0" "$@"')
    amounts = [f"{number}.00" for number in range(100, 108)]
    async with hosted(environment, by=by) as host:
        for amount in amounts:
            told = await host.pay(amount)
            if not told["isError"]:
                assert state_of(told) == "succeeded"
            elif "Nothing was sent" in text_of(told):
                break
    async with hosted(environment) as host:
        recorded = {
            each["arguments"]["amount"]: each["state"]
            for each in await host.changes()
            if each.get("sent_at")
        }
    paid = {f"{int(each['amount_cents']) / 100:.2f}" for each in sandbox.payments}
    assert paid == {
        amount for amount, state in recorded.items() if state in ("succeeded", "unknown")
    }
    assert posts(sandbox) == len(paid)


def run(script: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env=whole(environment) | {"PATH": os.environ["PATH"], "COLUMNS": "200"},
    )
