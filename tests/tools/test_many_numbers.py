"""A breakdown of very many numbers, which Telnyx sends all at once: whole, soon, and in little memory."""

from __future__ import annotations

import csv
import json
import tracemalloc
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.telnyx.deadline import MANY_SECONDS
from telnyx_mcp.telnyx.long_list import LongList, cut_out
from telnyx_mcp.telnyx.transport import Transport
from tests.support.client import call, content_of, text_of
from tests.support.clock import NOW
from tests.support.scripted_telnyx import KEY, Scripted, answer

BREAKDOWN = "telnyx_get_charges_breakdown"
MAY = {"start_date": "2026-05-01", "end_date": "2026-06-01"}


def breakdown(count: int) -> bytes:
    """An answer with so many numbers, of 285 bytes each."""
    rows = [
        {
            "tn": f"+1{3_000_000_000 + each}",
            "charge_type": "local" if each % 4 else "toll_free",
            "service_owner_user_id": "2a1f3b5c-7d9e-4f01-8a2b-3c4d5e6f7a8b",
            "service_owner_email": "owner@example.com",
            "services": [
                {"name": "Standard number", "cost_type": "MRC", "cost": "1.00"},
                {"name": "CNAM", "cost_type": "MRC", "cost": f"0.{each % 100:02}"},
            ],
        }
        for each in range(count)
    ]
    head = {"currency": "USD", "user_email": "owner@example.com", "start_date": "2026-05-01"}
    return json.dumps({"data": {**head, "results": rows}}).encode()


async def test_every_number_is_counted_and_the_dearest_come_first(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will_answer(breakdown(5_000))
    told = content_of(await call(scripted_server, BREAKDOWN, {**MAY, "top": 3}))
    assert told["all"] == {
        "numbers": 5_000,
        "cost": str(5_000 + 50 * Decimal("49.50")),
        "by_charge_type": {"local": 3_750, "toll_free": 1_250},
    }
    assert [each["cost"] for each in told["items"]] == ["1.99"] * 3
    assert told["total"] == 5_000


async def test_every_page_is_there(scripted: Scripted, scripted_server: AccountServer) -> None:
    scripted.will_answer(breakdown(250))
    numbers = []
    for page in (1, 2, 3):
        told = content_of(
            await call(scripted_server, BREAKDOWN, {**MAY, "page": page, "page_size": 100})
        )
        numbers += [each["tn"] for each in told["items"]]
    assert numbers == [f"+1{3_000_000_000 + each}" for each in range(250)]


async def exported(scripted: Scripted, folder: Path) -> Any:
    settings = Settings(
        api_key=SecretStr(KEY),
        base_url=scripted.base_url,
        state_url=SecretStr(f"sqlite:///{folder}/state.sqlite3"),
        export_dir=folder,
    )
    server = build_server(
        settings, transport=Transport(SecretStr(KEY), scripted.base_url), now=lambda: NOW
    )
    try:
        return content_of(await call(server, BREAKDOWN, {**MAY, "export": True}))
    finally:
        await server.accounts.aclose()


def rows_in(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


async def test_all_numbers_are_exported(scripted: Scripted, tmp_path: Path) -> None:
    scripted.will_answer(breakdown(1_001))
    told = await exported(scripted, tmp_path)
    assert told["file"]["complete"]
    rows = rows_in(told["file"]["path"])
    assert len(rows) == told["file"]["rows"] == 2_002
    assert len({row["number"] for row in rows}) == 1_001


@pytest.mark.slow
async def test_100_000_numbers_are_read_within_a_call_and_leave_a_turn_to_others(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    """29 MB of text."""
    scripted.will_answer(body := breakdown(100_000))
    longest = [0.0]

    async def beat() -> None:
        last = monotonic()
        while True:
            await anyio.sleep(0.01)
            longest[0] = max(longest[0], monotonic() - last)
            last = monotonic()

    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    begun = monotonic()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beat)
        told = content_of(await call(scripted_server, BREAKDOWN, {**MAY, "page_size": 5}))
        tasks.cancel_scope.cancel()
    most = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert told["all"]["numbers"] == told["total"] == 100_000
    assert told["all"]["cost"] == "149500.00"
    assert monotonic() - begun < MANY_SECONDS
    assert longest[0] < 5
    assert most < 8 * len(body)


async def test_more_than_can_be_read_says_where_else_to_look(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will_answer(b" " * (64 * 2**20 + 1))
    result = await call(scripted_server, BREAKDOWN, MAY)
    assert result.is_error
    assert "more than 64 MB" in text_of(result)
    assert "telnyx_summarize_spend" in text_of(result)


@pytest.mark.parametrize("cut", [b'{"data":{"results":[{"tn":"+1"},', b'{"data":{"results":[{]}}'])
async def test_a_list_that_is_cut_off_is_an_error(
    scripted: Scripted, scripted_server: AccountServer, cut: bytes
) -> None:
    scripted.will(answer(200, cut))
    result = await call(scripted_server, BREAKDOWN, MAY)
    assert result.is_error
    assert "not JSON" in text_of(result)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet='"\\][{},: results\u3000é', max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.lists(VALUES, max_size=5),
    st.dictionaries(st.text(max_size=4), VALUES, max_size=2),
    st.dictionaries(st.text(max_size=4), VALUES, max_size=2),
    st.sampled_from([None, 2]),
)
def test_a_list_is_cut_out_of_any_json(
    rows: list[Any], before: dict[str, Any], after: dict[str, Any], indent: int | None
) -> None:
    before.pop("results", None)
    after.pop("results", None)
    body = {"data": {**before, "results": rows, **after}}
    found = cut_out(json.dumps(body, indent=indent).encode(), "results")
    if found is None:  # another list follows
        assert any("[" in json.dumps(each) or "]" in json.dumps(each) for each in after.values())
        return
    rest, listed = found
    assert rest["data"]["results"] == []
    assert [row for _, row in listed] == rows
    assert [listed[at] for at, _ in listed] == rows


@given(st.lists(VALUES, max_size=5))
def test_rows_that_were_read_are_the_same_list(rows: list[Any]) -> None:
    assert [row for _, row in LongList.of(rows)] == rows
