"""What is read of an environment that nobody checked, and where the record may be."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from telnyx_mcp.config.settings import VARIABLES, Settings
from telnyx_mcp.sandbox import Sandbox
from tests.support.scripted_telnyx import KEY
from tests.support.server_process import environment_for, started

PAYMENT = "telnyx_create_stored_payment_transaction"
OTHER_VALUES: Mapping[str, str] = {
    "TELNYX_API_KEY": "KEYstranger",
    "TELNYX_API_KEY_FILE": "/stranger/key",
    "TELNYX_MCP_KEY_FROM": "env:STRANGER",
    "TELNYX_MCP_PROFILE": "stranger",
    "TELNYX_MCP_PROFILES": "/stranger/profiles.toml",
    "TELNYX_BASE_URL": "http://127.0.0.1:9/v2",
    "TELNYX_MCP_READ_ONLY": "1",
    "TELNYX_MCP_MAX_PAYMENT": "90000",
    "TELNYX_MCP_MAX_PER_DAY": "90000",
    "TELNYX_MCP_MAX_PER_30_DAYS": "90000",
    "TELNYX_MCP_APPROVAL": "terminal",
    "TELNYX_MCP_STANDING_BUDGET_PER_PAYMENT": "450",
    "TELNYX_MCP_STANDING_BUDGET_PER_DAY": "450",
    "TELNYX_MCP_STATE_URL": "sqlite:////stranger/state.sqlite3",
    "TELNYX_MCP_TIMEZONE": "Europe/Berlin",
    "TELNYX_MCP_EXPORT_DIR": "/stranger",
    "TELNYX_MCP_TOOLS": "webhooks",
    "TELNYX_MCP_HTTP_TOKEN": "stranger-0123456789",
}
"""A value of each setting that is not its default."""
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="names have no case on Windows")


def defaults() -> dict[str, object]:
    return {name: field.get_default() for name, field in Settings.model_fields.items()}


def test_every_setting_is_read_from_its_documented_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without this, the tests below would pass if nothing was read at all."""
    for variable, value in OTHER_VALUES.items():
        monkeypatch.setenv(variable, value)
    read = Settings().model_dump()
    assert VARIABLES.keys() == OTHER_VALUES.keys()
    assert [name for name, value in defaults().items() if read[name] == value] == []


@pytest.mark.attack(
    "`BASE_URL`, `API_KEY`, `MAX_PAYMENT` and the like in the environment",
    "They are not read",
)
@pytest.mark.parametrize("written", [str.lower, str.upper, str.title, str.swapcase])
@pytest.mark.parametrize("prefix", ["", "TELNYX_", "TELNYX_MCP__", "MCP_", "SETTINGS_"])
@on_posix
def test_a_setting_under_its_field_name_is_not_read_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, written: object, prefix: str
) -> None:
    assert callable(written)
    monkeypatch.delenv("TELNYX_MCP_PROFILES")
    for variable, name in VARIABLES.items():
        if (odd := written(prefix + name)) not in VARIABLES:
            monkeypatch.setenv(odd, OTHER_VALUES[variable])
    assert Settings().model_dump() == defaults()


@pytest.mark.parametrize("written", [str.lower, str.title, str.swapcase])
@on_posix
def test_a_documented_name_in_another_case_is_not_read(
    monkeypatch: pytest.MonkeyPatch, written: object
) -> None:
    assert callable(written)
    monkeypatch.delenv("TELNYX_MCP_PROFILES")
    for variable, value in OTHER_VALUES.items():
        monkeypatch.setenv(written(variable), value)
    assert Settings().model_dump() == defaults()


def test_no_file_of_the_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{name}={value}\n" for name, value in OTHER_VALUES.items()]
    (tmp_path / ".env").write_text("".join(lines), "utf-8")
    for name, value in OTHER_VALUES.items():
        (tmp_path / name).write_text(value, "utf-8")
    monkeypatch.delenv("TELNYX_MCP_PROFILES")
    monkeypatch.chdir(tmp_path)
    assert Settings().model_dump() == defaults()


def test_what_python_code_gives_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in OTHER_VALUES.items():
        monkeypatch.setenv(variable, value)
    given = Settings(
        api_key=SecretStr(KEY), base_url="https://a.example/v2", max_payment=Decimal(7)
    )
    assert given.api_key == SecretStr(KEY)
    assert (given.base_url, given.max_payment) == ("https://a.example/v2", Decimal(7))
    assert given.timezone == "Europe/Berlin"


@pytest.mark.attack(
    "Two environment variables that made the server pay 450.00 without asking",
    "The user is asked",
)
async def test_the_attack_that_paid_without_asking_is_asked_about(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = environment_for(sandbox, tmp_path) | {
        "STANDING_BUDGET_PER_PAYMENT": "450",
        "standing_budget_per_day": "450",
        "MAX_PAYMENT": "100000",
        "BASE_URL": "http://127.0.0.1:9/v2",
        "API_KEY": "KEYstranger",
        "PROFILE": "stranger",
    }
    arguments = ("call", PAYMENT, "amount=450", "--json")
    async with started(*arguments, environment=environment) as process:
        status, out, _ = await process.ended()
    assert status == 1
    assert json.loads(out)["state"] == "proposed"
    assert sandbox.payments == []


# --- the place of the record -----------------------------------------------------------------------

RELATIVE = (
    "sqlite:///state.db",
    "sqlite://state.db",
    "sqlite:///./state.db",
    "sqlite:///../state.db",
    "sqlite:///folder/state.db",
    "sqlite:///~/state.db",
    "sqlite:////~/state.db",
    "sqlite:///~me/state.db",
    "sqlite:///C:state.db",
    "sqlite:///%2e/state.db",
    "sqlite+pysqlite:///state.db?timeout=5",
    "sqlite:///\\state.db" if sys.platform != "win32" else "sqlite:///state.db",
)


@pytest.mark.parametrize("url", RELATIVE)
async def test_a_record_in_a_relative_place_is_refused_at_the_start_with_the_form_to_write(
    sandbox: Sandbox, tmp_path: Path, url: str
) -> None:
    with pytest.raises(ValueError, match=r"whole path.*sqlite:////path/of/a/file"):
        Settings(state_url=SecretStr(url))


@pytest.mark.attack(
    "Two folders make two ledgers out of a relative path",
    "Nothing is read or changed, and each answer names the form to write",
)
async def test_the_server_answers_nothing_with_a_relative_record(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = environment_for(sandbox, tmp_path) | {"TELNYX_MCP_STATE_URL": "sqlite:///mine.db"}
    async with started("call", PAYMENT, "amount=450", environment=environment) as process:
        status, out, err = await process.ended()
    assert (status, out) == (2, b"")
    assert b"TELNYX_MCP_STATE_URL" in err
    assert b"sqlite:////path/of/a/file" in err
    assert b"mine.db" not in err
    assert sandbox.requests == []
