"""The service of a team: calls a second and their latency with one and two replicas, and while both are
replaced."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import httpx2

from benchmarks.measurement import Figure, Goal, Measurement
from benchmarks.stand_ins import running_stub
from benchmarks.subjects import environment
from tests.service.issuer import Issuer, running_issuer
from tests.support.ports import accepts, free_port
from tests.support.postgresql_cluster import Cluster, running_cluster
from tests.support.service_processes import Fleet, fleet

CALLERS = 8
WARM_UP = 40
CALLS = 800
ROLL_CALLS = 500
HEADERS = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
}


@dataclass(frozen=True, slots=True)
class _Account:
    """The stand-in for Telnyx, as a fleet takes it."""

    base_url: str
    key: str = "KEY-of-the-bench"


@dataclass(frozen=True, slots=True)
class _Load:
    """What the calls of one server took."""

    per_second: float
    milliseconds: list[float]
    failed: int

    @property
    def p95(self) -> float:
        return quantiles(self.milliseconds, n=20)[-1]


def measure() -> list[Measurement]:
    """One and two replicas beside the bare SDK over HTTP, with eight callers at a time."""
    with running_stub() as base_url, running_cluster() as cluster:
        return asyncio.run(_measure(_Account(base_url), cluster))


async def _measure(account: Any, cluster: Cluster) -> list[Measurement]:
    rows: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        async with running_issuer() as issuer:
            bare = await _bare(account)
            async with _fleet(account, cluster, issuer, Path(folder) / "one", 1) as running:
                one = await _load(running.endpoint, "telnyx_get_balance", _token(running, issuer))
            async with _fleet(account, cluster, issuer, Path(folder) / "two", 2) as running:
                token = _token(running, issuer)
                two = await _load(running.endpoint, "telnyx_get_balance", token)
                rolled = await _rolled(running, token)
    for name, load in (("one replica", one), ("two and HAProxy", two)):
        what = f"service, {name}"
        rows += [
            _row(what, load.per_second, "calls/s", bare.per_second),
            _row("", median(load.milliseconds), "ms", median(bare.milliseconds)),
            _row("", load.p95, "ms at 95 %", bare.p95),
        ]
    what = f"both replaced, of {len(rolled.milliseconds)} calls"
    failed = Figure("ours", rolled.failed, "failed")
    rows.append(Measurement(what, failed, goal=Goal(0, of_figure=True)))
    slowest = Figure("ours", max(rolled.milliseconds), "ms")
    rows.append(Measurement("the slowest of them", slowest))
    return rows


def _row(what: str, ours: float, unit: str, bare: float) -> Measurement:
    return Measurement(what, Figure("ours", ours, unit), Figure("bare SDK over HTTP", bare, unit))


def _fleet(account: Any, cluster: Cluster, issuer: Issuer, folder: Path, size: int) -> Any:
    folder.mkdir()
    url = cluster.url(cluster.new_database())
    return fleet(account, url, issuer.url, folder, size=size, drain=1.5, behind_proxy=size > 1)


def _token(running: Fleet, issuer: Issuer) -> str:
    return issuer.token(running.endpoint, groups=["everybody"])


async def _bare(account: _Account) -> _Load:
    port = free_port()
    given = environment(TELNYX_BASE_URL=account.base_url, TELNYX_API_KEY=account.key)
    command = (sys.executable, "-m", "benchmarks.servers.bare_http", str(port))
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=given, stdout=quiet, stderr=quiet)
    try:
        await accepts(port)
        return await _load(f"http://127.0.0.1:{port}/mcp", "balance", "none")
    finally:
        process.kill()
        await process.wait()


async def _load(url: str, tool: str, token: str) -> _Load:
    """Calls of several callers at a time, after some that don't count."""
    async with _client(token) as http:
        await _calls(http, url, tool, lambda made: made < WARM_UP)
        begun = perf_counter()
        taken, failed = await _calls(http, url, tool, lambda made: made < CALLS)
        return _Load(len(taken) / (perf_counter() - begun), taken, failed)


async def _rolled(running: Fleet, token: str) -> _Load:
    """Calls while each replica is stopped and started once."""
    rolled = False

    async def roll() -> None:
        nonlocal rolled
        for each in running.replicas:
            if await each.stop():
                raise RuntimeError("a replica did not end with status 0")
            await each.start()
            await asyncio.sleep(1)  # until HAProxy has seen it
        rolled = True

    async with _client(token) as http, asyncio.TaskGroup() as tasks:
        rolling = tasks.create_task(roll())
        begun = perf_counter()
        taken, failed = await _calls(
            http,
            running.endpoint,
            "telnyx_get_balance",
            lambda made: made < ROLL_CALLS or not rolled,
        )
        await rolling
    return _Load(len(taken) / (perf_counter() - begun), taken, failed)


def _client(token: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(headers={**HEADERS, "authorization": f"Bearer {token}"}, timeout=60)


async def _calls(
    http: httpx2.AsyncClient, url: str, tool: str, more: Callable[[int], bool]
) -> tuple[list[float], int]:
    """What the calls took, in milliseconds, and how many of them failed."""
    taken: list[float] = []
    failed = 0

    async def caller() -> None:
        nonlocal failed
        while more(len(taken)):
            begun = perf_counter()
            failed += not await _is_answered(http, url, tool)
            taken.append((perf_counter() - begun) * 1000)

    waiting: list[Awaitable[None]] = [caller() for _ in range(CALLERS)]
    await asyncio.gather(*waiting)
    return taken, failed


async def _is_answered(http: httpx2.AsyncClient, url: str, tool: str) -> bool:
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": {}},
    }
    try:
        answer = await http.post(url, json=call)
    except httpx2.HTTPError:
        return False
    return answer.status_code == 200 and '"isError":true' not in answer.text.replace(" ", "")
