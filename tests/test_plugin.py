"""The plugin for Claude Code holds the server and the prompts, as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from scripts.generate import plugin
from scripts.generate.manifests import ROOT
from telnyx_mcp.server.prompts import read_prompts


def test_the_plugin_is_up_to_date() -> None:
    found = {each for each in plugin.PLUGIN.rglob("*") if each.is_file()} | {plugin.MARKETPLACE}
    assert found == plugin.files().keys()
    for file, text in plugin.files().items():
        assert file.read_text("utf-8") == text, "run `make docs`"


def test_every_prompt_is_a_command_whose_parts_are_named() -> None:
    commands: dict[Path, str] = {
        file: text for file, text in plugin.files().items() if file.parent.name == "commands"
    }
    assert len(commands) == len(read_prompts())
    for file, text in commands.items():
        _, front, body = text.split("---\n", 2)
        assert front.startswith("description: ")
        used = set(re.findall(r"<(\w+)>", body))
        hinted = set(re.findall(r"\[(\w+)\]", front))
        assert used == hinted, file.name
        assert ("$ARGUMENTS" in body) == bool(hinted)
        assert "{" not in body


def test_the_plugin_starts_the_server_and_holds_no_key() -> None:
    manifest = json.loads(plugin.files()[plugin.PLUGIN / ".claude-plugin" / "plugin.json"])
    assert manifest["mcpServers"] == {
        "telnyx-account": {"command": "telnyx-account-mcp", "args": []}
    }
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", manifest["name"])
    assert "KEY" not in json.dumps(manifest)


def test_the_marketplace_offers_this_folder() -> None:
    market = json.loads(plugin.MARKETPLACE.read_text("utf-8"))
    (offered,) = market["plugins"]
    assert (ROOT / offered["source"] / ".claude-plugin" / "plugin.json").is_file()
