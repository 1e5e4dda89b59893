"""Where the key is taken from, and that nobody sees it on the way."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import keyring as library
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference
from pydantic import SecretStr

from telnyx_mcp.config import keys
from telnyx_mcp.config.keys import KeyUnavailable, key_of, with_key
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.config.typed_key import usable_key, usable_token
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.server.prompts import read_prompts
from telnyx_mcp.untrusted.known import without_keys
from tests.support.client import Mode, connected, content_of, text_of
from tests.support.scripted_telnyx import KEY
from tests.support.server_process import environment_for, newly_started


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
    with pytest.raises(KeyUnavailable, match="Secret Service"):
        key_of(Settings(key_from="keyring"))


def test_a_keyring_that_anyone_can_read_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from keyrings.alt.file import PlaintextKeyring

    several = SimpleNamespace(priority=10, backends=[PlaintextKeyring(), PlaintextKeyring()])
    for backend in (PlaintextKeyring(), several):
        monkeypatch.setattr(library, "get_keyring", lambda it=backend: it)
        with pytest.raises(KeyUnavailable, match="no keyring that could be used"):
            keys.keyring_name()


@pytest.mark.parametrize("raised", [KeyringLocked("locked"), RuntimeError(f"set {KEY} failed")])
def test_an_error_of_a_keyring_is_reported_without_its_content(
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
        with pytest.raises(KeyUnavailable, match="is it unlocked") as caught:
            attempt()
        assert KEY not in repr(caught.value)
        assert caught.value.__cause__ is None


def test_a_kept_key_that_no_header_can_hold_is_refused_unseen(keyring: KeyringBackend) -> None:
    keys.store_key(None, SecretStr("KEY with a space"))
    with pytest.raises(KeyUnavailable, match="copy it again") as caught:
        key_of(Settings(key_from="keyring"))
    assert "with a space" not in str(caught.value)


@pytest.mark.parametrize("character", ["\x07", "\x1f", "\x7f", "\n", "é", " "])
def test_a_key_or_token_with_a_character_that_a_header_cannot_hold_is_rejected(
    character: str,
) -> None:
    with pytest.raises(ValueError, match="copy it again"):
        usable_key(f"KEY{character}0123456789abcdef")
    with pytest.raises(ValueError, match="and no spaces"):
        usable_token(f"token{character}0123456789abcdef")


def test_the_session_bus_is_found_only_on_linux_and_only_if_it_is_not_set(
    monkeypatch: pytest.MonkeyPatch, keyring: KeyringBackend
) -> None:
    bus = f"unix:path=/run/user/{os.getuid()}/bus"

    def address(platform: str, *, exists: bool, given: str | None = None) -> str | None:
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(Path, "exists", lambda _: exists)
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        if given:
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", given)
        keys.keyring_name()
        return os.environ.get("DBUS_SESSION_BUS_ADDRESS")

    assert address("linux", exists=True) == bus
    assert address("linux", exists=False) is None
    assert address("darwin", exists=True) is None
    assert address("linux", exists=True, given="unix:path=/mine") == "unix:path=/mine"
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")


def test_an_error_about_settings_does_not_show_what_they_were_set_to() -> None:
    with pytest.raises(ValueError, match="copy it again") as caught:
        Settings(api_key=SecretStr(f"{KEY} and more"), key_from=KEY)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("source", ["", "env:", "env:A B", "keychain", "env:1"])
def test_an_unknown_place_for_the_key_is_refused(source: str) -> None:
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
def test_a_missing_key_is_reported_with_how_to_store_one_where_it_is_looked_for(
    keyring: KeyringBackend, settings: Settings, why: str, do: str
) -> None:
    with pytest.raises(KeyUnavailable, match=why) as missed:
        with_key(settings)
    assert do in missed.value.do
    assert ("TELNYX_API_KEY" in missed.value.do) == (settings.key_from == "auto")


FOREIGN = "https://gateway.example/v2"


@pytest.mark.parametrize(
    ("settings", "why", "do"),
    [
        (
            Settings(key_from="keyring", profile="eu", base_url=FOREIGN),
            "There is no API key in the keyring for profile eu for https://gateway.example, and a key "
            "stored for another address is not sent there.",
            "Run: telnyx-account-mcp key set --base-url https://gateway.example/v2 --profile eu",
        ),
        (
            Settings(key_from="keyring"),
            "There is no API key in the keyring.",
            "Run: telnyx-account-mcp key set",
        ),
        (
            Settings(key_from="env:NOPE", profile="eu", base_url=FOREIGN),
            "There is no API key in NOPE, the variable that key_from names for profile eu.",
            "Set NOPE, or NOPE_FILE to the path of a file that holds it, for whatever starts this, and "
            "start it again.",
        ),
    ],
)
def test_a_missing_key_for_an_address_is_reported_with_the_address(
    keyring: KeyringBackend, settings: Settings, why: str, do: str
) -> None:
    with pytest.raises(KeyUnavailable) as missed:
        with_key(settings)
    assert (missed.value.why, missed.value.do) == (why, do)


def test_without_a_source_a_missing_key_names_its_address_if_that_is_not_telnyxs(
    keyring: KeyringBackend,
) -> None:
    with pytest.raises(KeyUnavailable) as missed:
        with_key(Settings(base_url=FOREIGN))
    assert missed.value.why == (
        "There is no API key for https://gateway.example, and a key stored for another address is not "
        "sent there."
    )
    assert "key set --base-url https://gateway.example/v2, or set TELNYX_API_KEY" in missed.value.do


def test_the_keys_that_can_be_had_without_asking_are_kept_out_of_every_answer(
    keyring: KeyringBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the other profiles too. A keyring may ask the user, so it is not read for that."""
    in_variable, given, kept = "KEYremembered01", "KEYremembered02", "KEYremembered03"
    monkeypatch.setitem(os.environ, "TELNYX_KEY_EU", in_variable)
    keys.store_key("us", SecretStr(kept))
    keys.remember_keys(
        [
            Settings(key_from="env:TELNYX_KEY_EU"),
            Settings(key_from="env:TELNYX_KEY_NOPE"),
            Settings(api_key=SecretStr(given)),
            Settings(key_from="keyring", profile="us", api_key=SecretStr("KEYremembered04")),
            Settings(),
        ]
    )
    text = f"{in_variable} {given} {kept} KEYremembered04"
    assert without_keys(text) == f"*** *** {kept} KEYremembered04"


