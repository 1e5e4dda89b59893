"""The key on its way into the keyring and out of it, or to a client's file."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

from pydantic import SecretStr

from telnyx_mcp import keys
from telnyx_mcp.commands import to_run
from telnyx_mcp.install.entry import KEY, KEY_FROM, args_of, env_of
from telnyx_mcp.install.person import NotDone, Person
from telnyx_mcp.keys import KeyNotRead
from telnyx_mcp.profiles import WrongSettings, checked, configured
from telnyx_mcp.settings import usable_key


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
        raise NotDone.because(error) from None
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


def given_key(person: Person) -> SecretStr:
    """The key from the environment, or as typed. Raises `NotDone`."""
    if (given := checked("").api_key) is not None:
        person.say(f"Taking the key from {KEY}.")
        return given
    if not person.there():
        raise NotDone(f"There is no terminal to ask for the key at. Set {KEY} for this command.")
    return _typed_key(person, None)


def keep_in_keyring(profile: str | None, person: Person) -> None:
    """Sees to it that the keyring has the key, and asks for it where it has not. Raises `NotDone`."""
    where = keys.keyring_name()
    if keys.read_key(profile) is None:
        # A profile's key is never that of the environment, which is some other account's.
        keys.store_key(profile, _typed_key(person, profile) if profile else given_key(person))
        person.say(f"The key is kept in {where}, and in no configuration file.")
    else:
        person.say(f"{where} has a key already; {to_run('key set', profile)} replaces it.")


def left_in_keyring(entry: object) -> str | None:
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
        f"{to_run('key remove', profile)} takes it out."
    )


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
            f"{to_run('key set', profile)} --from-env NAME"
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
