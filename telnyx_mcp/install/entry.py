"""The entry of this server in a client's configuration."""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telnyx_mcp.install.clients import Client
from telnyx_mcp.settings import SECRETS, VARIABLES

NAME = "telnyx-account"
INPUT = "telnyx_api_key"
"""The name under which a client that asks for the key keeps it."""
ASKED = f"${{input:{INPUT}}}"
KEY, KEY_FROM = "TELNYX_API_KEY", "TELNYX_MCP_KEY_FROM"


class NoCommand(Exception):
    """There is no lasting command that a client could start. Its text says what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How a client is to start the server."""

    command: Sequence[str]
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def merged(self, client: Client, old: object) -> dict[str, Any]:
        """The entry as this client writes it. What the old one says besides is kept, but for where
        the key is."""
        had: dict[str, Any] = dict(old) if isinstance(old, dict) else {}
        kept = had.get("env", {})
        env = {name: kept[name] for name in kept if name not in {KEY, KEY_FROM}} | dict(self.env)
        command, *args = self.command
        return (
            had | dict(client.says) | {"command": command, "args": [*args, *self.args], "env": env}
        )


def masked(value: object) -> Any:
    """An entry as it may be shown: what could be a secret is not."""
    if not isinstance(value, dict):
        return value
    env = value.get("env")
    if not isinstance(env, dict):
        return value
    shown = VARIABLES.keys() - SECRETS
    safe = {
        name: each if name in shown or each == ASKED else "(not shown)"
        for name, each in env.items()
    }
    return value | {"env": safe}


def own_command() -> Sequence[str]:
    """The command that starts this very installation. Raises `NoCommand`."""
    if {"archive-v0", "builds-v0", "environments-v2"} & set(Path(sys.prefix).parts):
        raise NoCommand(
            "this runs from a temporary place (uvx), which may be gone tomorrow. Install it first: uv "
            "tool install telnyx-account-mcp, or pipx"
        )
    suffix = ".exe" if sys.platform == "win32" else ""
    script = Path(sysconfig.get_path("scripts")) / f"telnyx-account-mcp{suffix}"
    return [str(script)] if script.exists() else [sys.executable, "-m", "telnyx_mcp"]


def compact(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