def test_a_key_that_was_looked_up_is_kept_out_of_every_answer(keyring: KeyringBackend) -> None:
    keys.store_key("uk", SecretStr("KEYremembered05"))
    found = with_key(Settings(key_from="keyring", profile="uk"))
    assert (found.key_from, found.profile) == ("auto", "uk")
    assert without_keys("KEYremembered05") == "***"


@pytest.mark.parametrize(
    ("settings", "has", "place"),
    [
        (Settings(api_key=SecretStr(KEY)), True, "TELNYX_API_KEY"),
        (Settings(), False, "the keyring"),
        (Settings(key_from="keyring", api_key=SecretStr(KEY)), False, "the keyring"),
        (Settings(key_from="env:KEY_EU", api_key=SecretStr(KEY)), False, "KEY_EU"),
    ],
)
def test_a_key_is_there_without_looking_only_where_it_was_given(
    settings: Settings, *, has: bool, place: str
) -> None:
    assert keys.has_key(settings) is has
    assert keys.place_of_key(settings) == place


# --- when the server looks for it ----------------------------------------------------------------


class Asking:
    """A keyring that asks the person each time, who takes their time, and then may refuse."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.asked = 0
        self.refuses = False
        self.answered = threading.Event()

    def get_password(self, _service: str, _name: str) -> str:
        self.asked += 1
        self.answered.wait()
        if self.refuses:
            raise KeyringLocked("dismissed")
        return self.key


@pytest.fixture
def asking(keyring: KeyringBackend, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Asking:
    asking = Asking(sandbox.key)
    monkeypatch.setattr(keyring, "get_password", asking.get_password)
    return asking


@pytest.fixture
async def locked(settings: Settings, asking: Asking) -> AsyncIterator[AccountServer]:
    """A server whose key is in a keyring that asks."""
    server = build_server(settings.model_copy(update={"api_key": None, "key_from": "keyring"}))
    yield server
    await server.accounts.aclose()


async def test_the_keyring_is_asked_once_and_by_the_first_call_that_needs_the_key(
    locked: AccountServer, asking: Asking, mode: Mode
) -> None:
    async with connected(locked, mode) as client, anyio.create_task_group() as calls:
        await client.list_tools()
        await client.list_resources()
        assert asking.asked == 0
        answers: list[str] = []

        async def call() -> None:
            told = content_of(await client.call_tool("telnyx_get_balance", {}))
            answers.append(told["currency"])

        calls.start_soon(call)
        calls.start_soon(call)
        while not asking.asked:
            await anyio.lowlevel.checkpoint()
        await client.list_tools()  # answered while the person is still being asked
        assert answers == []
        asking.answered.set()
    assert (answers, asking.asked) == (["USD", "USD"], 1)


async def test_a_keyring_that_was_not_unlocked_is_asked_again_by_the_next_call(
    locked: AccountServer, asking: Asking
) -> None:
    asking.answered.set()
    asking.refuses = True
    async with connected(locked) as client:
        refused = await client.call_tool("telnyx_get_balance", {})
        assert refused.is_error
        assert "is it unlocked?" in text_of(refused)
        with pytest.raises(MCPError, match="is it unlocked"):
            await client.read_resource("telnyx://balance")
        prompt = PromptReference(type="ref/prompt", name=read_prompts()[0].name)
        offered = await client.complete(prompt, {"name": "month", "value": ""})
        assert offered.completion.values == []
        asking.refuses = False
        assert content_of(await client.call_tool("telnyx_get_balance", {}))["currency"] == "USD"


async def test_a_payment_is_recorded_under_the_key_that_the_keyring_gave(
    settings: Settings, locked: AccountServer, asking: Asking
) -> None:
    asking.answered.set()
    payment = ("telnyx_create_stored_payment_transaction", {"amount": "12.00"})
    async with connected(locked) as client:
        proposed = content_of(await client.call_tool(*payment))
    known = build_server(settings)
    async with connected(known) as client:
        listed = content_of(await client.call_tool("telnyx_list_changes", {}))
    await known.accounts.aclose()
    assert [each["id"] for each in listed["items"]] == [proposed["change_id"]]


async def test_a_server_that_is_only_looked_at_asks_no_keyring(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "telling.py").write_text(
        "import pathlib\nfrom keyring.backend import KeyringBackend\n\n\n"
        "class Telling(KeyringBackend):\n    priority = 1\n\n"
        "    def get_password(self, service, name):\n"
        f"        pathlib.Path({str(tmp_path)!r}, 'asked').touch()\n\n"
        "    set_password = delete_password = None\n",
        "utf-8",
    )
    environment = environment_for(sandbox, tmp_path) | {
        "TELNYX_API_KEY": "",
        "TELNYX_MCP_KEY_FROM": "keyring",
        "PYTHON_KEYRING_BACKEND": "telling.Telling",
        "PYTHONPATH": str(tmp_path),
    }
    async with newly_started(environment=environment) as server:
        await server.initialize()
        await server.ask("tools/list")
        assert not (tmp_path / "asked").exists()
        told = await server.ask("tools/call", {"name": "telnyx_get_balance", "arguments": {}})
        assert "telnyx-account-mcp key set" in told["content"][0]["text"]
        assert (tmp_path / "asked").exists()
        assert await server.ended() == (0, b"", b"")
