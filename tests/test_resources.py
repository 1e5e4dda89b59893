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

from telnyx_mcp.sandbox import running_sandbox
from telnyx_mcp.server import AccountServer, build_server
from telnyx_mcp.settings import Settings
from tests.conftest import NOW, TODAY, Mode, connected


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
        await server.services.client.aclose()


async def test_the_rate_limits_tell_what_the_answers_told(
    limited_server: AccountServer, mode: Mode
) -> None:
    async with connected(limited_server, mode) as client:
        assert (await read(client, "telnyx://rate-limits"))["endpoints"] == []
        for _ in range(3):
            await client.call_tool("telnyx_get_balance", {})
        await client.call_tool("telnyx_list_user_tags", {})
        told = await read(client, "telnyx://rate-limits")
    balance, tags = told["endpoints"]
    assert balance["endpoint"] == "/balance"
    assert (balance["limit"], balance["period_s"], balance["remaining"]) == (5, 10.0, 2)
    assert 0 < balance["resets_in_s"] <= 10
    assert balance["waiting_s"] == 0
    assert (tags["endpoint"], tags["remaining"]) == ("/user_tags", 4)
    assert told["shared"] == "by all copies on this API key"


async def test_a_resource_that_is_not_there_is_the_protocols_error(
    server: AccountServer, mode: Mode
) -> None:
    async with connected(server, mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource("telnyx://nothing")
    assert caught.value.error.code == -32602
