"""`TELNYX_API_KEY_FILE`, and `NAME_FILE` for the variable that holds a profile's key."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from telnyx_mcp.config.key_file import LARGEST_KEY_FILE, NoKeyThere, key_in_file, readers_of
from telnyx_mcp.config.keys import KeyUnavailable, key_of, place_of_key, with_key
from telnyx_mcp.config.profiles import configured
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.doctor.context import DoctorContext, Level
from telnyx_mcp.doctor.settings_checks import check_values
from telnyx_mcp.sandbox import Sandbox
from tests.support.scripted_telnyx import KEY
from tests.support.server_process import environment_for, started


def holding(folder: Path, content: str | bytes, mode: int = 0o600) -> Path:
    file = folder / "key"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)
    return file


def why_not_read(path: Path) -> str | None:
    """What this system says of a file that can't be looked at."""
    try:
        path.stat()
    except OSError as error:
        return error.strerror
    return None


@pytest.mark.parametrize(
    "content",
    [
        KEY,
        f"{KEY}\n",
        f"{KEY}\r\n\r\n",
        f"TELNYX_API_KEY={KEY}\n",
        f"\ufeff{KEY}\n",
        f"{KEY}\n".encode("utf-16"),
        b"\xfe\xff" + f"{KEY}\n".encode("utf-16-be"),
        f"{KEY}\n".ljust(LARGEST_KEY_FILE),
    ],
)
def test_the_key_is_read_from_the_file_however_an_editor_saved_it(
    tmp_path: Path, content: str | bytes
) -> None:
    settings = Settings(api_key_file=holding(tmp_path, content))
    resolved = with_key(settings)
    assert resolved.api_key == SecretStr(KEY)
    assert with_key(resolved).api_key == SecretStr(KEY)
    assert place_of_key(settings) == str(tmp_path / "key")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "{file} is empty. Write the key into it."),
        (" \n", "{file} is empty. Write the key into it."),
        (b"\xc3\x28\x00", "{file} is not a text file, so it holds no key."),
        (KEY.ljust(LARGEST_KEY_FILE + 1), "{file} is too large to hold a key."),
        (
            "YOUR_API_KEY",
            "{file} holds a placeholder; put the key there, from the Mission Control Portal, API Keys.",
        ),
        (
            f"{KEY}\n{KEY}\n",
            "{file} holds a key with a line break in it, or several; copy it again, as one line.",
        ),
    ],
)
def test_a_file_without_a_key_is_named_with_what_is_wrong_with_it(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    with pytest.raises(KeyUnavailable) as caught:
        with_key(Settings(api_key_file=holding(tmp_path, content)))
    assert str(caught.value) == words.format(file=tmp_path / "key")


def test_a_path_that_leads_to_no_file_is_named(tmp_path: Path) -> None:
    missing = (
        "The file of the key, {path}, can't be read ({why}). Create it, or let the user of this server "
        "read it."
    )
    for path, words in (
        (tmp_path / "missing", missing),
        (tmp_path, "{path} is not a file, so it holds no key."),
        (tmp_path / "missing" / "key", missing),
        (Path(os.devnull), "{path} is not a file, so it holds no key."),
    ):
        with pytest.raises(KeyUnavailable) as caught:
            with_key(Settings(api_key_file=path))
        assert str(caught.value) == words.format(path=path, why=why_not_read(path))
    with pytest.raises(ValueError, match="must be an absolute path"):
        Settings(api_key_file=Path("secrets/key"))


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="root reads every file")
def test_a_file_that_this_user_may_not_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        KeyUnavailable, match=r"can't be read .*let the user of this server read it"
    ):
        with_key(Settings(api_key_file=holding(tmp_path, KEY, 0o000)))


