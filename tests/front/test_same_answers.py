"""The same bytes to the front and to the real server: the same answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.generate.book import SHOWS_PAGES
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.config.tool_groups import TOOL_GROUPS
from telnyx_mcp.front.book import LISTS, open_book
from telnyx_mcp.front.conversation import Conversation
from telnyx_mcp.front.messages import PAGE_TYPE
from telnyx_mcp.front.variant import Variant
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from tests.support.in_memory_stdio import answers_of_front, answers_of_server, messages_of


@cache
def server() -> AccountServer:
    return build_server(Settings())


async def both(content: bytes) -> tuple[list[str], list[str], bool]:
    """The messages through the front and of the real server, and whether the front needed that."""
    book = open_book(Variant(TOOL_GROUPS, read_only=False, accounts=()))
    assert book
    through_front, was_needed = await answers_of_front(Conversation(book), server(), content)
    alone = await answers_of_server(server(), content)
    return messages_of(through_front), messages_of(alone), was_needed


PREFIX = "io.modelcontextprotocol/"
CLIENT = {"name": "test", "version": "1"}


def message(method: str, params: Any = None, **fields: Any) -> bytes:
    content = {"jsonrpc": "2.0", "method": method, **fields}
    if params is not None:
        content["params"] = params
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


def greeting(
    version: Any = "2025-11-25", capabilities: Any = None, client: Any = None, **params: Any
) -> bytes:
    return message(
        "initialize",
        {
            "protocolVersion": version,
            "capabilities": {} if capabilities is None else capabilities,
            "clientInfo": client or CLIENT,
            **params,
        },
        id=0,
    )


def modern(method: str, params: Any = None, version: str = "2026-07-28", **meta: Any) -> bytes:
    envelope = {
        f"{PREFIX}protocolVersion": version,
        f"{PREFIX}clientInfo": CLIENT,
        f"{PREFIX}clientCapabilities": {"elicitation": {"form": {}}},
        **meta,
    }
    return message(method, {**(params or {}), "_meta": envelope}, id=f"{method}!")


def showing(capabilities: Any) -> dict[str, Any]:
    """The part of a modern request that says what its client can do."""
    return {f"{PREFIX}clientCapabilities": capabilities}


UI = f"{PREFIX}ui"
DONE = message("notifications/initialized")
HELLO = greeting() + DONE
TOOLS = message("tools/list", id=1)
ALL_LISTS = b"".join(message(each, id=each) for each in LISTS)
ALL_MODERN = b"".join(modern(each) for each in LISTS)
CALL = message("tools/call", {"name": "telnyx_nothing", "arguments": {}}, id=9)

LISTED_ONLY: Mapping[str, bytes] = {
    "every list after the handshake": HELLO + ALL_LISTS,
    "every list twice": HELLO + ALL_LISTS + ALL_LISTS,
    "a list before the client is ready": greeting() + TOOLS + DONE + TOOLS,
    "pings, before and after": greeting()
    + message("ping", id=5)
    + DONE
    + message("ping", {}, id=6),
    "no notification": greeting(),
    "the oldest version": greeting("2024-11-05") + DONE + ALL_LISTS,
    "another version": greeting("2025-03-26") + DONE + ALL_LISTS,
    "one before the newest": greeting("2025-06-18") + DONE + ALL_LISTS,
    "every list of the newest revision": modern("server/discover") + ALL_MODERN,
    "a list first, then discovery": modern("tools/list") + modern("server/discover"),
    "empty parameters": HELLO + message("tools/list", {}, id=1) + message("prompts/list", {}, id=2),
    "a progress token": HELLO + message("tools/list", {"_meta": {"progressToken": 7}}, id=1),
    "a progress token as text": HELLO + message("ping", {"_meta": {"progressToken": "a"}}, id=1),
    "a modern progress token": modern("tools/list", progressToken="p"),
    "text ids": HELLO + message("tools/list", id="é😀\n") + message("ping", id=""),
    "negative and repeated ids": HELLO + message("ping", id=-1) + message("ping", id=-1),
    "windows line ends": (HELLO + ALL_LISTS).replace(b"\n", b"\r\n"),
    "capabilities of every kind": greeting(
        capabilities={
            "roots": {"listChanged": True},
            "sampling": {"tools": {}, "context": {}},
            "elicitation": {"form": {}, "url": {}},
            "experimental": {"a": {"b": [1]}},
            "extensions": {"io.modelcontextprotocol/tasks": {"list": {}}},
        }
    )
    + DONE
    + TOOLS,
    "a client that shows pages in the chat": greeting(capabilities=SHOWS_PAGES) + DONE + ALL_LISTS,
    "a client that shows other pages": greeting(
        capabilities={"extensions": {UI: {"mimeTypes": ["text/html"]}}}
    )
    + DONE
    + ALL_LISTS,
    "a client that shows pages of no kind": greeting(capabilities={"extensions": {UI: {}}})
    + DONE
    + ALL_LISTS,
    "a modern client that shows pages, now and then": b"".join(
        modern(each, **showing(has))
        for has in (SHOWS_PAGES, {}, SHOWS_PAGES)
        for each in ("server/discover", *LISTS)
    ),
    "a client with a title": greeting(client={**CLIENT, "title": "Test"}) + DONE + TOOLS,
    "white space in the JSON": b' { "jsonrpc" : "2.0" , "id" : 3 , "method":"initialize", "params": '
    b'{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}} } \n',
    "escapes in the JSON": HELLO + TOOLS.replace(b"tools", b"\\u0074ools"),
}
"""Conversations that need no real server."""
OTHERS: Mapping[str, bytes] = {
    "a call": HELLO + ALL_LISTS + CALL + ALL_LISTS,
    "a call at once": HELLO + CALL,
    "a modern call": modern("tools/call", {"name": "x", "arguments": {}}) + ALL_MODERN,
    "a modern call after lists": ALL_MODERN + modern("tools/call", {"name": "x", "arguments": {}}),
    "the id of the handshake again": HELLO + message("tools/call", {"name": "x"}, id=0) + TOOLS,
    "a prompt": HELLO + message("prompts/get", {"name": "unpaid-invoices"}, id=1),
    "a missing prompt": HELLO + message("prompts/get", {"name": "none"}, id=1),
    "no handshake": TOOLS + HELLO,
    "a ping before the handshake": message("ping", id=1) + HELLO + TOOLS,
    "a notification before the handshake": DONE + HELLO + TOOLS,
    "two handshakes": HELLO + greeting() + TOOLS,
    "an unknown version": greeting("1999-01-01") + DONE + TOOLS,
    "a modern version in the handshake": greeting("2026-07-28") + DONE + TOOLS,
    "no version": message("initialize", {"capabilities": {}, "clientInfo": CLIENT}, id=0) + TOOLS,
    "a version that is not text": greeting(7) + TOOLS,
    "no client": message("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}}, id=0),
    "a client without a version": greeting(client={"name": "a"}) + DONE + TOOLS,
    "a client with icons": greeting(client={**CLIENT, "icons": [{"src": "https://a/b"}]}) + TOOLS,
    "capabilities that are a list": greeting(capabilities=[]) + DONE + TOOLS,
    "an odd capability": greeting(capabilities={"elicitation": True}) + DONE + TOOLS,
    "a null capability": greeting(capabilities={"roots": None}) + DONE + TOOLS,
    "an unknown capability": greeting(capabilities={"telepathy": {}}) + DONE + TOOLS,
    "more in the handshake": greeting(more=1) + DONE + TOOLS,
    "meta in the handshake": greeting(_meta={"progressToken": 1}) + DONE + TOOLS,
    "a modern envelope in the handshake": greeting(
        _meta={f"{PREFIX}protocolVersion": "2026-07-28"}
    ),
    "a modern request after the handshake": HELLO + modern("tools/list") + TOOLS,
    "a handshake after a modern request": modern("tools/list") + HELLO + TOOLS,
    "an old request after a modern one": modern("tools/list") + TOOLS,
    "an unknown modern version": modern("tools/list", version="2030-01-01") + TOOLS,
    "a modern ping": modern("tools/list") + modern("ping"),
    "a modern envelope without a client": message(
        "tools/list", {"_meta": {f"{PREFIX}protocolVersion": "2026-07-28"}}, id=1
    ),
    "a modern envelope with a level": modern("tools/list", **{f"{PREFIX}logLevel": "debug"}),
    "discovery after the handshake": HELLO + message("server/discover", id=1),
    "a cursor": HELLO + message("tools/list", {"cursor": "abc"}, id=1),
    "a null cursor": HELLO + message("tools/list", {"cursor": None}, id=1),
    "parameters of no meaning": HELLO + message("tools/list", {"a": 1}, id=1),
    "null parameters": HELLO + b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}\n',
    "list parameters": HELLO + message("tools/list", [], id=1),
    "null meta": HELLO + message("tools/list", {"_meta": None}, id=1),
    "other meta": HELLO + message("tools/list", {"_meta": {"a": 1}}, id=1),
    "an odd progress token": HELLO
    + message("tools/list", {"_meta": {"progressToken": True}}, id=1),
    "a null id": HELLO + message("tools/list", id=None) + TOOLS,
    "a float id": HELLO + message("tools/list", id=1.5) + message("tools/list", id=2.0) + TOOLS,
    "a true id": HELLO + message("tools/list", id=True) + TOOLS,
    "a huge id": HELLO + message("tools/list", id=2**70) + message("ping", id=2**53) + TOOLS,
    "no id": HELLO + message("tools/list") + TOOLS,
    "an id on a notification": greeting() + message("notifications/initialized", id=4) + TOOLS,
    "no version of JSON-RPC": HELLO + b'{"id":1,"method":"tools/list"}\n' + TOOLS,
    "JSON-RPC 1.0": HELLO + b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}\n' + TOOLS,
    "more in a message": HELLO + message("tools/list", id=1, more=2) + TOOLS,
    "an unknown method": HELLO + message("tools/steal", id=1) + TOOLS,
    "a method that is not text": HELLO + b'{"jsonrpc":"2.0","id":1,"method":7}\n' + TOOLS,
    "a cancellation": HELLO + message("notifications/cancelled", {"requestId": 1}) + TOOLS,
    "changed roots": HELLO + message("notifications/roots/list_changed") + TOOLS,
    "an answer nobody asked for": HELLO + b'{"jsonrpc":"2.0","id":1,"result":{}}\n' + TOOLS,
    "a batch": HELLO + b"[" + TOOLS.strip() + b"]\n" + TOOLS,
    "an empty line": b"\n" + HELLO + b"\n" + TOOLS,
    "garbage": b"hello\n" + HELLO + b"{\n" + b"[[[[\n" + TOOLS,
    "not UTF-8": HELLO + b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}\n' + TOOLS,
    "half a surrogate pair": HELLO + b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}\n' + TOOLS,
    "a whole one": HELLO + b'{"jsonrpc":"2.0","id":"\\ud83d\\ude00","method":"ping"}\n' + TOOLS,
    "a byte order mark": b"\xef\xbb\xbf" + HELLO + TOOLS,
    "a key twice": HELLO + b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}\n' + TOOLS,
    "not a number": HELLO + b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}\n' + TOOLS,
    "infinity": HELLO + b'{"jsonrpc":"2.0","id":1e999,"method":"ping"}\n' + TOOLS,
    "a number of many digits": HELLO
    + b'{"jsonrpc":"2.0","id":'
    + b"9" * 5000
    + b',"method":"ping"}\n',
    "a carriage return in a line": HELLO + TOOLS.replace(b'"2.0",', b'"2.0",\r') + TOOLS,
    "deeply nested": greeting(
        capabilities={"experimental": {"a": json.loads("[" * 300 + "]" * 300)}}
    ),
    "pages in the chat, with something unusual": greeting(
        capabilities={"extensions": {UI: {"mimeTypes": [PAGE_TYPE], "more": {}}}}
    )
    + DONE
    + ALL_LISTS,
    "pages of no kind": greeting(capabilities={"extensions": {UI: {"mimeTypes": PAGE_TYPE}}})
    + DONE
    + ALL_LISTS,
    "a call of a client that shows pages": greeting(capabilities=SHOWS_PAGES)
    + DONE
    + ALL_LISTS
    + CALL
    + ALL_LISTS,
    "a long line": greeting(capabilities={"experimental": {"a": {"b": "x" * 70_000}}})
    + DONE
    + TOOLS,
    "a last line without an end": HELLO + TOOLS.rstrip(),
}


@pytest.mark.parametrize("content", LISTED_ONLY.values(), ids=LISTED_ONLY)
async def test_who_only_looks_around_gets_the_same_answers_without_the_real_server(
    content: bytes,
) -> None:
    through_front, alone, was_needed = await both(content)
    assert not was_needed
    assert through_front == alone


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
async def test_everything_else_is_answered_by_the_real_server_as_if_it_had_heard_it_all(
    content: bytes,
) -> None:
    through_front, alone, was_needed = await both(content)
    assert was_needed
    assert through_front == alone


def lines() -> st.SearchStrategy[bytes]:
    """Lines of the conversations above, and messages that nobody has thought of."""
    known = sorted(
        {
            line
            for each in (*LISTED_ONLY.values(), *OTHERS.values())
            for line in each.splitlines(True)
        }
    )
    scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=4)
    meta = st.dictionaries(
        st.sampled_from(["progressToken", *(PREFIX + each for each in ("protocolVersion", "x"))]),
        scalars,
        max_size=2,
    )
    built = st.builds(
        lambda fields, method: json.dumps({"jsonrpc": "2.0", "method": method, **fields}).encode(),
        st.fixed_dictionaries(
            {},
            optional={"id": scalars, "params": st.fixed_dictionaries({}, optional={"_meta": meta})},
        ),
        st.sampled_from(["ping", "initialize", "server/discover", *LISTS]),
    )
    short = st.sampled_from([each for each in known if len(each) < 2000])
    return short | built.map(lambda line: line + b"\n")


CONVERSATIONS = given(
    rest=st.lists(lines(), max_size=6),
    opening=st.sampled_from([b"", HELLO, modern("tools/list")]),
)


@CONVERSATIONS
@settings(max_examples=100, deadline=None)
async def test_any_conversation_is_the_same_through_the_front(
    rest: list[bytes], opening: bytes
) -> None:
    through_front, alone, _ = await both(opening + b"".join(rest))
    assert through_front == alone


@pytest.mark.slow
@CONVERSATIONS
@settings(max_examples=800, deadline=None)
async def test_many_conversations_are_the_same_through_the_front(
    rest: list[bytes], opening: bytes
) -> None:
    through_front, alone, _ = await both(opening + b"".join(rest))
    assert through_front == alone
