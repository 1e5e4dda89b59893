"""Reading a long list to its end, where every request takes as long as one over the internet."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from statistics import median
from time import perf_counter

from pydantic import SecretStr

from benchmarks.measurement import Figure, Measurement
from benchmarks.stand_ins import running_stub
from benchmarks.subjects import ROOT, WORKERS, environment
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.operations import LIST_INVOICES
from telnyx_mcp.telnyx.pagination import AHEAD, iter_pages
from telnyx_mcp.telnyx.transport import Transport

INVOICES = 10_000
LATENCY = 0.02
"""Seconds until an answer begins."""
ROUNDS = 3
LARGEST = LIST_INVOICES.largest_page
USUAL = 20
"""Rows that Telnyx sends unless asked for more."""


def measure() -> list[Measurement]:
    """Ours against page by page, and against the official SDK's auto-paging, in seconds."""
    what = f"{INVOICES:,} invoices"
    with running_stub("--invoices", str(INVOICES), "--latency", str(LATENCY)) as base_url:
        ours = Figure("ours", median(_ours(base_url, LARGEST, AHEAD) for _ in range(ROUNDS)), "s")
        page_by_page = Figure("one by one", _ours(base_url, USUAL, 1), "s")
        sdk = Figure("telnyx SDK", _sdk(base_url), "s")
        sdk_largest = Figure("telnyx SDK", _sdk(base_url, LARGEST), "s")
    return [
        Measurement(what, ours, page_by_page, note=f"pages of {USUAL}"),
        Measurement(what, ours, sdk, note="as it comes"),
        Measurement(what, ours, sdk_largest, note=f"pages of {LARGEST}"),
    ]


def _ours(base_url: str, size: int, ahead: int) -> float:
    """Seconds that our client's walk takes, with a connection that is open already."""

    async def walked() -> float:
        client = TelnyxClient(Transport(SecretStr("KEY_benchmark"), base_url))
        await client.get_balance()
        begun = perf_counter()
        ids: set[str | None] = set()
        pages = iter_pages(
            lambda number: client.list_invoices(page=number, page_size=size),
            max_pages=INVOICES,
            ahead=ahead,
        )
        async for page in pages:
            ids.update(each.invoice_id for each in page.items)
        taken = perf_counter() - begun
        await client.aclose()
        return _complete(taken, len(ids))

    return asyncio.run(walked())


def _sdk(base_url: str, *size: int) -> float:
    """The same with the official SDK, in a process of its own."""
    done = subprocess.run(
        (sys.executable, str(WORKERS / "sdk_invoices.py"), *map(str, size)),
        cwd=ROOT,
        env=environment(base_url),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the telnyx SDK failed: {done.stderr.strip()[-500:]}")
    taken, read = done.stdout.split()
    return _complete(float(taken), int(read))


def _complete(taken: float, read: int) -> float:
    if read != INVOICES:
        raise RuntimeError(f"{read} invoices were read, not {INVOICES}")
    return taken
