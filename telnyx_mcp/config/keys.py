"""Where the API key comes from: a variable of the environment, a file that one names, or the system's
keyring.

The keyring is the macOS Keychain, Windows Credential Manager, or a Secret Service such as GNOME
Keyring, through the library `keyring` (the extra of that name). An entry belongs to a profile and to
an address: a key stored for Telnyx is never sent to another host.
"""

from __future__ import annotations

import os
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar, cast

from pydantic import SecretStr

from telnyx_mcp.config.addresses import TELNYX_API, foreign_address
from telnyx_mcp.config.command_line import command_line
from telnyx_mcp.config.key_file import SUFFIX, NoKeyThere, both_set, key_in_file, key_text
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.config.typed_key import usable_key
from telnyx_mcp.process.daemon_thread import start_daemon
from telnyx_mcp.untrusted import remember

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds that a command waits for a keyring, which may be asking the user to unlock it."""
CALL_PATIENCE = 15.0
"""The same for a call of a tool; the next call waits for the same answer."""
SERVICE = "telnyx-account-mcp"
"""The name the keyring keeps our keys under."""
UNNAMED = "default"
"""The entry of a server without a profile."""
EXTRA = "install it again from its clone, with pipx install '.[keyring]' or uv tool install '.[keyring]'"


class KeyUnavailable(Exception):
    """The key could not be read or stored. `why` says what happened, `do` what to do next."""

    def __init__(self, why: str, do: str = "") -> None:
        super().__init__(f"{why} {do}".strip())
        self.why = why
        self.do = do


class SettingsUnusable(KeyUnavailable):
    """A setting can't be used, so no key is used with it."""


class KeyringSilent(KeyUnavailable):
    """The keyring has not answered yet."""


def with_key(settings: Settings, *, patience: float = PATIENCE) -> Settings:
    """A copy of the settings with the key resolved. Blocks while a keyring asks the user to unlock it,
    for at most `patience` seconds. Raises `KeyUnavailable` if there is no key, or it can't be read, or
    may not be used with these settings."""
    if settings.unusable:
        raise SettingsUnusable(
            settings.unusable,
            "Correct that where this server is configured, and restart the server.",
        )
    key = key_of(settings, patience=patience)
    if key is None:
        raise _missing(settings)
    remember(key.get_secret_value())
    resolved = {"api_key": key, "api_key_file": None, "key_from": "auto"}
    return settings.model_copy(update=resolved)


def remember_keys(several: Iterable[Settings]) -> None:
    """Redacts keys from every answer from now on, if they can be read without a prompt. A key in a
    keyring is redacted once it was read."""
    for settings in several:
        if settings.key_from.startswith("env:") or has_key(settings):
            with suppress(KeyUnavailable):
                if key := key_of(settings):
                    remember(key.get_secret_value())


def has_key(settings: Settings) -> bool:
    """Whether the settings already hold the key, and may be used."""
    return (
        settings.key_from == "auto"
        and settings.api_key is not None
        and settings.api_key_file is None
        and not settings.unusable
    )


def key_command(action: str, profile: str | None, base_url: str) -> str:
    """The command that sets or removes the key of this profile at this address."""
    foreign = foreign_address(base_url)
    address = f" --base-url {shlex.quote(base_url)}" if foreign else ""
    return command_line(f"key {action}{address}", profile)


def place_of_key(settings: Settings) -> str:
    """Where the key comes from: the variable's name, the file, or `the keyring`."""
    source, _, name = settings.key_from.partition(":")
    if source == "env":
        return f"{name} or {name}{SUFFIX}" if os.environ.get(f"{name}{SUFFIX}") else name
    if source == "auto" and settings.api_key_file is not None:
        return str(settings.api_key_file)
    return "TELNYX_API_KEY" if has_key(settings) else "the keyring"


def _missing(settings: Settings) -> KeyUnavailable:
    """The error for a source without a key."""
    source, _, name = settings.key_from.partition(":")
    of = f" for profile {settings.profile}" if settings.profile else ""
    if source == "env":
        return KeyUnavailable(
            f"There is no API key in {name}, the variable that key_from names{of}.",
            f"Set {name}, or {name}{SUFFIX} to the path of a file that holds it, for whatever starts this, "
            "and start it again.",
        )
    set_key = key_command("set", settings.profile, settings.base_url)
    foreign = foreign_address(settings.base_url)
    at = (
        f" for {foreign}, and a key stored for another address is not sent there" if foreign else ""
    )
    if source == "keyring":
        return KeyUnavailable(f"There is no API key in the keyring{of}{at}.", f"Run: {set_key}")
    return KeyUnavailable(
        f"There is no API key{at}.",
        f"Create one (Mission Control Portal, API Keys). Then: {command_line('install CLIENT', None)}, or "
        f"{set_key}, or set TELNYX_API_KEY (or TELNYX_API_KEY_FILE) and start this again. If an assistant's "
        "configuration holds it, doctor, approve, ledger and resolve find it there with --client CLIENT, "
        f"such as claude-desktop. To try it without a key: {command_line('serve --sandbox', None)}",
    )


