"""The bundle for Claude Desktop: packed by its makers' tool, and started as its manifest says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from scripts.generate.docs import ROOT
from telnyx_mcp.config.settings import VARIABLES
from telnyx_mcp.sandbox import Sandbox
from tests.support.client import content_of

pytestmark = pytest.mark.interop
SECONDS = 240


OF_THE_INDEX = {
    name: value
    for name, value in os.environ.items()
    if name.startswith(("UV_", "PIP_", "SSL_CERT_"))
    or name.lower().endswith("_proxy")
    or name in {"HOME", "PATH"}
}
"""What uv needs to reach the package index, as it was before the tests took it out of the environment."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as Claude Desktop unpacks it."""
    done = subprocess.run(
        ["make", "bundle"], cwd=ROOT, capture_output=True, check=False, timeout=SECONDS, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "validation passes" in done.stdout
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(ROOT / "dist" / "telnyx-account-mcp.mcpb") as packed:
        packed.extractall(folder)
    return folder


def test_it_holds_the_program_and_nothing_else(bundle: Path) -> None:
    tops = {each.name for each in bundle.iterdir()}
    assert tops == {
        "manifest.json",
        "pyproject.toml",
        "telnyx_mcp",
        "LICENSE",
        "README.md",
        "icon.png",
    }
    files = [each for each in bundle.rglob("*") if each.is_file()]
    assert {each.suffix for each in files} <= {
        ".py",
        ".md",
        ".png",
        ".html",
        ".css",
        ".js",
        ".json",
        ".toml",
        ".typed",
        "",
    }
    text = (bundle / "pyproject.toml").read_text("utf-8")
    assert "://" not in text


def test_the_key_is_a_secret_and_no_field_reaches_the_server_empty(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    asked = manifest["user_config"]
    assert asked["api_key"]["sensitive"] is True
    assert asked["api_key"]["required"] is True
    assert all("default" in each for name, each in asked.items() if name != "api_key")
    environment = manifest["server"]["mcp_config"]["env"]
    assert environment.keys() <= VARIABLES.keys()
    assert {
        each.removeprefix("${user_config.").rstrip("}") for each in environment.values()
    } == asked.keys()


@pytest.mark.skipif(shutil.which("uv") is None, reason="needs uv, which Claude Desktop brings")
async def test_it_starts_with_uv_as_the_manifest_says(
    bundle: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    given = {name: each.get("default") for name, each in manifest["user_config"].items()}
    given["api_key"] = sandbox.key

    def filled(text: str) -> str:
        for name, value in given.items():
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            text = text.replace(f"${{user_config.{name}}}", shown)
        return text.replace("${__dirname}", str(bundle))

    start: dict[str, Any] = manifest["server"]["mcp_config"]
    environment = {name: filled(value) for name, value in start["env"].items()} | {
        "TELNYX_BASE_URL": sandbox.base_url,
        "TELNYX_MCP_STATE_URL": f"sqlite:///{tmp_path}/state.sqlite3",
    }
    # What a host passes on besides; the settings of the package index among it.
    passed = {name: value for name, value in OF_THE_INDEX.items() if name not in environment}
    server = StdioServerParameters(
        command=start["command"],
        args=[filled(each) for each in start["args"]],
        env=passed | environment,
        cwd=str(tmp_path),
    )
    with anyio.fail_after(SECONDS):
        async with Client(server) as client:
            tools = (await client.list_tools()).tools
            told = content_of(await client.call_tool("telnyx_get_balance", {}))
            prompts = (await client.list_prompts()).prompts
    assert [each.name for each in tools] == [each["name"] for each in manifest["tools"]]
    assert [each.name for each in prompts] == [each["name"] for each in manifest["prompts"]]
    assert told["balance"] == str(sandbox.balance)
