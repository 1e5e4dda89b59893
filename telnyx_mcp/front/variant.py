"""Which lists this process shows: what the command line, the environment and the profiles file say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from telnyx_mcp.config.tool_groups import ToolGroup, tool_groups

_BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("", "0", "false", "f", "no", "n", "off"), False),
}
_KEYS = ("TELNYX_API_KEY", "TELNYX_API_KEY_FILE")
_FLAGS = ("--read-only", "--sandbox")
_OPTIONS = ("--tools", "--profile")


class Variant(NamedTuple):
    """What changes the lists."""

    groups: tuple[ToolGroup, ...]
    read_only: bool
    accounts: tuple[str, ...]
    """The accounts to choose from, the main one first; empty if there is only one."""


def variant_of(arguments: Sequence[str], environment: Mapping[str, str]) -> Variant | None:
    """The variant of `serve` on stdio; None for every other command, and for what is unusual."""
    options = _options(arguments)
    if options is None:
        return None
    try:
        profile, accounts = _profiles(options, environment)
        read_only = (
            "--read-only" in options
            or _BOOLEANS[environment.get("TELNYX_MCP_READ_ONLY", "").lower()]
            or _BOOLEANS[str(profile.get("read_only", "")).lower()]
        )
        named = profile.get("tools") or environment.get("TELNYX_MCP_TOOLS", "")
        groups = tool_groups(options.get("--tools") or named)
    except (KeyError, ValueError, TypeError, OSError):  # the real server says what is wrong
        return None
    return Variant(groups, read_only, () if "--sandbox" in options else accounts)


def _options(arguments: Sequence[str]) -> dict[str, str] | None:
    """The options of `serve`; None if there is another command or option."""
    options: dict[str, str] = {}
    rest = iter(arguments[1:] if arguments[:1] == ["serve"] else arguments)
    for each in rest:
        name, assigned, value = each.partition("=")
        if each in _FLAGS:
            options[each] = ""
        elif name in _OPTIONS and (value := value if assigned else next(rest, "")):
            options[name] = value
        else:
            return None
    return options


def _profiles(
    options: Mapping[str, str], environment: Mapping[str, str]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The settings of the selected profile, and the accounts to choose from. Raises `ValueError` and
    `OSError`."""
    wanted = options.get("--profile") or environment.get("TELNYX_MCP_PROFILE") or None
    has_key = any(environment.get(name, "").strip() for name in _KEYS)
    if has_key and not wanted:  # most installations: the profiles file is not even looked for
        return {}, ()
    from pathlib import Path

    from telnyx_mcp.config.paths import profiles_file, without_tilde
    from telnyx_mcp.config.profiles_file import SettingsError, select_profile

    named = environment.get("TELNYX_MCP_PROFILES", "")
    file = without_tilde(Path(named)) if named.strip(" .") else profiles_file()
    try:
        chosen, profiles = select_profile(file, wanted, has_key=has_key)
    except SettingsError as error:
        raise ValueError(str(error)) from None
    if chosen is None:
        return {}, ()
    names = (chosen, *(each for each in profiles if each != chosen))
    return profiles[chosen], names if len(names) > 1 else ()
