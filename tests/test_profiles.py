"""Several accounts by name: what the file may say, and what the server does with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult
from pydantic import SecretStr

from telnyx_mcp.config.account_names import about_accounts, account_argument
from telnyx_mcp.config.addresses import TELNYX_API
from telnyx_mcp.config.profiles import SETTABLE, SettingsError, configured
from telnyx_mcp.config.settings import SettingProblem, Settings
from telnyx_mcp.sandbox import Sandbox, running_sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from tests.support.client import Mode, connected, content_of, text_of
from tests.support.clock import NOW, TODAY
from tests.support.scripted_telnyx import KEY

PAYMENT = "telnyx_create_stored_payment_transaction"
TWO = """
default = "main"

[profiles.main]
key_from = "env:KEY_MAIN"
max_payment = "200.00"

[profiles.eu]
key_from = "env:KEY_EU"
timezone = "Europe/Berlin"
max_payment = 50
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the profiles file of this test is looked for."""
    found = tmp_path / "profiles.toml"
    monkeypatch.setenv("TELNYX_MCP_PROFILES", str(found))
    return found


# --- the file ------------------------------------------------------------------------------------


def test_without_a_file_the_environment_is_the_account(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", KEY)
    accounts = configured()
    assert accounts.main.profile is None
    assert accounts.main.api_key == SecretStr(KEY)
    assert accounts.others == {}


def test_without_a_key_and_without_a_file_the_server_has_no_key_yet(file: Path) -> None:
    accounts = configured()
    assert (accounts.main.profile, accounts.main.api_key) == (None, None)
    assert (accounts.others, accounts.file) == ({}, None)


def test_a_file_without_a_default_leaves_the_environment_the_account(file: Path) -> None:
    file.write_text("[profiles.eu]\n", "utf-8")
    accounts = configured()
    assert (accounts.main.profile, accounts.others) == (None, {})


def test_a_file_has_a_default_and_others_that_are_only_read(file: Path) -> None:
    file.write_text(TWO, "utf-8")
    accounts = configured()
    assert (accounts.main.profile, accounts.main.read_only) == ("main", False)
    assert accounts.main.max_payment == Decimal("200.00")
    assert list(accounts.others) == ["eu"]
    assert accounts.others["eu"].read_only
    assert accounts.others["eu"].timezone == "Europe/Berlin"


def test_a_named_profile_is_taken_before_the_default(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(TWO, "utf-8")
    assert configured("eu").main.profile == "eu"
    monkeypatch.setenv("TELNYX_MCP_PROFILE", "eu")
    assert configured().main.profile == "eu"
    assert configured("main").main.profile == "main"


def test_a_key_in_the_environment_is_taken_before_the_default_but_not_before_a_named_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(TWO, "utf-8")
    monkeypatch.setenv("TELNYX_API_KEY", KEY)
    assert configured().main.profile is None
    assert configured("eu").main.api_key is None


@pytest.mark.parametrize(
    ("variable", "value", "is_usable"),
    [
        ("TELNYX_API_KEY_FILE", "/run/secrets/telnyx", True),
        ("TELNYX_API_KEY_FILE", "secrets/telnyx", False),
        ("TELNYX_API_KEY", "KEY 0123", False),
    ],
)
def test_a_key_that_the_environment_means_to_give_is_not_replaced_by_the_defaults(
    file: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, *, is_usable: bool
) -> None:
    file.write_text(TWO, "utf-8")
    monkeypatch.setenv(variable, value)
    main = configured(tolerant=True).main
    assert main.profile is None
    assert (main.problems == ()) is is_usable


def test_what_a_profile_leaves_out_comes_from_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(TWO, "utf-8")
    monkeypatch.setenv("TELNYX_MCP_MAX_PER_DAY", "300")
    assert configured().main.max_per_day == 300
    assert configured().main.max_payment == Decimal("200.00")
    assert configured().main.base_url == TELNYX_API


def test_a_profile_keeps_its_key_in_the_keyring_unless_it_says_otherwise(file: Path) -> None:
    file.write_text("[profiles.main]\n", "utf-8")
    assert configured("main").main.key_from == "keyring"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('default = "x"', "no profile 'x'.*it has none"),
        (TWO.replace('"main"', '"mian"'), "no profile 'mian'.*it has main, eu"),
        ("[profiles.a]\nmax_paymnet = 1", "did you mean 'max_payment'"),
        (f'[profiles.a]\napi_key = "{KEY}"', "does not belong in a file.*key set --profile a"),
        (f'[profiles.a]\nkey = "{KEY}"', "does not belong in a file"),
        (f'[profiles.a]\nTELNYX_API_KEY = "{KEY}"', "does not belong in a file"),
        ('[profiles.a]\nhttp_token = "0123456789abcdef"', "there is no setting 'http_token'"),
        ('[profiles.a]\nprofile = "b"', "there is no setting 'profile'"),
        ('[profiles.a]\nprofiles_file = "/b"', "there is no setting 'profiles_file'"),
        ('[profiles.a]\napi_key_file = "/b"', "there is no setting 'api_key_file'"),
        ("[profiles.a]\nmax_payment = -1", r"\[profiles.a\]: .*greater than or equal"),
        ("[profiles]\na = 1", r"must hold \[profiles.NAME\]"),
        ("default = 1\n[profiles.a]", "must hold"),
        ("[profiles.a", "can't be read"),
    ],
)
def test_a_file_that_can_not_be_used_says_where_and_why_and_shows_no_key(
    file: Path, text: str, said: str
) -> None:
    file.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=said) as caught:
        configured("a" if "profiles.a" in text else None)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'default = "x"\n[profiles.a]\n[profiles.b]',
            "there is no profile 'x' in {file}: it has a, b",
        ),
        (
            "[profiles.main]\nmax_paymnet = 1",
            "{file}, [profiles.main]: there is no setting 'max_paymnet'; did you mean 'max_payment'?",
        ),
        (
            "[profiles.main]\ncolour = 1",
            "{file}, [profiles.main]: there is no setting 'colour'; there are: "
            + ", ".join(SETTABLE),
        ),
        (
            f'[profiles.main]\nkey = "{KEY}"',
            "{file}, [profiles.main]: a key does not belong in a file. Take it out, run "
            '`telnyx-account-mcp key set --profile main`, and write key_from = "keyring" (or "env:NAME")',
        ),
        (
            '[profiles.main]\nkey_from = "auto"',
            '{file}, [profiles.main]: key_from must be "keyring" or "env:NAME"',
        ),
        (
            '[profiles.main]\nmax_payment = "a"\nread_only = "b"',
            "{file}, [profiles.main]: read_only must be true or false; max_payment "
            "must be an amount such as 500.00: digits, a point, at most two decimals, and no other mark",
        ),
        ('default = "x"', "there is no profile 'x' in {file}: it has none"),
        ("[other]", "{file}: there is no 'other' outside a profile"),
        ('[profiles."a b"]', "{file}: a profile's name is letters, digits, _ and -, not 'a b'"),
        ("profiles = 1", "{file}: must hold [profiles.NAME] tables, and a default by name"),
    ],
)
def test_an_error_of_the_file_is_one_sentence_that_begins_with_the_place(
    file: Path, text: str, said: str
) -> None:
    file.write_text(text, "utf-8")
    wanted = None if text.startswith("default") else "main"
    with pytest.raises(SettingsError) as refusal:
        configured(wanted)
    assert str(refusal.value) == said.format(file=file)


def test_an_error_of_the_environment_names_no_place(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_MCP_READ_ONLY", "maybe")
    with pytest.raises(SettingsError) as refusal:
        configured()
    assert str(refusal.value) == "TELNYX_MCP_READ_ONLY must be true or false"


def test_a_server_goes_on_with_what_is_wrong_in_the_file_and_in_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_MCP_TIMEZONE", "nowhere")
    monkeypatch.setenv("TELNYX_MCP_MAX_PER_DAY", "much")
    day, zone = configured("main", tolerant=True).main.problems[:2]
    file.write_text("[profiles.main]\nmax_paymnet = 1", "utf-8")
    profile = SettingProblem(
        "profile",
        f"{file}, [profiles.main]: there is no setting 'max_paymnet'; did you mean 'max_payment'?",
    )
    assert list(configured("main", tolerant=True).main.problems) == [day, zone, profile]
    file.write_text('[profiles.main]\ntimezone = "UTC"\nread_only = "maybe"', "utf-8")
    own = SettingProblem(
        "read_only",
        f"{file}, [profiles.main]: read_only must be true or false.",
    )
    assert list(configured("main", tolerant=True).main.problems) == [own, day]


def test_a_profile_without_a_file_says_where_it_was_looked_for(file: Path) -> None:
    with pytest.raises(SettingsError) as refusal:
        configured("eu")
    assert str(refusal.value) == f"a profile is named, but there is no {file}"
    file.mkdir()
    with pytest.raises(SettingsError) as refusal:
        configured("eu")
    assert str(refusal.value).startswith(f"{file} can't be read: [Errno ")


# --- the server ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def second() -> Iterator[Sandbox]:
    with running_sandbox(
        today=TODAY, seed=11, rate_limit=None, records_per_day=5, key="KEYeu0123456789"
    ) as sandbox:
        yield sandbox


@pytest.fixture
async def two(
    settings: Settings, second: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AccountServer]:
    """A server for the account `main` that may read the account `eu`."""
    second.reset()
    monkeypatch.setenv("KEY_EU", second.key)
    other = Settings(
        profile="eu",
        key_from="env:KEY_EU",
        base_url=second.base_url,
        state_url=settings.state_url,
        read_only=True,
    )
    unreachable = other.model_copy(update={"profile": "us", "key_from": "keyring"})
    main = settings.model_copy(update={"profile": "main"})
    server = build_server(main, others={"eu": other, "us": unreachable}, now=lambda: NOW)
    yield server
    await server.accounts.aclose()


async def asked(
    server: AccountServer, tool: str, mode: Mode = "auto", **arguments: Any
) -> Mapping[str, Any]:
    async with connected(server, mode) as client:
        return content_of(await client.call_tool(tool, arguments))


async def refused(server: AccountServer, tool: str, **arguments: Any) -> str:
    async with connected(server) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    return text_of(result)


async def test_reading_tools_take_an_account_and_changing_tools_do_not(two: AccountServer) -> None:
    async with connected(two) as client:
        tools = (await client.list_tools()).tools
        told = client.instructions or ""
    for tool in tools:
        properties = tool.input_schema["properties"]
        assert tool.annotations
        if tool.annotations.read_only_hint:
            assert properties["account"]["enum"] == ["main", "eu", "us"]
            assert "default main" in properties["account"]["description"]
            assert "account" not in tool.input_schema.get("required", [])
        else:
            assert "account" not in properties
    assert "main, eu, us" in told


def test_the_model_is_told_which_accounts_there_are_and_which_is_meant_without_a_name() -> None:
    assert account_argument(["main", "eu"]) == {
        "type": "string",
        "enum": ["main", "eu"],
        "description": "Which account; default main.",
    }
    assert about_accounts(["main", "eu"]) == (
        " Several accounts are configured: main, eu. Reading tools take `account`; without it, and for "
        "every change, it is main."
    )
    assert about_accounts([]) == ""


async def test_with_one_account_no_tool_has_the_argument_account(settings: Settings) -> None:
    server = build_server(settings.model_copy(update={"profile": "main"}), now=lambda: NOW)
    async with connected(server) as client:
        tools = (await client.list_tools()).tools
    assert not any("account" in tool.input_schema["properties"] for tool in tools)
    assert "no argument `account`" in await refused(server, "telnyx_get_balance", account="main")
    await server.accounts.aclose()


async def test_an_account_is_read_with_its_own_key_and_the_answer_names_it(
    two: AccountServer, sandbox: Sandbox, second: Sandbox, mode: Mode
) -> None:
    main = await asked(two, "telnyx_get_balance", mode)
    also_main = await asked(two, "telnyx_get_balance", mode, account="main")
    other = await asked(two, "telnyx_get_balance", mode, account="eu")
    assert main == also_main
    assert (main["account"], other["account"]) == ("main", "eu")
    assert Decimal(main["balance"]) == sandbox.balance
    assert Decimal(other["balance"]) == second.balance
    assert main["balance"] != other["balance"]


async def test_an_unknown_name_is_refused_with_the_known_ones(two: AccountServer) -> None:
    said = await refused(two, "telnyx_get_balance", account="asia")
    assert 'no account "asia"' in said
    assert "main, eu, us" in said
    assert "no account" in await refused(two, "telnyx_get_balance", account=["eu"])


async def test_an_account_whose_key_can_not_be_read_says_so_and_the_others_go_on(
    two: AccountServer,
) -> None:
    said = await refused(two, "telnyx_get_balance", account="us")
    assert "key of account us can't be read" in said
    assert (await asked(two, "telnyx_get_balance", account="eu"))["account"] == "eu"


async def test_a_change_that_names_an_account_is_refused_whichever_it_names(
    two: AccountServer, sandbox: Sandbox, second: Sandbox
) -> None:
    before = sandbox.balance, second.balance
    for name in ("main", "eu", "asia"):
        said = await refused(two, PAYMENT, amount="12.00", account=name)
        assert "changes the account main only" in said
    assert (sandbox.balance, second.balance) == before


async def test_the_question_names_the_profile_and_the_payment_is_made_there(
    two: AccountServer, sandbox: Sandbox, second: Sandbox, mode: Mode
) -> None:
    questions: list[str] = []

    async def type_it(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        questions.append(params.message)
        return ElicitResult(action="accept", content={"amount": "12.00"})

    before, other = sandbox.balance, second.balance
    async with connected(two, mode, type_it) as client:
        done = content_of(await client.call_tool(PAYMENT, {"amount": "12.00"}))
        recent = content_of(await client.call_tool("telnyx_list_changes", {}))
        elsewhere = content_of(await client.call_tool("telnyx_list_changes", {"account": "eu"}))
    assert (done["state"], done["account"]) == ("succeeded", "main")
    assert sandbox.balance == before + 12
    assert second.balance == other
    assert "(profile main)" in questions[0]
    assert recent["returned"] == 1
    assert elsewhere["returned"] == 0


async def test_an_error_says_which_account_it_is_about(
    two: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_EU", "KEYofnobody")
    assert "(Account eu.)" in await refused(two, "telnyx_get_balance", account="eu")
