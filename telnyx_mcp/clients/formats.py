"""Changes one value of a client's file, in the format of the file, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from telnyx_mcp.clients import jsonc, toml, yaml
from telnyx_mcp.clients.errors import UnreadableConfig, UnsafeEdit
from telnyx_mcp.clients.jsonc import Step

FORMATS: Mapping[str, ModuleType] = {"json": jsonc, "toml": toml, "yaml": yaml}
Place = tuple[str, Step]
"""A table or list of the file, and a key or index in it."""


def put(format: str, text: str, place: Place, value: Any) -> str:
    """The text with this value there; a number past the end of a list appends.

    Raises `UnreadableConfig`, and `UnsafeEdit` if anything else would change.
    """
    form = FORMATS[format]
    new, wanted = form.put(text, place, value), form.read(text)
    outer, step = place
    inside = wanted.setdefault(outer, {} if isinstance(step, str) else [])
    if isinstance(step, int):
        inside[step:] = [value]
    elif inside.get(step) == value:
        return text
    else:
        inside[step] = value
    return _checked(form, new, wanted, outer)


def take(format: str, text: str, place: Place) -> str:
    """The text without this value; the same text if it is not in it. Raises as `put` does."""
    form = FORMATS[format]
    wanted = form.read(text)
    outer, step = place
    inside: Any = wanted.get(outer) if isinstance(wanted, dict) else None
    there = range(len(inside)) if isinstance(inside, list) else inside
    if not isinstance(there, dict | range) or step not in there:
        return text
    del inside[step]
    return _checked(form, form.take(text, place), wanted, outer)


def _checked(form: ModuleType, new: str, wanted: dict[str, Any], outer: str) -> str:
    """The new text, if it parses to the wanted data: an edit by position could hit the wrong place."""
    try:
        if _comparable(form.read(new), outer) == _comparable(wanted, outer):
            return new
    except (UnreadableConfig, RecursionError):
        pass
    raise UnsafeEdit


def _comparable(data: dict[str, Any], outer: str) -> str:
    """The data as text, for comparison. An empty table of servers counts as absent: TOML has no table
    without a server in it."""
    kept = {name: value for name, value in data.items() if name != outer or value}
    return json.dumps(kept, sort_keys=True, default=repr)
