"""Many calls at once, and many clients for a while: none fails, and nothing that is held grows.

`LOAD_SECONDS` makes the time of the clients longer or shorter.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.mcp_host import hosted, serving
from tests.support.polling import until
from tests.support.process_memory import descriptors, status_of
from tests.support.server_process import client_of

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is told by /proc"),
]

LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "15"))
CLIENTS = 50
MORE_KIBIBYTES = 24 * 1024
"""What a server may hold more after the load than after its first third: allocators keep some."""
MORE_DESCRIPTORS = 5


def held_by(pid: int) -> tuple[int, int]:
    """Resident kibibytes and open descriptors."""
    return status_of(pid, "VmRSS"), descriptors(pid)


@pytest.mark.fault("200 calls at once on stdio", "each is answered, none fails, nothing held grows")
async def test_two_hundred_calls_at_once_are_answered(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    tools = (
        "telnyx_get_balance",
        "telnyx_list_invoices",
        "telnyx_list_user_tags",
        "telnyx_list_changes",
    )

    async with hosted(environment) as host:

        async def round_() -> None:
            calls = [host.begins(tools[number % len(tools)]) for number in range(200)]
            for each in calls:
                result = await each
                assert not result["isError"], result

        for _ in range(2):
            await round_()
        resident, descriptors = held_by(host.process.pid)
        for _ in range(3):
            await round_()
        after = held_by(host.process.pid)
        assert after[0] <= resident + MORE_KIBIBYTES
        assert after[1] <= descriptors + MORE_DESCRIPTORS


@pytest.mark.fault(
    f"{CLIENTS} clients over HTTP, each calling on and on",
    "none fails; memory and descriptors stay flat",
)
async def test_fifty_clients_are_answered_and_nothing_grows(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    served: Counter[int] = Counter()
    begins = time.monotonic()
    warm, ends = begins + LOAD_SECONDS / 3, begins + LOAD_SECONDS

    async with serving(environment) as (process, url):

        async def client(number: int) -> None:
            async with client_of(url) as one:
                while time.monotonic() < ends or not served[number]:
                    result = await one.call_tool("telnyx_get_balance", {})
                    assert not result.is_error, result
                    served[number] += 1

        async def measured() -> tuple[int, int]:
            await until(
                lambda: time.monotonic() >= warm and len(served) == CLIENTS, LOAD_SECONDS + 120
            )
            return held_by(process.pid)

        async with asyncio.timeout(LOAD_SECONDS + 120), asyncio.TaskGroup() as tasks:
            measuring = tasks.create_task(measured())
            for number in range(CLIENTS):
                tasks.create_task(client(number))
        resident, descriptors = measuring.result()
        after = held_by(process.pid)
        assert after[0] <= resident + MORE_KIBIBYTES
        assert after[1] <= descriptors + MORE_DESCRIPTORS
        process.terminate()
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    assert len(served) == CLIENTS