def test_a_variable_and_its_file_are_never_both_taken(tmp_path: Path) -> None:
    file = holding(tmp_path, "KEYfile")
    with pytest.raises(KeyUnavailable, match="TELNYX_API_KEY and TELNYX_API_KEY_FILE are both set"):
        with_key(Settings(api_key=SecretStr(KEY), api_key_file=file))
    environment = {"TELNYX_KEY_EU": KEY, "TELNYX_KEY_EU_FILE": str(file)}
    with pytest.raises(KeyUnavailable, match="TELNYX_KEY_EU and TELNYX_KEY_EU_FILE are both set"):
        key_of(Settings(key_from="env:TELNYX_KEY_EU"), environment)
    empty = environment | {"TELNYX_KEY_EU": ""}
    assert key_of(Settings(key_from="env:TELNYX_KEY_EU"), empty) == SecretStr("KEYfile")


def test_a_profile_takes_the_file_of_its_own_variable_and_never_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = tmp_path / "profiles.toml"
    profiles.write_text('[profiles.eu]\nkey_from = "env:TELNYX_KEY_EU"\n', "utf-8")
    monkeypatch.setenv("TELNYX_MCP_PROFILES", str(profiles))
    monkeypatch.setenv("TELNYX_API_KEY_FILE", str(holding(tmp_path, KEY)))
    eu = configured("eu").main
    assert eu.api_key_file is None
    with pytest.raises(KeyUnavailable, match="no API key in TELNYX_KEY_EU"):
        with_key(eu)
    monkeypatch.setenv("TELNYX_KEY_EU_FILE", str(holding(tmp_path, "KEYeu")))
    assert with_key(eu).api_key == SecretStr("KEYeu")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are of another kind there")
@pytest.mark.parametrize(
    ("mode", "who"),
    [(0o600, ""), (0o400, ""), (0o640, "its group"), (0o444, "anyone on this machine")],
)
async def test_doctor_notes_who_else_can_read_the_file(tmp_path: Path, mode: int, who: str) -> None:
    context = DoctorContext(Settings(api_key_file=holding(tmp_path, KEY, mode)))
    notes = await check_values(context)
    assert [each.level for each in notes] == ([Level.NOTE] if who else [])
    assert not notes or notes[0].found == f"{who} can read {tmp_path / 'key'}"
    await context.client.aclose()


def test_who_else_can_read_a_file_is_not_known_on_windows_and_of_a_file_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = holding(tmp_path, KEY, 0o644)
    assert readers_of(tmp_path / "missing") is None
    monkeypatch.setattr(sys, "platform", "win32")
    assert readers_of(file) is None


async def test_a_secret_that_is_mounted_late_is_found_by_the_next_call(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = environment_for(sandbox, tmp_path)
    del environment["TELNYX_API_KEY"]
    environment["TELNYX_API_KEY_FILE"] = str(tmp_path / "key")
    asked = {"name": "telnyx_get_balance", "arguments": {}}
    async with started("serve", environment=environment) as server:
        await server.initialize()
        missing = await server.ask("tools/call", asked)
        assert "can't be read" in missing["content"][0]["text"]
        holding(tmp_path, f"{sandbox.key}\n", 0o444)
        found = await server.ask("tools/call", asked)
        assert found["structuredContent"]["currency"] == "USD"


def test_a_file_that_is_named_by_a_part_of_its_path_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding(tmp_path, KEY)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoKeyThere) as caught:
        key_in_file(Path("key"))
    assert str(caught.value) == "key is not an absolute path, so the key is not read from it."
    monkeypatch.setattr(Path, "expanduser", lambda path: tmp_path / path.name)
    assert key_in_file(Path("~/key")) == key_in_file(tmp_path / "key") == KEY


@pytest.mark.parametrize(
    "name", ["profile", "profiles_file", "export_dir", "state_url", "api_key_file", "http_token"]
)
def test_a_setting_that_its_client_did_not_fill_in_is_an_error(name: str) -> None:
    with pytest.raises(ValidationError, match="holds ") as caught:
        Settings.model_validate({name: "${TELNYX_SETTING}"})
    assert "TELNYX_SETTING" not in str(caught.value)
