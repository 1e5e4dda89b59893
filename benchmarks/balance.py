"""One balance call through a running server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter

import httpx

from benchmarks.measurement import Goal, Measurement, side_by_side
from benchmarks.stand_ins import running_stub
from benchmarks.subjects import Subject, rounds, state_url, subjects
from benchmarks.wire import Session

WARM_UP = 50
BLOCKS = 24
CALLS = 25
"""Calls in a block; the servers take turns block by block."""

Block = Callable[[int], Sequence[float]]
"""Makes so many calls, one after the other, and returns what each took in milliseconds."""


def measure() -> list[Measurement]:
    """Ours against the bare SDK, the peers, and plain httpx, in milliseconds."""
    with running_stub() as base_url, state_url() as state, ExitStack() as running:
        measured = subjects(base_url, TELNYX_MCP_STATE_URL=state)
        blocks = {each.name: running.enter_context(server_block(each)) for each in measured}
        blocks["httpx alone"] = running.enter_context(_httpx_alone(base_url))
        taken = in_turns(blocks)
    return side_by_side("one balance call", taken, "ms", Goal(1.2))


def in_turns(blocks: Mapping[str, Block]) -> dict[str, list[float]]:
    """What each call took, in milliseconds, after some that don't count."""
    for block in blocks.values():
        block(WARM_UP)
    taken: dict[str, list[float]] = {name: [] for name in blocks}
    for each_once in rounds(list(blocks), BLOCKS):
        for name in each_once:
            taken[name] += blocks[name](CALLS)
    return taken


@contextmanager
def server_block(subject: Subject) -> Iterator[Block]:
    """Calls of the balance tool of a server, which runs meanwhile."""
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
