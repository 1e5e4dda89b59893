"""The profiles file, read as it is written: which profiles it has, and which one is selected.

The standard library only, as the front reads it too; `profiles.py` checks the settings in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


class SettingsError(Exception):
    """A setting or the profiles file can't be used. Its text says which, and why."""


def select_profile(
    file: Path, wanted: str | None, *, has_key: bool
) -> tuple[str | None, Mapping[str, Mapping[str, Any]]]:
    """The name of the profile that the server is for, and all profiles of the file.

    It is the one that the user `wanted`; else none, as the environment has a key; else the file's
    default, if it names one. Raises `SettingsError`.
    """
    if wanted is None and (has_key or not file.exists()):
        return None, {}
    default, profiles = _read(file)
    chosen = wanted or default
    if chosen is not None and chosen not in profiles:
        known = f"it has {', '.join(profiles)}" if profiles else "it has none"
        raise SettingsError(f"there is no profile {chosen!r} in {file}: {known}")
    return chosen, profiles


def _read(file: Path) -> tuple[str | None, Mapping[str, Mapping[str, Any]]]:
    import tomllib

    try:
        text = file.read_text("utf-8")
        content = tomllib.loads(text)
    except FileNotFoundError:
        raise SettingsError(f"a profile is named, but there is no {file}") from None
    except (OSError, ValueError) as error:
        # A TOML error quotes only a few letters of the file, and their position.
        raise SettingsError(f"{file} can't be read: {error}") from None
    profiles, default = content.pop("profiles", {}), content.pop("default", None)
    if content:
        raise SettingsError(f"{file}: there is no {next(iter(content))!r} outside a profile")
    tables = isinstance(profiles, dict) and all(
        isinstance(each, dict) for each in profiles.values()
    )
    if not tables or not isinstance(default, str | None):
        raise SettingsError(f"{file}: must hold [profiles.NAME] tables, and a default by name")
    for name in profiles:
        if not NAME.fullmatch(name):
            raise SettingsError(
                f"{file}: a profile's name is letters, digits, _ and -, not {name!r}"
            )
    return default, profiles