def key_of(
    settings: Settings,
    environment: Mapping[str, str] = os.environ,
    *,
    patience: float = PATIENCE,
) -> SecretStr | None:
    """The key from the source that `key_from` names; None if there is no key.

    Raises `KeyUnavailable` if it must come from the keyring and the keyring can't be used, if a file
    can't be read, and if what is there is not a key.
    """
    source, _, name = settings.key_from.partition(":")
    if source == "env":
        return _usable(_text(lambda: key_text(environment, name)), name, settings.base_url)
    if source == "keyring":
        return read_key(settings.profile, settings.base_url, patience=patience)
    if (file := settings.api_key_file) is not None:
        if settings.api_key is not None:
            raise KeyUnavailable(both_set("TELNYX_API_KEY"))
        return _usable(_text(lambda: key_in_file(file)), str(file), settings.base_url)
    if settings.api_key is not None or find_spec("keyring") is None:
        return settings.api_key
    try:
        return read_key(settings.profile, settings.base_url, patience=patience)
    except KeyringSilent:
        raise
    except KeyUnavailable:
        return None


def read_key(
    profile: str | None, base_url: str = TELNYX_API, *, patience: float = PATIENCE
) -> SecretStr | None:
    """The key that the keyring holds for this profile at this address. May prompt the user to unlock it."""
    entry = _entry(profile, base_url)
    kept: object = _asked(
        "read", lambda backend: backend.get_password(SERVICE, entry), patience, shared=entry
    )
    if kept is not None and not isinstance(kept, str):
        raise KeyUnavailable("What the keyring holds for this server is not text.")
    return _usable(kept, "The keyring", base_url)


def store_key(profile: str | None, key: SecretStr, base_url: str = TELNYX_API) -> None:
    """Stores the key in the keyring, replacing an earlier one."""
    entry, secret = _entry(profile, base_url), key.get_secret_value()
    _asked("written", lambda backend: backend.set_password(SERVICE, entry, secret))


def remove_key(profile: str | None, base_url: str = TELNYX_API) -> bool:
    """Removes the key from the keyring. False if there was none."""
    entry = _entry(profile, base_url)

    def remove(backend: KeyringBackend) -> bool:
        if backend.get_password(SERVICE, entry) is None:
            return False
        backend.delete_password(SERVICE, entry)
        return True

    return _asked("changed", remove)


def _entry(profile: str | None, base_url: str) -> str:
    """The name of the entry: the profile, and the address unless it is Telnyx's own, whose regional
    endpoints take one key. No profile is named with a space, so no two names are the same."""
    name, foreign = profile or UNNAMED, foreign_address(base_url)
    return f"{name} at {foreign}" if foreign else name


def keyring_name() -> str:
    """The display name of the keyring in use. Raises `KeyUnavailable`."""
    return _asked("opened", lambda backend: str(_first_backend(backend).name))


def _usable(key: str | None, place: str, base_url: str) -> SecretStr | None:
    try:
        return usable_key(key or "", telnyx=foreign_address(base_url) is None)
    except ValueError as error:
        raise KeyUnavailable(f"{place} {error}.") from None


def _text(read: Callable[[], str]) -> str:
    try:
        return read()
    except NoKeyThere as error:
        raise KeyUnavailable(str(error)) from None


def _backend() -> KeyringBackend:
    try:
        import keyring
    except ImportError:
        raise KeyUnavailable(f"The keyring needs the extra `keyring`: {EXTRA}.") from None
    _find_session_bus()
    try:
        backend = keyring.get_keyring()
        # keyring's own threshold for a recommended backend. Those below it may store plain text.
        is_safe = _first_backend(backend).priority >= 1
    except Exception as error:  # noqa: BLE001 - backends raise anything
        raise _failed("opened", error) from None
    if not is_safe:
        raise KeyUnavailable(
            "This system has no keyring that could be used (on Linux: a Secret Service such as GNOME "
            "Keyring or KWallet, in a desktop session; a file that anyone can read does not count)."
        )
    return backend


def _first_backend(backend: KeyringBackend) -> KeyringBackend:
    """The keyring itself; of several that are chained, the first."""
    several: Sequence[KeyringBackend] = getattr(backend, "backends", None) or [backend]
    return several[0]


def _find_session_bus() -> None:
    """Sets DBUS_SESSION_BUS_ADDRESS, which a Secret Service needs, if the client did not pass it on.
    The path is the one that systemd gives every session."""
    if sys.platform != "linux" or "DBUS_SESSION_BUS_ADDRESS" in os.environ:
        return
    bus = f"/run/user/{os.getuid()}/bus"
    if pathlib.Path(bus).exists():
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"


_silent: dict[str, Future[object]] = {}
"""Questions that the keyring has not answered yet, by entry. The next call waits for the same answer: to
ask again would show the user a second prompt."""


def _asked(
    action: str,
    work: Callable[[KeyringBackend], T],
    patience: float = PATIENCE,
    *,
    shared: str = "",
) -> T:
    """What the keyring answers. It is asked in a thread that is left if it does not answer in time.

    Raises `KeyUnavailable` for any error of a backend, without its text, which might hold the key.
    """
    future = cast("Future[T] | None", _silent.pop(shared, None))
    if future is None or future.done():  # an answer that came too late may be out of date
        future = start_daemon(lambda: work(_backend()))
    try:
        return future.result(patience)
    except KeyUnavailable:
        raise
    except BaseException as error:
        if future.done():
            raise _failed(action, error) from None
        if not isinstance(error, TimeoutError):
            raise  # an interruption of this thread
        if shared:
            _silent[shared] = cast("Future[object]", future)
        raise KeyringSilent(
            f"The keyring has not answered within {patience:g} s.",
            "Look for a window that asks to unlock it, and unlock it; if there is none, restart the "
            "keyring or log in again. A key in TELNYX_API_KEY needs no keyring.",
        ) from None


def _failed(action: str, error: BaseException) -> KeyUnavailable:
    return KeyUnavailable(
        f"The keyring could not be {action} ({type(error).__name__}): is it unlocked?"
    )
