"""Where the key is taken from, and that nobody sees it on the way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keyring as library
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from pydantic import SecretStr

from telnyx_mcp import keys
from telnyx_mcp.keys import KeyNotRead, key_of, with_key
from telnyx_mcp.settings import Settings
from tests.conftest import KEY


def secret(settings: Settings, **environment: str) -> str | None:
    key = key_of(settings, environment)
    return key.get_secret_value() if key else None


def test_the_key_of_the_environment_is_taken_before_the_keyring(keyring: KeyringBackend) -> None:
    keys.store_key(None, SecretStr("KEYkept"))
    assert secret(Settings(api_key=SecretStr(KEY))) == KEY
    assert secret(Settings()) == "KEYkept"


def test_a_key_can_be_in_another_variable() -> None:
    settings = Settings(key_from="env:TELNYX_KEY_EU", api_key=SecretStr("KEYother"))
    assert secret(settings, TELNYX_KEY_EU=f" {KEY}\n") == KEY
    assert secret(settings) is None
    assert secret(settings, TELNYX_KEY_EU="") is None


def test_each_profile_has_a_key_of_its_own_in_the_keyring(keyring: KeyringBackend) -> None:
    keys.store_key("eu", SecretStr("KEYeu"))
    keys.store_key("main", SecretStr("KEYmain"))
    assert secret(Settings(key_from="keyring", profile="eu")) == "KEYeu"
    assert secret(Settings(key_from="keyring", profile="main")) == "KEYmain"
    assert secret(Settings(key_from="keyring")) is None
    assert keys.remove_key("eu")
    assert not keys.remove_key("eu")
    assert secret(Settings(key_from="keyring", profile="eu")) is None
    assert secret(Settings(key_from="keyring", profile="main")) == "KEYmain"


def test_a_key_that_must_come_from_the_keyring_comes_from_nowhere_else(
    keyring: KeyringBackend,
) -> None:
    assert secret(Settings(key_from="keyring", api_key=SecretStr(KEY))) is None


def test_a_system_without_a_keyring_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from keyring.backends.fail import Keyring

    monkeypatch.setattr(library, "get_keyring", Keyring)
    assert secret(Settings()) is None
    with pytest.raises(KeyNotRead, match="Secret Service"):
        key_of(Settings(key_from="keyring"))


def test_a_keyring_that_keeps_keys_for_anyone_to_read_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from keyrings.alt.file import PlaintextKeyring

    several = SimpleNamespace(priority=10, backends=[PlaintextKeyring(), PlaintextKeyring()])
    for backend in (PlaintextKeyring(), several):
        monkeypatch.setattr(library, "get_keyring", lambda it=backend: it)
        with pytest.raises(KeyNotRead, match="no keyring that could be used"):
            keys.keyring_name()


@pytest.mark.parametrize("raised", [KeyringLocked("locked"), RuntimeError(f"set {KEY} failed")])
def test_what_a_keyring_raises_is_said_without_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, keyring: KeyringBackend, raised: Exception
) -> None:
    def refuse(*_: Any) -> None:
        raise raised

    for name in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(keyring, name, refuse)
    for attempt in (
        lambda: keys.read_key(None),
        lambda: keys.store_key(None, SecretStr(KEY)),
        lambda: keys.remove_key(None),
    ):
        with pytest.raises(KeyNotRead, match="is it unlocked") as caught:
            attempt()
        assert KEY not in repr(caught.value)
        assert caught.value.__cause__ is None


def test_a_kept_key_that_no_header_can_hold_is_refused_unseen(keyring: KeyringBackend) -> None:
    keys.store_key(None, SecretStr("KEY with a space"))
    with pytest.raises(KeyNotRead, match="copy it again") as caught:
        key_of(Settings(key_from="keyring"))
    assert "with a space" not in str(caught.value)


def test_an_error_about_settings_does_not_show_what_they_were_set_to() -> None:
    with pytest.raises(ValueError, match="copy it again") as caught:
        Settings(api_key=SecretStr(f"{KEY} and more"), key_from=KEY)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("source", ["", "env:", "env:A B", "keychain", "env:1"])
def test_a_place_for_the_key_that_is_none_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="must be auto, keyring or env:NAME"):
        Settings(key_from=source)


@pytest.mark.parametrize(
    ("settings", "why", "do"),
    [
        (Settings(), "There is no API key.", "set TELNYX_API_KEY"),
        (Settings(key_from="env:NOPE"), "no API key in NOPE", "Set NOPE"),
        (Settings(key_from="env:NOPE", profile="eu"), "NOPE.*for profile eu", "Set NOPE"),
        (Settings(key_from="keyring"), "in the keyring", "telnyx-account-mcp key set"),
        (Settings(key_from="keyring", profile="eu"), "for profile eu", "key set --profile eu"),
    ],
)
def test_where_there_is_no_key_it_is_said_how_to_put_one_where_it_is_looked_for(
    keyring: KeyringBackend, settings: Settings, why: str, do: str
) -> None:
    with pytest.raises(KeyNotRead, match=why) as missed:
        with_key(settings)
    assert do in missed.value.do
    assert ("TELNYX_API_KEY" in missed.value.do) == (settings.key_from == "auto")
