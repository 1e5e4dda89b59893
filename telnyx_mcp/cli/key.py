"""`key`: put the API key into the system's keyring, or remove it.

`key set` asks for the key without showing it, and keeps it in the system's keyring. Without a keyring,
`key set --file PATH` puts it into a file that only you can read; the variable TELNYX_API_KEY_FILE, or
`install CLIENT --key-file PATH`, names it then.
"""

from __future__ import annotations

import argparse
import shlex
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

from telnyx_mcp.cli.account import profile_option
from telnyx_mcp.cli.errors import CommandError, not_done, wrongly_called
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.clients.entry import ADDRESS, KEY, KEY_FILE, KEY_FROM, env_of, profile_of
from telnyx_mcp.config import keys
from telnyx_mcp.config.addresses import TELNYX_API, foreign_address
from telnyx_mcp.config.command_line import PROGRAM
from telnyx_mcp.config.keys import KeyUnavailable
from telnyx_mcp.config.paths import private_file, without_tilde
from telnyx_mcp.config.profiles import SettingsError, checked, configured
from telnyx_mcp.config.typed_key import usable_key

_WITHOUT_KEYRING = (
    f"Without a keyring: {PROGRAM} install CLIENT keeps the key in the client's configuration, and "
    f"{PROGRAM} key set --file PATH in a file that only you can read."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=("set", "remove"), help="`set` asks for it; nothing is shown"
    )
    profile_option(parser)
    parser.add_argument(
        "--from-env", metavar="VARIABLE", help="with `set`: take it from there, instead of asking"
    )
    parser.add_argument(
        "--file",
        metavar="PATH",
        type=Path,
        help="with `set`: put it into this file, which only you can read, instead of the keyring",
    )
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="the address that the key is for, if it is not Telnyx's own or the profile's",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Stores or removes a key. 0 if that was done."""
    if options.action == "set" and options.file is not None:
        if options.profile is not None or options.base_url is not None:
            raise CommandError(
                "--file goes without --profile and --base-url: a file belongs to the server that names it"
            )
        return write_key(without_tilde(options.file), options.from_env, terminal)
    if options.action == "set":
        return set_key(options.profile, options.from_env, terminal, options.base_url)
    if options.from_env is not None or options.file is not None:
        raise CommandError("--from-env and --file go with `key set`")
    return remove_key(options.profile, terminal, options.base_url)


def set_key(
    profile: str | None,
    variable: str | None = None,
    terminal: Terminal | None = None,
    base_url: str | None = None,
) -> int:
    """Asks for a key, or takes it from the variable that is named, and puts it into the keyring for
    this address; without one, for the address that the profile or the environment names.

    Raises `CommandError`.
    """
    terminal = terminal or Terminal()
    try:
        address = _address(profile, base_url)
        where = keys.keyring_name()
        key = _key_in(variable) if variable is not None else typed_key(terminal, profile, address)
        keys.store_key(profile, key, address)
    except SettingsError as error:
        raise wrongly_called(error) from None
    except KeyUnavailable as error:
        raise not_done(f"{error} {_WITHOUT_KEYRING}") from None
    terminal.say(f"The key of {_whose(profile, address)} is kept in {where}.", error=True)
    return 0


def write_key(path: Path, variable: str | None, terminal: Terminal) -> int:
    """Asks for a key, or takes it from the variable that is named, and puts it into a file that only its
    owner can read. Raises `CommandError`."""
    path = path.absolute()
    try:
        key = _key_in(variable) if variable is not None else typed_key(terminal, None)
        private_file(path)
        path.write_text(f"{key.get_secret_value()}\n", "utf-8")
    except SettingsError as error:
        raise wrongly_called(error) from None
    except KeyUnavailable as error:
        raise not_done(error) from None
    except OSError as error:
        raise not_done(f"{path} can't be written: {error.strerror}") from None
    terminal.say(
        f"The key is kept in {path}, which only you can read. A server takes it from there with "
        f"{KEY_FILE}={path}, or: {PROGRAM} install CLIENT --key-file {shlex.quote(str(path))}",
        error=True,
    )
    return 0


def remove_key(
    profile: str | None, terminal: Terminal | None = None, base_url: str | None = None
) -> int:
    """Removes the key for this address from the keyring, as `set_key` stored it. Raises
    `CommandError`."""
    terminal = terminal or Terminal()
    address = TELNYX_API
    try:
        with suppress(SettingsError):  # a profile that is gone may have left its key
            address = _address(profile, None)
        if base_url is not None:
            address = checked("--base-url: ", base_url=base_url, api_key=None).base_url
        there = keys.remove_key(profile, address)
    except SettingsError as error:
        raise wrongly_called(error) from None
    except KeyUnavailable as error:
        raise not_done(error) from None
    of = _whose(profile, address)
    terminal.say(
        f"The key of {of} was removed." if there else f"There was no key of {of}.", error=True
    )
    return 0


def _address(profile: str | None, base_url: str | None) -> str:
    """The address that a key is for. Raises `SettingsError`."""
    # What the environment holds as a key does not matter here.
    account = configured(profile).main if profile else checked("", api_key=None)
    if base_url is None:
        return account.base_url
    return checked("--base-url: ", base_url=base_url, api_key=None).base_url


def _whose(profile: str | None, base_url: str) -> str:
    foreign = foreign_address(base_url)
    return (profile or "the default account") + (f" at {foreign}" if foreign else "")


def given_key(terminal: Terminal, kept: SecretStr | None = None) -> SecretStr:
    """The key from the environment, or as typed, or the one that is `kept`. Raises `CommandError`."""
    if (given := checked("").api_key) is not None:
        if given != kept:
            terminal.say(f"Taking the key from {KEY}.", error=True)
        return given
    if terminal.has_input():
        return typed_key(terminal, None, kept=kept)
    if kept is not None:
        return kept
    raise not_done(f"There is no terminal to ask for the key at. Set {KEY} for this command.")


def address_of(profile: str | None, entry: object) -> str:
    """The address that the server of a client's entry asks: the profile's, else the entry's own."""
    set_there = env_of(entry).get(ADDRESS)
    with suppress(SettingsError):
        if profile is not None and (own := configured(profile).main.base_url) != TELNYX_API:
            return own
        if isinstance(set_there, str):
            return checked("", base_url=set_there).base_url
    return TELNYX_API


