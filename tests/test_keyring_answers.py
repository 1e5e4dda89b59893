"""What a keyring may answer besides a key: an error, nothing yet, or what is not text."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keyring as library
import pytest
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from telnyx_mcp.config import keys
from telnyx_mcp.config.keys import (
    KeyringSilent,
    KeyUnavailable,
    SettingsUnusable,
    key_of,
    place_of_key,
    with_key,
)
from telnyx_mcp.config.settings import SettingProblem, Settings
from tests.support.scripted_telnyx import KEY

FOREIGN = "https://gateway.example/v2"
KEPT = Settings(key_from="keyring")
LOOK = (
    "Look for a window that asks to unlock it, and unlock it; if there is none, restart the keyring or "
    "log in again. A key in TELNYX_API_KEY needs no keyring."
)


@pytest.mark.parametrize(
    ("attempt", "action"),
    [
        (lambda: keys.read_key(None), "read"),
        (lambda: keys.store_key(None, SecretStr(KEY)), "written"),
        (lambda: keys.remove_key(None), "changed"),
    ],
    ids=["read", "written", "changed"],
)
def test_an_error_says_what_could_not_be_done(
    monkeypatch: pytest.MonkeyPatch,
    keyring: KeyringBackend,
    attempt: Callable[[], object],
    action: str,
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError(KEY)

    for name in ("get_password", "set_password"):
        monkeypatch.setattr(keyring, name, refuse)
    with pytest.raises(KeyUnavailable) as caught:
        attempt()
    assert str(caught.value) == (
        f"The keyring could not be {action} (RuntimeError): is it unlocked?"
    )


def test_a_keyring_that_can_not_be_opened_or_is_not_installed_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise RuntimeError(KEY)

    monkeypatch.setattr(library, "get_keyring", refuse)
    with pytest.raises(KeyUnavailable) as caught:
        with_key(KEPT)
    assert str(caught.value) == ("The keyring could not be opened (RuntimeError): is it unlocked?")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(KeyUnavailable) as caught:
        with_key(KEPT)
    assert str(caught.value) == (
        "The keyring needs the extra `keyring`: install it again from its clone, with pipx install "
        "'.[keyring]' or uv tool install '.[keyring]'."
    )


@pytest.mark.parametrize(
    ("priorities", "is_safe"), [((5, 0.5), True), ((0.5, 5), False), ((1,), True), ((0.9,), False)]
)
def test_of_several_keyrings_the_first_has_to_be_safe_as_it_keeps_the_key(
    monkeypatch: pytest.MonkeyPatch, priorities: tuple[float, ...], *, is_safe: bool
) -> None:
    several = [SimpleNamespace(priority=each, name=f"one of {each}") for each in priorities]
    monkeypatch.setattr(library, "get_keyring", lambda: SimpleNamespace(backends=several))
    if is_safe:
        assert keys.keyring_name() == f"one of {priorities[0]}"
        return
    with pytest.raises(KeyUnavailable) as caught:
        keys.keyring_name()
    assert str(caught.value) == (
        "This system has no keyring that could be used (on Linux: a Secret Service such as GNOME Keyring "
        "or KWallet, in a desktop session; a file that anyone can read does not count)."
    )


def test_what_is_not_text_is_no_key(
    monkeypatch: pytest.MonkeyPatch, keyring: KeyringBackend
) -> None:
    monkeypatch.setattr(keyring, "get_password", lambda *_: KEY.encode())
    with pytest.raises(KeyUnavailable) as caught:
        key_of(KEPT)
    assert str(caught.value) == "What the keyring holds for this server is not text."


def test_what_is_kept_and_is_no_key_is_described(keyring: KeyringBackend) -> None:
    keyring.set_password("telnyx-account-mcp", "default", "your-api-key")
    with pytest.raises(KeyUnavailable) as caught:
        key_of(KEPT)
    assert str(caught.value) == (
        "The keyring holds a placeholder; put the key there, from the Mission Control Portal, API Keys."
    )


def test_profiles_at_one_foreign_address_have_keys_of_their_own(keyring: KeyringBackend) -> None:
    entries = {None: "default", "eu": "eu", "us": "us"}
    for profile in entries:
        keys.store_key(profile, SecretStr(f"{KEY}{profile}"), FOREIGN)
    for profile, entry in entries.items():
        asked = Settings(key_from="keyring", profile=profile, base_url=FOREIGN)
        assert key_of(asked) == SecretStr(f"{KEY}{profile}")
        at = f"{entry} at https://gateway.example"
        assert keyring.get_password("telnyx-account-mcp", at) == f"{KEY}{profile}"


@pytest.mark.parametrize(("address", "is_taken"), [(FOREIGN, True), (Settings().base_url, False)])
def test_a_key_of_another_service_is_for_a_gateway_alone(
    keyring: KeyringBackend, address: str, *, is_taken: bool
) -> None:
    keys.store_key(None, SecretStr("sk-ant-0123456789"), address)
    asked = Settings(key_from="keyring", base_url=address)
    if is_taken:
        assert key_of(asked) == SecretStr("sk-ant-0123456789")
        return
    with pytest.raises(KeyUnavailable, match="a key of another service"):
        key_of(asked)


# --- one that does not answer ---------------------------------------------------------------------


class Silent:
    """A keyring that answers when the user has unlocked it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.questions = threading.Semaphore(0)
        """One for each question that has come."""
        self.unlocked = threading.Event()
        self.key = KEY

    def get_password(self, _service: str, name: str) -> str:
        self.asked.append(name)
        self.questions.release()
        self.unlocked.wait(10)
        return self.key


