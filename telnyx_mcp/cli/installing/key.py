"""Where the key of an installed server is, and the key itself, where it can be read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from telnyx_mcp.cli.errors import not_done
from telnyx_mcp.cli.installing.options import InstallOptions
from telnyx_mcp.cli.key import given_key, typed_key
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.clients.entry import (
    ASKED,
    KEY,
    KEY_FILE,
    KEY_FROM,
    PLACEHOLDER,
    env_of,
    is_reference,
)
from telnyx_mcp.config import keys
from telnyx_mcp.config.command_line import command_line
from telnyx_mcp.config.key_file import NoKeyThere, key_in_file
from telnyx_mcp.config.keys import KeyUnavailable
from telnyx_mcp.config.paths import without_tilde
from telnyx_mcp.config.profiles import SettingsError, checked, configured
from telnyx_mcp.config.typed_key import usable_key

Place = Literal["keyring", "client", "ask", "env", "file", "profile"]
"""The keyring; the client's file; the client asks for it; the client's environment; a file that the entry
names; where the profile says."""


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key that was found, or None where only the client can read it."""

    key: SecretStr | None
    is_new: bool = False
    """Whether it is not yet where it belongs."""


def place_of_key(options: InstallOptions) -> Place:
    """Raises `SettingsError` for options that contradict each other, `KeyUnavailable` for a keyring that
    is required and missing."""
    client = options.chosen
    if options.profile:
        return _profile_place(options)
    if options.key_file is not None:
        if options.key is not None:
            raise SettingsError("--key-file says where the key is: leave out --key")
        return "file"
    if options.key == "client" and options.scope == "project" and not client.prompts_for_key:
        raise SettingsError("a project's file is shared, so it never holds a key: leave out --key")
    refers = client.reference or client.forward_field
    if options.key == "env" and not refers:
        raise SettingsError(f"{client.title} can't refer to a variable: leave out --key env")
    if options.key == "env":
        return "env"
    if client.prompts_for_key and options.key != "keyring":
        return "ask"
    if options.key is None and (options.scope == "project" or (client.place is None and refers)):
        return "env"
    if options.key == "client":
        return "client"
    try:
        keys.keyring_name()
    except KeyUnavailable:
        if options.key == "keyring":
            raise
        return "client"
    return "keyring"


def _profile_place(options: InstallOptions) -> Place:
    key_from = configured(options.profile).main.key_from
    place: Place = "keyring" if key_from == "keyring" else "profile"
    if options.key not in (None, place) or options.key_file is not None:
        raise SettingsError(
            f"the profile {options.profile} says where its key is ({key_from}): leave out --key "
            "and --key-file"
        )
    return place


def key_variables(place: Place, options: InstallOptions) -> dict[str, str]:
    """What the entry sets, so that the server finds its key. `PLACEHOLDER` stands for a key."""
    if place == "keyring" and not options.profile:
        return {KEY_FROM: "keyring"}
    if place == "file" and options.key_file is not None:
        return {KEY_FILE: str(without_tilde(options.key_file).absolute())}
    if place == "env" and (reference := options.chosen.reference):
        return {KEY: reference.replace("NAME", KEY)}
    return {"client": {KEY: PLACEHOLDER}, "ask": {KEY: ASKED}}.get(place, {})


def find_key(
    place: Place, options: InstallOptions, old: object, address: str, terminal: Terminal
) -> FoundKey:
    """The key, asked for where it must be and is nowhere yet. Raises `CommandError`."""
    if place == "client":
        before = _key_in(old)
        key = given_key(terminal, before)
        return FoundKey(key, key != before)
    if place == "keyring":
        if (kept := keys.read_key(options.profile, address)) is not None:
            return FoundKey(kept)
        # A profile's key is never that of the environment, which is some other account's.
        asked = typed_key(terminal, options.profile, address) if options.profile else None
        return FoundKey(asked or given_key(terminal), is_new=True)
    if place == "file" and options.key_file is not None:
        return FoundKey(_key_in_file(without_tilde(options.key_file)))
    if place == "profile":
        with suppress(KeyUnavailable):
            return FoundKey(keys.key_of(configured(options.profile).main))
    return FoundKey(checked("").api_key if place == "env" else None)


def store_new(found: FoundKey, options: InstallOptions, address: str, terminal: Terminal) -> None:
    """Puts a new key into the keyring."""
    if found.is_new and found.key is not None:
        keys.store_key(options.profile, found.key, address)
        terminal.say(
            f"The key is kept in {keys.keyring_name()}, and in no configuration file.", error=True
        )


def note_on_key(place: Place, options: InstallOptions) -> str | None:
    """What the user must know about the key after the entry is written."""
    title = options.chosen.title
    if place == "env":
        return f"The server takes its key from {KEY}: set it in the environment that {title} starts in."
    if place == "profile":
        variable = configured(options.profile).main.key_from.removeprefix("env:")
        return (
            f"The server takes its key from {variable}. Most clients pass on few of their variables: if "
            f"the key is missing, have the client pass on {variable}, too."
        )
    return None


def _key_in(entry: object) -> SecretStr | None:
    """The key that an entry holds."""
    value = env_of(entry).get(KEY)
    if not isinstance(value, str) or is_reference(value):
        return None
    with suppress(ValueError):
        return usable_key(value)
    return None


def _key_in_file(path: Path) -> SecretStr:
    make = command_line(f"key set --file {path}", None)
    try:
        key = usable_key(key_in_file(path.absolute()))
    except NoKeyThere as error:
        raise not_done(f"{error} Make it: {make}") from None
    except ValueError as error:
        raise not_done(f"{path} {error}. Make it again: {make}") from None
    if key is None:
        raise not_done(f"{path} is empty. Put the key into it: {make}")
    return key
