"""The question by which a client asks for the key itself, as VS Code does, and keeps the answer."""

from __future__ import annotations

from telnyx_mcp.clients.client import Client
from telnyx_mcp.clients.entry import ASKED, INPUT, KEY, Entry, pretty
from telnyx_mcp.clients.formats import FORMATS, put, take


def fragment(client: Client, name: str, entry: Entry) -> str:
    """The client's file, if it held this server alone."""
    text: str = FORMATS[client.format].fragment(client.path(name), entry.merged(client, None))
    return with_input(client, text) if entry.env.get(KEY) == ASKED else text


def with_input(client: Client, text: str) -> str:
    """The text with an input for the key: the client asks for it and stores the answer."""
    inputs = FORMATS[client.format].read(text).get("inputs", [])
    if _input_of(inputs) is not None:
        return text
    question = {
        "type": "promptString",
        "id": INPUT,
        "description": "Telnyx API key (Mission Control Portal, API Keys)",
        "password": True,
    }
    number = len(inputs) if isinstance(inputs, list) else 0
    return put(client.format, text, ("inputs", number), question)


def without_input(client: Client, text: str) -> str:
    """The text without the question for the key, if no server needs it any more."""
    data = FORMATS[client.format].read(text)
    number = _input_of(data.get("inputs", []))
    if number is None or ASKED in pretty(data.get(client.table)):
        return text
    return take(client.format, text, ("inputs", number))


def _input_of(inputs: object) -> int | None:
    listed = inputs if isinstance(inputs, list) else []
    ids = [each.get("id") if isinstance(each, dict) else None for each in listed]
    return ids.index(INPUT) if INPUT in ids else None
