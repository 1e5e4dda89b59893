"""`install`: put this server into an assistant.

Writes this server into the client's own configuration file: shows the change first, asks, keeps a
backup, and touches nothing else in the file. The key is asked for without showing it. It goes into
the system's keyring where the extra `keyring` is installed and there is one, so that no file holds
it; else into the client's file, which only you may read then. VS Code asks for it by itself and keeps
it, unless --key says keyring.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from telnyx_mcp.cli.account import profile_option, read_groups, read_only_option, tools_option
from telnyx_mcp.cli.errors import CommandError, not_done, wrongly_called
from telnyx_mcp.cli.key import address_of, given_key, keep_in_keyring, left_in_keyring
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.clients.catalog import CLIENTS, Client, Host
from telnyx_mcp.clients.config_file import ConfigFile
from telnyx_mcp.clients.entry import (
    ASKED,
    INPUT,
    KEY,
    KEY_FROM,
    NAME,
    PLACEHOLDER,
    Entry,
    args_of,
    holds_secret,
    masked,
    own_command,
    pretty,
    server_name,
)
from telnyx_mcp.clients.errors import ClientConfigError, UnreadableConfig, UnsafeEdit
from telnyx_mcp.clients.formats import FORMATS, put, take
from telnyx_mcp.config import keys
from telnyx_mcp.config.keys import KeyUnavailable
from telnyx_mcp.config.profiles import SettingsError, checked, configured
from telnyx_mcp.config.settings import VARIABLES
from telnyx_mcp.config.tool_groups import ToolGroup

KeyPlace = Literal["keyring", "client"]
SERVER = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A name that every client takes."""


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """The options of the command."""

    client: str
    name: str | None = None
    profile: str | None = None
    key: KeyPlace | None = None
    read_only: bool = False
    tools: Sequence[ToolGroup] = ()
    env: Sequence[str] = ()
    print_only: bool = False
    yes: bool = False

    @property
    def server(self) -> str:
        """The server's name in the client."""
        if self.name is not None:
            return self.name
        return server_name(self.profile)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    client_arguments(parser)
    read_only_option(parser)
    tools_option(parser, read_groups)
    parser.add_argument(
        "--key",
        choices=("keyring", "client"),
        help="where the key goes: the system's keyring (the default where there is one, but for VS "
        "Code), or where the client keeps secrets",
    )
    parser.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="a setting; repeatable"
    )


