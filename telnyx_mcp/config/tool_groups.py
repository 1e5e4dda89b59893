"""The groups in which tools are loaded: all of them unless `TELNYX_MCP_TOOLS` or `--tools` names some.

Fewer tools cost a conversation fewer tokens, and offer a model fewer ways to be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal, get_args

ToolGroup = Literal["billing", "usage", "audit", "webhooks", "numbers", "changes"]
TOOL_GROUPS: tuple[ToolGroup, ...] = get_args(ToolGroup)


def tool_groups(names: str | Iterable[str]) -> tuple[ToolGroup, ...]:
    """The groups of a text or a list, in the order of `TOOL_GROUPS`.

    Commas, semicolons and spaces separate names; case does not matter; no name at all means every
    group. Raises `ValueError` for an unknown name, with the nearest one.
    """
    text = names if isinstance(names, str) else ",".join(names)
    given = set(re.split(r"[,;\s]+", text.lower())) - {""}
    if unknown := sorted(given.difference(TOOL_GROUPS)):
        near = get_close_matches(unknown[0], TOOL_GROUPS, 1, 0.5)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"must name tool groups, and {unknown[0][:40]!r} is not one. {hint}The groups are "
            + ", ".join(TOOL_GROUPS)
        )
    return tuple(each for each in TOOL_GROUPS if each in given) or TOOL_GROUPS
