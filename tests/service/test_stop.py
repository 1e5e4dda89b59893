"""A replica that is asked to stop: first it says so, then it finishes, and it ends in time and quietly."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.service.issuer import Issuer
from tests.support.polling import until
from tests.support.postgresql_cluster import Cluster
from tests.support.service_processes import Fleet, fleet, log_has

pytestmark = pytest.mark.faults

DRAIN = 1.0
MARGIN = 2.0
"""How much longer than the drain a stop with open streams may take."""
HEADERS = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@asynccontextmanager
async def replica(
    sandbox: Sandbox, cluster: Cluster, issuer: Issuer, folder: Path, **more: Any
) -> AsyncIterator[tuple[Fleet, httpx2.AsyncClient]]:
    """One replica without a proxy, and a client with a token of alice, who is in the group finance."""
    url = cluster.url(cluster.new_database())
    async with fleet(
        sandbox, url, issuer.url, folder, size=1, behind_proxy=False, drain=DRAIN, **more
    ) as running:
        token = issuer.token(running.endpoint, scope="telnyx:read telnyx:propose")
        headers = {**HEADERS, "authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(verify=False, headers=headers, timeout=20) as http:
            yield running, http


def lines_of(running: Fleet) -> list[dict[str, Any]]:
    """What the replica wrote: every line is one JSON object."""
    text = running.replicas[0].log.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_replica_with_open_streams_ends_soon_after_the_drain_with_status_0(
    sandbox: Sandbox,
    cluster: Cluster,
    issuer: Issuer,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    async with replica(sandbox, cluster, issuer, tmp_path) as (running, http):
        port = running.replicas[0].port
        assert (await http.post(running.endpoint, json=LIST)).status_code == 200
        listening = {**HEADERS, "mcp-protocol-version": "2026-07-28"}
        open_streams = [
            asyncio.create_task(ended(http.get(running.endpoint))),
            asyncio.create_task(
                ended(
                    http.post(
                        running.endpoint,
                        json={"jsonrpc": "2.0", "id": 2, "method": "subscriptions/listen"},
                        headers=listening,
                    )
                )
            ),
        ]
        idle = await asyncio.open_connection("127.0.0.1", port)
        silent = await asyncio.open_connection("127.0.0.1", port)
        silent[1].write(b"GET /livez HTTP/1.1\r\nhost: x\r\n")  # and no more
        await silent[1].drain()
        began = anyio.current_time()
        running.replicas[0].signal(number)
        assert await running.replicas[0].ended() == 0
        assert anyio.current_time() - began < DRAIN + MARGIN
        await asyncio.gather(*open_streams)
        for _, writer in (idle, silent):
            writer.close()
        messages = [each["message"] for each in lines_of(running)]
        assert messages[-1] == "stopped"
        assert not [each for each in lines_of(running) if each["level"] == "error"]


async def ended(request: Any) -> None:
    """Returns when the server answered, or closed the connection."""
    with suppress(httpx2.TransportError):
        await request


async def test_during_the_drain_it_is_not_ready_and_goes_on_to_answer(
    sandbox: Sandbox, cluster: Cluster, issuer: Issuer, tmp_path: Path
) -> None:
    async with replica(sandbox, cluster, issuer, tmp_path) as (running, http):
        process = running.replicas[0]
        assert (await http.get(f"{process.url}/readyz")).json()["status"] == "ok"
        process.signal(signal.SIGTERM)
        await log_has(process, "asked to stop")
        answer = await http.get(f"{process.url}/readyz")
        assert answer.status_code == 503
        assert answer.json()["checks"]["serving"] != "ok"
        assert answer.json()["checks"]["store"] == "ok"
        assert (await http.post(running.endpoint, json=LIST)).status_code == 200
        assert (await http.get(f"{process.url}/livez")).status_code == 200
        assert await process.ended() == 0


async def test_a_second_signal_ends_the_drain(
    sandbox: Sandbox, cluster: Cluster, issuer: Issuer, tmp_path: Path
) -> None:
    toml = (Path(__file__).parent / "long_drain.toml").read_text(encoding="utf-8")
    async with replica(sandbox, cluster, issuer, tmp_path, toml=toml) as (running, _):
        process = running.replicas[0]
        began = anyio.current_time()
        process.signal(signal.SIGTERM)
        await log_has(process, "asked to stop")
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
        assert anyio.current_time() - began < 15


async def test_sighup_reads_the_roles_again_and_keeps_the_old_ones_if_the_file_is_wrong(
    sandbox: Sandbox, cluster: Cluster, issuer: Issuer, tmp_path: Path
) -> None:
    async with replica(sandbox, cluster, issuer, tmp_path) as (running, http):
        process = running.replicas[0]

        async def tools() -> str:
            return (await http.post(running.endpoint, json=LIST)).text

        assert "create_stored_payment" in await tools()
        good = process.config.read_text(encoding="utf-8")
        process.config.write_text(good.replace("propose = true", "propse = true"), "utf-8")
        process.signal(signal.SIGHUP)
        await log_has(process, "did you mean propose?")
        assert "create_stored_payment" in await tools()
        lines = ("propose = true\n", 'self_approve_up_to = "50.00"\n')
        for each in lines:
            good = good.replace(each, "")
        process.config.write_text(good, "utf-8")
        process.signal(signal.SIGHUP)
        await log_has(process, "the roles were read again: ")
        text = await tools()
        assert "telnyx_get_balance" in text
        assert "create_stored_payment" not in text


async def test_a_line_for_each_call_says_who_called_what_and_holds_no_secret(
    sandbox: Sandbox, cluster: Cluster, issuer: Issuer, tmp_path: Path
) -> None:
    call = {
        **LIST,
        "method": "tools/call",
        "params": {"name": "telnyx_list_invoices", "arguments": {"page_size": 17}},
    }
    async with replica(sandbox, cluster, issuer, tmp_path) as (running, http):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        sent = {"x-request-id": "from-the-proxy", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        answer = await http.post(running.endpoint, json=call, headers=sent)
        assert answer.headers["x-request-id"] == "from-the-proxy"
        refused = {"authorization": "Bearer nonsense-of-a-token"}
        assert (await http.post(running.endpoint, json=call, headers=refused)).status_code == 401

        def calls() -> list[dict[str, Any]]:
            found = [each for each in lines_of(running) if each["message"] == "call"]
            return sorted(found, key=lambda each: int(each["status"]))

        await until(lambda: len(calls()) == 2)
        done, turned_away = calls()
        assert done["subject"] == "alice"
        assert done["client"] == "assistant"
        assert (done["tool"], done["outcome"], done["status"]) == (
            "telnyx_list_invoices",
            "ok",
            200,
        )
        assert (done["request_id"], done["trace_id"]) == ("from-the-proxy", trace)
        assert done["ms"] > 0
        assert (turned_away["outcome"], turned_away["status"]) == ("refused", 401)
        text = running.replicas[0].log.read_text(encoding="utf-8")
        for secret in (sandbox.key, "nonsense-of-a-token", "a-made-up-secret", "page_size", "eyJ"):
            assert secret not in text

        metrics = await http.get(f"http://127.0.0.1:{running.replicas[0].metrics_port}/metrics")
        assert (
            'telnyx_mcp_calls_total{outcome="ok",tool="telnyx_list_invoices"} 1.0' in metrics.text
        )
        assert 'telnyx_mcp_changes{state="proposed"} 0.0' in metrics.text
        assert "telnyx_mcp_call_duration_seconds_bucket" in metrics.text
        assert "alice" not in metrics.text
