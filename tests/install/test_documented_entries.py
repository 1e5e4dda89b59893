"""Each client's entry has the shape that the client's own documentation shows for a local server."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import Any

import pytest

from telnyx_mcp.clients.catalog import CLIENTS
from telnyx_mcp.clients.entry import KEY, Entry
from telnyx_mcp.clients.inputs import fragment

NAME = "example"
ENTRY = Entry(["npx"], ["-y", "server"], {"VARIABLE": "value"})
PLAIN = {"command": "npx", "args": ["-y", "server"], "env": {"VARIABLE": "value"}}
WITH_TYPE = {"type": "stdio", **PLAIN}
YAML = """\
extensions:
  example:
    type: "stdio"
    name: "Telnyx account"
    enabled: true
    timeout: 300
    cmd: "npx"
    args: ["-y", "server"]
    envs:
      VARIABLE: "value"
"""


@dataclass(frozen=True)
class Documented:
    """A documented entry, with this test's command: where it was read, and when."""

    client: str
    page: str
    table: str
    entry: dict[str, Any]
    read: str = "2026-11-26"


PAGES = (
    Documented(
        "claude-desktop",
        "modelcontextprotocol.io/docs/develop/connect-local-servers",
        "mcpServers",
        PLAIN,
    ),
    Documented("claude-code", "code.claude.com/docs/en/mcp", "mcpServers", WITH_TYPE),
    Documented("cursor", "cursor.com/docs/mcp", "mcpServers", PLAIN),
    Documented(
        "vscode",
        "code.visualstudio.com/docs/agents/reference/mcp-configuration",
        "servers",
        WITH_TYPE,
    ),
    Documented(
        "vscode-insiders",
        "code.visualstudio.com/docs/agents/reference/mcp-configuration",
        "servers",
        WITH_TYPE,
    ),
    Documented(
        "copilot-cli",
        "docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers",
        "mcpServers",
        {"type": "local", **PLAIN, "tools": ["*"]},
    ),
    Documented("windsurf", "docs.windsurf.com/windsurf/cascade/mcp", "mcpServers", PLAIN),
    Documented("antigravity", "antigravity.google/docs/mcp", "mcpServers", PLAIN),
    Documented("zed", "zed.dev/docs/ai/mcp", "context_servers", PLAIN),
    Documented("jetbrains", "jetbrains.com/help/ai-assistant/mcp.html", "mcpServers", PLAIN),
    Documented(
        "junie", "junie.jetbrains.com/docs/junie-cli-mcp-configuration.html", "mcpServers", PLAIN
    ),
    Documented("gemini", "geminicli.com/docs/tools/mcp-server", "mcpServers", PLAIN),
    Documented("codex", "developers.openai.com/codex/mcp", "mcp_servers", PLAIN),
    Documented(
        "opencode",
        "opencode.ai/docs/mcp-servers",
        "mcp",
        {
            "type": "local",
            "command": ["npx", "-y", "server"],
            "enabled": True,
            "environment": {"VARIABLE": "value"},
        },
    ),
    Documented("kiro", "kiro.dev/docs/mcp/configuration", "mcpServers", PLAIN),
    Documented("lmstudio", "lmstudio.ai/docs/app/mcp", "mcpServers", PLAIN),
    Documented("cline", "docs.cline.bot/mcp/mcp-overview", "mcpServers", PLAIN),
    Documented(
        "any", "modelcontextprotocol.io/docs/develop/connect-local-servers", "mcpServers", PLAIN
    ),
)


@pytest.mark.parametrize("documented", PAGES, ids=lambda each: each.client)
def test_the_entry_is_the_documented_one(documented: Documented) -> None:
    text = fragment(CLIENTS[documented.client], NAME, ENTRY)
    read = tomllib.loads if CLIENTS[documented.client].format == "toml" else json.loads
    assert read(text) == {documented.table: {NAME: documented.entry}}


def test_the_entry_of_goose_is_the_documented_yaml() -> None:
    """block.github.io/goose/docs/guides/config-files, read 2026-11-26."""
    assert fragment(CLIENTS["goose"], NAME, ENTRY) == YAML


def test_every_client_is_compared_with_its_documentation() -> None:
    assert {each.client for each in PAGES} | {"goose"} == CLIENTS.keys()


REFERENCES = {
    "claude-code": "${TELNYX_API_KEY}",
    "cursor": "${env:TELNYX_API_KEY}",
    "vscode": "${env:TELNYX_API_KEY}",
    "vscode-insiders": "${env:TELNYX_API_KEY}",
    "gemini": "$TELNYX_API_KEY",
    "opencode": "{env:TELNYX_API_KEY}",
    "kiro": "${TELNYX_API_KEY}",
}


def test_each_client_refers_to_its_environment_as_documented() -> None:
    """On the same pages; of opencode on opencode.ai/docs/config. Codex and Goose list the variables that
    they pass on."""
    found = {
        each.name: each.reference.replace("NAME", KEY)
        for each in CLIENTS.values()
        if each.reference
    }
    assert found == REFERENCES
    lists = {each.name: each.forward_field for each in CLIENTS.values() if each.forward_field}
    assert lists == {"codex": "env_vars", "goose": "env_keys"}
