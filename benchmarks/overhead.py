"""What it costs the usual call, which need not wait, that all copies keep one pace."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from statistics import median
from time import perf_counter

from benchmarks.balance import in_turns, server_block
from benchmarks.measurement import Figure, Goal, Measurement, Unavailable, side_by_side
from benchmarks.postgres import running_postgres
from benchmarks.stand_ins import running_stub
from benchmarks.subjects import NOWHERE, SERVERS, WORKERS, environment, ours, state_url
from benchmarks.worker import Worker
from telnyx_mcp.telnyx.rate_limit.pacer import Pacer
from telnyx_mcp.telnyx.rate_limit.stores import pace_store

KEY = "KEY_benchmark"
ENDPOINT = "/balance"
TOLD = {
    "x-ratelimit-limit": "10000000",
    "x-ratelimit-remaining": "9999999",
    "x-ratelimit-reset": "10",
}
IDLE = 20
MICROSECONDS = "µs"  # noqa: RUF001 - the sign that keyboards have
GOAL = Goal(1000, of_figure=True)
"""In microseconds: less than a millisecond."""


def measure() -> list[Measurement]:
    """A turn in the pace shared by each means, and a whole call, against pacing alone."""
    rows = []
    with state_url() as state:
        rows.append(_turn("a turn, SQLite", state))
        with ExitStack() as copies:
            idle = (sys.executable, str(WORKERS / "idle_copy.py"), state)
            for copy in [copies.enter_context(Worker(idle, environment())) for _ in range(IDLE)]:
                copy.said()
            rows.append(_turn(f"a turn, {IDLE} copies idle", state))
    with suppress(Unavailable), running_postgres() as url:  # told once, below the table
        rows.append(_turn("a turn, PostgreSQL", url))
    return [*rows, *_calls()]


def _turn(what: str, url: str) -> Measurement:
    """Taking a turn and learning from its answer, in microseconds; medians."""
    shared = Pacer(pace_store(url, KEY, NOWHERE))
    pacers = {"ours": shared, "paced alone": Pacer()}
    with asyncio.Runner() as runner:
        taken = in_turns({name: partial(_turns, runner, pacer) for name, pacer in pacers.items()})
    if not shared.place:
        raise RuntimeError(f"{what}: the pace could not be shared")
    shared.close()
    through, alone = (Figure(name, median(taken[name]) * 1000, MICROSECONDS) for name in pacers)
    return Measurement(what, through, alone, GOAL)


def _turns(runner: asyncio.Runner, pacer: Pacer, count: int) -> list[float]:
    async def turns() -> list[float]:
        taken = []
        for _ in range(count):
            begun = perf_counter()
            sent = await pacer.turn(ENDPOINT)
            await pacer.learn(ENDPOINT, 200, TOLD, sent)
            taken.append((perf_counter() - begun) * 1000)
        return taken

    return runner.run(turns())


def _calls() -> list[Measurement]:
    """One balance call through the server, in milliseconds."""
    with running_stub() as base_url, state_url() as state, ExitStack() as running:
        shared = ours(base_url, TELNYX_MCP_STATE_URL=state)
        alone = replace(
            shared, name="paced alone", command=(sys.executable, str(SERVERS / "own_pace.py"))
        )
        taken = in_turns(
            {each.name: running.enter_context(server_block(each)) for each in (shared, alone)}
        )
    return side_by_side("a call, pace shared", taken, "ms")
