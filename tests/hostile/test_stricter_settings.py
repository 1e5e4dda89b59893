"""The environment against a profile: of two values of a safety setting the stricter counts."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from telnyx_mcp.config import profiles
from telnyx_mcp.config.paths import writable_by
from telnyx_mcp.config.profiles import ConfiguredAccounts, SettingsError, configured
from telnyx_mcp.config.settings import SAFETY, VARIABLES, Settings
from telnyx_mcp.config.stricter import STRICTER
from telnyx_mcp.sandbox import Sandbox
from tests.support.server_process import environment_for, started

PAYMENT = "telnyx_create_stored_payment_transaction"


@pytest.fixture
def other(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profiles file elsewhere, which `TELNYX_MCP_PROFILES` names."""
    file = tmp_path / "project" / "profiles.toml"
    file.parent.mkdir(mode=0o700)
    file.touch(0o600)
    monkeypatch.setenv("TELNYX_MCP_PROFILES", str(file))
    return file


def chosen(file: Path, **values: object) -> ConfiguredAccounts:
    """The accounts of a file whose one profile says this."""
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in values.items()]
    file.write_text("[profiles.main]\n" + "".join(lines), "utf-8")
    return configured("main")


def test_every_safety_setting_has_a_stricter_value() -> None:
    assert STRICTER.keys() == SAFETY


AMOUNTS = sorted(set(STRICTER) - {"read_only", "approval"})
VARIABLE = {field: name for name, field in VARIABLES.items()}


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize(("variable", "profile"), [("3", "90000"), ("90000", "3")])
def test_the_smaller_of_two_amounts_counts_wherever_it_is_set(
    own: Path, monkeypatch: pytest.MonkeyPatch, name: str, variable: str, profile: str
) -> None:
    monkeypatch.setenv(VARIABLE[name], variable)
    assert getattr(chosen(own, **{name: profile}).main, name) == 3


@pytest.mark.parametrize("name", AMOUNTS)
def test_a_profile_of_the_users_own_file_may_raise_what_no_variable_sets(
    own: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert getattr(chosen(own, **{name: "90000"}).main, name) == 90000
    monkeypatch.setenv(VARIABLE[name], "")
    assert getattr(chosen(own, **{name: "90000"}).main, name) == 90000
    monkeypatch.setenv("TELNYX_MCP_PROFILES", str(own))
    accounts = chosen(own, **{name: "90000"})
    assert (getattr(accounts.main, name), accounts.notes) == (90000, [])


@pytest.mark.attack(
    "A project's own profiles file raises a cap or sets a standing budget",
    "It can lower, never raise",
)
@pytest.mark.parametrize("name", AMOUNTS)
def test_a_file_elsewhere_lowers_and_never_raises(
    own: Path, other: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    default = Settings.model_fields[name].get_default()
    accounts = chosen(other, **{name: "90000"})
    assert getattr(accounts.main, name) == default
    assert accounts.notes == [
        f"{other}, [profiles.main]: {name} = 90000 is ignored; it is {default}. A profile can be stricter "
        f"than {VARIABLE[name]}, never looser. Without that variable, only {own} can "
        "raise it, and only if no other user can write that file."
    ]
    monkeypatch.setenv(VARIABLE[name], "80000")
    assert getattr(chosen(other, **{name: "90000"}).main, name) == 80000
    lowered = chosen(other, **{name: "7"})
    assert (getattr(lowered.main, name), lowered.notes) == (7, [])
    monkeypatch.delenv(VARIABLE[name])
    assert getattr(chosen(other, **{name: "0"}).main, name) == 0


@pytest.mark.attack(
    "A project's own profiles file sends the key to a stranger, or keeps the ledger elsewhere",
    "The server does not start",
)
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("base_url", "https://evil.example/v2"),
        ("base_url", "https://api.telnyx.com.evil.example/v2"),
        ("base_url", "https://api.telnyx.com:444/v2"),
        ("state_url", "sqlite:////tmp/other.sqlite3"),
        ("state_url", "postgresql+psycopg://evil.example/db"),
    ],
)
def test_a_file_elsewhere_leads_the_key_and_the_ledger_nowhere(
    own: Path, other: Path, setting: str, value: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        chosen(other, **{setting: value})
    assert str(refusal.value) == (
        f"{other}, [profiles.main]: {setting} may be set by the environment ({VARIABLE[setting]}) or by "
        f"{own}, which nobody else can write, and by no other file. Take it out, or "
        "move the profile there"
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://api.telnyx.eu/v2",
        "https://api.telnyx.com/v2",
        "http://127.0.0.1:8765/v2",
        "http://localhost:8765/v2",
    ],
)
def test_a_file_elsewhere_may_name_telnyx_or_a_server_on_this_computer(
    other: Path, address: str
) -> None:
    assert chosen(other, base_url=address).main.base_url == address


