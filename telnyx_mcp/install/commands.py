"""`install`, `uninstall` and `key`: what a person types to get the server in, or out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from getpass import getpass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr
from rich.console import Console
from rich.text import Text

from telnyx_mcp import keys
from telnyx_mcp.install.clients import CLIENTS, Client, Machine
from telnyx_mcp.install.entry import (
    ASKED,
    INPUT,
    KEY,
    KEY_FROM,
    NAME,
    PLACEHOLDER,
    Entry,
    NoCommand,
    args_of,
    compact,
    env_of,
    holds_secret,
    masked,
    own_command,
)
from telnyx_mcp.install.files import ConfigFile, NotWritten
from telnyx_mcp.install.formats import FORMATS, NotSafe, put, take
from telnyx_mcp.install.jsonc import Unreadable
from telnyx_mcp.keys import KeyNotRead
from telnyx_mcp.profiles import WrongSettings, checked, configured
from telnyx_mcp.settings import VARIABLES, usable_key

KeyPlace = Literal["keyring", "client"]
SERVER = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A name that every client takes."""


class NotDone(Exception):
    """Nothing was changed. Its text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for."""

    client: str
    name: str | None = None
    profile: str | None = None
    key: KeyPlace | None = None
    read_only: bool = False
    env: Sequence[str] = ()
    print_only: bool = False
    yes: bool = False

    @property
    def server(self) -> str:
        """What the client is to call it."""
        if self.name is not None:
            return self.name
        return f"{NAME}-{self.profile}" if self.profile else NAME


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asked. Everything that is said goes to stderr."""

    machine: Machine = field(default_factory=Machine)
    now: Callable[[], datetime] = datetime.now
    typed: Callable[[str], str] = input
    hidden: Callable[[str], str] = getpass
    there: Callable[[], bool] = sys.stdin.isatty

    def say(self, words: str, style: str = "") -> None:
        Console(stderr=True, highlight=False).print(Text(words, style), soft_wrap=True)

    def agrees(self, question: str) -> bool:
        sys.stderr.write(question)
        sys.stderr.flush()
        try:
            return self.typed("").strip().lower() in {"y", "yes"}
        except EOFError:
            return False


def install(wish: Wish, person: Person | None = None) -> int:
    """Puts the server into the client's configuration. 0 done, 1 the person said no.

    Raises `NotDone`.
    """
    person = person or Person()
    client, name = CLIENTS[wish.client], wish.server
    with _in_words(client, person):
        if not SERVER.fullmatch(name):
            raise WrongSettings(f"--name takes up to 64 letters, digits, _ and -; got {name!r}")
        place = _place_of_key(wish, client)
        file = ConfigFile.read(client.file(person.machine))
        before = _text(client, file)
        old = _at(FORMATS[client.format].read(before), client.path(name))
        stays_read_only = not wish.read_only and "--read-only" in args_of(old)
        entry = Entry(
            own_command(),
            _arguments(wish.profile, wish.read_only or stays_read_only),
            _environment(wish, place),
        )
        if wish.print_only:
            return _printed(person, client, file, wish, entry, place)
        new = entry.merged(client, old)
        if place == "client":
            new["env"][KEY] = _key(person).get_secret_value()
        text = put(client.format, before, client.path(name), new)
        if place == "ask":
            text = with_input(client, text)
        _show(person, client, file, name, old, new)
        if stays_read_only:
            person.say("It stays read-only, as it was; uninstall it first to have it otherwise.")
        if text != file.text and not _may_write(wish, person):
            return 1
        if place == "keyring":
            _keep_in_keyring(wish.profile, person)
        if text == file.text:
            person.say("It is there already; nothing was written.")
            return 0
        backup = file.write(text, person.now(), private=holds_secret(new))
    person.say(f"Written to {file.path}.{_before(backup, old)}")
    if place == "profile":
        person.say(_from_variable(wish))
    person.say(client.then)
    return 0


def uninstall(wish: Wish, person: Person | None = None) -> int:
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
        kept = _kept_in_keyring(old)
        backup = file.write(text, person.now(), private=False)
    person.say(f"Taken out of {file.path}.{_before(backup, old)}")
    if kept:
        person.say(kept)
    person.say(f"{client.title} lets go of it when it is started again.")
    return 0


def set_key(profile: str | None, variable: str | None = None, person: Person | None = None) -> int:
    """Asks for a key, or takes it from the variable that is named, and puts it into the keyring.

    Raises `NotDone`.
    """
    person = person or Person()
    try:
        if profile:
            configured(profile)
        where = keys.keyring_name()
        key = _key_in(variable) if variable is not None else _typed_key(person, profile)
        keys.store_key(profile, key)
    except (KeyNotRead, WrongSettings) as error:
        raise NotDone(_sentence(error)) from None
    person.say(f"The key of {profile or 'the default account'} is kept in {where}.")
    return 0


def remove_key(profile: str | None, person: Person | None = None) -> int:
    """Takes the key out of the keyring. Raises `NotDone`."""
    person = person or Person()
    try:
        there = keys.remove_key(profile)
    except KeyNotRead as error:
        raise NotDone(str(error)) from None
    of = profile or "the default account"
    person.say(f"The key of {of} was removed." if there else f"There was no key of {of}.")
    return 0


@contextmanager
def _in_words(client: Client, person: Person) -> Iterator[None]:
    """Turns whatever keeps a file from being changed into `NotDone`."""
    try:
        yield
    except (NoCommand, NotWritten, WrongSettings, KeyNotRead) as error:
        raise NotDone(_sentence(error)) from None
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


def _sentence(error: Exception) -> str:
    return f"{str(error).removesuffix('.')}."


def _text(client: Client, file: ConfigFile) -> str:
    return file.text if file.text.strip() else str(FORMATS[client.format].EMPTY)


# --- the key --------------------------------------------------------------------------------------


def _place_of_key(wish: Wish, client: Client) -> str:
    """`keyring`; `client`: its file; `ask`: the client asks for it; `profile`: where that says."""
    if wish.profile:
        key_from = configured(wish.profile).main.key_from
        place = "keyring" if key_from == "keyring" else "profile"
        if wish.key not in (None, place):
            raise WrongSettings(
                f"the profile {wish.profile} says where its key is ({key_from}): leave out --key"
            )
        return place
    if wish.key == "client" or (wish.key is None and client.asks_itself):
        return "ask" if client.asks_itself else "client"
    try:
        keys.keyring_name()
    except KeyNotRead:
        if wish.key == "keyring":
            raise
        return "client"
    return "keyring"


def _keep_in_keyring(profile: str | None, person: Person) -> None:
    where = keys.keyring_name()
    if keys.read_key(profile) is None:
        # A profile's key is never that of the environment, which is some other account's.
        keys.store_key(profile, _typed_key(person, profile) if profile else _key(person))
        person.say(f"The key is kept in {where}, and in no configuration file.")
    else:
        person.say(f"{where} has a key already; {_command('set', profile)} replaces it.")


def _key(person: Person) -> SecretStr:
    """The key from the environment, or as typed. Raises `NotDone`."""
    if (given := checked("").api_key) is not None:
        person.say(f"Taking the key from {KEY}.")
        return given
    if not person.there():
        raise NotDone(f"There is no terminal to ask for the key at. Set {KEY} for this command.")
    return _typed_key(person, None)


def _key_in(variable: str) -> SecretStr:
    """The key from this variable. Raises `NotDone`."""
    key = keys.key_of(checked("--from-env: ", key_from=f"env:{variable}"))
    if key is None:
        raise NotDone(f"Nothing was changed: {variable} is not set, or empty.")
    return key


def _typed_key(person: Person, profile: str | None) -> SecretStr:
    """The key as typed, unseen. Raises `NotDone`."""
    if not person.there():
        raise NotDone(
            "There is no terminal to ask for the key at. Name a variable that holds it: "
            f"{_command('set', profile)} --from-env NAME"
        )
    of = f" of {profile}" if profile else ""
    try:
        key = usable_key(person.hidden(f"Telnyx API key{of} (nothing is shown): "))
    except ValueError as error:
        raise NotDone(f"Nothing was changed: {error}.") from None
    except EOFError:
        key = None
    if key is None:
        raise NotDone("Nothing was changed: no key was typed.")
    return key


def _kept_in_keyring(entry: object) -> str | None:
    """How to remove the key that the entry's server had from the keyring; None if it had none."""
    args = [str(each) for each in args_of(entry)]
    profile = next((name for flag, name in pairwise(args) if flag == "--profile"), None)
    key_from = env_of(entry).get(KEY_FROM)
    if profile is not None:
        with suppress(WrongSettings):  # a profile that is gone may have left its key
            key_from = "keyring"
            key_from = configured(profile).main.key_from
    if key_from != "keyring":
        return None
    return (
        "Its key stays in the keyring, where others may use it; "
        f"{_command('remove', profile)} takes it out."
    )


