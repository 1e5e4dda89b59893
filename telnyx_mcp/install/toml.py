"""Changes one value of a TOML file in place; comments, order and spacing stay as they are."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit.items import AbstractTable

from telnyx_mcp.install.jsonc import Unreadable

EMPTY = ""


def read(text: str) -> Any:
    """The value that the text holds. Raises `Unreadable`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(str(error)) from None


def fragment(path: Sequence[str], value: Any) -> str:
    """A file that holds nothing else."""
    return put("", path, value)


def put(text: str, path: Sequence[str], value: Any) -> str:
    """The text with this table there. Raises `Unreadable` where something on the way is no table."""
    read(text)
    document = tomlkit.parse(text)
    table: Any = document
    for step in path[:-1]:
        if step not in table:
            table[step] = tomlkit.table(is_super_table=True)
        table = table[step]
        if not isinstance(table, AbstractTable | Mapping):
            raise Unreadable(f"{step} holds something else than a table of settings")
    table[path[-1]] = value
    return tomlkit.dumps(document)


def take(text: str, path: Sequence[str]) -> str:
    """The text without this table; the same text where it is not there."""
    read(text)
    document = tomlkit.parse(text)
    table: Any = document
    for step in path[:-1]:
        table = table.get(step)
        if not isinstance(table, AbstractTable | Mapping):
            return text
    if path[-1] not in table:
        return text
    del table[path[-1]]
    return tomlkit.dumps(document)