def test_the_users_own_file_may_name_a_gateway_and_a_ledger(own: Path) -> None:
    settings = chosen(own, base_url="https://gateway.example/v2", state_url="sqlite:////a/b").main
    assert settings.base_url == "https://gateway.example/v2"
    assert settings.state_url


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "who", "raises"),
    [
        (0o600, 0o700, None, True),
        (0o644, 0o755, None, True),
        (0o664, 0o755, "its group", True),
        (0o600, 0o770, "its group", True),
        (0o666, 0o700, "anyone", False),
        (0o600, 0o777, "anyone", False),
        (0o600, 0o1777, None, True),
    ],
)
def test_a_file_that_anyone_can_write_raises_nothing(
    own: Path, file_mode: int, folder_mode: int, who: str | None, raises: bool
) -> None:
    own.chmod(file_mode)
    own.parent.chmod(folder_mode)
    assert writable_by(own) == who
    accounts = chosen(own, max_payment="900")
    assert accounts.main.max_payment == Decimal(900 if raises else 500)
    assert len(accounts.notes) == (not raises)


@pytest.mark.parametrize(
    ("who", "raises"),
    [(None, True), ("its group", True), ("anyone", False), ("another user", False)],
)
def test_a_file_that_a_stranger_can_write_raises_nothing(
    own: Path, monkeypatch: pytest.MonkeyPatch, who: str | None, *, raises: bool
) -> None:
    monkeypatch.setattr(profiles, "writable_by", lambda _: who)
    assert chosen(own, max_payment="900").main.max_payment == (900 if raises else 500)


def test_a_file_elsewhere_raises_nothing_where_the_user_has_no_file(own: Path, other: Path) -> None:
    own.unlink()
    assert chosen(other, max_payment="900").main.max_payment == 500
    with pytest.raises(SettingsError, match="state_url may be set by the environment"):
        chosen(other, state_url="sqlite:////tmp/other.sqlite3")


@pytest.mark.parametrize(
    ("variable", "profile", "result"),
    [
        ("1", False, True),
        ("0", True, True),
        (None, True, True),
        ("0", False, False),
        (None, False, False),
    ],
)
def test_read_only_wins_wherever_it_is_set(
    own: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str | None,
    profile: bool,
    result: bool,
) -> None:
    if variable:
        monkeypatch.setenv("TELNYX_MCP_READ_ONLY", variable)
    assert chosen(own, read_only=profile).main.read_only is result


@pytest.mark.parametrize(
    ("variable", "profile", "result"),
    [
        ("auto", "browser", "browser"),
        ("browser", "auto", "browser"),
        ("terminal", "terminal", "terminal"),
        (None, "terminal", "terminal"),
        (None, "auto", "auto"),
        ("auto", "auto", "auto"),
    ],
)
def test_a_fixed_way_to_ask_is_stricter_than_auto(
    own: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str | None,
    profile: str,
    result: str,
) -> None:
    if variable:
        monkeypatch.setenv("TELNYX_MCP_APPROVAL", variable)
    assert chosen(own, approval=profile).main.approval == result


def test_read_only_leaves_the_other_limits_as_strict_as_they_are(
    other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_MCP_MAX_PAYMENT", "100")
    monkeypatch.setenv("TELNYX_MCP_APPROVAL", "terminal")
    accounts = chosen(other, read_only=True, max_payment="200", approval="browser")
    assert accounts.main.max_payment == 100
    assert accounts.main.approval == "browser", "nobody is asked where nothing can be changed"
    (note,) = accounts.notes
    assert "max_payment = 200 is ignored; it is 100" in note


def test_two_different_ways_to_ask_are_an_error_that_names_both(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_MCP_APPROVAL", "browser")
    with pytest.raises(SettingsError) as refusal:
        chosen(own, approval="terminal")
    assert str(refusal.value) == (
        f"{own}, [profiles.main]: approval is 'terminal' here and 'browser' in the environment "
        "(TELNYX_MCP_APPROVAL), and neither is stricter; remove one of them"
    )
    assert chosen(own, approval="terminal", read_only=True).main.read_only
    monkeypatch.setenv("TELNYX_MCP_READ_ONLY", "1")
    assert chosen(own, approval="terminal", read_only=False).main.read_only


def test_what_is_not_about_safety_is_still_the_profiles(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_MCP_TIMEZONE", "America/New_York")
    accounts = chosen(own, timezone="Europe/Berlin")
    assert (accounts.main.timezone, accounts.notes) == ("Europe/Berlin", [])


async def test_a_command_says_what_of_a_profile_does_not_count(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text(
        '[profiles.main]\nkey_from = "env:KEY_MAIN"\nstanding_budget_per_payment = 400\n'
        "standing_budget_per_day = 400\nmax_payment = 200\n",
        "utf-8",
    )
    environment = environment_for(sandbox, tmp_path) | {
        "KEY_MAIN": sandbox.key,
        "TELNYX_MCP_PROFILES": str(file),
    }
    arguments = ("call", PAYMENT, "amount=120", "--json", "--profile", "main")
    async with started(*arguments, environment=environment) as process:
        _, out, err = await process.ended()
    assert json.loads(out)["state"] == "proposed"
    assert sandbox.payments == []
    assert b"standing_budget_per_payment = 400 is ignored; it is 0.00" in err
    assert b"max_payment" not in err
