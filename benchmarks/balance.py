"""One balance call through a running server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter

import httpx

from benchmarks.measurement import Goal, Measurement, side_by_side
from benchmarks.subjects import SERVERS, Subject, rounds, subjects
from benchmarks.wire import Session

WARM_UP = 50
BLOCKS = 24
CALLS = 25
"""Calls in a block; the servers take turns block by block."""

Block = Callable[[int], Sequence[float]]
"""Makes so many calls, one after the other, and returns what each took in milliseconds."""


def measure() -> list[Measurement]:
    """Ours against the bare SDK, the peers, and plain httpx, in milliseconds."""
    with running_stub() as base_url, ExitStack() as running:
        blocks = {each.name: running.enter_context(_server(each)) for each in subjects(base_url)}
        blocks["httpx alone"] = running.enter_context(_httpx_alone(base_url))
        for block in blocks.values():
            block(WARM_UP)
        taken: dict[str, list[float]] = {name: [] for name in blocks}
        for each_once in rounds(list(blocks), BLOCKS):
            for name in each_once:
                taken[name] += blocks[name](CALLS)
    return side_by_side("one balance call", taken, "ms", Goal(1.3))


@contextmanager
def running_stub() -> Iterator[str]:
    """The base URL of a stand-in for Telnyx, which runs meanwhile."""
    stub = subprocess.Popen(
        (sys.executable, str(SERVERS / "telnyx_stub.py")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert stub.stdout
        yield f"http://127.0.0.1:{int(stub.stdout.readline())}/v2"
    finally:
        stub.communicate()


@contextmanager
def _server(subject: Subject) -> Iterator[Block]:
    with Session(subject) as session:
        session.open()

        def block(calls: int) -> list[float]:
            taken = []
            for _ in range(calls):
                begun = perf_counter()
                session.call(subject.balance_tool)
                taken.append((perf_counter() - begun) * 1000)
            return taken

        yield block


@contextmanager
def _httpx_alone(base_url: str) -> Iterator[Block]:
    client = httpx.AsyncClient(base_url=base_url)

    async def calls_made(calls: int) -> list[float]:
        taken = []
        for _ in range(calls):
            begun = perf_counter()
            (await client.get("balance")).raise_for_status().json()
            taken.append((perf_counter() - begun) * 1000)
        return taken

    with asyncio.Runner() as runner:
        yield lambda calls: runner.run(calls_made(calls))
        runner.run(client.aclose())
