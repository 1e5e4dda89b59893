"""The Inspector's command line, which server authors try their servers with; it can't elicit."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.prompts import read_prompts
from telnyx_mcp.server.resources import READABLE
from telnyx_mcp.tools import TOOLS
from tests.interop.processes import NODE_MODULES, PLAIN, run, serving
from tests.support.server_process import TOKEN

pytestmark = pytest.mark.interop

LAUNCHER = (
    NODE_MODULES / "@modelcontextprotocol" / "inspector" / "clients" / "launcher/build/index.js"
)
ERAS = ("legacy", "modern")
Inspect = Callable[..., Any]


@pytest.fixture(params=["stdio", "http"])
def inspect(
    request: pytest.FixtureRequest, node: Path, environment: dict[str, str]
) -> Iterator[Inspect]:
    """What the Inspector prints for a method, and its exit status."""

    def asking(*target: str) -> Inspect:
        def ask(method: str, era: str, *more: str, status: int = 0) -> Any:
            options = ("--method", method, "--protocol-era", era, "--format", "json", *more)
            ended = run(node, LAUNCHER, "--cli", *options, *target, environment=environment)
            assert ended.returncode == status, ended.stderr
            return json.loads(ended.stdout)["result"]

        return ask

    environment["TELNYX_MCP_APPROVAL"] = "elicitation"  # so that no page is opened
    if request.param == "http":
        with serving(*PLAIN, environment=environment) as url:
            yield asking("--server-url", url, "--header", f"Authorization: Bearer {TOKEN}")
    else:
        yield asking(*settings_of(environment), "--", sys.executable, "-m", "telnyx_mcp")


def settings_of(environment: Mapping[str, str]) -> list[str]:
    named = [f"{name}={value}" for name, value in environment.items() if name != "HOME"]
    return [part for each in named for part in ("-e", each)]


@pytest.mark.parametrize("era", ERAS)
def test_it_lists_everything_and_finds_no_error_in_a_schema(inspect: Inspect, era: str) -> None:
    tools = inspect("tools/list", era, "--strict")["tools"]
    assert [each["name"] for each in tools] == [each.name for each in TOOLS]
    prompts = inspect("prompts/list", era)["prompts"]
    assert [each["name"] for each in prompts] == [each.name for each in read_prompts()]
    templates = inspect("resources/templates/list", era)["resourceTemplates"]
    assert [each["uriTemplate"] for each in templates] == [
        each.uri for each in READABLE if each.is_template
    ]
    resources = inspect("resources/list", era)["resources"]
    assert [each["uri"] for each in resources] == [
        each.uri for each in READABLE if not each.is_template
    ]


@pytest.mark.parametrize("era", [*ERAS, "auto"])
def test_it_calls_a_tool_and_reads_a_resource(inspect: Inspect, sandbox: Sandbox, era: str) -> None:
    result = inspect("tools/call", era, "--tool-name", "telnyx_get_balance")
    assert result["structuredContent"]["balance"] == str(sandbox.balance)
    [read] = inspect("resources/read", era, "--uri", "telnyx://balance")["contents"]
    assert json.loads(read["text"])["balance"] == str(sandbox.balance)


@pytest.mark.parametrize("era", ERAS)
def test_it_cannot_ask_and_so_pays_nothing(inspect: Inspect, sandbox: Sandbox, era: str) -> None:
    asked = (
        "--tool-name",
        "telnyx_create_stored_payment_transaction",
        "--tool-arg",
        "amount=12.00",
    )
    result = inspect("tools/call", era, *asked, status=5)
    assert "paying 12.00 needs the user's approval" in result["content"][0]["text"]
    assert "can't be used here" in result["content"][0]["text"]
    assert sandbox.payments == []
