"""Which tools, prompts and resources a server has that loads some groups only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from telnyx_mcp.config.profiles import configured
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.config.tool_groups import TOOL_GROUPS, tool_groups
from telnyx_mcp.doctor.checks import run_checks
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.build import build_server
from telnyx_mcp.tools import TOOLS
from telnyx_mcp.tools.framework.tokens import about_tokens
from tests.support.client import Mode, call, connected, text_of
from tests.support.clock import NOW

Load = Callable[..., Settings]


@pytest.fixture
def load(settings: Settings) -> Load:
    """The settings of a server that loads these groups."""

    def load(*groups: str, **more: object) -> Settings:
        return settings.model_copy(update={"tools": tool_groups(groups), **more})

    return load


async def shown_by(settings: Settings, mode: Mode = "auto") -> dict[str, Any]:
    """What a client is shown: tools, prompts, resources, and the instructions."""
    async with connected(build_server(settings, now=lambda: NOW), mode) as client:
        templates = (await client.list_resource_templates()).resource_templates
        return {
            "tools": (await client.list_tools()).tools,
            "prompts": {each.name for each in (await client.list_prompts()).prompts},
            "resources": {str(each.uri) for each in (await client.list_resources()).resources}
            | {each.uri_template for each in templates},
            "instructions": client.instructions or "",
        }


@pytest.mark.parametrize("group", TOOL_GROUPS)
async def test_a_group_is_loaded_with_exactly_its_own_tools(
    load: Load, group: str, mode: Mode
) -> None:
    shown = await shown_by(load(group), mode)
    assert [each.name for each in shown["tools"]] == [
        each.name for each in TOOLS if each.group == group
    ]


async def test_every_group_has_a_tool_and_all_are_loaded_unless_some_are_named(load: Load) -> None:
    assert {each.group for each in TOOLS} == set(TOOL_GROUPS)
    assert [each.name for each in (await shown_by(load()))["tools"]] == [x.name for x in TOOLS]


@pytest.mark.parametrize("group", TOOL_GROUPS)
async def test_nothing_that_is_shown_names_a_tool_that_is_not_loaded(
    load: Load, group: str
) -> None:
    shown = await shown_by(load(group))
    loaded = {each.name for each in shown["tools"]}
    texts = [shown["instructions"], *(each.model_dump_json() for each in shown["tools"])]
    assert set(re.findall(r"telnyx_[a-z_]+", " ".join(texts))) <= loaded


@pytest.mark.parametrize(
    ("groups", "prompts", "resources"),
    [
        (
            ["billing"],
            {"recharge-check", "unpaid-invoices"},
            {"telnyx://balance", "telnyx://invoices/{invoice_id}", "telnyx://spend/{month}"},
        ),
        (["audit"], {"who-changed-what"}, set()),
        (["webhooks"], set(), set()),
        (["webhooks", "audit"], {"webhook-triage", "who-changed-what"}, set()),
        (["usage"], {"delivery-problems"}, {"telnyx://usage/{product}/{month}"}),
        (["changes"], set(), {"telnyx://changes"}),
    ],
)
async def test_prompts_and_resources_are_those_of_the_loaded_tools(
    load: Load, groups: list[str], prompts: set[str], resources: set[str]
) -> None:
    shown = await shown_by(load(*groups))
    assert shown["prompts"] == prompts
    assert shown["resources"] == resources | {"telnyx://rate-limits"}


async def test_a_resource_of_a_group_that_is_not_loaded_is_not_there(load: Load) -> None:
    from mcp.shared.exceptions import MCPError

    async with connected(build_server(load("audit"))) as client:
        with pytest.raises(MCPError, match="there is no resource telnyx://balance"):
            await client.read_resource("telnyx://balance")


async def test_a_tool_of_another_group_is_answered_with_the_group_to_add(
    load: Load, sandbox: Sandbox
) -> None:
    result = await call(build_server(load("billing")), "telnyx_list_webhook_deliveries")
    assert result.is_error
    assert "in the group webhooks, which this server does not load" in text_of(result)
    assert "add webhooks to TELNYX_MCP_TOOLS or --tools" in text_of(result)
    assert sandbox.requests == []


async def test_a_payment_is_refused_where_the_changes_are_not_loaded(
    load: Load, sandbox: Sandbox
) -> None:
    server = build_server(load("billing"))
    result = await call(server, "telnyx_create_stored_payment_transaction", {"amount": "20"})
    assert result.is_error
    assert sandbox.requests == []


async def test_the_changes_of_a_read_only_server_are_hidden_with_their_group_loaded(
    load: Load,
) -> None:
    shown = await shown_by(load("changes", read_only=True))
    assert [each.name for each in shown["tools"]] == ["telnyx_list_changes"]
    assert "pay from" not in shown["instructions"]


@pytest.mark.parametrize("group", TOOL_GROUPS)
async def test_every_group_alone_costs_a_model_less_than_1500_tokens(
    load: Load, group: str
) -> None:
    seen = {"name", "description", "inputSchema"}
    cost = 0
    for tool in (await shown_by(load(group)))["tools"]:
        sent = tool.model_dump(mode="json", by_alias=True, exclude_none=True, include=None)
        cost += about_tokens(json.dumps({name: sent[name] for name in seen}, ensure_ascii=False))
    assert cost < 1500


# --- how groups are named ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("billing", ("billing",)),
        (" Usage , BILLING ,", ("billing", "usage")),
        ("audit,audit", ("audit",)),
        ("billing;usage", ("billing", "usage")),
        ("usage billing", ("billing", "usage")),
        ("", TOOL_GROUPS),
        (" , ", TOOL_GROUPS),
    ],
)
def test_groups_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, text: str, groups: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TELNYX_MCP_TOOLS", text)
    assert Settings().tools == groups


@pytest.mark.parametrize("text", ["biling", "billing,biling", "invoices", "all"])
def test_an_unknown_group_is_refused_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TELNYX_MCP_TOOLS", text)
    with pytest.raises(ValidationError, match="The groups are billing, usage, audit") as refused:
        Settings()
    assert ("Did you mean 'billing'" in str(refused.value)) is ("biling" in text)


@pytest.mark.parametrize("written", ['["audit", "usage"]', '"audit,usage"'])
def test_a_profile_names_groups_as_a_list_or_as_text(own: Path, written: str) -> None:
    own.write_text(f'[profiles.eu]\nkey_from = "env:EU"\ntools = {written}\n', "utf-8")
    assert configured("eu").main.tools == ("usage", "audit")


# --- doctor --------------------------------------------------------------------------------------


async def test_doctor_tries_what_the_loaded_tools_need_and_names_them(
    load: Load, sandbox: Sandbox
) -> None:
    findings = [each async for each in run_checks(load("webhooks"), {}, now=lambda: NOW)]
    tried = [each.found.split(":")[0] for each in findings if each.check == "operation"]
    assert tried == ["webhook deliveries, one delivery"]
    assert "tools: webhooks" in [each.found for each in findings]
    assert not [each for each in findings if each.check == "approval"]
    assert {each.operation for each in sandbox.requests} == {
        "get_balance",  # whether the key is accepted
        "list_webhook_deliveries",
        "get_webhook_delivery",
    }
