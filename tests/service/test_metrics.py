"""Metrics: what is counted, by which labels, and what the ledger is asked."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from telnyx_mcp.service.telemetry.calls import KEY, OTHER, CallLog
from telnyx_mcp.service.telemetry.exporting import Telemetry, telemetry
from telnyx_mcp.service.telemetry.ledger_counts import counting
from telnyx_mcp.service.telemetry.metrics import Cached, LedgerCounts
from telnyx_mcp.service.telemetry.tracing import traces_to
from telnyx_mcp.storage.schema import changes, notices, ticks
from telnyx_mcp.storage.store import Store, StoreError
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.rate_limit.pacer import Pacer
from telnyx_mcp.telnyx.rate_limit.stores import InMemoryStore
from tests.support.clock import NOW
from tests.support.simulated_time import Time


def nothing() -> LedgerCounts:
    return LedgerCounts()


async def shown(watched: Telemetry, path: str = "/metrics") -> httpx2.Response:
    transport = httpx2.ASGITransport(watched.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as http:
        return await http.get(path)


async def test_calls_are_counted_by_tool_and_outcome() -> None:
    watched = telemetry({}, nothing)
    watched.metrics.call("telnyx_get_balance", "ok", 0.2)
    watched.metrics.call("telnyx_get_balance", "ok", 3.0)
    text = (await shown(watched)).text
    assert 'telnyx_mcp_calls_total{outcome="ok",tool="telnyx_get_balance"} 2.0' in text
    bucket = 'telnyx_mcp_call_duration_seconds_bucket{le="0.25",tool="telnyx_get_balance"} 1.0'
    assert bucket in text


async def test_a_client_can_not_invent_labels() -> None:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        assert scope[KEY].method == ""
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    watched = telemetry({}, nothing)
    logged = CallLog(app, watched.metrics)
    async with httpx2.AsyncClient(
        verify=False, transport=httpx2.ASGITransport(logged), base_url="http://x"
    ) as http:
        answer = await http.post("/mcp", headers={"x-request-id": 'evil"\t'})
    assert answer.headers["x-request-id"].isalnum()
    text = (await shown(watched)).text
    assert f'telnyx_mcp_calls_total{{outcome="rejected",tool="{OTHER}"}} 1.0' in text


async def test_the_ledger_is_shown_and_its_last_counts_while_it_can_not_be_read() -> None:
    counts = [LedgerCounts({"proposed": 2}, 1, {"approved": 3}, 4, 5)]

    def read() -> LedgerCounts:
        if not counts:
            raise StoreError("gone")
        return counts.pop()

    watched = telemetry({}, read)
    for _ in range(2):
        text = (await shown(watched)).text
        assert 'telnyx_mcp_changes{state="proposed"} 2.0' in text
        assert "telnyx_mcp_unknown_payments 1.0" in text
        assert 'telnyx_mcp_decisions{decision="approved"} 3.0' in text
        assert "telnyx_mcp_notices_failed 5.0" in text
    assert (await shown(watched, "/other")).status_code == 404


def test_the_ledger_is_counted_at_most_every_ten_seconds() -> None:
    seconds, read = 0.0, 0

    def counted() -> LedgerCounts:
        nonlocal read
        read += 1
        return LedgerCounts()

    cached = Cached(counted, clock=lambda: seconds)
    for _ in range(5):
        cached()
    assert read == 1
    seconds = 10.0
    cached()
    assert read == 2


async def test_waits_for_the_pace_and_answers_429_are_counted() -> None:
    time = Time()
    watched = telemetry({}, nothing)
    pacer = Pacer(
        own=InMemoryStore(time.clock), sleep=time.sleep, clock=time.clock, watch=watched.metrics
    )
    sent = await pacer.turn("/invoices")
    await pacer.learn("/invoices", 429, {"retry-after": "60"}, sent, own=True)
    with pytest.raises(TelnyxError):
        await pacer.turn("/invoices")
    text = (await shown(watched)).text
    assert 'telnyx_mcp_rate_limited_total{by="telnyx",endpoint="/invoices"} 1.0' in text
    assert 'telnyx_mcp_pace_turned_away_total{endpoint="/invoices"} 1.0' in text
    assert 'telnyx_mcp_pace_wait_seconds_count{endpoint="/invoices"} 1.0' in text


async def test_the_metrics_of_the_documentation_exist() -> None:
    counts = LedgerCounts({"proposed": 1}, decisions={"approved": 1})
    watched = telemetry({}, lambda: counts)
    watched.metrics.call("telnyx_get_balance", "ok", 0.2)
    watched.metrics.waited("/invoices", 0.2)
    watched.metrics.turned_away("/invoices")
    watched.metrics.refused("/invoices", own=True)
    page = (Path(__file__).parents[2] / "docs" / "service.md").read_text("utf-8")
    named = set(re.findall(r"`(telnyx_mcp_[a-z_]+)`", page))
    text = (await shown(watched)).text
    assert named
    assert {each for each in named if each not in text} == set()


def test_traces_go_to_the_collector_of_the_environment_or_nowhere() -> None:
    assert traces_to({}) is None
    assert traces_to({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}) == "http://c:4318"


async def test_changes_are_counted_as_readers_see_them(store: Store) -> None:
    row = {
        **dict.fromkeys(("channel", "owner", "secret_hash", "happened", "note"), ""),
        "account": "a",
        "operation": "create_stored_payment_transaction",
        "arguments": "{}",
        "question": "",
        "basis": "{}",
        "evidence": "{}",
        "proposed_at": ticks(NOW),
        "updated_at": ticks(NOW),
    }
    later = NOW + timedelta(hours=1)
    rows: list[dict[str, Any]] = [
        {"state": "proposed", "expires_at": ticks(later + timedelta(hours=1))},
        {"state": "proposed", "expires_at": None},
        {"state": "sending", "expires_at": None},
        {"state": "declined", "decided_at": ticks(NOW)},
        {"state": "succeeded", "decided_at": ticks(NOW)},
    ]
    notice = {"change_id": "1", "kind": "outcome", "created_at": 0}
    with store.write() as connection:
        for number, each in enumerate(rows):
            connection.execute(changes.insert().values({**row, **each, "id": str(number)}))
        waits = {**notice, "id": "a", "tries": 0, "next_try_at": 1}
        connection.execute(notices.insert().values(waits))
        given_up = {**notice, "id": "b", "tries": 3, "next_try_at": None}
        connection.execute(notices.insert().values(given_up))
    counts = counting(store, lambda: later)()
    states = {name: count for name, count in counts.changes.items() if count}
    expected = {"proposed": 1, "expired": 1, "unknown": 1, "declined": 1, "succeeded": 1}
    assert states == expected
    assert counts.unknown_payments == 1
    assert counts.decisions == {"approved": 1, "declined": 1}
    assert (counts.notices_waiting, counts.notices_failed) == (1, 1)
