"""The options of `install` and `uninstall`."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from telnyx_mcp.cli.account import profile_option, read_groups, read_only_option, tools_option
from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.clients.catalog import CLIENTS
from telnyx_mcp.clients.client import Client, Scope
from telnyx_mcp.clients.names import MAX_NAME, NAME, SERVER, server_name
from telnyx_mcp.config.profiles import SettingsError
from telnyx_mcp.config.tool_groups import ToolGroup

KeyOption = Literal["keyring", "client", "env"]


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """The options of both commands."""

    client: str
    name: str | None = None
    profile: str | None = None
    scope: Scope = "user"
    key: KeyOption | None = None
    key_file: Path | None = None
    read_only: bool = False
    tools: Sequence[ToolGroup] = ()
    env: Sequence[str] = ()
    offline: bool = False
    print_only: bool = False
    yes: bool = False

    @property
    def chosen(self) -> Client:
        return CLIENTS[self.client]

    @property
    def server(self) -> str:
        """The server's name in the client. Raises `SettingsError` for one that no client takes."""
        if self.name is not None and not SERVER.fullmatch(self.name):
            raise SettingsError(f"--name takes letters, digits, _ and -; got {self.name!r}")
        return server_name(self.profile, self.name)

    @property
    def is_renamed(self) -> bool:
        """Whether the server has another name than the one that was asked for."""
        asked = self.name or (f"telnyx-{self.profile}" if self.profile else NAME)
        return self.server != asked


def client_arguments(parser: argparse.ArgumentParser) -> None:
    """What `install` and `uninstall` share."""
    parser.add_argument("client", metavar="CLIENT", help=listed(CLIENTS))
    parser.add_argument(
        "--name",
        metavar="NAME",
        help=f"the server's name there ({NAME}); cut at {MAX_NAME} characters, as some clients drop "
        "tools where it is longer",
    )
    parser.add_argument(
        "--scope",
        choices=("user", "project"),
        default="user",
        help="the user's configuration (user), or the current folder's, which holds no key and can "
        "be shared",
    )
    profile_option(parser)
    parser.add_argument("--print", action="store_true", help="only show it; write nothing")
    parser.add_argument("--yes", action="store_true", help="write it without asking")


def install_arguments(parser: argparse.ArgumentParser) -> None:
    client_arguments(parser)
    read_only_option(parser)
    tools_option(parser, read_groups)
    parser.add_argument(
        "--key",
        choices=("keyring", "client", "env"),
        help="where the key goes: the system's keyring (the default where there is one, but for VS "
        "Code), where the client keeps secrets, or nowhere: the entry refers to the variable "
        "TELNYX_API_KEY of the client's environment (the default with --scope project)",
    )
    parser.add_argument(
        "--key-file",
        metavar="PATH",
        type=Path,
        help="the entry names this file, which holds the key; `key set --file PATH` makes it",
    )
    parser.add_argument(
        "--env",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        help="a setting, or a variable such as HTTPS_PROXY or SSL_CERT_FILE; without a value, the one "
        "that is set here; repeatable",
    )
    parser.add_argument("--offline", action="store_true", help="do not try the key at Telnyx")


def options_of(options: argparse.Namespace) -> InstallOptions:
    """The options that `install` and `uninstall` share. Raises `CommandError`."""
    if options.client not in CLIENTS:
        raise CommandError(
            f"there is no client {options.client!r} here; it must be {listed(CLIENTS)}"
        )
    return InstallOptions(
        client=options.client,
        name=options.name,
        profile=options.profile,
        scope=options.scope,
        print_only=options.print,
        yes=options.yes,
    )


def listed(names: Collection[str]) -> str:
    """The names as words: `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
