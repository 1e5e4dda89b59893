"""Variables that look like settings and are not: each is named, and none loosens anything unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from telnyx_mcp.config.environment import OTHERS, Misspelt, misspelt, warnings, why_blocked
from telnyx_mcp.config.settings import SAFETY, VARIABLES, Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.build import build_server
from tests.support.client import Mode, call, content_of, text_of
from tests.support.clock import NOW
from tests.support.server_process import environment_for, started

PAYMENT = "telnyx_create_stored_payment_transaction"
RECHARGE = "telnyx_update_auto_recharge_preferences"
VALUE = "secret-value-0123"
"""What a misspelt variable is set to. Never shown."""

SAFETY_NAMES = sorted(name for name, field in VARIABLES.items() if field in SAFETY)


def slips(name: str) -> list[str]:
    """Ways to misspell a name of ours."""
    short = name.removeprefix("TELNYX_MCP_")
    return [
        name.lower(),
        name.title(),
        name.replace("_", "-"),
        name.replace("_", ""),
        f"{name}_",
        f"{name}S",
        name[:-1],
        f"TELNYX_{short}",
        f"TELNYX_{short.replace('_', '')}",
        f"TELNYX_MPC_{short}",
        f"TELYNX_MCP_{short}",
        f"TELNX_MCP_{short}",
        f"TELYNX_{short}",
        f"TELNYX_MCP_{short[0]}{short[2:]}",
    ]


def found(*names: str) -> list[Misspelt]:
    return misspelt(dict.fromkeys(names, VALUE))


@pytest.mark.parametrize("name", SAFETY_NAMES)
def test_every_slip_in_a_safety_setting_is_named_with_the_setting_and_blocks_changes(
    name: str,
) -> None:
    for slip in slips(name):
        (each,) = found(slip)
        assert (each.nearest, each.is_safety) == (name, True), slip
        assert slip in each.text
        assert VALUE not in each.text


@pytest.mark.parametrize(
    "name",
    [
        "TELNYX_MCP_CAP",
        "TELNYX_MCP_DAILY_CAP",
        "TELNYX_MCP_DAILY_LIMIT",
        "TELNYX_MCP_MONTHLY_LIMIT",
        "TELNYX_MCP_SPEND_LIMIT",
        "TELNYX_MCP_BUDGET",
        "TELNYX_MCP_BUDGET_PER_DAY",
        "TELNYX_MCP_MAX",
        "TELNYX_MCP_MAX_AMOUNT",
        "TELNYX_MCP_PAYMENT_LIMIT",
        "TELNYX_MCP_REQUIRE_APPROVAL",
        "TELNYX_MCP_CONFIRM",
        "TELNYX_MCP_NO_WRITE",
        "TELNYX_MCP_READONLY_MODE",
        "TELNYX_MCP_DRY_RUN",
        "TELNYX_READ_ONLY_MODE",
        "TELNYX_MAX_PAYMENTS",
    ],
)
def test_a_name_that_sounds_like_a_limit_blocks_changes_though_it_is_far_from_every_real_one(
    name: str,
) -> None:
    (each,) = found(name)
    assert each.is_safety
    assert each.nearest in SAFETY_NAMES


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("READ_ONLY", "READ READONLY WRITE WRITES WRITABLE CHANGE CHANGES DRY"),
        ("APPROVAL", "APPROVAL APPROVALS APPROVE APPROVER CONFIRM CONFIRMATION ASK CONSENT"),
        ("STANDING_BUDGET_PER_PAYMENT", "BUDGET BUDGETS STANDING UNATTENDED"),
        ("MAX_PER_30_DAYS", "MONTH MONTHLY 30"),
        ("MAX_PER_DAY", "DAY DAYS DAILY HOURS"),
        ("MAX_PAYMENT", "MAX MAXIMUM PAYMENT PAY CAP CAPS LIMIT LIMITS SPEND SPENDING"),
    ],
)
def test_one_word_of_a_limit_is_enough_in_any_case_and_place(setting: str, words: str) -> None:
    for word in words.split():
        for name in (f"TELNYX_MCP_ZZ_{word}_QQ", f"telnyx_mcp_zz_{word.lower()}"):
            (each,) = found(name)
            assert (each.nearest, each.is_safety) == (f"TELNYX_MCP_{setting}", True), name


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("TELNYX_MCP_TIMEZON", "TELNYX_MCP_TIMEZONE"),
        ("TELNYX_MCP_TIME_ZONE", "TELNYX_MCP_TIMEZONE"),
        ("TELNYX_TIMEZONE", "TELNYX_MCP_TIMEZONE"),
        ("TELNYX_MCP_STATE_URI", "TELNYX_MCP_STATE_URL"),
        ("TELNYX_MCP_BASE_URL", "TELNYX_BASE_URL"),
        ("TELNYX_MCP_API_KEY", "TELNYX_API_KEY"),
        ("TELNYX_BASEURL", "TELNYX_BASE_URL"),
        ("telnyx_api_key", "TELNYX_API_KEY"),
        ("TELYNX_API_KEY", "TELNYX_API_KEY"),
        ("TELNYX_MCP_COLOUR", None),
        ("TELNYX_MCP_", None),
        ("TELNYX_MCP", None),
    ],
)
def test_any_other_slip_is_named_and_blocks_nothing(name: str, nearest: str | None) -> None:
    (each,) = found(name)
    assert (each.name, each.nearest, each.is_safety) == (name, nearest, False)


@pytest.mark.parametrize(
    "name",
    [
        *VARIABLES,
        *sorted(OTHERS),
        *("TELNYX_PUBLIC_KEY", "TELNYX_CLIENT_ID", "TELNYX_CLIENT_SECRET", "TELNYX_LOG"),
        "TELNYX_CUSTOM_HEADERS",
        "TELNYX_MCP_HTTP_TOKEN",
        *("TELNYX_MCP_PUBLIC_URL", "TELNYX_MCP_STATE_URL_FILE"),
        *("TELNYX_MCP_SERVICE_LISTEN", "TELNYX_MCP_SERVICE_METRICS_LISTEN"),
        *("TELNYX_MCP_SERVICE_SECRET", "TELNYX_MCP_SERVICE_SECRET_FILE"),
        *("TELNYX_MCP_SIGN_IN_SECRET", "TELNYX_MCP_SIGN_IN_SECRET_FILE"),
        *("TELNYX_MCP_INTROSPECTION_SECRET", "TELNYX_MCP_INTROSPECTION_SECRET_FILE"),
        *("TELNYX_MCP_NOTICE_URL", "TELNYX_MCP_NOTICE_URL_FILE"),
        *("TELNYX_MCP_NOTICE_SECRET", "TELNYX_MCP_NOTICE_SECRET_FILE"),
        "TELNYX_API_KEY_EU",
        "TELNYX_BASE_URL_EU",
        "TELNYX_KEY_EU",
        "TELNYX_MESSAGING_PROFILE_ID",
        "TELNYX_PHONE_NUMBER",
        "TELNYX_CONNECTION_ID",
        "TELNYX_MAX_RETRIES",
        "TELNYX_WEBHOOK_SECRET",
        "TELEGRAM_API_KEY",
        "TWILIO_API_KEY",
        "READ_ONLY",
        "MAX_PAYMENT",
        "MCP_READ_ONLY",
        "TERM",
        "T",
        "TELNYX",
        "",
    ],
)
def test_what_is_real_or_somebody_elses_is_not_named(name: str) -> None:
    assert found(name) == []


def test_an_empty_variable_and_one_that_holds_a_key_are_not_named() -> None:
    assert misspelt({"TELNYX_MCP_READONLY": ""}) == []
    keyed = Settings(key_from="env:TELNYX_MCP_PAYMENT_KEY")
    assert misspelt({"TELNYX_MCP_PAYMENT_KEY": VALUE}, [keyed]) == []
    assert misspelt({"TELNYX_MCP_PAYMENT_KEY": VALUE})[0].is_safety


def test_a_name_is_shown_without_what_could_steer_a_terminal_and_cut_to_size() -> None:
    (each,) = found("TELNYX_MCP_\x1b[2J\n\u202e" + "A" * 1000)
    assert each.text.isascii() or "…" in each.text
    assert not set(each.text) & set("\x1b\n\u202e")
    assert len(each.text) < 200


@pytest.mark.parametrize(("letters", "cut"), [(59, False), (60, False), (61, True)])
def test_a_name_of_sixty_characters_is_shown_whole(letters: int, *, cut: bool) -> None:
    name = "TELNYX_MCP_".ljust(letters, "X")
    (each,) = found(name)
    assert each.name == (f"{name[:60]}…" if cut else name)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("TELNYX_MCP_TIMEZON", "TELNYX_MCP_TIMEZONE"),
        ("TELNYX_MCP_ZONE_OF_TIME", None),
        ("TELNYX_MCP_EXPORTS", "TELNYX_MCP_EXPORT_DIR"),
        ("TELNYX_MCP_XYZ", None),
    ],
)
def test_a_sentence_names_the_nearest_setting_if_there_is_one(
    name: str, nearest: str | None
) -> None:
    (each,) = found(name)
    hint = f": did you mean {nearest}?" if nearest else "."
    assert each.text == f"The environment sets {name}, which is not a setting{hint}"
    assert not each.is_safety


LIMITS = [f"TELNYX_MCP_MAX_PAYMENTT{number}" for number in range(6)]
BLOCKED = (
    "It may be meant to limit what can be changed or paid, so this server changes nothing until it "
    "is corrected or removed and the server is restarted. Reading still works."
)


@pytest.mark.parametrize(
    ("count", "more"), [(1, ""), (4, ""), (5, " And 1 more."), (6, " And 2 more.")]
)
def test_the_refusal_names_four_variables_and_counts_the_others(count: int, more: str) -> None:
    each = [one.text for name in LIMITS[:count] for one in found(name)]
    harmless = found("TELNYX_MCP_XYZ")
    reason = why_blocked([*harmless, *(one for name in LIMITS[:count] for one in found(name))])
    assert reason == f"{' '.join(each[:4])}{more} {BLOCKED}"
    assert why_blocked(harmless) is None


def test_the_warnings_name_every_variable_once_and_what_is_blocked_last() -> None:
    harmless, limit = found("TELNYX_MCP_XYZ"), found(LIMITS[0])
    assert warnings([*limit, *harmless]) == [harmless[0].text, why_blocked(limit)]
    assert warnings(harmless) == [harmless[0].text]
    assert warnings([]) == []


@pytest.mark.attack(
    "A misspelt limit that would not count",
    "The changing tools refuse until it is fixed",
)
@pytest.mark.parametrize("slip", ["TELNYX_READ_ONLY", "TELNYX_MCP_MAX_PAYMNET", "TELNYX_MCP_CAP"])
async def test_both_changing_tools_refuse_while_a_safety_setting_is_misspelt_and_reading_works(
    settings: Settings,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
    slip: str,
) -> None:
    monkeypatch.setenv(slip, VALUE)
    budget = {"standing_budget_per_payment": 100, "standing_budget_per_day": 100}
    server = build_server(settings.model_copy(update=budget), now=lambda: NOW)
    before = sandbox.balance
    for tool, arguments in ((PAYMENT, {"amount": "12.00"}), (RECHARGE, {"enabled": False})):
        refused = await call(server, tool, arguments, mode)
        assert refused.is_error
        said = text_of(refused)
        assert slip in said
        assert any(name in said for name in SAFETY_NAMES)
        assert "Nothing was done" in said
        assert VALUE not in said
        assert len(said) < 1500
    assert content_of(await call(server, "telnyx_get_balance", {}, mode))["currency"] == "USD"
    assert content_of(await call(server, "telnyx_list_changes", {}, mode))["items"] == []
    assert {each.method for each in sandbox.requests} == {"GET"}
    assert sandbox.balance == before
    await server.accounts.aclose()


async def test_any_other_misspelt_setting_refuses_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_MCP_TIMEZON", VALUE)
    server = build_server(settings, now=lambda: NOW)
    assert content_of(await call(server, PAYMENT, {"amount": "12.00"}))["change_id"]
    await server.accounts.aclose()


async def test_many_misspelt_settings_make_no_long_refusal(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        monkeypatch.setenv(f"TELNYX_MCP_PAYMENT_{number}_{'A' * 100}", VALUE)
    server = build_server(settings, now=lambda: NOW)
    said = text_of(await call(server, PAYMENT, {"amount": "12.00"}))
    assert "And 46 more" in said
    assert len(said) < 1500
    await server.accounts.aclose()


@pytest.mark.parametrize(
    "arguments",
    [
        ("call", "telnyx_get_balance"),
        ("approve",),
        ("ledger",),
        ("serve",),
        ("call", "--sandbox", "telnyx_get_balance"),
    ],
)
async def test_each_command_says_at_its_start_what_is_misspelt_and_never_the_value(
    sandbox: Sandbox, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    environment = environment_for(sandbox, tmp_path) | {
        "TELNYX_MCP_READONLY": VALUE,
        "TELNYX_MCP_TIMEZON": VALUE,
    }
    async with started(*arguments, environment=environment) as process:
        _, out, err = await process.ended()
    lines = err.decode().splitlines()
    for name, real in (
        ("TELNYX_MCP_READONLY", "TELNYX_MCP_READ_ONLY"),
        ("TELNYX_MCP_TIMEZON", "TELNYX_MCP_TIMEZONE"),
    ):
        (line,) = [each for each in lines if f"sets {name}," in each]
        assert f"did you mean {real}?" in line
    assert VALUE.encode() not in out + err
