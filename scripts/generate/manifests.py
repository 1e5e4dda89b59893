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
HOMEPAGE = f"https://github.com/{NAME.removeprefix('io.github.')}"
ICON = ROOT / "docs" / "images" / "icon.png"
APPROVALS = (
    "A payment or a change of auto-recharge opens a page in your browser. It shows what would be sent, and "
    "you type the amount to approve it. If it is not known whether a payment went through, nothing else is "
    "paid: ask for a payment again, and the page asks what you found in the Mission Control Portal."
)
ASKED: dict[str, dict[str, Any]] = {
    "api_key": {
        "type": "string",
        "title": "Telnyx API key",
        "description": "Create one in the Mission Control Portal, under API Keys. It is kept in the "
        "secret storage of your computer.",
        "sensitive": True,
        "required": True,
    },
    "read_only": {
        "type": "boolean",
        "title": "Read-only",
        "description": "Only look: every payment and every change is refused.",
        "default": False,
    },
    "max_payment": {
        "type": "number",
        "title": "Largest payment",
        "description": "The most that one payment may be, in your account's currency. You approve each "
        "payment yourself.",
        "default": 500,
        "min": 0,
        "max": 100_000,
    },
    "max_per_day": {
        "type": "number",
        "title": "Most in 24 hours",
        "description": "The most that may be paid in any 24 hours.",
        "default": 1000,
        "min": 0,
        "max": 1_000_000,
    },
    "max_per_30_days": {
        "type": "number",
        "title": "Most in 30 days",
        "description": "The most that may be paid in any 30 days.",
        "default": 5000,
        "min": 0,
        "max": 10_000_000,
    },
    "timezone": {
        "type": "string",
        "title": "Time zone",
        "description": "Decides when a day begins, in `yesterday` or `last month`. For example "
        "Europe/Berlin or America/New_York.",
        "default": "UTC",
    },
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
        "repository": {"url": HOMEPAGE, "source": "github"},
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
        "long_description": f"{about['description']}. Not affiliated with Telnyx.\n\n{APPROVALS}",
        "author": about["authors"][0],
        "license": about["license"],
        "homepage": HOMEPAGE,
        "documentation": f"{HOMEPAGE}/blob/main/docs/approvals.md",
        "support": f"{HOMEPAGE}/issues",
        "icon": ICON.name,
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
        "user_config": ASKED,
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
    shutil.copy(ICON, folder)
    (folder / "pyproject.toml").write_text(bundled_project(), "utf-8")
    text = json.dumps(manifest(), indent=2, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text, "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["bundle"]:
        lay_out(Path(sys.argv[2]))
    else:
        SERVER.write_text(server_json(), "utf-8")
