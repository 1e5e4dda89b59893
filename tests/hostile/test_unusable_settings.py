"""Values of settings as people type them: understood if they can mean one thing only. Any other value
never keeps the server from starting: it is reported, and loosens no limit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from telnyx_mcp.config.profiles import SettingsError, checked, configured
from telnyx_mcp.config.settings import SAFETY, Settings, variable_of
from telnyx_mcp.config.typed_values import typed_amount, typed_switch, typed_zone
from telnyx_mcp.doctor.checks import run_checks
from telnyx_mcp.doctor.context import Level
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.build import build_server
from tests.support.client import Mode, call, content_of, text_of
from tests.support.clock import NOW
from tests.support.server_process import environment_for, started, started_http

PAYMENT = "telnyx_create_stored_payment_transaction"
RECHARGE = "telnyx_update_auto_recharge_preferences"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("500", "500"),
        ("$500", "500"),
        ("500$", "500"),
        ("$ 500.00", "500.00"),
        (" $500 ", "500"),
        ("US$ 500", "500"),
        ("500 USD", "500"),
        ("usd 500", "500"),
        ("500,00", "500.00"),
        ("500,5", "500.5"),
        ("1,000.00", "1000.00"),
        ("1.000,00", "1000.00"),
        ("1,000,000", "1000000"),
        ("1.000.000,50", "1000000.50"),
        ("1 000", "1000"),
        ("1\u00a0000,00", "1000.00"),
        ("1\u2019000.00", "1000.00"),
        ("\uff15\uff10\uff10", "500"),
        ("0", "0"),
    ],
)
def test_an_amount_that_can_only_mean_one_thing_is_understood(text: str, amount: str) -> None:
    assert typed_amount(text) == Decimal(amount)


@pytest.mark.parametrize(
    "text",
    [
        *("1.000", "1,000", "10,000", "1.005", "500.000", "1,00,000", "1,000.000"),
        *("\u20ac500", "500 EUR", "500 CAD", "-500", "+500", "5e2", "NaN", "Infinity", "0x1F4"),
        *(
            "",
            "$",
            "USD",
            "five hundred",
            "none",
            "unlimited",
            "500-1000",
            "500 600 00",
            "5OO",
            "500%",
        ),
    ],
)
def test_an_amount_that_could_mean_another_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be an amount such as 500\.00"):
        typed_amount(text)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("New_York", "America/New_York"),
        ("america/new york", "America/New_York"),
        ("s\u00e3o paulo", "America/Sao_Paulo"),
        ("TOKYO", "Asia/Tokyo"),
        (" UTC ", "UTC"),
    ],
)
def test_a_zone_is_found_by_its_city_in_any_spelling(text: str, zone: str) -> None:
    assert typed_zone(text) == zone


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Berlinn", "; did you mean Europe/Berlin?"),
        (
            "Buenos Aires",
            "; did you mean America/Argentina/Buenos_Aires or America/Buenos_Aires?",
        ),
        *((text, "") for text in ("Germany", "UTC+2", "../../etc/passwd", "Europe/", "Europe", "")),
        ("x" * 300, ""),
    ],
)
def test_a_zone_that_is_not_certain_is_refused_with_the_nearest(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        typed_zone(text)
    assert str(caught.value) == f"must be an IANA name such as UTC or Europe/Berlin{hint}"


def test_yes_and_no_are_understood_and_nothing_else_is() -> None:
    assert all(typed_switch(each) for each in ("true", "True", " YES ", "on", "1", "y", "t"))
    assert not any(typed_switch(each) for each in ("false", "No", "off", "0", "n", "F"))
    for text in ("ja", "maybe", "2", "tru", ""):
        with pytest.raises(ValueError, match=r"^must be true or false$"):
            typed_switch(text)


def test_quotes_of_an_environment_file_are_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELNYX_MCP_MAX_PAYMENT", '"$120"')
    monkeypatch.setenv("TELNYX_MCP_READ_ONLY", "'yes'")
    monkeypatch.setenv("TELNYX_MCP_TIMEZONE", "\u201cBerlin\u201d")
    monkeypatch.setenv("TELNYX_MCP_APPROVAL", " Browser\u200b")
    monkeypatch.setenv("TELNYX_MCP_EXPORT_DIR", '""')
    settings = checked("")
    assert (settings.max_payment, settings.read_only) == (Decimal(120), True)
    assert (settings.timezone, settings.approval) == ("Europe/Berlin", "browser")
    assert settings.export_dir is None


def test_a_field_of_the_bundle_left_empty_is_not_set_unless_it_limits_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("timezone", "export_dir", "tools", "base_url", "max_payment", "read_only"):
        monkeypatch.setenv(variable_of(name), f"${{user_config.{name}}}")
    settings = configured(tolerant=True).main
    assert {each.setting for each in settings.problems} == {"max_payment", "read_only"}
    assert settings.unusable is None


UNSAFE = {
    "max_payment": ("1.000", "${MAX_PAYMENT}", "much"),
    "max_per_day": ("\u20ac500", "1,000", "-1"),
    "max_per_30_days": ("unlimited", "5e3", "${user_config.cap}"),
    "standing_budget_per_payment": ("5OO", "1,000", "none"),
    "standing_budget_per_day": ("ten", "10.000", "x"),
    "read_only": ("ja", "maybe", "${user_config.read_only}"),
    "approval": ("always", "none", "${APPROVAL}"),
}


def test_every_safety_setting_is_tried_below() -> None:
    assert UNSAFE.keys() == SAFETY


@pytest.mark.attack(
    "A limit whose value can't be read, such as `1.000` or `${CAP}`",
    "The changing tools refuse until it is fixed, and reading goes on",
)
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in UNSAFE.items() for value in values]
)
async def test_an_unusable_limit_refuses_every_change_and_reading_goes_on(
    settings: Settings,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv(variable_of(name), value)
    monkeypatch.setenv("TELNYX_API_KEY", sandbox.key)
    monkeypatch.setenv("TELNYX_BASE_URL", sandbox.base_url)
    assert settings.state_url
    monkeypatch.setenv("TELNYX_MCP_STATE_URL", settings.state_url.get_secret_value())
    monkeypatch.delenv("TELNYX_MCP_PROFILES")
    server = build_server(configured(tolerant=True).main, now=lambda: NOW)
    for tool, arguments in ((PAYMENT, {"amount": "12.00"}), (RECHARGE, {"enabled": False})):
        refused = await call(server, tool, arguments)
        assert refused.is_error
        assert f"{variable_of(name)} " in text_of(refused)
        assert "Nothing was done" in text_of(refused)
        assert value not in text_of(refused) or value in {"x", "none"}
    assert content_of(await call(server, "telnyx_get_balance", {}))["currency"] == "USD"
    assert {each.method for each in sandbox.requests} == {"GET"}
    await server.accounts.aclose()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TELNYX_MCP_TIMEZONE", "Mars/Crater"),
        ("TELNYX_MCP_TIMEZONE", "${TZ}"),
        ("TELNYX_BASE_URL", "http://api.example.com/v2"),
        ("TELNYX_BASE_URL", "https://user:secret@api.telnyx.com/v2"),
        ("TELNYX_MCP_EXPORT_DIR", "exports"),
        ("TELNYX_MCP_TOOLS", "biling"),
        ("TELNYX_MCP_KEY_FROM", "keychain"),
        ("TELNYX_MCP_STATE_URL", "mysql://localhost/x"),
        ("TELNYX_MCP_PROFILE", "nobody"),
        ("TELNYX_API_KEY_FILE", "relative/key"),
    ],
)
async def test_any_other_unusable_value_is_reported_by_each_call_and_nothing_is_sent(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, mode: Mode, variable: str, value: str
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", sandbox.key)
    monkeypatch.setenv("TELNYX_BASE_URL", sandbox.base_url)
    monkeypatch.delenv("TELNYX_MCP_PROFILES")
    monkeypatch.setenv(variable, value)
    server = build_server(configured(tolerant=True).main)
    for tool, arguments in (("telnyx_get_balance", {}), (PAYMENT, {"amount": "1"})):
        refused = await call(server, tool, arguments, mode)
        assert refused.is_error
        assert "secret" not in text_of(refused)
        assert (
            variable in text_of(refused)
            or "no profile" in text_of(refused)
            or "profiles" in text_of(refused)
        )
    assert sandbox.requests == []
    await server.accounts.aclose()
    with pytest.raises(SettingsError):
        configured()


async def test_the_server_starts_with_wrong_values_and_options_and_says_so_in_its_answers(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = environment_for(sandbox, tmp_path)
    asked = {"name": "telnyx_get_balance", "arguments": {}}
    for arguments, more, words in (
        (("serve", "--tools", "biling"), {}, "--tools must name tool groups"),
        (("serve", "--profile", "nobody"), {}, "can't be read"),
        (("serve",), {"TELNYX_MCP_TIMEZONE": "Berlinn"}, "did you mean Europe/Berlin?"),
    ):
        async with started(*arguments, environment=environment | more) as server:
            await server.initialize()
            result = await server.ask("tools/call", asked)
            assert result["isError"]
            assert words in result["content"][0]["text"]
            status, _, err = await server.ended()
        assert status == 0
        assert words in err.decode()


async def test_a_wrong_limit_starts_a_server_over_http_and_a_wrong_token_does_not(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = environment_for(sandbox, tmp_path) | {"TELNYX_MCP_MAX_PAYMENT": "1.000"}
    async with started_http(environment=environment):
        pass
    wrong = environment | {"TELNYX_MCP_HTTP_TOKEN": "short"}
    async with started("serve", "--http", "127.0.0.1:0", environment=wrong) as process:
        status, _, _ = await process.ended()
    assert status == 2


async def test_doctor_reports_each_problem_and_goes_on(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", sandbox.key)
    monkeypatch.setenv("TELNYX_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("TELNYX_MCP_STATE_URL", f"sqlite:///{tmp_path}/state.sqlite3")
    monkeypatch.setenv("TELNYX_MCP_MAX_PAYMENT", "1.000")
    monkeypatch.delenv("TELNYX_MCP_PROFILES")
    findings = [each async for each in run_checks(configured(tolerant=True).main)]
    failed = [each for each in findings if each.level is Level.FAILED]
    assert [each.check for each in failed] == ["settings"]
    assert "TELNYX_MCP_MAX_PAYMENT must be an amount" in failed[0].found
    assert "nothing can be changed" in failed[0].found
    assert any(each.check == "key" and each.found == "accepted" for each in findings)


def test_a_wrong_limit_of_the_environment_holds_for_a_profile_that_states_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text(
        '[profiles.a]\nmax_payment = "9"\n[profiles.b]\ntimezone = "Nowhere"\n', "utf-8"
    )
    monkeypatch.setenv("TELNYX_MCP_PROFILES", str(file))
    monkeypatch.setenv("TELNYX_MCP_MAX_PAYMENT", "1.000")
    accounts = configured("a", tolerant=True)
    assert [each.setting for each in accounts.main.problems] == ["max_payment"]
    assert accounts.main.unusable is None
    assert "[profiles.b]" in (accounts.others["b"].unusable or "")


def test_an_error_of_python_code_is_still_an_error() -> None:
    with pytest.raises(ValueError, match="must be an amount"):
        Settings(max_per_day="1.000", api_key=SecretStr("KEY1"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("telnyx_get_balance", {}),
        ("telnyx_list_invoices", {}),
        ("telnyx_list_user_tags", {}),
        ("telnyx_get_invoice", {"invoice_id": "550e8400-e29b-41d4-a716-446655440000"}),
    ],
)
async def test_a_404_speaks_of_an_id_only_where_one_was_given_and_else_of_the_address(
    settings: Settings, tool: str, arguments: dict[str, str]
) -> None:
    elsewhere = {"base_url": settings.base_url.removesuffix("/v2")}
    wrong = settings if arguments else settings.model_copy(update=elsewhere)
    server = build_server(wrong, now=lambda: NOW)
    said = text_of(await call(server, tool, arguments))
    assert ("no object with this id" in said) == bool(arguments)
    assert ("TELNYX_BASE_URL" in said) != bool(arguments)
    await server.accounts.aclose()
