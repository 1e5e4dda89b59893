"""The entry of this server in a client's configuration."""

from __future__ import annotations

import re
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

from telnyx_mcp.clients.client import Client
from telnyx_mcp.clients.errors import ClientConfigError
from telnyx_mcp.clients.jsonc import dumps
from telnyx_mcp.clients.variables import NEEDED, holds_password, shown
from telnyx_mcp.config.command_line import PROGRAM
from telnyx_mcp.config.settings import SECRETS, VARIABLES

INPUT = "telnyx_api_key"
"""The name under which a client that asks for the key keeps it."""
ASKED = f"${{input:{INPUT}}}"
KEY, KEY_FROM, KEY_FILE = "TELNYX_API_KEY", "TELNYX_MCP_KEY_FROM", "TELNYX_API_KEY_FILE"
KEY_SOURCES = frozenset({KEY, KEY_FROM, KEY_FILE})
ADDRESS = "TELNYX_BASE_URL"
PLACEHOLDER = "KEY..."
REMOTE = frozenset({"type", "url", "serverUrl", "httpUrl", "headers"}) | {
    "http_headers",
    "env_http_headers",
    "bearer_token_env_var",
}
"""Fields of an entry for a server that is reached by URL."""
SHOWN = frozenset({"command", "cmd", "args", "type", "enabled", "timeout", "name", "tools"}) | {
    "env_vars",
    "env_keys",
}
HIDDEN, CHANGED = "(not shown)", "(changed, not shown)"
_SHOWN_SETTINGS = (VARIABLES.keys() | {KEY_FILE}) - SECRETS
_ENV_FIELDS = ("env", "environment", "envs")
_REFERENCE = re.compile(r"\$?\{(?:(?:env|input):)?\w+(?::-[^}]*)?\}|\$\w+")


@dataclass(frozen=True, slots=True)
class Entry:
    """How a client is to start the server."""

    command: Sequence[str]
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    forwards: Sequence[str] = ()
    """Variables that the client passes on from its own environment."""

    def merged(self, client: Client, old: object) -> dict[str, Any]:
        """The entry as this client writes it. Other fields of the old entry are kept, except the source
        of the key and the address of a remote server."""
        had = old if isinstance(old, dict) else {}
        kept = {name: each for name, each in had.items() if name not in REMOTE}
        env = {name: each for name, each in env_of(old).items() if name not in KEY_SOURCES} | dict(
            self.env
        )
        words = [*self.command, *self.args]
        command = (
            {client.command_field: words}
            if client.command_is_list
            else {client.command_field: words[0], "args": words[1:]}
        )
        new = dict(client.fixed_fields) | kept | command | {client.env_field: env}
        if client.forward_field:
            named = kept.get(client.forward_field)
            others = [each for each in named if each != KEY] if isinstance(named, list) else []
            new[client.forward_field] = [*others, *self.forwards]
            if not new[client.forward_field]:
                del new[client.forward_field]
        return new


def env_of(entry: object) -> Mapping[str, Any]:
    """The variables that an entry sets; empty for an entry of another form."""
    if not isinstance(entry, dict):
        return {}
    return next((env for name in _ENV_FIELDS if isinstance(env := entry.get(name), dict)), {})


def args_of(entry: object) -> Sequence[Any]:
    """The arguments that an entry gives; empty for an entry of another form."""
    if not isinstance(entry, dict):
        return ()
    command, args = entry.get("command"), entry.get("args")
    if isinstance(command, list):
        return command[1:]
    return args if isinstance(args, list) else ()


def command_of(entry: object) -> list[str]:
    """The command line of an entry that starts this server, whatever its name; empty for others."""
    if not isinstance(entry, dict):
        return []
    program = entry.get("command")
    program = program[0] if isinstance(program, list) and program else program
    words = [str(each) for each in (program, *args_of(entry))]
    by_name = any(PurePath(word).stem == PROGRAM for word in words)
    return words if by_name or ("-m", "telnyx_mcp") in pairwise(words) else []


def profile_of(entry: object) -> str | None:
    """The profile that an entry starts the server for."""
    words = [str(each) for each in args_of(entry)]
    return next((name for option, name in pairwise(words) if option == "--profile"), None)


def is_reference(value: object) -> bool:
    """Whether the client fills in the value when it starts the server."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def holds_secret(entry: object) -> bool:
    """Whether the entry contains a secret of ours, or the password of a proxy."""
    return any(
        (name in SECRETS and not is_reference(each)) or holds_password(name, str(each))
        for name, each in env_of(entry).items()
    )


def masked(entry: object, before: object = None) -> Any:
    """An entry without the values that could be secrets, to be shown. Those that are not as they were
    `before` say so."""
    if not isinstance(entry, dict):
        return HIDDEN
    was = before if isinstance(before, dict) else {}
    visible = {
        name: each
        if name in SHOWN and not isinstance(each, dict)
        else _hidden(each, was.get(name, each))
        for name, each in entry.items()
    }
    env, old_env = env_of(entry), env_of(before)
    variables = {
        name: _visible(name, each) or _hidden(each, old_env.get(name, each))
        for name, each in env.items()
    }
    return {name: variables if each is env else visible[name] for name, each in entry.items()}


def _visible(name: str, value: object) -> str | None:
    """The value of a variable as it may be shown; None for one that may not."""
    if is_reference(value) or name in _SHOWN_SETTINGS:
        return value if isinstance(value, str) else None
    return shown(name, str(value)) if name in NEEDED else None


def _hidden(value: object, before: object) -> str:
    return HIDDEN if value == before else CHANGED


def own_command() -> Sequence[str]:
    """The command that starts this very installation. Raises `ClientConfigError`."""
    if {"archive-v0", "builds-v0", "environments-v2"} & set(Path(sys.prefix).parts):
        raise ClientConfigError(
            "this runs from a temporary place (uvx), which may be gone tomorrow. Install it first: in "
            "a clone of its repository, uv tool install . or pipx install ."
        )
    suffix = ".exe" if sys.platform == "win32" else ""
    script = Path(sysconfig.get_path("scripts")) / f"{PROGRAM}{suffix}"
    # -P, as a client starts the server in the folder of any project.
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", "telnyx_mcp"]


def pretty(value: object) -> str:
    return dumps(value, 2, default=str)  # TOML has dates, too
