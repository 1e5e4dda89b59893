"""The entries of this server that are in the user's clients, and the environment that each starts with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telnyx_mcp.clients.catalog import FILE_CLIENTS
from telnyx_mcp.clients.client import Client, Host
from telnyx_mcp.clients.config_file import ConfigFile
from telnyx_mcp.clients.entry import ASKED, KEY, command_of, env_of, is_reference, profile_of
from telnyx_mcp.clients.errors import ClientConfigError
from telnyx_mcp.clients.formats import FORMATS
from telnyx_mcp.clients.variables import DIRECTORIES

_NAME = re.compile(r"(?:env:)?(\w+)(?::-(.*))?")


@dataclass(frozen=True, slots=True)
class Installed:
    """One entry of this server."""

    client: Client
    name: str
    entry: Mapping[str, Any]
    path: Path

    @property
    def title(self) -> str:
        return f"{self.client.title}'s entry {self.name}"

    @property
    def command(self) -> list[str]:
        return command_of(self.entry)

    @property
    def profile(self) -> str | None:
        return profile_of(self.entry)

    @property
    def asks_for_key(self) -> bool:
        """Whether the client asks the user for the key, so that nothing else can read it."""
        return env_of(self.entry).get(KEY) == ASKED

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What the entry sets, with references filled in from this environment."""
        own = {name: _filled(str(value), environment) for name, value in env_of(self.entry).items()}
        field = self.client.forward_field
        forwarded = self.entry.get(field) if field else None
        names = forwarded if isinstance(forwarded, list) else []
        passed = {name: environment[name] for name in names if name in environment}
        return passed | {name: value for name, value in own.items() if value is not None}

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """All that the client starts the server with, if it runs in this environment."""
        passed = {name: value for name, value in environment.items() if self.client.gets(name)}
        return passed | self.variables(environment)

    def settings(self, environment: Mapping[str, str]) -> dict[str, str]:
        """This environment, with the settings and directories of the server in place of its own: what a
        command at the terminal needs to work on the same account and ledger."""
        rest = {
            name: value
            for name, value in environment.items()
            if self.client.gets(name) or not (name.startswith("TELNYX") or name in DIRECTORIES)
        }
        if self.asks_for_key and KEY in environment:
            rest[KEY] = environment[KEY]
        return rest | self.variables(environment)


def installed_in(client: Client, host: Host) -> list[Installed]:
    """The entries of this server in the user's file of this client. Raises `ClientConfigError`."""
    path = client.file(host)
    text = ConfigFile.read(path).text
    data = FORMATS[client.format].read(text) if text.strip() else {}
    servers = data.get(client.table) if isinstance(data, dict) else None
    return [
        Installed(client, name, entry, path)
        for name, entry in (servers if isinstance(servers, dict) else {}).items()
        if command_of(entry)
    ]


def all_installed(host: Host) -> list[Installed]:
    """The entries of this server in all clients whose files can be read."""
    found: list[Installed] = []
    for client in FILE_CLIENTS.values():
        with suppress(ClientConfigError):
            found += installed_in(client, host)
    return found


def _filled(value: str, environment: Mapping[str, str]) -> str | None:
    """The value as the client fills it in; None for one that is not set, or that it asks the user for."""
    if not is_reference(value):
        return value
    found = _NAME.fullmatch(value.lstrip("$").strip("{}"))
    if found is None:
        return None
    return environment.get(found[1]) or found[2]
