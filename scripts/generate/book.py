"""Writes the book of the front: what the real server answers to a client that only looks around.

`python -m scripts.generate.book` writes it; with `--check` it exits 1 if it is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from telnyx_mcp import __version__
from telnyx_mcp.apps import PAGES
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.front.book import FILE, LISTS
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.server.prompts import read_prompts
from telnyx_mcp.server.resources import READABLE
from telnyx_mcp.tools import TOOLS

CLIENT = {"name": "book", "version": "1"}


SHOWS_PAGES = {"extensions": {EXTENSION_ID: {"mimeTypes": [APP_MIME_TYPE]}}}
"""The capabilities of a client that shows pages in the chat."""


def modern_meta(version: str, capabilities: dict[str, Any]) -> dict[str, Any]:
    """What a request without a handshake carries."""
    prefix = "io.modelcontextprotocol/"
    return {
        f"{prefix}protocolVersion": version,
        f"{prefix}clientInfo": CLIENT,
        f"{prefix}clientCapabilities": capabilities,
    }


async def asked(
    server: AccountServer,
    *methods: str,
    version: str,
    modern: bool,
    capabilities: dict[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """The results of these methods, as they go over the wire; with a handshake, that of `initialize` too."""
    results: dict[str, dict[str, Any]] = {}
    has = capabilities or {}
    async with (
        create_client_server_memory_streams() as ((answers, requests), streams),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(server.run, *streams, server.create_initialization_options())

        async def ask(method: str, params: dict[str, Any]) -> None:
            request = JSONRPCRequest(jsonrpc="2.0", id=method, method=method, params=params)
            await requests.send(SessionMessage(request))
            answer = await answers.receive()
            if isinstance(answer, Exception) or not isinstance(answer.message, JSONRPCResponse):
                raise TypeError(f"{method}: {answer}")
            results[method] = answer.message.result

        if not modern:
            params = {"protocolVersion": version, "capabilities": has, "clientInfo": CLIENT}
            await ask("initialize", params)
            done = JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")
            await requests.send(SessionMessage(done))
        for method in methods:
            await ask(method, {"_meta": modern_meta(version, has)} if modern else {})
        tasks.cancel_scope.cancel()
    return results


async def written_book() -> dict[str, Any]:
    """The book for this version of the package and of the SDK, for the server with all tools."""
    server = build_server(Settings().model_copy(update={"read_only": False}))
    handshake = await _same_for_all(server, "ping", *LISTS, modern=False)
    modern = await _same_for_all(server, "server/discover", *LISTS, modern=True)
    entries = {method: handshake[method][field] for method, field in LISTS.items()}
    for method, field in LISTS.items():
        if modern[method].pop(field) != handshake[method].pop(field):
            raise ValueError(f"{method} differs between the revisions: the book can't hold that")
    initialize = handshake.pop("initialize")
    for result in (initialize, modern["server/discover"]):
        del result["instructions"]
    return {
        "version": __version__,
        "mcp": version("mcp"),
        "tools": {each.name: {"group": each.group, "changes": each.changes} for each in TOOLS},
        "handshake": {
            "versions": list(HANDSHAKE_PROTOCOL_VERSIONS),
            "initialize": initialize,
            "results": handshake,
        },
        "modern": {"versions": list(MODERN_PROTOCOL_VERSIONS), "results": modern},
        "pages": await _pages(server, entries),
        "entries": {
            method: [
                {"tools": sorted(tools), "listed": entry}
                for tools, entry in zip(_needed(method), listed, strict=True)
            ]
            for method, listed in entries.items()
        },
    }


async def _pages(server: AccountServer, entries: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """What is added for a client that shows pages in the chat, the same in both revisions."""
    handshake = await _same_for_all(server, *LISTS, modern=False, capabilities=SHOWS_PAGES)
    modern = await _same_for_all(
        server, "server/discover", *LISTS, modern=True, capabilities=SHOWS_PAGES
    )
    listed = {method: handshake[method][field] for method, field in LISTS.items()}
    if any(modern[method][field] != listed[method] for method, field in LISTS.items()):
        raise ValueError("the pages differ between the revisions: the book can't hold that")
    of_tools = {each["name"]: each.pop("_meta") for each in listed["tools/list"] if "_meta" in each}
    plain = len(entries["resources/list"])
    resources, listed["resources/list"] = (
        listed["resources/list"][plain:],
        listed["resources/list"][:plain],
    )
    if listed != entries:
        raise ValueError("the pages change more than the book can hold")
    return {
        "capabilities": {
            "initialize": handshake["initialize"]["capabilities"],
            "server/discover": modern["server/discover"]["capabilities"],
        },
        "tools": of_tools,
        "resources": [
            {"tools": sorted(page.tools), "listed": page_listed}
            for page, page_listed in zip(PAGES, resources, strict=True)
        ],
    }


async def _same_for_all(
    server: AccountServer,
    *methods: str,
    modern: bool,
    capabilities: dict[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """The results, which must be the same in all versions of a revision."""
    versions = MODERN_PROTOCOL_VERSIONS if modern else HANDSHAKE_PROTOCOL_VERSIONS
    found = []
    for each in versions:
        results = await asked(
            server, *methods, version=each, modern=modern, capabilities=capabilities
        )
        if not modern:
            del results["initialize"]["protocolVersion"]
        found.append(results)
    if any(each != found[0] for each in found):
        raise ValueError("the versions of a revision differ: the book can't hold that")
    return found[0]


def _needed(method: str) -> Iterator[set[str]]:
    """For each entry of a list, the tools without which it is not listed."""
    if method == "tools/list":
        yield from ({each.name} for each in TOOLS)
    elif method == "prompts/list":
        yield from (set(each.tools) for each in read_prompts())
    else:
        for each in READABLE:
            if each.is_template == (method == "resources/templates/list"):
                yield {each.tool} - {""}


def book_text() -> str:
    """The book as it is shipped."""
    content = anyio.run(written_book)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


def main(arguments: list[str]) -> int:
    text, file = book_text(), Path(FILE)
    is_stale = not file.exists() or file.read_text(encoding="utf-8") != text
    if "--check" in arguments:
        if is_stale:
            sys.stderr.write(f"stale: {file.name}; run `make contract`\n")
        return int(is_stale)
    file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
