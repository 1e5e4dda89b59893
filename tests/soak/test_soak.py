"""Four servers under mixed load for ten minutes: nothing they hold grows.

`SOAK_SECONDS` makes it shorter or longer. The load is what hosts and people do: lists, mistakes,
calls given up, payments declined; and what Telnyx does: it refuses, breaks off and takes its time.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import pytest

from telnyx_mcp.sandbox import Sandbox, running_sandbox
from tests.support.clock import TODAY
from tests.support.process_memory import descriptors, status_of
from tests.support.server_process import COMMAND, ServerProcess, environment_for, spawned

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is told by /proc"),
]

SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
WARM_UP_SECONDS = min(120.0, SOAK_SECONDS / 3)
"""Part of it: after this, whatever is made once has been made."""
SETTLE_SECONDS = 12.0
"""Idle connections are closed after 5 s, and threads that have nothing to do after 10."""
ANSWER_SECONDS = 60.0
SERVERS = 4

MORE_KIBIBYTES = 4 * 1024
MORE_MEMORY = 0.05
"""A server may hold this much more than after the warm-up: the larger of both."""
MORE_DESCRIPTORS = 2
MORE_THREADS = 1
LARGEST_LOG = 8 * 1024 * 1024
"""Bytes of a write-ahead log; SQLite starts it anew at 4 MB, when nobody is reading."""
LEDGER_BYTES_PER_PAYMENT = 4096

Load = Callable[["Host"], Awaitable[None]]


@dataclass(frozen=True)
class Held:
    """What one server holds."""

    kibibytes: int
    descriptors: int
    threads: int


def held_by(server: ServerProcess) -> Held:
    pid = server.process.pid
    return Held(status_of(pid, "VmRSS"), descriptors(pid), status_of(pid, "Threads"))


class Host:
    """Drives one server, as an assistant's host does: one call after the other."""

    def __init__(self, server: ServerProcess, number: int) -> None:
        self.server = server
        self.did: Counter[str] = Counter()
        self.random = random.Random(number)
        self._cents = count((number + 1) * 100_00)

    async def run(self, until: float) -> None:
        loads, weights = zip(*LOADS, strict=True)
        while time.monotonic() < until:
            (load,) = self.random.choices(loads, weights)
            with anyio.fail_after(ANSWER_SECONDS):
                await load(self)
            self.did[load.__name__] += 1

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return await self.server.ask("tools/call", {"name": tool, "arguments": arguments})

    async def answered(self, tool: str, **arguments: Any) -> None:
        result = await self.call(tool, **arguments)
        assert not result["isError"], result

    async def refused(self, tool: str, **arguments: Any) -> None:
        result = await self.call(tool, **arguments)
        assert result["isError"], result

    async def next_amount_declined(self) -> None:
        """A payment that the person declines; each for another amount, so that each is asked."""
        cents = next(self._cents)
        amount = f"{cents // 100}.{cents % 100:02d}"
        asked = await self.server.request(
            "tools/call",
            {
                "name": "telnyx_create_stored_payment_transaction",
                "arguments": {"amount": amount},
            },
        )
        while (message := await self.server.receive()).get("id") != asked or "method" in message:
            if message.get("method") == "elicitation/create":
                answer = {"jsonrpc": "2.0", "id": message["id"], "result": {"action": "decline"}}
                await self.server.send(answer)
        told = str(message["result"]["content"])
        assert "declined" in told or "rate limit of Telnyx is used up" in told, message


async def balance(host: Host) -> None:
    await host.answered("telnyx_get_balance")


async def lists(host: Host) -> None:
    tool = host.random.choice(
        ("telnyx_list_invoices", "telnyx_list_audit_events", "telnyx_list_webhook_deliveries")
    )
    await host.answered(tool, page=host.random.randint(1, 3))


async def records(host: Host) -> None:
    await host.answered(
        "telnyx_search_detail_records", record_type="messaging", date_range="last_7_days"
    )


async def sums(host: Host) -> None:
    await host.answered(
        "telnyx_summarize_usage",
        product="messaging",
        start_date="2026-06-01",
        end_date="2026-06-08",
        group_by=["status"],
    )


async def unknown_ids(host: Host) -> None:
    await host.refused("telnyx_get_invoice", invoice_id=f"{host.random.getrandbits(128):032x}")


async def wrong_arguments(host: Host) -> None:
    await host.refused("telnyx_get_charges_summary", start_date="yesterday", finish="today")