def client_arguments(parser: argparse.ArgumentParser) -> None:
    """What `install` and `uninstall` share."""
    names = list(CLIENTS)
    parser.add_argument("client", metavar="CLIENT", help=f"{', '.join(names[:-1])} or {names[-1]}")
    parser.add_argument("--name", metavar="NAME", help=f"the server's name there ({NAME})")
    profile_option(parser)
    parser.add_argument("--print", action="store_true", help="only show it; write nothing")
    parser.add_argument("--yes", action="store_true", help="write it without asking")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Installs. 0 if the client has the server then."""
    wanted = replace(
        install_options(options),
        key=options.key,
        read_only=options.read_only,
        tools=options.tools or (),
        env=options.env,
    )
    return install(wanted, terminal)


def install_options(options: argparse.Namespace) -> InstallOptions:
    """The options that `install` and `uninstall` share. Raises `CommandError`."""
    if options.client not in CLIENTS:
        names = list(CLIENTS)
        raise CommandError(
            f"there is no client {options.client!r} here; it must be {', '.join(names[:-1])} or "
            f"{names[-1]}"
        )
    return InstallOptions(
        client=options.client,
        name=options.name,
        profile=options.profile,
        print_only=options.print,
        yes=options.yes,
    )


def install(
    wanted: InstallOptions,
    terminal: Terminal,
    host: Host | None = None,
    now: Callable[[], datetime] = datetime.now,
) -> int:
    """Puts the server into the client's configuration. 0 if it is there, 1 if the user said no.

    Raises `CommandError`.
    """
    host = host or Host()
    client, name = CLIENTS[wanted.client], wanted.server
    with _failures_as_command_errors(client, host):
        if not SERVER.fullmatch(name):
            raise SettingsError(f"--name takes up to 64 letters, digits, _ and -; got {name!r}")
        place = _place_of_key(wanted, client)
        file = ConfigFile.read(client.file(host))
        before = _file_text(client, file)
        old = _value_at(FORMATS[client.format].read(before), client.path(name))
        stays_read_only = not wanted.read_only and "--read-only" in args_of(old)
        entry = Entry(
            own_command(),
            _arguments(
                wanted.profile, wanted.read_only or stays_read_only, wanted.tools or _groups_of(old)
            ),
            _environment(wanted, place),
        )
        if wanted.print_only:
            return _print_entry(terminal, client, file, wanted, entry, place)
        new = entry.merged(client, old)
        if place == "client":
            new["env"][KEY] = given_key(terminal).get_secret_value()
        text = put(client.format, before, client.path(name), new)
        if place == "ask":
            text = with_input(client, text)
        _show_change(terminal, client, file, name, old, new)
        if stays_read_only:
            terminal.say(
                "It stays read-only, as before; uninstall it first to change that.",
                error=True,
            )
        if text != file.text and not _may_write(wanted, terminal):
            return 1
        if place == "keyring":
            keep_in_keyring(wanted.profile, terminal, address_of(wanted.profile, new))
        if text == file.text:
            terminal.say("It is there already; nothing was written.", error=True)
            return 0
        backup = file.write(text, now(), private=holds_secret(new))
    terminal.say(f"Written to {file.path}.{_backup_text(backup, old)}", error=True)
    if place == "profile":
        terminal.say(_from_variable(wanted), error=True)
    terminal.say(client.next_step, error=True)
    return 0


def uninstall(
    wanted: InstallOptions,
    terminal: Terminal,
    host: Host | None = None,
    now: Callable[[], datetime] = datetime.now,
) -> int:
    """Removes the server from the client's configuration. 0 if it is not there then, 1 if the user said no.

    Raises `CommandError`.
    """
    host = host or Host()
    client, name = CLIENTS[wanted.client], wanted.server
    with _failures_as_command_errors(client, host):
        file = ConfigFile.read(client.file(host))
        before = _file_text(client, file)
        text = take(client.format, before, client.path(name))
        if text == before:
            terminal.say(
                f"{client.title} has no server {name} in {file.path}; nothing was changed.",
                error=True,
            )
            return 0
        if client.prompts_for_key:
            text = _without_input(client, text)
        old = _value_at(FORMATS[client.format].read(before), client.path(name))
        _show_change(terminal, client, file, name, old, None)
        if wanted.print_only:
            return 0
        if not _may_write(wanted, terminal):
            return 1
        kept = left_in_keyring(old)
        backup = file.write(text, now(), private=False)
    terminal.say(f"Removed from {file.path}.{_backup_text(backup, old)}", error=True)
    if kept:
        terminal.say(kept, error=True)
    terminal.say(f"{client.title} stops using it after a restart.", error=True)
    return 0


@contextmanager
def _failures_as_command_errors(client: Client, host: Host) -> Iterator[None]:
    """Turns every reason why a file can't be changed into `CommandError`."""
    try:
        yield
    except UnreadableConfig as error:
        raise not_done(
            f"Nothing was written: {client.title}'s file {client.file(host)} can't be read "
            f"({error}). Fix it there, or add what --print shows by hand."
        ) from None
    except UnsafeEdit:
        raise not_done(
            f"Nothing was written: {client.title}'s file {client.file(host)} is written in "
            "a way that it can't be changed in safely. Change it by hand; install --print shows the "
            "entry."
        ) from None
    except SettingsError as error:
        raise wrongly_called(error) from None
    except (ClientConfigError, KeyUnavailable) as error:
        raise not_done(error) from None


def _file_text(client: Client, file: ConfigFile) -> str:
    return file.text if file.text.strip() else str(FORMATS[client.format].EMPTY)


# --- the key --------------------------------------------------------------------------------------


def _place_of_key(wanted: InstallOptions, client: Client) -> str:
    """`keyring`; `client`: its file; `ask`: the client asks for it; `profile`: where the profile says."""
    if wanted.profile:
        key_from = configured(wanted.profile).main.key_from
        place = "keyring" if key_from == "keyring" else "profile"
        if wanted.key not in (None, place):
            raise SettingsError(
                f"the profile {wanted.profile} says where its key is ({key_from}): leave out --key"
            )
        return place
    if wanted.key == "client" or (wanted.key is None and client.prompts_for_key):
        return "ask" if client.prompts_for_key else "client"
    try:
        keys.keyring_name()
    except KeyUnavailable:
        if wanted.key == "keyring":
            raise
        return "client"
    return "keyring"


def _from_variable(wanted: InstallOptions) -> str:
    variable = configured(wanted.profile).main.key_from.removeprefix("env:")
    return (
        f"The server takes its key from {variable}. Most clients pass on few of their variables: if "
        f"the key is missing, have the client pass on {variable}, too."
    )


