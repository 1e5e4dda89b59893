"""Where the server keeps its files, made for their owner only."""

from __future__ import annotations

import os
from pathlib import Path


def default_file() -> Path:
    """The SQLite file in the user's state directory."""
    from platformdirs import user_state_path

    return user_state_path("telnyx-account-mcp") / "state.sqlite3"


def profiles_file() -> Path:
    """The file in the user's configuration directory that names several accounts."""
    from platformdirs import user_config_path

    return user_config_path("telnyx-account-mcp") / "profiles.toml"


def private_file(path: Path) -> None:
    """Makes the file, readable and writable for its owner only. Raises `OSError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
