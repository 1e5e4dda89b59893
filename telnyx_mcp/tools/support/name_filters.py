"""Filters that take the name or the id of a connection, a messaging profile or a billing group."""

from __future__ import annotations

import re

from telnyx_mcp.telnyx.names import Named, Names
from telnyx_mcp.tools.framework.arguments import nearest, quote
from telnyx_mcp.tools.framework.failure import ToolFailure

NONE_SPELLED = frozenset({"none", "(none)"})
_ID = re.compile(r"[0-9a-f-]{36}|\d{10,}", re.ASCII | re.IGNORECASE)
_MAX_NAMES = 10


def is_none(text: str | None) -> bool:
    """Whether a filter asks for numbers without it."""
    return text is not None and text.lower() in NONE_SPELLED


async def id_of(names: Names, kind: Named, text: str, argument: str) -> str:
    """The id of what a filter names: by its id, its name, or a part of its name that no other has.

    An id that is not in the list is taken as it is, as the list may be incomplete. Raises `ToolFailure`.
    """
    known = await names.all(kind)
    if text in known or _ID.fullmatch(text):
        return text
    low = text.casefold()
    for found in (
        [each for each, name in known.items() if name.casefold() == low],
        [each for each, name in known.items() if low in name.casefold()],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(f"{known[each]} ({each})" for each in found[:_MAX_NAMES])
            raise ToolFailure(
                f"`{argument}`: several {kind} are named like {quote(text, with_marks=True)}: {several}. "
                "Call again with one of these ids."
            )
    raise ToolFailure(f"`{argument}`: {_unknown(names, kind, text, list(known.values()))}")


def _unknown(names: Names, kind: Named, text: str, known: list[str]) -> str:
    quoted = quote(text, with_marks=True)
    if why := names.missing.get(kind):
        return (
            f"the names of the {kind} could not be read ({why}), so {quoted} can't be looked up. "
            "Call again with the id."
        )
    near = nearest(text, known)
    listed = ", ".join(sorted(known)[:_MAX_NAMES]) or "none exist"
    return (
        f"none of the {kind} is named {quoted}{f'; did you mean {near}?' if near else '.'} "
        f"There are {len(known)}: {listed}. Call again with one of them."
    )
