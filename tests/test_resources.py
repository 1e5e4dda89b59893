"""What a client can read without calling a tool."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextResourceContents
from pydantic import SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import running_sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from tests.support.client import Mode, connected
from tests.support.clock import NOW, TODAY


async def read(client: Client, uri: str) -> Any:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "application/json"
    return json.loads(content.text)


@pytest.fixture
async def limited_server(settings: Settings) -> AsyncIterator[AccountServer]:
    """A server for an account that allows 5 requests in 10 s."""
    with running_sandbox(today=TODAY, rate_limit=(5, 10.0)) as sandbox:
        account = {"api_key": SecretStr(sandbox.key), "base_url": sandbox.base_url}
        server = build_server(settings.model_copy(update=account), now=lambda: NOW)
        yield server
        await server.accounts.aclose()


async def test_the_rate_limits_show_what_the_answers_stated(
    limited_server: AccountServer, mode: Mode
) -> None:
    async with connected(limited_server, mode) as client:
        assert (await read(client, "telnyx://rate-limits"))["endpoints"] == []
        for _ in range(3):
            await client.call_tool("telnyx_get_balance", {})
        await client.call_tool("telnyx_list_user_tags", {})
        told = await read(client, "telnyx://rate-limits")
    endpoints = {each["endpoint"]: each for each in told["endpoints"]}
    assert endpoints.keys() == {"/balance", "/spend_limits", "/user_tags"}
    balance, tags = endpoints["/balance"], endpoints["/user_tags"]
    assert (balance["limit"], balance["period_s"], balance["remaining"]) == (5, 10.0, 2)
    assert 0 < balance["resets_in_s"] <= 10
    assert balance["waiting_s"] == 0
    assert tags["remaining"] == 4
    assert endpoints["/spend_limits"]["remaining"] == 4, "kept between the calls"
    assert told["shared"] == "by all copies on this API key"


async def test_the_resources_and_templates_are_listed(server: AccountServer, mode: Mode) -> None:
    async with connected(server, mode) as client:
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
    assert [str(each.uri) for each in resources] == [
        "telnyx://balance",
        "telnyx://changes",
        "telnyx://rate-limits",
    ]
    assert [each.uri_template for each in templates] == [
        "telnyx://invoices/{invoice_id}",
        "telnyx://spend/{month}",
        "telnyx://usage/{product}/{month}",
    ]
    assert all(each.title and each.description for each in resources)
    assert all(each.title and each.description for each in templates)


@pytest.mark.parametrize(
    ("uri", "tool", "arguments"),
    [
        ("telnyx://balance", "telnyx_get_balance", {}),
        ("telnyx://changes", "telnyx_list_changes", {}),
        (
            "telnyx://spend/2026-05",
            "telnyx_summarize_spend",
            {"period": "2026-05", "compare_to": "previous"},
        ),
        (
            "telnyx://spend/last%20month",
            "telnyx_summarize_spend",
            {"period": "last month", "compare_to": "previous"},
        ),
        (
            "telnyx://usage/verify/2026-05",
            "telnyx_summarize_usage",
            {"product": "verify", "period": "2026-05", "group_by": ["day"]},
        ),
    ],
)
async def test_a_resource_is_what_the_tool_answers(
    server: AccountServer, mode: Mode, uri: str, tool: str, arguments: dict[str, Any]
) -> None:
    async with connected(server, mode) as client:
        await client.call_tool("telnyx_create_stored_payment_transaction", {"amount": "10.00"})
        told = await read(client, uri)
        result = await client.call_tool(tool, arguments)
    assert told == result.structured_content
    assert "sandbox account" in told["sandbox"]


async def test_changes_of_a_sandbox_say_so_after_a_restart_too(
    server: AccountServer, settings: Settings, mode: Mode
) -> None:
    """The list asks Telnyx nothing: the rows know it."""
    async with connected(server, mode) as client:
        await client.call_tool("telnyx_create_stored_payment_transaction", {"amount": "10.00"})
    async with connected(build_server(settings, now=lambda: NOW), mode) as client:
        told = await read(client, "telnyx://changes")
    assert len(told["items"]) == 1
    assert "sandbox account" in told["sandbox"]


async def test_an_invoice_is_read_by_its_id(server: AccountServer, mode: Mode) -> None:
    async with connected(server, mode) as client:
        listed = await client.call_tool("telnyx_list_invoices", {"page_size": 1})
        assert listed.structured_content
        (row,) = listed.structured_content["items"]
        told = await read(client, f"telnyx://invoices/{row['invoice_id']}")
    assert told["period_start"] == row["period_start"]
    assert "download_url" not in told


@pytest.mark.parametrize(
    ("uri", "tells"),
    [
        ("telnyx://invoices/00000000-0000-4000-8000-000000000000", "404"),
        ("telnyx://invoices/nonsense", "must be an id"),
        ("telnyx://spend/never", "is not a period"),
        ("telnyx://usage/whatsapp/2026-05", "messaging"),
    ],
)
async def test_what_cannot_be_read_says_why(
    server: AccountServer, mode: Mode, uri: str, tells: str
) -> None:
    async with connected(server, mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)
    assert tells in caught.value.error.message


async def test_hints_say_how_long_an_answer_is_true(server: AccountServer) -> None:
    async with connected(server, "auto") as client:
        tools, prompts = await client.list_tools(), await client.list_prompts()
        listed, templates = await client.list_resources(), await client.list_resource_templates()
        balance = await client.read_resource("telnyx://balance")
    hints = [(each.ttl_ms, each.cache_scope) for each in (tools, prompts, listed, templates)]
    assert hints == [(300_000, "private")] * 4
    assert (balance.ttl_ms, balance.cache_scope) == (0, "private")


@pytest.mark.parametrize(
    "uri",
    ["telnyx://nothing", "telnyx://invoices/", "telnyx://invoices/a/b", "file:///etc/passwd", "x"],
)
async def test_a_resource_that_is_not_there_is_the_protocols_error(
    server: AccountServer, mode: Mode, uri: str
) -> None:
    async with connected(server, mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)
    assert caught.value.error.code == -32602
