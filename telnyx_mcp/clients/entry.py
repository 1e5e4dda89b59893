"""The entry of this server in a client's configuration."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telnyx_mcp.clients.catalog import Client
from telnyx_mcp.clients.errors import ClientConfigError
from telnyx_mcp.clients.jsonc import dumps
from telnyx_mcp.config.settings import SECRETS, VARIABLES

NAME = "telnyx-account"
INPUT = "telnyx_api_key"
"""The name under which a client that asks for the key keeps it."""
ASKED = f"${{input:{INPUT}}}"
KEY, KEY_FROM = "TELNYX_API_KEY", "TELNYX_MCP_KEY_FROM"
ADDRESS = "TELNYX_BASE_URL"
PLACEHOLDER = "KEY..."
REMOTE = frozenset({"type", "url", "serverUrl", "httpUrl", "headers"}) | {
    "http_headers",
    "env_http_headers",
    "bearer_token_env_var",
}
"""Fields of an entry for a server that is reached by URL."""
SHOWN = frozenset({"command", "args", "type", "source"})
HIDDEN = "(not shown)"
SHOWN_SETTINGS = VARIABLES.keys() - SECRETS


def server_name(profile: str | None) -> str:
    """The server's name in a client, unless the user gives another."""
    return f"{NAME}-{profile}" if profile else NAME


@dataclass(frozen=True, slots=True)
class Entry:
    """How a client is to start the server."""

    command: Sequence[str]
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def merged(self, client: Client, old: object) -> dict[str, Any]:
        """The entry as this client writes it. Other fields of the old entry are kept, except the source
        of the key and the address of a remote server."""
        had = old if isinstance(old, dict) else {}
        kept = {name: each for name, each in had.items() if name not in REMOTE}
        env = {
            name: each for name, each in env_of(old).items() if name not in {KEY, KEY_FROM}
        } | dict(self.env)
        command, *args = self.command
        return (
            kept
            | dict(client.fixed_fields)
            | {"command": command, "args": [*args, *self.args], "env": env}
        )


def env_of(entry: object) -> Mapping[str, Any]:
    """The variables that an entry sets; empty for an entry of another form."""
    env = entry.get("env") if isinstance(entry, dict) else None
    return env if isinstance(env, dict) else {}


def args_of(entry: object) -> Sequence[Any]:
    """The arguments that an entry gives; empty for an entry of another form."""
    args = entry.get("args") if isinstance(entry, dict) else None
    return args if isinstance(args, list) else ()


def holds_secret(entry: object) -> bool:
    """Whether the entry contains one of our secrets."""
    return any(each != ASKED for name, each in env_of(entry).items() if name in SECRETS)


def masked(entry: object) -> Any:
    """An entry without the values that could be secrets, to be shown."""
    if not isinstance(entry, dict):
        return HIDDEN
    shown = {
        name: each if name in SHOWN and not isinstance(each, dict) else HIDDEN
        for name, each in entry.items()
    }
    env = {
        name: each if name in SHOWN_SETTINGS or each == ASKED else HIDDEN
        for name, each in env_of(entry).items()
    }
    return shown | ({"env": env} if isinstance(entry.get("env"), dict) else {})


def own_command() -> Sequence[str]:
    """The command that starts this very installation. Raises `ClientConfigError`."""
    if {"archive-v0", "builds-v0", "environments-v2"} & set(Path(sys.prefix).parts):
        raise ClientConfigError(
            "this runs from a temporary place (uvx), which may be gone tomorrow. Install it first: uv "
            "tool install telnyx-account-mcp, or pipx"
        )
    suffix = ".exe" if sys.platform == "win32" else ""
    script = Path(sysconfig.get_path("scripts")) / f"telnyx-account-mcp{suffix}"
    # -P, as a client starts the server in the folder of any project.
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", "telnyx_mcp"]


def pretty(value: object) -> str:
    return dumps(value, 2, default=str)  # TOML has dates, too
