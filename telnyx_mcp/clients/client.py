"""What is known of a client: where it stores its servers, and how it writes and starts one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from telnyx_mcp.clients.errors import ClientConfigError
from telnyx_mcp.clients.variables import FEW

Place = tuple[str, str]
"""A folder as `Host.folder` knows it, and the path in it."""
Scope = Literal["user", "project"]
PACKAGED = "LocalCache/Roaming"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise ClientConfigError("this user has no home directory. Set HOME") from None


@dataclass(frozen=True, slots=True)
class Host:
    """Operating system, home and environment, and the folder of the project: the current one. Raises
    `ClientConfigError` if there is no home."""

    system: str = sys.platform
    home: Path = field(default_factory=_home)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    project: Path = field(default_factory=Path)

    def folder(self, word: str) -> Path:
        """`home`; `config`: where applications keep their settings on this system; `packages`: where
        Windows keeps those of applications that it installed as packages."""
        if word == "home":
            return self.home
        if word == "packages":
            return self._directory("LOCALAPPDATA", self.home / "AppData" / "Local") / "Packages"
        if self.system == "win32":
            return self._directory("APPDATA", self.home / "AppData" / "Roaming")
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        return self._directory("XDG_CONFIG_HOME", self.home / ".config")

    def which(self, program: str) -> str | None:
        """The path of a program that is on this PATH."""
        return shutil.which(program, path=self.environment.get("PATH", ""))

    def _directory(self, variable: str, otherwise: Path) -> Path:
        named = self.environment.get(variable, "")
        return Path(named) if named else otherwise


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """The client's commands that add a server and remove it.

    `{name}` is the server's name and `{json}` the entry; `{env}`, `{command}` and `{args}` stand for
    several words.
    """

    add: Sequence[str]
    remove: Sequence[str]
    replaces: bool = True
    """Whether `add` replaces a server of the same name; else it must be removed first."""
    env_option: str = ""
    fields: frozenset[str] = frozenset({"command", "args", "env"})
    """The fields of an entry that `add` can express; with `{json}`, all."""

    @property
    def program(self) -> str:
        return self.add[0]


@dataclass(frozen=True, slots=True)
class Client:
    """One assistant, and how its configuration names a server."""

    name: str
    title: str
    place: Place | None
    """None: it has no file that can be edited safely; the user pastes the entry, as `next_step` says."""
    table: str
    """The table of the file that lists the servers."""
    next_step: str
    """What the user does next, so that the client loads the change."""
    elsewhere: Mapping[str, Place] = field(default_factory=dict)
    """The place on systems where it differs."""
    directory_variable: Place | None = None
    """An environment variable that overrides the directory, and the file in it."""
    package: str | None = None
    """What the name of its package begins with, on Windows. Inside, `config` is `PACKAGED`."""
    format: Literal["json", "toml", "yaml"] = "json"
    fixed_fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields that every entry of this client has, with the same value."""
    command_field: str = "command"
    command_is_list: bool = False
    """Whether the command and its arguments are one list."""
    env_field: str = "env"
    prompts_for_key: bool = False
    """Whether it asks for secrets and keeps them out of the file."""
    reference: str | None = None
    """How an entry refers to the client's own environment variable `NAME`."""
    forward_field: str | None = None
    """The field that lists variables which the client passes on from its own environment."""
    project_file: str | None = None
    """The file in a project's folder that lists servers for everyone who works there."""
    own_command: OwnCommand | None = None
    passes_on: frozenset[str] | None = FEW
    """The variables of its own environment that a server gets; None: all."""

    def file(self, host: Host, scope: Scope = "user") -> Path:
        """The configuration file on this host: the user's, or that of the current folder.

        Raises `ClientConfigError` if there is none, or several and it is unknown which is in use.
        """
        if scope == "project":
            if self.project_file is None:
                raise ClientConfigError(
                    f"{self.title} has no file for a project that can refer to a key without holding "
                    "it: leave out --scope project"
                )
            try:
                return host.project.absolute() / self.project_file
            except OSError:
                raise ClientConfigError("the current folder does not exist any more") from None
        if self.place is None:
            raise ClientConfigError(f"{self.title} has no file that can be edited safely")
        if self.directory_variable:
            variable, file = self.directory_variable
            if folder := host.environment.get(variable):
                return Path(folder) / file
        word, path = self.elsewhere.get(host.system, self.place)
        if host.system == "win32" and self.package:
            found = sorted(host.folder("packages").glob(f"{self.package}_*"))
            if len(found) > 1:
                names = ", ".join(each.name for each in found)
                raise ClientConfigError(
                    f"{self.title} is installed more than once ({names}), and which one is used can't "
                    "be determined: uninstall the others, or add the entry by hand as docs/clients.md shows"
                )
            if found:
                return found[0] / PACKAGED / path
        return host.folder(word) / path

    def path(self, name: str) -> tuple[str, str]:
        """Where the entry of this name stands in the file."""
        return (self.table, name)

    def gets(self, variable: str) -> bool:
        """Whether a server of this client gets this variable of the client's environment."""
        return self.passes_on is None or variable in self.passes_on
