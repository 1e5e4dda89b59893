"""The entry that `install` writes, and where it stands in the client's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telnyx_mcp.cli.installing.key import Place, key_variables
from telnyx_mcp.cli.installing.options import InstallOptions
from telnyx_mcp.clients.client import Client, Host
from telnyx_mcp.clients.config_file import ConfigFile
from telnyx_mcp.clients.entry import KEY, Entry, args_of, command_of, own_command, profile_of
from telnyx_mcp.clients.formats import FORMATS
from telnyx_mcp.config.command_line import PROGRAM
from telnyx_mcp.config.profiles import SettingsError


@dataclass(frozen=True, slots=True)
class CurrentEntry:
    """A client's file as it is, and the entry of this server's name in it."""

    file: ConfigFile
    text: str
    entry: object

    @classmethod
    def read(cls, client: Client, path: Path, name: str) -> CurrentEntry:
        """Raises `ClientConfigError`."""
        file = ConfigFile.read(path)
        form = FORMATS[client.format]
        text = file.text if file.text.strip() else str(form.EMPTY)
        value: Any = form.read(text)
        for step in client.path(name):
            value = value.get(step) if isinstance(value, dict) else None
        return cls(file, text, value)

    @property
    def is_read_only(self) -> bool:
        return "--read-only" in args_of(self.entry)


def entry_for(options: InstallOptions, place: Place, env: Mapping[str, str], old: object) -> Entry:
    """The entry. An old one that is read-only stays so, and keeps its groups of tools."""
    is_read_only = options.read_only or "--read-only" in args_of(old)
    return Entry(
        # A project's file serves other computers, too.
        [PROGRAM] if options.scope == "project" else own_command(),
        _arguments(options.profile, is_read_only, options.tools or _groups_of(old)),
        {**env, **key_variables(place, options)},
        [KEY] if place == "env" and options.chosen.forward_field else [],
    )


def refuse_another_profile(options: InstallOptions, old: object) -> None:
    """Raises `SettingsError` if the entry of this name starts the server for another profile."""
    other = profile_of(old)
    if command_of(old) and other is not None and other != options.profile:
        raise SettingsError(
            f"{options.server} is the server of profile {other} there. Give this one another name with "
            "--name, or uninstall that one first"
        )


def note_on_project(options: InstallOptions, host: Host) -> str | None:
    """What others need who use the project's file."""
    if options.scope != "project":
        return None
    missing = "" if host.which(PROGRAM) else f" ({PROGRAM} is not on the PATH here)"
    return (
        f"Everyone who uses this file needs {PROGRAM} on the PATH{missing}. It holds no key, so it can "
        "be committed."
    )


def _arguments(profile: str | None, read_only: bool, groups: Sequence[str]) -> list[str]:
    """What the client starts the command with; nothing where `serve` needs no option."""
    named = ["--profile", profile] if profile else []
    reads = ["--read-only"] if read_only else []
    loads = ["--tools", ",".join(groups)] if groups else []
    return ["serve", *named, *reads, *loads] if named or reads or loads else []


def _groups_of(entry: object) -> list[str]:
    """The groups of tools that an entry loads; empty if it names none."""
    arguments = args_of(entry)
    at = arguments.index("--tools") + 1 if "--tools" in arguments else len(arguments)
    return [each for each in arguments[at : at + 1] if isinstance(each, str)]
