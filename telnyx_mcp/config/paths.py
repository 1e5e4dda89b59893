"""Paths of the server's files, and how to create them for the owner only."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_NAME = "telnyx-account-mcp"
NO_HOME = Path(os.devnull) / "no home folder"
"""In the place of a home folder that a user without a name and HOME lacks. Nothing can be created in it, so
that what needs a file says so, and everything else goes on."""


def default_file() -> Path:
    """The SQLite file in the user's state directory."""
    from platformdirs import user_state_path

    return _whole(user_state_path, ".local/state") / "state.sqlite3"


def config_folder() -> Path:
    """The folder of this server in the user's configuration directory."""
    from platformdirs import user_config_path

    return _whole(user_config_path, ".config")


def profiles_file() -> Path:
    """The file in the user's configuration directory that names several accounts."""
    return config_folder() / "profiles.toml"


def _whole(find: Callable[[str], Path], usual: str) -> Path:
    """The folder that `find` gives, or the usual one where that is relative: it would be another in each
    folder that a client starts the server in, and the XDG specification says to ignore it."""
    with suppress(RuntimeError):  # platformdirs finds no home
        if (folder := find(_NAME)).is_absolute():
            return folder
    return home() / usual / _NAME


def home() -> Path:
    """The user's home folder; `NO_HOME` for a user who has none."""
    found = Path(os.path.expanduser("~"))  # noqa: PTH111 - `Path.home` raises where there is none
    return found if found.is_absolute() else NO_HOME


_making = threading.Lock()


def private_file(path: Path) -> None:
    """Creates the file, readable and writable by its owner only. Raises `OSError`.

    An existing file is never opened: to close any descriptor of a file drops all locks that this
    process has on it, also those of an SQLite connection. Other processes would then delete the log
    that the connection reads and writes, and changes would be lost.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _making, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:  # a file that its owner made read-only stays so
        path.chmod(mode & 0o700)


def writable_by(path: Path) -> str | None:
    """Who besides the user can change the file, or put another in its place: `anyone`, `its group`,
    `another user`; None if nobody can. Not known on Windows. Raises `OSError`."""
    if sys.platform == "win32":
        return None
    folder, file = path.resolve().parent.stat(), path.stat()
    for each in (file, folder):
        if each.st_uid not in {os.getuid(), 0}:
            return "another user"
    # In a folder with the sticky bit, such as /tmp, others can't replace the file.
    modes = file.st_mode | (0 if folder.st_mode & stat.S_ISVTX else folder.st_mode)
    if modes & stat.S_IWOTH:
        return "anyone"
    return "its group" if modes & stat.S_IWGRP else None


def without_tilde(path: Path) -> Path:
    """The path with the home folder in the place of `~`. Unchanged for a user who has none."""
    with suppress(RuntimeError):
        return path.expanduser()
    return path
