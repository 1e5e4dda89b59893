"""Streamable HTTP on loopback, and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.tools import TOOLS
from tests.support.client import Mode
from tests.support.ports import accepts, free_port
from tests.support.server_process import BEARER, OVER_HTTP, client_of, environment_for, started


async def test_it_serves_both_revisions_over_http_on_loopback(
    sandbox: Sandbox, mode: Mode, tmp_path: Path
) -> None:
    port = free_port()
    environment = {**environment_for(sandbox, tmp_path), **OVER_HTTP}
    async with started("serve", "--http", f"127.0.0.1:{port}", environment=environment) as server:
        await accepts(port)
        async with client_of(f"http://127.0.0.1:{port}/mcp", mode) as client:
            result = await client.call_tool("telnyx_get_balance", {})
        assert (result.structured_content or {})["currency"] == "USD"
        server.process.terminate()
        assert await server.process.wait() == 0


async def test_a_foreign_host_or_origin_is_refused() -> None:
    port = free_port()
    async with started("--http", str(port), environment=OVER_HTTP):
        await accepts(port)
        async with httpx.AsyncClient(verify=False) as browser:
            for header in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
                answer = await browser.post(
                    f"http://127.0.0.1:{port}/mcp", headers=BEARER | header, json={"jsonrpc": "2.0"}
                )
                assert answer.status_code in (403, 421)


@pytest.mark.parametrize("address", ["0.0.0.0:8000", "192.0.2.1:80", "example.com:80"])
async def test_an_address_that_is_not_loopback_is_refused(address: str) -> None:
    async with started("--http", address, environment={}) as server:
        status, _, err = await server.ended()
    assert status == 2
    assert b"loopback only" in err


async def test_call_prints_a_result_for_machines_and_for_people(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = environment_for(sandbox, tmp_path)
    arguments = ("call", "telnyx_list_invoices", "page_size=3")
    async with started(*arguments, "--json", environment=environment) as server:
        status, out, _ = await server.ended()
    assert status == 0
    assert json.loads(out)["returned"] == 3
    async with started(*arguments, environment=environment) as server:
        status, out, _ = await server.ended()
    assert status == 0
    assert b"period start" in out


async def test_call_without_a_terminal_pays_nothing_and_fails(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = environment_for(sandbox, tmp_path)
    async with started(
        "call",
        "telnyx_create_stored_payment_transaction",
        "amount=120",
        environment=environment,
    ) as server:
        status, out, err = await server.ended()
    assert status == 1
    assert b"Nothing was sent" in out + err
    assert sandbox.payments == []


async def test_call_with_a_wrong_argument_says_the_right_one(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = environment_for(sandbox, tmp_path)
    async with started(
        "call", "telnyx_list_invoices", "pagesize=3", environment=environment
    ) as server:
        status, out, err = await server.ended()
    assert (status, out) == (1, b"")
    assert b"page_size" in err


async def test_call_without_a_tool_says_which_there_are() -> None:
    async with started("call", environment={}) as server:
        status, out, _ = await server.ended()
    assert status == 0
    assert all(each.name in out.decode() for each in TOOLS)
    assert b"invoice_id*" in out


async def test_the_version_and_help_are_shown_without_a_key() -> None:
    for argument, shown in (("--version", b"telnyx-account-mcp 0."), ("--help", b"examples:")):
        async with started(argument, environment={}) as server:
            status, out, _ = await server.ended()
        assert status == 0
        assert shown in out
