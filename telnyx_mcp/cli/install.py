"""`install` and `uninstall`: what a person types to get the server in, or out."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from telnyx_mcp.cli.key import address_of, given_key, keep_in_keyring, left_in_keyring
from telnyx_mcp.cli.terminal import NotDone, Person
from telnyx_mcp.clients.catalog import CLIENTS, Client
from telnyx_mcp.clients.config_file import ConfigFile, NotWritten
from telnyx_mcp.clients.entry import (
    ASKED,
    INPUT,
    KEY,
    KEY_FROM,
    PLACEHOLDER,
    Entry,
    NoCommand,
    args_of,
    holds_secret,
    masked,
    own_command,
    pretty,
    server_name,
)
from telnyx_mcp.clients.formats import FORMATS, NotSafe, put, take
from telnyx_mcp.clients.jsonc import Unreadable
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
    """What the person asked for."""

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
        """What the client is to call it."""
        if self.name is not None:
            return self.name
        return server_name(self.profile)


def install(wish: InstallOptions, person: Person | None = None) -> int:
    """Puts the server into the client's configuration. 0 done, 1 the person said no.

    Raises `NotDone`.
    """
    person = person or Person()
    client, name = CLIENTS[wish.client], wish.server
    with _in_words(client, person):
        if not SERVER.fullmatch(name):
            raise SettingsError(f"--name takes up to 64 letters, digits, _ and -; got {name!r}")
        place = _place_of_key(wish, client)
        file = ConfigFile.read(client.file(person.machine))
        before = _text(client, file)
        old = _at(FORMATS[client.format].read(before), client.path(name))
        stays_read_only = not wish.read_only and "--read-only" in args_of(old)
        entry = Entry(
            own_command(),
            _arguments(
                wish.profile, wish.read_only or stays_read_only, wish.tools or _groups_of(old)
            ),
            _environment(wish, place),
        )
        if wish.print_only:
            return _printed(person, client, file, wish, entry, place)
        new = entry.merged(client, old)
        if place == "client":
            new["env"][KEY] = given_key(person).get_secret_value()
        text = put(client.format, before, client.path(name), new)
        if place == "ask":
            text = with_input(client, text)
        _show(person, client, file, name, old, new)
        if stays_read_only:
            person.say("It stays read-only, as it was; uninstall it first to have it otherwise.")
        if text != file.text and not _may_write(wish, person):
            return 1
        if place == "keyring":
            keep_in_keyring(wish.profile, person, address_of(wish.profile, new))
        if text == file.text:
            person.say("It is there already; nothing was written.")
            return 0
        backup = file.write(text, person.now(), private=holds_secret(new))
    person.say(f"Written to {file.path}.{_before(backup, old)}")
    if place == "profile":
        person.say(_from_variable(wish))
    person.say(client.then)
    return 0


def uninstall(wish: InstallOptions, person: Person | None = None) -> int:
    """Takes the server out of the client's configuration. 0 done or not there, 1 the person said no.

    Raises `NotDone`.
    """
    person = person or Person()
    client, name = CLIENTS[wish.client], wish.server
    with _in_words(client, person):
        file = ConfigFile.read(client.file(person.machine))
        before = _text(client, file)
        text = take(client.format, before, client.path(name))
        if text == before:
            person.say(f"{client.title} has no server {name} in {file.path}; nothing was changed.")
            return 0
        if client.asks_itself:
            text = _without_input(client, text)
        old = _at(FORMATS[client.format].read(before), client.path(name))
        _show(person, client, file, name, old, None)
        if wish.print_only:
            return 0
        if not _may_write(wish, person):
            return 1
        kept = left_in_keyring(old)
        backup = file.write(text, person.now(), private=False)
    person.say(f"Taken out of {file.path}.{_before(backup, old)}")
    if kept:
        person.say(kept)
    person.say(f"{client.title} lets go of it when it is started again.")
    return 0


@contextmanager
def _in_words(client: Client, person: Person) -> Iterator[None]:
    """Turns whatever keeps a file from being changed into `NotDone`."""
    try:
        yield
    except (NoCommand, NotWritten, SettingsError, KeyUnavailable) as error:
        raise NotDone.because(error) from None
    except Unreadable as error:
        raise NotDone(
            f"Nothing was written: {client.title}'s file {client.file(person.machine)} can't be read "
            f"({error}). Mend it there, or add what --print shows by hand."
        ) from None
    except NotSafe:
        raise NotDone(
            f"Nothing was written: {client.title}'s file {client.file(person.machine)} is written in "
            "a way that it can't be changed in safely. Change it by hand; install --print shows the "
            "entry."
        ) from None


def _text(client: Client, file: ConfigFile) -> str:
    return file.text if file.text.strip() else str(FORMATS[client.format].EMPTY)


# --- the key --------------------------------------------------------------------------------------


def _place_of_key(wish: InstallOptions, client: Client) -> str:
    """`keyring`; `client`: its file; `ask`: the client asks for it; `profile`: where that says."""
    if wish.profile:
        key_from = configured(wish.profile).main.key_from
        place = "keyring" if key_from == "keyring" else "profile"
        if wish.key not in (None, place):
            raise SettingsError(
                f"the profile {wish.profile} says where its key is ({key_from}): leave out --key"
            )
        return place
    if wish.key == "client" or (wish.key is None and client.asks_itself):
        return "ask" if client.asks_itself else "client"
    try:
        keys.keyring_name()
    except KeyUnavailable:
        if wish.key == "keyring":
            raise
        return "client"
    return "keyring"


def _from_variable(wish: InstallOptions) -> str:
    variable = configured(wish.profile).main.key_from.removeprefix("env:")
    return (
        f"The server takes its key from {variable}. Most clients hand on few of their variables: if "
        f"it misses the key, have the client hand on {variable}, too."
    )


# --- the entry ------------------------------------------------------------------------------------


def _arguments(profile: str | None, read_only: bool, groups: Sequence[str]) -> list[str]:
    """What the client starts the command with; nothing where `serve` needs no option."""
    named = ["--profile", profile] if profile else []
    reads = ["--read-only"] if read_only else []
    loads = ["--tools", ",".join(groups)] if groups else []
    return ["serve", *named, *reads, *loads] if named or reads or loads else []


def _groups_of(entry: object) -> list[str]:
    """The groups of tools that an entry loads; none where it names none."""
    arguments = args_of(entry)
    at = arguments.index("--tools") + 1 if "--tools" in arguments else len(arguments)
    return [each for each in arguments[at : at + 1] if isinstance(each, str)]


def _environment(wish: InstallOptions, place: str) -> dict[str, str]:
    """What the entry sets. Raises `SettingsError` for a setting that is none."""
    known = VARIABLES.keys() - {KEY}
    given: dict[str, str] = {}
    for pair in wish.env:
        setting, equals, value = pair.partition("=")
        if not equals or setting not in known:
            raise SettingsError(
                f"--env takes NAME=VALUE with one of {', '.join(sorted(known))}; got {setting!r}"
            )
        given[setting] = value
    checked("")  # what is wrong in the environment itself is not blamed on --env
    checked("--env: ", **{VARIABLES[setting]: value for setting, value in given.items()})
    if place == "keyring" and not wish.profile:
        given[KEY_FROM] = "keyring"
    if place in {"client", "ask"}:
        given[KEY] = ASKED if place == "ask" else PLACEHOLDER
    return given


def _at(data: Any, path: Sequence[str]) -> Any:
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    return data


def fragment(client: Client, name: str, entry: Entry) -> str:
    """The client's file, if it held this server alone."""
    text: str = FORMATS[client.format].fragment(client.path(name), entry.merged(client, None))
    return with_input(client, text) if entry.env.get(KEY) == ASKED else text


