"""Recognizes the messages that the front answers: those it understands exactly as the SDK would.

Whatever is unusual is not recognized, and goes to the real server: a null where nothing is expected, an
id that is no safe integer, a key that occurs twice. So nothing here is ever answered with an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from telnyx_mcp.front.book import LISTS

MAX_SAFE_INTEGER = 2**53 - 1
MAX_BYTES = 65_536
"""The longest line that is recognized."""
_MAX_NESTED = 64
_UNUSUAL = re.compile(rb"\r|\\u[dD][89a-fA-F]")
"""A carriage return ends a line for the SDK, and it refuses half of a surrogate pair."""
_META = "io.modelcontextprotocol/"
_UI = _META + "ui"
_CAPABILITIES_KEY = _META + "clientCapabilities"
PAGE_TYPE = "text/html;profile=mcp-app"
"""The type of a page, which a client that shows them accepts."""


class Message(NamedTuple):
    """A request, or a notification, which has no id."""

    method: str
    id: int | str | None
    version: str | None
    """The version of the protocol that it names."""
    modern: bool
    pages: bool = False
    """Whether it says that its client shows pages in the chat. A handshake says it once for all."""


def recognize(line: bytes) -> Message | None:
    """The message in a line without its end; None if it is for the real server."""
    content = _parsed(line.removesuffix(b"\r"))
    if not isinstance(content, dict) or content.pop("jsonrpc", None) != "2.0":
        return None
    method, params = content.pop("method", None), content.pop("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        return None
    if method == "notifications/initialized":
        return None if content or params else Message(method, None, None, modern=False)
    identifier = content.pop("id", None)
    if content or not _is_id(identifier):
        return None
    if method == "initialize":
        if not _fits(params, _INITIALIZE):
            return None
        pages = _shows_pages(params["capabilities"])
        return Message(method, identifier, params["protocolVersion"], modern=False, pages=pages)
    meta = params.pop("_meta", {})
    if params or not isinstance(meta, dict) or method not in ("ping", "server/discover", *LISTS):
        return None
    if _META + "protocolVersion" in meta:
        if not _fits(meta, _MODERN_META) or method == "ping":
            return None
        version, pages = meta[_META + "protocolVersion"], _shows_pages(meta[_CAPABILITIES_KEY])
        return Message(method, identifier, version, modern=True, pages=pages)
    fits = _fits(meta, _PROGRESS) and method != "server/discover"
    return Message(method, identifier, None, modern=False) if fits else None


def _parsed(line: bytes) -> Any:
    """The JSON of a line; None for what another parser may read differently."""
    nested = line.count(b"{") + line.count(b"[")
    if len(line) > MAX_BYTES or nested > _MAX_NESTED or _UNUSUAL.search(line):
        return None
    try:
        return json.loads(
            line.decode(), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_refuse
        )
    except ValueError:
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError
    return content


def _refuse(_text: str) -> None:
    raise ValueError


def _is_id(value: object) -> bool:
    return isinstance(value, str) or (type(value) is int and abs(value) <= MAX_SAFE_INTEGER)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _is_table_of_tables(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_table, value.values()))


Shape = Mapping[str, Callable[[Any], bool]]
"""The keys that an object may have, with what each value must be. A `*` marks a required one."""


def _fits(value: object, shape: Shape) -> bool:
    return (
        isinstance(value, dict)
        and all(f"{each}*" in shape or each in shape for each in value)
        and all(
            test(value[name]) if (name := key.rstrip("*")) in value else not key.endswith("*")
            for key, test in shape.items()
        )
    )


def _are_extensions(value: object) -> bool:
    """Whether these are the extensions of a client, and that of the pages is as the SDK would read it."""
    if not isinstance(value, dict) or not _is_table_of_tables(value):
        return False
    return _UI not in value or _fits(value[_UI], {"mimeTypes": _are_texts})


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _shows_pages(capabilities: Mapping[str, Any]) -> bool:
    """Whether a client with these capabilities shows pages in the chat."""
    return PAGE_TYPE in capabilities.get("extensions", {}).get(_UI, {}).get("mimeTypes", [])


def _of(shape: Shape) -> Callable[[object], bool]:
    return lambda value: _fits(value, shape)


_CLIENT = _of({"name*": _is_text, "version*": _is_text, "title": _is_text})
_CAPABILITIES = _of(
    {
        "experimental": _is_table_of_tables,
        "extensions": _are_extensions,
        "roots": _of({"listChanged": _is_flag}),
        "sampling": _of({"context": _is_table, "tools": _is_table}),
        "elicitation": _of({"form": _is_table, "url": _is_table}),
    }
)
_PROGRESS: Shape = {"progressToken": _is_id}
_INITIALIZE: Shape = {
    "protocolVersion*": _is_text,
    "capabilities*": _CAPABILITIES,
    "clientInfo*": _CLIENT,
}
_MODERN_META: Shape = {
    _META + "protocolVersion*": _is_text,
    _META + "clientInfo*": _CLIENT,
    _META + "clientCapabilities*": _CAPABILITIES,
    **_PROGRESS,
}