def left_in_keyring(entry: object) -> str | None:
    """How to remove the key that the entry's server had from the keyring; None if it had none."""
    profile = profile_of(entry)
    key_from = env_of(entry).get(KEY_FROM)
    if profile is not None:
        with suppress(SettingsError):  # a profile that is gone may have left its key
            key_from = "keyring"
            key_from = configured(profile).main.key_from
    if key_from != "keyring":
        return None
    remove = keys.key_command("remove", profile, address_of(profile, entry))
    return f"Its key stays in the keyring, where others may use it; {remove} removes it."


def _key_in(variable: str) -> SecretStr:
    """The key from this variable. Raises `CommandError`."""
    key = keys.key_of(checked("--from-env: ", key_from=f"env:{variable}"))
    if key is None:
        raise not_done(f"Nothing was changed: {variable} is not set, or empty.")
    return key


def typed_key(
    terminal: Terminal,
    profile: str | None,
    base_url: str = TELNYX_API,
    kept: SecretStr | None = None,
) -> SecretStr:
    """The key as typed, unseen; an empty line means the one that is `kept`. Raises `CommandError`."""
    if not terminal.has_input():
        raise not_done(
            "There is no terminal to ask for the key at. Name a variable that holds it: "
            f"{keys.key_command('set', profile, base_url)} --from-env NAME"
        )
    foreign = foreign_address(base_url)
    of = (f" of {profile}" if profile else "") + (f" for {foreign}" if foreign else "")
    enter = "; Enter: as it is" if kept else ""
    try:
        typed = terminal.read_secret(f"Telnyx API key{of} (nothing is shown{enter}): ")
        key = usable_key(typed, telnyx=foreign is None)
    except ValueError as error:
        raise not_done(f"Nothing was changed: the text that was typed {error}.") from None
    except EOFError:
        key = None
    if (chosen := key or kept) is None:
        raise not_done("Nothing was changed: no key was typed.")
    return chosen