# --- the entry ------------------------------------------------------------------------------------


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


def _environment(wanted: InstallOptions, place: str) -> dict[str, str]:
    """What the entry sets. Raises `SettingsError` for an unknown setting."""
    known = VARIABLES.keys() - {KEY}
    given: dict[str, str] = {}
    for pair in wanted.env:
        setting, equals, value = pair.partition("=")
        if not equals or setting not in known:
            raise SettingsError(
                f"--env takes NAME=VALUE with one of {', '.join(sorted(known))}; got {setting!r}"
            )
        given[setting] = value
    checked("")  # what is wrong in the environment itself is not blamed on --env
    checked("--env: ", **{VARIABLES[setting]: value for setting, value in given.items()})
    if place == "keyring" and not wanted.profile:
        given[KEY_FROM] = "keyring"
    if place in {"client", "ask"}:
        given[KEY] = ASKED if place == "ask" else PLACEHOLDER
    return given


def _value_at(data: Any, path: Sequence[str]) -> Any:
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    return data


def fragment(client: Client, name: str, entry: Entry) -> str:
    """The client's file, if it held this server alone."""
    text: str = FORMATS[client.format].fragment(client.path(name), entry.merged(client, None))
    return with_input(client, text) if entry.env.get(KEY) == ASKED else text


def with_input(client: Client, text: str) -> str:
    """The text with an input for the key: the client asks for it and stores the answer."""
    inputs = FORMATS[client.format].read(text).get("inputs", [])
    if _input_of(inputs) is not None:
        return text
    question = {
        "type": "promptString",
        "id": INPUT,
        "description": "Telnyx API key (Mission Control Portal, API Keys)",
        "password": True,
    }
    number = len(inputs) if isinstance(inputs, list) else 0
    return put(client.format, text, ("inputs", number), question)


def _without_input(client: Client, text: str) -> str:
    """The text without the question for the key, if no server needs it any more."""
    data = FORMATS[client.format].read(text)
    number = _input_of(data.get("inputs", []))
    if number is None or ASKED in pretty(data.get(client.table)):
        return text
    return take(client.format, text, ("inputs", number))


def _input_of(inputs: object) -> int | None:
    listed = inputs if isinstance(inputs, list) else []
    ids = [each.get("id") if isinstance(each, dict) else None for each in listed]
    return ids.index(INPUT) if INPUT in ids else None


# --- what the user sees -------------------------------------------------------------------------


def _print_entry(
    terminal: Terminal,
    client: Client,
    file: ConfigFile,
    wanted: InstallOptions,
    entry: Entry,
    place: str,
) -> int:
    """Writes the entry to stdout as a file that holds nothing else, to be pasted."""
    if place == "keyring":
        address = address_of(wanted.profile, {"env": dict(entry.env)})
        set_key = keys.key_command("set", wanted.profile, address)
        terminal.say(
            f"The server takes its key from the keyring: {set_key} puts it there.", error=True
        )
    if place == "profile":
        terminal.say(_from_variable(wanted), error=True)
    terminal.say(f"{client.title}, {file.path}:", error=True)
    terminal.write(fragment(client, wanted.server, entry))
    return 0


def _backup_text(backup: Path | None, old: object) -> str:
    """Where the backup is, and whether it holds a secret."""
    if backup is None:
        return ""
    secret = (
        ", which still holds the key or password: delete it when all is well"
        if holds_secret(old)
        else ""
    )
    return f" Before: {backup.name} beside it{secret}."


def _show_change(
    terminal: Terminal, client: Client, file: ConfigFile, name: str, old: object, new: object
) -> None:
    """Prints the change as removed and added lines."""
    new_file = "" if file.raw is not None else " (a new file)"
    terminal.say(f"{client.title}, {file.path}{new_file}, {client.table}.{name}:", error=True)
    for value, sign, style in ((old, "-", "red"), (new, "+", "green")):
        if value is not None:
            for line in pretty(masked(value)).splitlines():
                terminal.say(f"{sign} {line}", style, error=True)


def _may_write(wanted: InstallOptions, terminal: Terminal) -> bool:
    if wanted.yes:
        return True
    if not terminal.has_input():
        raise not_done(
            "Nothing was written: there is no terminal to ask at. Add --yes to write it."
        )
    if terminal.agrees("Write this? (yes/no) "):
        return True
    terminal.say("Nothing was written.", error=True)
    return False