async def given_up(host: Host) -> None:
    """A call that the host cancels, sometimes before and sometimes after it was answered."""
    asked = await host.server.request("tools/call", {"name": "telnyx_list_user_tags"})
    await anyio.sleep(host.random.random() * 0.02)
    cancelled = {"requestId": asked, "reason": "the user stopped"}
    await host.server.send(
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled}
    )


async def declined(host: Host) -> None:
    await host.next_amount_declined()


LOADS: Sequence[tuple[Load, int]] = (
    (balance, 40),
    (lists, 30),
    (records, 10),
    (sums, 4),
    (unknown_ids, 8),
    (wrong_arguments, 8),
    (given_up, 8),
    (declined, 1),
)
FAULTS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("status", {"status": 429, "code": "10011", "headers": {"retry-after": "1"}}),
    ("drop_before", {}),
    ("slow", {"seconds": 0.5}),
    ("status", {"status": 503}),
)
"""Each is met by one request, and got over by trying again."""
FAULT_EVERY = 3.0
"""Seconds, so that no call meets three of them and fails."""
FAULTY = ("get_balance", "list_invoices", "search_detail_records")


async def faults_until(until: float, sandbox: Sandbox) -> None:
    kinds = random.Random(0)
    while time.monotonic() < until:
        kind, options = kinds.choice(FAULTS)
        sandbox.faults.clear()
        sandbox.fault(kinds.choice(FAULTY), kind, **options)
        await anyio.sleep(FAULT_EVERY)


async def load_for(seconds: float, hosts: Sequence[Host], sandbox: Sandbox) -> None:
    """All of it for so long, and then time to settle."""
    until = time.monotonic() + seconds
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(faults_until, until, sandbox)
        for host in hosts:
            tasks.start_soon(host.run, until)
    sandbox.faults.clear()
    await anyio.sleep(SETTLE_SECONDS)
    for host in hosts:
        await balance(host)  # threads leave when another has come back, and not before
    await anyio.sleep(1)


def sizes(folder: Path) -> dict[str, int]:
    return {each.name: each.stat().st_size for each in folder.iterdir()}


@asynccontextmanager
async def running(sandbox: Sandbox, folder: Path) -> AsyncIterator[ServerProcess]:
    environment, nothing = environment_for(sandbox, folder), asyncio.subprocess.DEVNULL
    async with spawned(*COMMAND, environment=environment, stderr=nothing) as process:
        yield ServerProcess(process)


async def test_nothing_grows_under_mixed_load(tmp_path: Path) -> None:
    faulthandler.cancel_dump_traceback_later()  # it is meant to take long
    with running_sandbox(today=TODAY, records_per_day=20) as sandbox:
        async with AsyncExitStack() as stack:
            hosts = []
            for number in range(SERVERS):
                server = await stack.enter_async_context(running(sandbox, tmp_path))
                with anyio.fail_after(ANSWER_SECONDS):
                    await server.initialize()
                hosts.append(Host(server, number))
                await declined(hosts[-1])
            await load_for(WARM_UP_SECONDS, hosts, sandbox)
            payments = sum(host.did["declined"] for host in hosts)
            held, files = [held_by(host.server) for host in hosts], sizes(tmp_path)
            await load_for(SOAK_SECONDS - WARM_UP_SECONDS, hosts, sandbox)
            payments = sum(host.did["declined"] for host in hosts) - payments
            held_now, files_now = [held_by(host.server) for host in hosts], sizes(tmp_path)
    told = f"{held} -> {held_now}; {files} -> {files_now}; {[dict(host.did) for host in hosts]}"
    for before, now in zip(held, held_now, strict=True):
        more = now.kibibytes - before.kibibytes
        assert more <= max(MORE_KIBIBYTES, MORE_MEMORY * before.kibibytes), told
        assert now.descriptors <= before.descriptors + MORE_DESCRIPTORS, told
        assert now.threads <= before.threads + MORE_THREADS, told
    assert files.keys() == files_now.keys(), told
    for name, size in files_now.items():
        if name.endswith("-wal"):
            assert size <= LARGEST_LOG, told
        else:
            more_payments = payments * LEDGER_BYTES_PER_PAYMENT if ".pace." not in name else 0
            assert size <= files[name] + 64 * 1024 + more_payments, told
    assert sandbox.payments == [], "nobody approved any"
    assert all(host.did.keys() >= {load.__name__ for load, _ in LOADS} for host in hosts), told
    print(told)  # noqa: T201 - shown by `-s`