def _from_variable(wish: Wish) -> str:
    variable = configured(wish.profile).main.key_from.removeprefix("env:")
    return (
        f"The server takes its key from {variable}. Most clients hand on few of their variables: if "
        f"it misses the key, have the client hand on {variable}, too."
    )


def _command(action: str, profile: str | None) -> str:
    return f"telnyx-account-mcp key {action}" + (f" --profile {profile}" if profile else "")


# --- the entry ------------------------------------------------------------------------------------


def _arguments(profile: str | None, read_only: bool) -> list[str]:
    named = ["--profile", profile] if profile else []
    reads = ["--read-only"] if read_only else []
    return ["serve", *named, *reads] if named or reads else []


def _environment(wish: Wish, place: str) -> dict[str, str]:
    """What the entry sets. Raises `WrongSettings` for a setting that is none."""
    known = VARIABLES.keys() - {KEY}
    given: dict[str, str] = {}
    for pair in wish.env:
        setting, equals, value = pair.partition("=")
        if not equals or setting not in known:
            raise WrongSettings(
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
    if number is None or ASKED in compact(data.get(client.table)):
        return text
    return take(client.format, text, ("inputs", number))


def _input_of(inputs: object) -> int | None:
    listed = inputs if isinstance(inputs, list) else []
    ids = [each.get("id") if isinstance(each, dict) else None for each in listed]
    return ids.index(INPUT) if INPUT in ids else None


# --- what the person sees -------------------------------------------------------------------------


def _printed(
    person: Person, client: Client, file: ConfigFile, wish: Wish, entry: Entry, place: str
) -> int:
    """Writes the entry to stdout as a file that holds nothing else, for whoever pastes it."""
    if place == "keyring":
        person.say(
            f"The server takes its key from the keyring: {_command('set', wish.profile)} puts it there."
        )
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
            for line in compact(masked(value)).splitlines():
                person.say(f"{sign} {line}", style)


def _may_write(wish: Wish, person: Person) -> bool:
    if wish.yes:
        return True
    if not person.there():
        raise NotDone("Nothing was written: there is no terminal to ask at. Add --yes to write it.")
    if person.agrees("Write this? (yes/no) "):
        return True
    person.say("Nothing was written.")
    return False
