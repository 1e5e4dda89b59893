"""What registries and hosts are told of this server, made from the code.

`python -m scripts.generate.manifests` writes server.json, for the MCP registry; with `bundle FOLDER` it lays
out a bundle for Claude Desktop there, ready for `mcpb pack`. A test holds server.json to the code.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

from telnyx_mcp import __version__
from telnyx_mcp.config.settings import SECRETS, Settings, default_of
from telnyx_mcp.server.prompts import read_prompts
from telnyx_mcp.tools import TOOLS

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "server.json"
NAME = "io.github.telnyx-account-mcp/telnyx-account-mcp"
SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
SUMMARY = "A Telnyx account: balance, spend, invoices, webhooks; payments only as approved"
ASKED: dict[str, dict[str, Any]] = {
    "api_key": {
        "type": "string",
        "title": "Telnyx API key",
        "sensitive": True,
        "required": True,
    },
    "read_only": {"type": "boolean", "title": "Read-only", "default": False},
    "max_payment": {"type": "string", "title": "Largest payment", "default": "500.00"},
    "timezone": {"type": "string", "title": "Time zone", "default": "UTC"},
}
"""The settings that Claude Desktop asks for. One without a value would reach the server as its own
placeholder, so each that is not required has a default."""


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: dict[str, Any] = tomllib.load(file)["project"]
    return found


def server_json() -> str:
    """The registry's description: where the package is, and what may be set."""
    variables = []
    for name, each in Settings.model_fields.items():
        variable = {"name": str(each.validation_alias), "description": str(each.description)}
        if (default := default_of(name)) is not None:
            variable["default"] = default
        required = each.validation_alias == "TELNYX_API_KEY"
        variables.append(
            variable
            | ({"isRequired": True} if required else {})
            | ({"isSecret": True} if each.validation_alias in SECRETS else {})
        )
    package = {
        "registryType": "pypi",
        "identifier": project()["name"],
        "version": __version__,
        "runtimeHint": "uvx",
        "transport": {"type": "stdio"},
        "environmentVariables": variables,
    }
    whole = {
        "$schema": SCHEMA,
        "name": NAME,
        "title": "Telnyx account",
        "description": SUMMARY,
        "version": __version__,
        "packages": [package],
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def manifest() -> dict[str, Any]:
    """What Claude Desktop is told: what to ask the person, and how to start the server with uv."""
    about = project()
    fields = Settings.model_fields
    return {
        "manifest_version": "0.4",
        "name": about["name"],
        "display_name": "Telnyx account",
        "version": __version__,
        "description": SUMMARY,
        "long_description": f"{about['description']}. Not affiliated with Telnyx.",
        "author": about["authors"][0],
        "license": about["license"],
        "keywords": about["keywords"],
        "server": {
            "type": "uv",
            "entry_point": "telnyx_mcp/__main__.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", "python", "-m", "telnyx_mcp"],
                "env": {
                    str(fields[name].validation_alias): f"${{user_config.{name}}}" for name in ASKED
                },
            },
        },
        "user_config": {
            name: {**asked, "description": fields[name].description}
            for name, asked in ASKED.items()
        },
        "tools": [{"name": each.name, "description": each.description} for each in TOOLS],
        "prompts": [
            {
                "name": each.name,
                "description": each.description,
                "arguments": [argument.name for argument in each.arguments or []],
                "text": re.sub(r"\{(\w+)\}", r"${arguments.\1}", each.text),
            }
            for each in read_prompts()
        ],
        "compatibility": {
            "platforms": ["darwin", "win32", "linux"],
            "runtimes": {"python": about["requires-python"]},
        },
    }


def bundled_project() -> str:
    """The bundle's pyproject.toml: what uv installs, at the versions that were tested."""
    about = project()
    locked = (ROOT / "requirements.txt").read_text("utf-8")
    pinned = re.findall(r"^([a-z0-9].*==.*?) \\$", locked, re.MULTILINE)
    return (
        f'[project]\nname = "{about["name"]}-bundle"\nversion = "{__version__}"\n'
        f'requires-python = "{about["requires-python"]}"\n'
        f"dependencies = {json.dumps(pinned, indent=4)}\n\n[tool.uv]\npackage = false\n"
    )


def lay_out(folder: Path) -> None:
    """The bundle as a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    without = shutil.ignore_patterns("__pycache__", "*.pyc", "_prompts")
    shutil.copytree(ROOT / "telnyx_mcp", folder / "telnyx_mcp", ignore=without)
    shutil.copytree(ROOT / "prompts", folder / "telnyx_mcp" / "_prompts")
    for name in ("LICENSE", "README.md"):
        shutil.copy(ROOT / name, folder)
    (folder / "pyproject.toml").write_text(bundled_project(), "utf-8")
    text = json.dumps(manifest(), indent=2, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text, "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["bundle"]:
        lay_out(Path(sys.argv[2]))
    else:
        SERVER.write_text(server_json(), "utf-8")