def with_input(client: Client, text: str) -> str:
    """The text with the question for the key, which the client asks and keeps the answer of."""
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


# --- what the person sees -------------------------------------------------------------------------


def _printed(
    person: Person, client: Client, file: ConfigFile, wish: InstallOptions, entry: Entry, place: str
) -> int:
    """Writes the entry to stdout as a file that holds nothing else, for whoever pastes it."""
    if place == "keyring":
        address = address_of(wish.profile, {"env": dict(entry.env)})
        set_key = keys.key_command("set", wish.profile, address)
        person.say(f"The server takes its key from the keyring: {set_key} puts it there.")
    if place == "profile":
        person.say(_from_variable(wish))
    person.say(f"{client.title}, {file.path}:")
    sys.stdout.write(fragment(client, wish.server, entry))
    return 0


def _before(backup: Path | None, old: object) -> str:
    """Where to find what the file was before, and what to mind of it."""
    if backup is None:
        return ""
    secret = (
        ", which still holds the key or password: delete it when all is well"
        if holds_secret(old)
        else ""
    )
    return f" Before: {backup.name} beside it{secret}."


def _show(
    person: Person, client: Client, file: ConfigFile, name: str, old: object, new: object
) -> None:
    """The change, as lines that go and lines that come."""
    new_file = "" if file.raw is not None else " (a new file)"
    person.say(f"{client.title}, {file.path}{new_file}, {client.table}.{name}:")
    for value, sign, style in ((old, "-", "red"), (new, "+", "green")):
        if value is not None:
            for line in pretty(masked(value)).splitlines():
                person.say(f"{sign} {line}", style)


def _may_write(wish: InstallOptions, person: Person) -> bool:
    if wish.yes:
        return True
    if not person.there():
        raise NotDone("Nothing was written: there is no terminal to ask at. Add --yes to write it.")
    if person.agrees("Write this? (yes/no) "):
        return True
    person.say("Nothing was written.")
    return False
