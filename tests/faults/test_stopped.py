"""A server that is stopped and goes on (Ctrl-Z, a debugger, a laptop that sleeps)."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trustme

from telnyx_mcp.sandbox import Sandbox
from tests.support.fake_clock import FakeClock
from tests.support.mcp_host import PAY, POST, Host, file_of, hosted, state_of, text_of, told_truly
from tests.support.polling import until
from tests.support.proxy import Proxy, proxy_to, to_port
from tests.support.sandbox_requests import posts

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's"),
]

BEYOND_THE_DEADLINE = 27.0
"""Seconds; a call has 25."""


async def stops(host: Host, seconds: float) -> None:
    host.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    host.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("seconds", [1.0, BEYOND_THE_DEADLINE])
@pytest.mark.fault(
    "the server is stopped (SIGSTOP) with several calls in flight, and goes on",
    "every call is answered; the payment among them is made once and reported correctly",
)
async def test_every_call_in_flight_is_answered_after_a_stop(
    environment: dict[str, str], sandbox: Sandbox, seconds: float
) -> None:
    for operation in ("get_balance", "list_invoices", "list_user_tags", POST):
        sandbox.fault(operation, "slow", seconds=0.5, times=None)
    async with hosted(environment) as host:
        payment = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        reads = [
            host.begins("telnyx_get_balance"),
            host.begins("telnyx_list_user_tags"),
            *(host.begins("telnyx_list_invoices", page=number) for number in range(1, 5)),
        ]
        await until(lambda: len(sandbox.requests) > 6)
        await stops(host, seconds)
        for each in reads:
            await each
        told = await payment
        assert state_of(told) in ("succeeded", "unknown"), text_of(told)
        assert not (await host.call("telnyx_get_balance"))["isError"]
    state = await told_truly(environment, sandbox)
    assert state == state_of(told)
    if seconds < BEYOND_THE_DEADLINE:
        assert state == "succeeded"


@pytest.mark.fault(
    "the server sleeps for a minute with several calls in flight: the wall clock goes on, the "
    "monotonic one stands still",
    "every call is answered; the payment among them is made once and reported correctly",
)
async def test_every_call_in_flight_is_answered_after_a_sleep(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    clock = FakeClock(tmp_path)
    for operation in ("get_balance", "list_invoices", POST):
        sandbox.fault(operation, "slow", seconds=0.5, times=None)
    async with hosted(environment | clock.environment) as host:
        payment = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        reads = [host.begins("telnyx_list_invoices", page=number) for number in range(1, 6)]
        await until(lambda: len(sandbox.requests) > 4)
        host.process.send_signal(signal.SIGSTOP)
        clock.set("+60s")
        host.process.send_signal(signal.SIGCONT)
        for each in reads:
            await each
        told = await payment
        assert state_of(told) in ("succeeded", "unknown"), text_of(told)
    assert await told_truly(environment | clock.environment, sandbox) == state_of(told)


# --- between the claim and the first byte --------------------------------------------------------


def is_claimed(environment: Mapping[str, str]) -> bool:
    """Whether the ledger says that a change is being sent."""
    with closing(sqlite3.connect(f"file:{file_of(environment)}?mode=ro", uri=True)) as ledger:
        (count,) = ledger.execute(
            "SELECT count(*) FROM telnyx_mcp_changes WHERE state = 'sending'"
        ).fetchone()
    return bool(count)


@asynccontextmanager
async def over_tls(
    sandbox: Sandbox, environment: Mapping[str, str], folder: Path
) -> AsyncIterator[tuple[Proxy, dict[str, str]]]:
    """A way to the sandbox whose connections take a handshake, and a server's environment for it."""
    authority, tls = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    way = to_port(int(sandbox.base_url.split(":")[2].split("/")[0]))
    async with proxy_to(way, tls) as inner, proxy_to(to_port(inner.port)) as outer:
        base_url = f"https://localhost:{outer.port}/v2"
        trusted = {"TELNYX_BASE_URL": base_url, "SSL_CERT_FILE": str(folder / "ca.pem")}
        yield outer, {**environment, **trusted}


@pytest.mark.parametrize(
    ("jump", "seconds"),
    [("+60s", 0.0), ("+1h", 0.0), ("+0", BEYOND_THE_DEADLINE)],
    ids=["sleeps for a minute", "sleeps for an hour", "is stopped beyond the deadline"],
)
@pytest.mark.fault(
    "the machine sleeps after the claim, while the connection is made",
    "the payment is not sent late; it is reported as not sent",
)
async def test_a_payment_is_not_sent_late(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path, jump: str, seconds: float
) -> None:
    clock = FakeClock(tmp_path)
    close = {"connection": "close"}  # so that the payment needs a new one
    sandbox.fault("get_balance", "slow", seconds=0.5, skip=1, headers=close)
    sandbox.fault("*", "slow", seconds=0, headers=close, times=None)
    async with (
        over_tls(sandbox, environment, tmp_path) as (way, secure),
        hosted(secure | clock.environment) as host,
    ):
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: [each.operation for each in sandbox.requests].count("get_balance") == 2)
        way.hang_new()
        await until(lambda: is_claimed(environment))
        host.process.send_signal(signal.SIGSTOP)
        clock.set(jump)
        way.flow()
        await asyncio.sleep(seconds)
        host.process.send_signal(signal.SIGCONT)
        told = await pays
        assert state_of(told) == "not_sent", text_of(told)
        assert posts(sandbox) == 0
        sandbox.faults.clear()
        assert state_of(await host.pay("80.00")) == "succeeded"
    assert len(sandbox.payments) == 1
