"""The assistants that the server can be installed in: where each stores its servers, and how.

The paths and shapes are those of each client's own documentation, as of 2026.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from telnyx_mcp.clients.errors import ClientConfigError


@dataclass(frozen=True, slots=True)
class Host:
    """Operating system, home and environment."""

    system: str = sys.platform
    home: Path = field(default_factory=Path.home)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

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

    def _directory(self, variable: str, otherwise: Path) -> Path:
        named = self.environment.get(variable, "")
        return Path(named) if named else otherwise


PACKAGED = "LocalCache/Roaming"
Place = tuple[str, str]
"""A folder as `Host.folder` knows it, and the path in it."""


@dataclass(frozen=True, slots=True)
class Client:
    """One assistant, and how its configuration names a server."""

    name: str
    title: str
    place: Place
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
    format: Literal["json", "toml"] = "json"
    fixed_fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields that every entry of this client has, with the same value."""
    prompts_for_key: bool = False
    """Whether it asks for secrets and keeps them out of the file."""

    def file(self, host: Host) -> Path:
        """The user's configuration file on this host.

        Raises `ClientConfigError` if there are several and it is unknown which is in use.
        """
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


CLIENTS: Mapping[str, Client] = {
    each.name: each
    for each in (
        Client(
            "claude-desktop",
            "Claude Desktop",
            ("config", "Claude/claude_desktop_config.json"),
            "mcpServers",
            "Quit Claude Desktop and start it again.",
            package="Claude",
        ),
        Client(
            "claude-code",
            "Claude Code",
            ("home", ".claude.json"),
            "mcpServers",
            "Start a new session; /mcp shows the server.",
            directory_variable=("CLAUDE_CONFIG_DIR", ".claude.json"),
            fixed_fields={"type": "stdio"},
        ),
        Client(
            "cursor",
            "Cursor",
            ("home", ".cursor/mcp.json"),
            "mcpServers",
            "Cursor loads it by itself; Settings, MCP shows the server.",
        ),
        Client(
            "vscode",
            "VS Code",
            ("config", "Code/User/mcp.json"),
            "servers",
            "Start the server with `MCP: List Servers`.",
            fixed_fields={"type": "stdio"},
            prompts_for_key=True,
        ),
        Client(
            "windsurf",
            "Windsurf",
            ("home", ".codeium/windsurf/mcp_config.json"),
            "mcpServers",
            "Refresh the servers in Windsurf's MCP settings.",
        ),
        Client(
            "zed",
            "Zed",
            ("config", "zed/settings.json"),
            "context_servers",
            "Zed loads it by itself; the Agent Panel's settings show the server.",
            elsewhere={
                "darwin": ("home", ".config/zed/settings.json"),
                "win32": ("config", "Zed/settings.json"),
            },
            fixed_fields={"source": "custom"},
        ),
        Client(
            "gemini",
            "Gemini CLI",
            ("home", ".gemini/settings.json"),
            "mcpServers",
            "Start Gemini CLI again; /mcp shows the server.",
            directory_variable=("GEMINI_CLI_HOME", ".gemini/settings.json"),
        ),
        Client(
            "codex",
            "Codex",
            ("home", ".codex/config.toml"),
            "mcp_servers",
            "Start Codex again; /mcp shows the server.",
            directory_variable=("CODEX_HOME", "config.toml"),
            format="toml",
        ),
    )
}
