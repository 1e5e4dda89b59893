"""The published contract: what a client is shown, one JSON file per tool, written from the code.

`python -m scripts.generate.contract` writes `tools/*.json` and `tools/README.md`; with `--check` it only
says which of them are stale, and exits 1 if any is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
from mcp import Client
from mcp_types import Tool

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.build import build_server

FOLDER = Path(__file__).parents[2] / "tools"


async def published_tools() -> list[Tool]:
    """The tools as a client of the real server lists them, whatever the environment says."""
    settings = Settings().model_copy(update={"read_only": False})
    async with Client(build_server(settings)) as client:
        return (await client.list_tools()).tools


def contract_files(tools: list[Tool]) -> dict[str, str]:
    """File name to text, for every file of the contract."""
    files = {
        f"{tool.name}.json": json.dumps(
            tool.model_dump(mode="json", by_alias=True, exclude_none=True),
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
        for tool in tools
    }
    return files | {"README.md": _readme(tools)}


def _readme(tools: list[Tool]) -> str:
    lines = [
        "# The tools",
        "",
        "What an assistant is shown, written by `make contract` from the code: don't edit by hand.",
        "One JSON file per tool beside this page holds exactly what a client receives.",
        "",
        "| tool | changes the account | what it does | parameters (* required) |",
        "|---|---|---|---|",
    ]
    for tool in tools:
        required = tool.input_schema.get("required", [])
        parameters = ", ".join(
            f"`{name}`{'*' if name in required else ''}"
            for name in tool.input_schema.get("properties", {})
        )
        reads = tool.annotations is not None and tool.annotations.read_only_hint
        changes = "no" if reads else "yes, after a person approved it"
        lines.append(
            f"| [`{tool.name}`]({tool.name}.json) | {changes} | {tool.description} "
            f"| {parameters or '-'} |"
        )
    return "\n".join([*lines, ""])


def stale_files(files: dict[str, str], folder: Path = FOLDER) -> list[str]:
    """Names of files that are missing, differ, or belong to no tool any more."""
    there = {
        each.name: each.read_text(encoding="utf-8")
        for each in folder.glob("*")
        if each.suffix in (".json", ".md")
    }
    return sorted(
        name for name in files.keys() | there.keys() if files.get(name) != there.get(name)
    )


def main(arguments: list[str]) -> int:
    files = contract_files(anyio.run(published_tools))
    stale = stale_files(files)
    if "--check" in arguments:
        if stale:
            sys.stderr.write(f"stale: {', '.join(stale)}; run `make contract`\n")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        if name in files:
            (FOLDER / name).write_text(files[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
    sys.stderr.write(f"tools/: {len(files)} files, {len(stale)} written or removed\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