@pytest.fixture
def silent(keyring: KeyringBackend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    made = Silent()
    monkeypatch.setattr(keyring, "get_password", made.get_password)
    yield made
    made.unlocked.set()
    keys._silent.clear()


@pytest.mark.parametrize("source", ["auto", "keyring"])
def test_a_keyring_that_does_not_answer_is_waited_for_as_long_as_the_caller_says(
    silent: Silent, source: str
) -> None:
    with pytest.raises(KeyringSilent) as caught:
        with_key(Settings(key_from=source), patience=0.01)
    assert (caught.value.why, caught.value.do) == (
        "The keyring has not answered within 0.01 s.",
        LOOK,
    )
    assert str(caught.value) == f"{caught.value.why} {LOOK}"


def test_the_next_call_waits_for_the_same_answer_and_another_profile_asks_for_its_own(
    silent: Silent,
) -> None:
    for profile in (None, "eu"):
        with pytest.raises(KeyringSilent):
            keys.read_key(profile, patience=0.01)
        assert silent.questions.acquire(timeout=10)
    for profile in (None, "eu"):
        with pytest.raises(KeyringSilent):
            keys.read_key(profile, patience=0.01)
    assert not silent.questions.acquire(timeout=0.05)
    assert silent.asked == ["default", "eu"]


def test_an_answer_that_came_too_late_is_not_taken_for_the_next_question(silent: Silent) -> None:
    with pytest.raises(KeyringSilent):
        keys.read_key(None, patience=0.01)
    silent.unlocked.set()
    assert keys._silent["default"].result(10) == KEY
    silent.key = "KEYreplaced"
    assert keys.read_key(None) == SecretStr("KEYreplaced")


def test_a_question_that_was_asked_for_itself_is_nobody_elses(silent: Silent) -> None:
    with pytest.raises(KeyringSilent):
        keys._asked("written", lambda _: silent.unlocked.wait(10), 0.01)
    assert keys._asked("changed", lambda _: "another") == "another"


# --- where the key is ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "has", "place"),
    [
        (Settings(api_key_file=Path("/run/key")), False, "/run/key"),
        (Settings(api_key_file=Path("/run/key"), key_from="keyring"), False, "the keyring"),
        (Settings(api_key_file=Path("/run/key"), api_key=SecretStr(KEY)), False, "/run/key"),
        (Settings(key_from="env:KEY_EU"), False, "KEY_EU"),
        (Settings(key_from="env:KEY_US"), False, "KEY_US or KEY_US_FILE"),
    ],
)
def test_the_place_of_a_key_is_named_as_it_was_set(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, place: str, *, has: bool
) -> None:
    monkeypatch.setenv("KEY_US_FILE", "/run/us")
    assert keys.has_key(settings) is has
    assert place_of_key(settings) == place


def test_with_a_setting_that_can_not_be_used_no_key_is_looked_up() -> None:
    problem = SettingProblem("timezone", "TELNYX_MCP_TIMEZONE must be an IANA name.")
    with pytest.raises(SettingsUnusable) as caught:
        with_key(Settings(api_key=SecretStr(KEY)).with_problems([problem]))
    assert (caught.value.why, caught.value.do) == (
        "TELNYX_MCP_TIMEZONE must be an IANA name.",
        "Correct that where this server is configured, and restart the server.",
    )


def test_without_any_source_the_ways_to_give_a_key_are_named(keyring: KeyringBackend) -> None:
    with pytest.raises(KeyUnavailable) as caught:
        with_key(Settings())
    assert str(caught.value) == (
        "There is no API key. Create one (Mission Control Portal, API Keys). Then: telnyx-account-mcp "
        "install CLIENT, or telnyx-account-mcp key set, or set TELNYX_API_KEY (or TELNYX_API_KEY_FILE) "
        "and start this again. If an assistant's configuration holds it, doctor, approve, ledger and "
        "resolve find it there with --client CLIENT, such as claude-desktop. To try it without a key: "
        "telnyx-account-mcp serve --sandbox"
    )
