"""The pages in the chat: which clients they are declared to, and what is in them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp.shared.exceptions import MCPError
from mcp_types import TextResourceContents

from telnyx_mcp.apps import PAGES, Page
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools import TOOLS
from tests.support.client import SECONDS, Mode, connected

BY_NAME = {each.name: each for each in PAGES}
LARGEST = 12_000
"""Bytes of a page."""


@asynccontextmanager
async def showing_pages(
    server: AccountServer, mode: Mode, mime_type: str = APP_MIME_TYPE
) -> AsyncIterator[Client]:
    """A client that declares that it shows pages of this type."""
    declared = [advertise(EXTENSION_ID, {"mimeTypes": [mime_type]})]
    with anyio.fail_after(SECONDS):
        async with Client(server, mode=mode, extensions=declared) as client:
            yield client


async def lists(client: Client) -> list[dict[str, Any]]:
    """The tools and resources, as they go over the wire."""
    tools, resources = await client.list_tools(), await client.list_resources()
    found = [*tools.tools, *resources.resources]
    return [each.model_dump(by_alias=True, exclude_none=True) for each in found]


async def test_a_client_that_shows_pages_is_told_of_them(server: AccountServer, mode: Mode) -> None:
    async with showing_pages(server, mode) as client:
        found = await lists(client)
        assert (client.server_capabilities.extensions or {}).get(EXTENSION_ID) == {}
    bound = {each["name"]: each["_meta"]["ui"]["resourceUri"] for each in found if "_meta" in each}
    assert bound == {tool: page.uri for page in PAGES for tool in page.tools}
    listed = {
        each["uri"]: each["mimeType"] for each in found if each.get("uri", "").startswith("ui")
    }
    assert listed == {page.uri: APP_MIME_TYPE for page in PAGES}


@pytest.mark.parametrize("mime_type", [None, "text/html"])
async def test_nobody_else_is(server: AccountServer, mode: Mode, mime_type: str | None) -> None:
    async with connected(server, mode) as client:
        plain = await lists(client)
    other = showing_pages(server, mode, mime_type) if mime_type else connected(server, mode)
    async with other as client:
        assert await lists(client) == plain
        assert "ui://" not in str(plain)
        assert not client.server_capabilities.extensions
        with pytest.raises(MCPError, match="there is no resource"):
            await client.read_resource(PAGES[0].uri)


async def test_without_the_pages_the_lists_are_the_same(server: AccountServer, mode: Mode) -> None:
    async with connected(server, mode) as client:
        plain = await lists(client)
    async with showing_pages(server, mode) as client:
        found = await lists(client)
    for each in found:
        each.pop("_meta", None)
    assert [each for each in found if not each.get("uri", "").startswith("ui:")] == plain


@pytest.mark.parametrize("page", PAGES, ids=BY_NAME)
async def test_a_page_is_read_with_a_policy_that_allows_it_nothing(
    server: AccountServer, mode: Mode, page: Page
) -> None:
    async with showing_pages(server, mode) as client:
        (content,) = (await client.read_resource(page.uri)).contents
    assert isinstance(content, TextResourceContents)
    assert (content.text, content.mime_type) == (page.html(), APP_MIME_TYPE)
    assert content.meta
    assert content.meta["ui"]["csp"] == {
        "connectDomains": [],
        "resourceDomains": [],
        "frameDomains": [],
        "baseUriDomains": [],
    }
    assert not content.meta["ui"].keys() & {"permissions", "domain"}


@pytest.mark.parametrize("page", PAGES, ids=BY_NAME)
def test_a_page_is_small_and_complete_in_itself(page: Page) -> None:
    html = page.html()
    assert len(html.encode()) < LARGEST
    assert "<!--" not in html, "nothing is left to be put in"
    outside = r"\b(src|href|srcset|action|@import|url\(|fetch|XMLHttpRequest|WebSocket|import\()"
    assert not re.search(outside, html)
    # The one address is the name of a language; the other pattern is the link of a change.
    addresses = set(re.findall(r"https?\??:[^\s`]*", html))
    assert all(each.startswith(("http://www.w3.org/${", "https?:")) for each in addresses)


@pytest.mark.parametrize("page", PAGES, ids=BY_NAME)
def test_a_page_makes_no_markup_of_strings(page: Page) -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|untrusted_"
    assert not re.search(forbidden, page.html())


def test_the_page_of_a_change_asks_the_server_nothing() -> None:
    html = BY_NAME["change"].html()
    assert "tools/call" not in html
    assert re.findall(r'ask\("([^"]+)"', html) == ["ui/initialize", "ui/open-link"]
    changing = {each.name for each in TOOLS if each.changes}
    assert changing == BY_NAME["change"].tools


def test_the_pages_with_buttons_call_the_tool_whose_result_they_show() -> None:
    for page in PAGES:
        named = set(re.findall(r"telnyx_[a-z_]+", page.html()))
        assert named == (set() if page.name == "change" else page.tools)


def test_every_file_of_the_folder_is_used() -> None:
    folder = files("telnyx_mcp.apps")
    written = {each.name for each in folder.iterdir() if each.is_file()} - {"__init__.py"}
    assert written == {
        *(f"{each}.html" for each in BY_NAME),
        "shared.css",
        "bridge.js",
        "tables.js",
    }
