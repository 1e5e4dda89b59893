"""Keys that a variable holds, or a file that a variable names: `TELNYX_API_KEY`, or
`TELNYX_API_KEY_FILE` with the path of a file, as Docker and Kubernetes mount secrets."""

from __future__ import annotations

import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from telnyx_mcp.config.paths import without_tilde

SUFFIX = "_FILE"
LARGEST_KEY_FILE = 64 * 1024


class NoKeyThere(Exception):
    """No key can be read from there. Its text is a sentence that says why and what to do."""


def key_text(environment: Mapping[str, str], name: str) -> str:
    """What the variable holds, or the file that `NAME_FILE` names; empty if neither is set. Raises
    `NoKeyThere` if both are."""
    value, path = environment.get(name, ""), environment.get(f"{name}{SUFFIX}", "")
    if value and path:
        raise NoKeyThere(both_set(name))
    return key_in_file(Path(path)) if path else value


def both_set(name: str) -> str:
    """The sentence for a variable that is set besides its `NAME_FILE`."""
    return (
        f"{name} and {name}{SUFFIX} are both set, and may hold the keys of two accounts. Remove one of "
        "them."
    )


def key_in_file(path: Path) -> str:
    """The text of the file, which is not empty. Raises `NoKeyThere`."""
    try:
        path = without_tilde(path)
        if not path.is_absolute():
            raise NoKeyThere(f"{path} is not an absolute path, so the key is not read from it.")
        if not stat.S_ISREG(path.stat().st_mode):
            raise NoKeyThere(f"{path} is not a file, so it holds no key.")
        with path.open("rb") as file:
            raw = file.read(LARGEST_KEY_FILE + 1)
    except OSError as error:
        raise NoKeyThere(
            f"The file of the key, {path}, can't be read ({error.strerror}). Create it, or let the user of "
            "this server read it."
        ) from None
    if len(raw) > LARGEST_KEY_FILE:
        raise NoKeyThere(f"{path} is too large to hold a key.")
    try:
        # Windows editors write UTF-16 or UTF-8, with a mark that says which.
        text = raw.decode("utf-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig")
    except UnicodeError:
        raise NoKeyThere(f"{path} is not a text file, so it holds no key.") from None
    if not text.strip():
        raise NoKeyThere(f"{path} is empty. Write the key into it.")
    return text


def readers_of(path: Path) -> str | None:
    """Who besides its owner can read the file: `anyone`, `its group`; None if nobody can, or it is not
    known."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if sys.platform == "win32":
        return None
    if mode & stat.S_IROTH:
        return "anyone on this machine"
    return "its group" if mode & stat.S_IRGRP else None
