"""Picks the stricter value of a safety setting that both the environment and a profile set.

Neither may loosen the other: a client's configuration often sets the environment of its
server, and a profile is often written by another person.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from telnyx_mcp.config.settings import Settings


class Contradiction(ValueError):
    """Two values of which neither is stricter. Its text names both."""


def _one_channel(environment: str, profile: str) -> str:
    """A fixed channel is stricter than `auto`, which tries one after the other. Two different fixed
    ones leave none. Raises `Contradiction`."""
    fixed = {environment, profile} - {"auto"}
    if len(fixed) > 1:
        raise Contradiction(
            f"approval is {profile!r} here and {environment!r} in the environment "
            "(TELNYX_MCP_APPROVAL), and neither is stricter; remove one of them"
        )
    return fixed.pop() if fixed else "auto"


STRICTER: Mapping[str, Callable[[Any, Any], Any]] = {
    "read_only": operator.or_,
    "max_payment": min,
    "max_per_day": min,
    "max_per_30_days": min,
    "standing_budget_per_payment": min,
    "standing_budget_per_day": min,
    "approval": _one_channel,
}
"""The settings that limit what can be changed or paid, and the stricter of two values of each."""


def strictest(
    profile: Settings, stated: Collection[str], environment: Settings, *, may_raise: bool
) -> dict[str, Any]:
    """The safety settings of a profile that must change to be no looser than the environment.

    `profile` holds the settings as the profile asks for them, `stated` names those that it states. A
    variable that is not set limits nothing if the profile `may_raise`; else its default does. Raises
    `Contradiction`.
    """
    limits = environment.model_fields_set if may_raise else STRICTER.keys()
    changed: dict[str, Any] = {}
    for name, stricter in STRICTER.items():
        # No question is ever asked in read-only mode.
        needless = name == "approval" and changed.get("read_only", profile.read_only)
        if name not in limits or name not in stated or needless:
            continue
        requested = getattr(profile, name)
        if (value := stricter(getattr(environment, name), requested)) != requested:
            changed[name] = value
    return changed
