"""Where the API key comes from: a variable of the environment, or the system's keyring.

The keyring is the macOS Keychain, Windows Credential Manager, or a Secret Service such as GNOME
Keyring, through the library `keyring` (the extra of that name). An entry belongs to a profile and to
an address: a key stored for Telnyx is never sent to another host.
"""

from __future__ import annotations

import os
import pathlib
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pydantic import SecretStr

from telnyx_mcp.config.command_line import command_line
from telnyx_mcp.config.settings import TELNYX_API, Settings, foreign_address, usable_key
from telnyx_mcp.untrusted import remember

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "telnyx-account-mcp"
"""The name the keyring keeps our keys under."""
UNNAMED = "default"
"""The entry of a server without a profile."""
EXTRA = 'pip install "telnyx-account-mcp[keyring]", or the like with pipx or uv'


class KeyUnavailable(Exception):
    """The key can't be had, or not be kept, where it should be. `do` says what to do, where `why`
    does not say it."""

    def __init__(self, why: str, do: str = "") -> None:
        super().__init__(f"{why} {do}".strip())
        self.why = why
        self.do = do


def with_key(settings: Settings) -> Settings:
    """These settings with their key, which need no looking for it any more. Blocks, while a keyring
    asks the person to unlock it; raises `KeyUnavailable`, also where there is none."""
    key = key_of(settings)
    if key is None:
        raise _missing(settings)
    remember(key.get_secret_value())
    return settings.model_copy(update={"api_key": key, "key_from": "auto"})


def remember_keys(several: Iterable[Settings]) -> None:
    """Keeps the keys that can be had without asking anybody out of every answer, before they are
    used. A key in a keyring is kept out from when it is looked up."""
    for settings in several:
        if settings.key_from.startswith("env:") or has_key(settings):
            with suppress(KeyUnavailable):
                if key := key_of(settings):
                    remember(key.get_secret_value())


def has_key(settings: Settings) -> bool:
    """Whether the key is there without looking for it."""
    return settings.key_from == "auto" and settings.api_key is not None


def key_command(action: str, profile: str | None, base_url: str) -> str:
    """The command that a person types to set or remove the key of this profile at this address."""
    foreign = foreign_address(base_url)
    address = f" --base-url {shlex.quote(base_url)}" if foreign else ""
    return command_line(f"key {action}{address}", profile)


def place_of_key(settings: Settings) -> str:
    """Where the key of these settings is taken from, as people call it."""
    source, _, name = settings.key_from.partition(":")
    if source == "env":
        return name
    return "TELNYX_API_KEY" if has_key(settings) else "the keyring"


def _missing(settings: Settings) -> KeyUnavailable:
    """What is said where `key_from` leads to no key."""
    source, _, name = settings.key_from.partition(":")
    of = f" for profile {settings.profile}" if settings.profile else ""
    if source == "env":
        return KeyUnavailable(
            f"There is no API key in {name}, the variable that key_from names{of}.",
            f"Set {name} for whatever starts this, and start it again.",
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
        f"{set_key}, or set TELNYX_API_KEY and start this again. If an assistant's "
        "configuration holds it, a command at the terminal needs the same: export "
        "TELNYX_API_KEY=KEY... (and its TELNYX_BASE_URL and TELNYX_MCP_STATE_URL, if it has them), or "
        f"the --profile. To try it without a key: {command_line('serve --sandbox', None)}",
    )


def key_of(settings: Settings, environment: Mapping[str, str] = os.environ) -> SecretStr | None:
    """The key of these settings, from where `key_from` says; None where there is none.

    Raises `KeyUnavailable` if it must come from the keyring and that can't be asked.
    """
    source, _, name = settings.key_from.partition(":")
    if source == "env":
        return _usable(environment.get(name))
    if source == "keyring":
        return read_key(settings.profile, settings.base_url)
    if settings.api_key is not None or find_spec("keyring") is None:
        return settings.api_key
    try:
        return read_key(settings.profile, settings.base_url)
    except KeyUnavailable:
        return None


def read_key(profile: str | None, base_url: str = TELNYX_API) -> SecretStr | None:
    """What the keyring holds for this profile at this address. May ask the person to unlock it."""
    backend = _backend()
    with _Words("read"):
        kept = backend.get_password(SERVICE, _entry(profile, base_url))
    return _usable(kept)


def store_key(profile: str | None, key: SecretStr, base_url: str = TELNYX_API) -> None:
    """Puts the key into the keyring, over one that is there."""
    backend = _backend()
    with _Words("written"):
        backend.set_password(SERVICE, _entry(profile, base_url), key.get_secret_value())


def remove_key(profile: str | None, base_url: str = TELNYX_API) -> bool:
    """Takes the key out of the keyring. False if there was none."""
    backend, entry = _backend(), _entry(profile, base_url)
    with _Words("changed"):
        if backend.get_password(SERVICE, entry) is None:
            return False
        backend.delete_password(SERVICE, entry)
        return True


def _entry(profile: str | None, base_url: str) -> str:
    """The name of the entry: the profile, and the address unless it is Telnyx's own, whose regional
    endpoints take one key. No profile is named with a space, so no two names are the same."""
    name, foreign = profile or UNNAMED, foreign_address(base_url)
    return f"{name} at {foreign}" if foreign else name


def keyring_name() -> str:
    """What people call the keyring in use. Raises `KeyUnavailable`."""
    return str(_written_to(_backend()).name)


def _usable(key: str | None) -> SecretStr | None:
    try:
        return usable_key(key or "")
    except ValueError as error:
        raise KeyUnavailable(f"What is kept there can't be used: {error}.") from None


def _backend() -> KeyringBackend:
    try:
        import keyring
    except ImportError:
        raise KeyUnavailable(f"The keyring needs the extra `keyring`: {EXTRA}.") from None
    _find_session_bus()
    with _Words("opened"):
        backend = keyring.get_keyring()
        # The bar of the library itself; below it are those that keep secrets in a file as they are.
        is_safe = _written_to(backend).priority >= 1
    if not is_safe:
        raise KeyUnavailable(
            "This system has no keyring that could be used (on Linux: a Secret Service such as GNOME "
            "Keyring or KWallet, in a desktop session; a file that anyone can read is none)."
        )
    return backend


def _written_to(backend: KeyringBackend) -> KeyringBackend:
    """The keyring itself; where several can be had, the first of them."""
    several: Sequence[KeyringBackend] = getattr(backend, "backends", None) or [backend]
    return several[0]


def _find_session_bus() -> None:
    """Names the bus that a Secret Service is reached by, where the client that started us passed on
    too little of its environment to know it. The place is the one systemd gives every session."""
    if sys.platform != "linux" or "DBUS_SESSION_BUS_ADDRESS" in os.environ:
        return
    bus = f"/run/user/{os.getuid()}/bus"
    if pathlib.Path(bus).exists():
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"


class _Words:
    """Turns whatever a backend raises into a `KeyUnavailable` that does not repeat it, as it might hold
    the key."""

    def __init__(self, done: str) -> None:
        self._done = done

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, _trace: object) -> None:
        if isinstance(error, Exception):
            raise KeyUnavailable(
                f"The keyring could not be {self._done} ({type(error).__name__}): is it unlocked?"
            ) from None
