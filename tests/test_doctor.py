"""`doctor` finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from anyio import to_thread
from keyring.backend import KeyringBackend
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult
from pydantic import SecretStr

from telnyx_mcp.cli.main import main
from telnyx_mcp.clients.catalog import CLIENTS
from telnyx_mcp.clients.entry import own_command
from telnyx_mcp.clients.installed import Installed
from telnyx_mcp.config.addresses import foreign_address
from telnyx_mcp.config.keys import store_key
from telnyx_mcp.config.profiles import ConfiguredAccounts
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.doctor.checks import run_checks
from telnyx_mcp.doctor.client_checks import check_entry
from telnyx_mcp.doctor.context import Finding, Level
from telnyx_mcp.doctor.operations import CHANGING_OPERATIONS, OPERATIONS, OPTIONAL_OPERATIONS
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.sandbox.control import NO_PERMISSIONS_KEY
from telnyx_mcp.server.build import build_server
from telnyx_mcp.telnyx import operations
from tests.support.client import connected
from tests.support.clock import NOW
from tests.support.ports import free_port
from tests.support.scripted_telnyx import KEY, Scripted, answer

Findings = list[Finding]


@pytest.fixture(autouse=True)
def _no_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed where these tests run has no part in them."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


async def found(settings: Settings, **others: Settings) -> Findings:
    return [each async for each in run_checks(settings, others, now=lambda: NOW)]


def of(findings: Findings, check: str) -> Findings:
    return [each for each in findings if each.check == check]


def failed(findings: Findings) -> list[str]:
    return [each.check for each in findings if each.level is Level.FAILED]


async def test_a_healthy_account_has_nothing_wrong_and_nothing_is_changed(
    settings: Settings, sandbox: Sandbox
) -> None:
    before = sandbox.balance
    findings = await found(settings)
    assert failed(findings) == []
    assert of(findings, "key")[0].found == "accepted"
    assert {each.method for each in sandbox.requests} == {"GET"}
    assert sandbox.balance == before


async def test_every_operation_is_tried_but_those_that_change_something(
    settings: Settings, sandbox: Sandbox
) -> None:
    findings = of(await found(settings), "operation")
    asked = {each.operation for each in sandbox.requests}
    every = [each for each in vars(operations).values() if isinstance(each, operations.Operation)]
    assert asked == {each.id for each in every if each.method == "GET"}
    well, changing = findings
    assert (well.level, changing.level) == (Level.OK, Level.NOTE)
    assert all(name in well.found for name, _, _ in (*OPERATIONS, *OPTIONAL_OPERATIONS))
    assert well.found.endswith(": may be used")
    assert all(name in changing.found for name in CHANGING_OPERATIONS)
    assert "not tried, as each would change something" in changing.found


async def test_an_account_without_invoices_has_none_to_try(
    settings: Settings, scripted: Scripted
) -> None:
    scripted.will_answer({"data": [], "meta": {"total_pages": 0}})
    patient = settings.model_copy(update={"base_url": scripted.base_url})
    findings = of(await found(patient), "operation")
    assert [each.found for each in findings if "the account has none" in each.found] == [
        "one invoice, one delivery, usage reports, cost of a session: not tried, as the account has none"
    ]


async def test_without_a_key_it_says_how_to_get_one_and_asks_nothing(
    settings: Settings, sandbox: Sandbox
) -> None:
    findings = await found(settings.model_copy(update={"api_key": None}))
    assert failed(findings) == ["key"]
    assert "install" in of(findings, "key")[0].do
    assert sandbox.requests == []


async def test_a_refused_key_is_distinguished_from_a_failing_network(
    settings: Settings,
) -> None:
    findings = await found(settings.model_copy(update={"api_key": SecretStr("KEYwrong")}))
    assert failed(findings) == ["key"]
    assert of(findings, "network")[0].level is Level.OK
    assert "mistyped, deleted or expired" in of(findings, "key")[0].do
    assert of(findings, "operation") == []


async def test_a_key_without_permissions_is_accepted_and_each_operation_says_so(
    settings: Settings,
) -> None:
    key = SecretStr(NO_PERMISSIONS_KEY)
    findings = await found(settings.model_copy(update={"api_key": key}))
    refused = [each for each in of(findings, "operation") if each.level is Level.FAILED]
    assert len(refused) == len(OPERATIONS)
    assert all(each.do.startswith("Check the permissions of the key") for each in refused)
    assert "key" not in failed(findings)


async def test_one_operation_that_is_not_allowed_is_named(
    settings: Settings, sandbox: Sandbox
) -> None:
    sandbox.fault("list_invoices", "status", status=403, times=None)
    findings = await found(settings)
    named = [each.found for each in of(findings, "operation") if each.level is Level.FAILED]
    assert [each.partition(":")[0] for each in named] == ["invoices", "one invoice"]


async def test_an_address_where_nothing_listens_is_a_failure_of_the_network(
    settings: Settings,
) -> None:
    findings = await found(settings.model_copy(update={"base_url": "http://127.0.0.1:9/v2"}))
    assert failed(findings) == ["network"]
    assert of(findings, "key") == []
    assert "firewall" in of(findings, "network")[0].do


async def test_an_invalid_certificate_is_reported(settings: Settings, scripted: Scripted) -> None:
    address = scripted.base_url.replace("http://", "https://")
    findings = await found(settings.model_copy(update={"base_url": address}))
    assert failed(findings) == ["network"]
    assert "WRONG_VERSION_NUMBER" in of(findings, "network")[0].found
    assert "SSL_CERT_FILE" in of(findings, "network")[0].do


@pytest.mark.parametrize(
    ("apart", "level", "words"),
    [
        (timedelta(seconds=60), Level.OK, "agrees"),
        (timedelta(seconds=-60), Level.OK, "agrees"),
        (timedelta(minutes=10), Level.FAILED, "600 s behind"),
        (timedelta(minutes=-10), Level.FAILED, "600 s ahead of"),
    ],
)
async def test_a_clock_that_differs_is_found(
    settings: Settings, scripted: Scripted, apart: timedelta, level: Level, words: str
) -> None:
    date = format_datetime(NOW + apart, usegmt=True)
    scripted.will(
        answer(200, {"data": {"balance": "1.00", "currency": "USD"}}, headers={"date": date})
    )
    patient = settings.model_copy(update={"base_url": scripted.base_url})
    findings = [each async for each in run_checks(patient, now=lambda: NOW)]
    (clock,) = of(findings, "clock")
    assert (clock.level, words in clock.found) == (level, True)


async def test_an_answer_without_a_time_leaves_the_clock_open(
    settings: Settings, scripted: Scripted
) -> None:
    scripted.will_answer({"data": {"balance": "1.00"}})
    findings = await found(settings.model_copy(update={"base_url": scripted.base_url}))
    assert of(findings, "clock")[0].level is Level.NOTE


async def test_a_record_that_can_not_be_kept_is_reported(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "is-a-folder"
    folder.mkdir()
    url = SecretStr(f"sqlite:///{folder}")
    findings = await found(settings.model_copy(update={"state_url": url}))
    assert "ledger" in failed(findings)


async def type_it(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    return ElicitResult(action="accept", content={"amount": "12.00"})


async def test_a_payment_of_unknown_outcome_is_reported_with_the_command_to_run(
    settings: Settings, sandbox: Sandbox
) -> None:
    sandbox.fault("create_stored_payment_transaction", "status", status=500)
    server = build_server(settings)
    async with connected(server, elicitation=type_it) as client:
        paid = await client.call_tool(
            "telnyx_create_stored_payment_transaction", {"amount": "12.00"}
        )
    assert paid.structured_content
    change = paid.structured_content["change_id"]
    (unknown,) = [
        each for each in of(await found(settings), "ledger") if each.level is Level.FAILED
    ]
    assert f"resolve {change}" in unknown.do
    assert "no other payment is made" in unknown.found


async def test_no_password_of_the_record_is_shown(settings: Settings) -> None:
    url = SecretStr("postgresql+psycopg://user:hunter2@127.0.0.1:9/db")
    findings = await found(settings.model_copy(update={"state_url": url}))
    assert "hunter2" not in repr(findings)


@pytest.mark.parametrize(
    ("screen", "approval", "levels"),
    [
        (":0", "auto", {"elicitation": "note", "browser": "ok", "terminal": "ok"}),
        ("", "auto", {"elicitation": "note", "browser": "note", "terminal": "ok"}),
        (":0", "elicitation", {"elicitation": "note"}),
        ("", "browser", {"browser": "failed"}),
        ("", "terminal", {"terminal": "ok"}),
    ],
)
async def test_the_channels_are_reported_as_they_are_here(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    screen: str,
    approval: str,
    levels: dict[str, str],
) -> None:
    if screen:
        monkeypatch.setenv("DISPLAY", screen)
    findings = await found(settings.model_copy(update={"approval": approval}))
    told = {each.found.partition(":")[0]: str(each.level) for each in of(findings, "approval")}
    assert told == levels


async def test_a_read_only_server_needs_nobody_asked(settings: Settings) -> None:
    findings = await found(settings.model_copy(update={"read_only": True}))
    assert of(findings, "approval") == []
    assert any(each.found.startswith("read-only") for each in of(findings, "settings"))


async def test_a_standing_budget_is_pointed_out(settings: Settings) -> None:
    budget = {"standing_budget_per_payment": 10, "standing_budget_per_day": 20}
    findings = of(await found(settings.model_copy(update=budget)), "approval")
    assert "without asking" in findings[-1].found


async def test_a_missing_folder_for_exports_is_reported(settings: Settings, tmp_path: Path) -> None:
    there = await found(settings.model_copy(update={"export_dir": tmp_path}))
    gone = await found(settings.model_copy(update={"export_dir": tmp_path / "gone"}))
    assert [of(each, "exports")[0].level for each in (there, gone)] == [Level.OK, Level.FAILED]


# --- what is set and should not be ---------------------------------------------------------------


async def test_doctor_names_what_is_misspelt_and_fails_for_a_safety_setting_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_MCP_READONLY", "secret-value")
    monkeypatch.setenv("TELNYX_MCP_TIMEZON", "secret-value")
    findings = of(await found(settings), "settings")
    named = {
        each.found.split()[3]: each.level for each in findings if "not a setting" in each.found
    }
    assert named == {"TELNYX_MCP_READONLY,": Level.FAILED, "TELNYX_MCP_TIMEZON,": Level.NOTE}
    assert "secret-value" not in repr(findings)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.telnyx.com.example.com/v2",
        "https://api.telnyx.co/v2",
        "https://xapi.telnyx.com/v2",
        "https://api.telnyx.dev/v2",
        "https://api.telnyx.com:8443/v2",
        "https://api.telnyx.com./v2",
        "https://example.com/api.telnyx.com/v2",
        "https://api-telnyx.com/v2",
        "http://127.0.0.1:9/v2",
        "http://localhost/v2",
        "https://[::1]/v2",
    ],
)
async def test_any_other_address_is_foreign_and_named_by_doctor(tmp_path: Path, url: str) -> None:
    state_url = SecretStr(f"sqlite:///{tmp_path}/state.sqlite3")
    asked = Settings(base_url=url, state_url=state_url)
    host = foreign_address(asked.base_url)
    assert host
    (note,) = [
        each for each in of(await found(asked), "settings") if "not an address" in each.found
    ]
    assert note.found.startswith(host)
    assert note.level is Level.NOTE


@pytest.fixture(params=[0o600, 0o666], ids=["private", "open to anyone"])
def file(own: Path, request: pytest.FixtureRequest) -> Path:
    """The profiles file, once as it should be and once not."""
    own.chmod(request.param)
    return own


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
async def test_ignored_values_of_a_profiles_file_and_its_other_writers_are_named(
    settings: Settings, file: Path, request: pytest.FixtureRequest
) -> None:
    accounts = ConfiguredAccounts(settings, {}, file, ["max_payment = 900 is ignored"])
    findings = of([each async for each in run_checks(settings, profiles=accounts)], "settings")
    notes = [each.found for each in findings if each.level is Level.NOTE]
    is_open = "open to anyone" in request.node.name
    assert "max_payment = 900 is ignored" in notes
    assert (f"anyone can change {file}" in notes) == is_open
    assert any("can change" in each for each in notes) == is_open


# --- the other accounts, and where each key is ---------------------------------------------------


async def test_each_other_account_is_tried_with_its_own_key(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_EU", str(settings.api_key and settings.api_key.get_secret_value()))
    monkeypatch.setenv("KEY_US", "KEYwrong")
    other = settings.model_copy(update={"api_key": None, "read_only": True})

    def profile(name: str, key_from: str) -> Settings:
        return other.model_copy(update={"profile": name, "key_from": key_from})

    findings = await found(
        settings.model_copy(update={"profile": "main"}),
        eu=profile("eu", "env:KEY_EU"),
        us=profile("us", "env:KEY_US"),
        asia=profile("asia", "env:NOPE"),
        old=profile("old", "env:KEY_EU").model_copy(update={"base_url": "http://127.0.0.1:9/v2"}),
    )
    assert of(findings, "settings")[0].found.startswith("account: profile main")
    eu, us, asia, old = of(findings, "account")
    assert (eu.level, eu.found) == (Level.OK, "eu: can be read")
    assert [each.level for each in (us, asia, old)] == [Level.FAILED] * 3
    assert us.do.startswith("Check the key in KEY_US: mistyped")
    assert asia.do.startswith("Set NOPE")
    assert "firewall" in old.do


@pytest.mark.parametrize(
    ("key_from", "missing", "wrong"),
    [
        ("auto", "set TELNYX_API_KEY", "the keyring"),
        ("keyring", "telnyx-account-mcp key set --base-url http://127.0.0.1:", "the keyring"),
        ("env:KM", "Set KM", "KM"),
    ],
)
async def test_the_advice_on_a_key_is_about_where_this_one_is_looked_for(
    settings: Settings,
    keyring: KeyringBackend,
    monkeypatch: pytest.MonkeyPatch,
    key_from: str,
    missing: str,
    wrong: str,
) -> None:
    profile = {"profile": "eu", "key_from": key_from, "api_key": None}
    patient = settings.model_copy(update=profile)
    (key,) = of(await found(patient), "key")
    assert key.level is Level.FAILED
    assert missing in key.do
    monkeypatch.setenv("KM", "KEYwrong")
    store_key("eu", SecretStr("KEYwrong"), patient.base_url)
    (key,) = of(await found(patient), "key")
    assert key.do.startswith(f"Check the key in {wrong}: mistyped")


# --- the clients ---------------------------------------------------------------------------------


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command of ours, in the one folder that PATH names."""
    command = tmp_path / "bin" / "telnyx-account-mcp"
    command.parent.mkdir()
    command.symlink_to(own_command()[0])
    monkeypatch.setenv("PATH", str(command.parent))
    return command


def sandbox_variables(settings: Settings) -> dict[str, str]:
    """What an entry sets, so that its server reads this sandbox account."""
    assert settings.api_key
    assert settings.state_url
    return {
        "TELNYX_API_KEY": settings.api_key.get_secret_value(),
        "TELNYX_BASE_URL": settings.base_url,
        "TELNYX_MCP_STATE_URL": settings.state_url.get_secret_value(),
    }


async def clients_of(settings: Settings, home: Path, name: str, entry: object) -> Findings:
    """What is found where Cursor's file has this entry."""
    file = home / ".cursor" / "mcp.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"mcpServers": {name: entry, "other": {}}}), "utf-8")
    return of(await found(settings), "client")


@pytest.mark.parametrize("name", ["telnyx-account", "money"])
@pytest.mark.parametrize(
    "entry",
    [
        {"command": "telnyx-account-mcp"},
        {"command": "{path}", "args": ["serve", "--read-only"]},
        {"command": sys.executable, "args": ["-m", "telnyx_mcp", "serve"]},
    ],
)
async def test_a_client_that_would_start_it_is_found_by_what_it_starts(
    settings: Settings, tmp_path: Path, on_path: Path, name: str, entry: dict[str, Any]
) -> None:
    entry = entry | {"command": entry["command"].format(path=on_path)}
    entry["env"] = sandbox_variables(settings)
    (client,) = await clients_of(settings, tmp_path, name, entry)
    assert client.level is Level.OK
    found = rf"Cursor has it as {name}: it starts, \d\d tools; it reads the balance"
    assert re.fullmatch(found, client.found)


@pytest.mark.parametrize(
    "entry", [{"command": "rm"}, {"command": None}, {}, "text", {"command": "a", "args": 1}]
)
async def test_an_entry_that_starts_another_program_is_not_taken_for_this_server(
    settings: Settings, tmp_path: Path, entry: object
) -> None:
    (client,) = await clients_of(settings, tmp_path, "telnyx-account", entry)
    assert client.level is Level.NOTE
    assert client.found == "no assistant's configuration starts this server"


@pytest.mark.parametrize(
    ("name", "args", "do"),
    [
        ("telnyx-account", [], "install cursor"),
        ("telnyx-eu", ["serve", "--profile", "eu"], "install cursor --profile eu"),
        ("money", ["--profile", "eu"], "install cursor --name money --profile eu"),
    ],
)
@pytest.mark.parametrize(
    ("command", "level", "words"),
    [
        ("/gone/telnyx-account-mcp", Level.FAILED, "which does not exist"),
        ("telnyx-account-mcp", Level.NOTE, "not on the PATH here"),
    ],
)
async def test_a_missing_command_is_reported_with_how_to_fix_it(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    level: Level,
    words: str,
    name: str,
    args: list[str],
    do: str,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    entry = {"command": command, "args": args}
    (client,) = await clients_of(settings, tmp_path, name, entry)
    assert (client.level, client.do) == (level, f"Run: telnyx-account-mcp {do}")
    assert words in client.found


@pytest.mark.parametrize(
    ("command", "args", "words"),
    [
        (
            sys.executable,
            ["-c", "exit('the disk is full')", "-m", "telnyx_mcp"],
            "the disk is full",
        ),
        (sys.executable, ["-c", "print('no protocol')", "-m", "telnyx_mcp"], "without an answer"),
        ("/bin/true", ["telnyx-account-mcp"], "without an answer"),
    ],
)
async def test_a_server_that_does_not_start_in_a_client_is_reported_with_its_own_words(
    settings: Settings, tmp_path: Path, command: str, args: list[str], words: str
) -> None:
    entry = {"command": command, "args": args}
    (client,) = await clients_of(settings, tmp_path, "telnyx-account", entry)
    assert client.level is Level.FAILED
    assert words in client.found
    assert client.do.startswith("Run: telnyx-account-mcp install cursor")


async def test_an_entry_is_tried_with_what_its_client_passes_on_and_no_more(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cursor passes on few variables, Claude Code all: there the wrong one reaches the server."""
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    env = sandbox_variables(settings)
    entry = {"command": sys.executable, "args": ["-m", "telnyx_mcp"], "env": env}
    (client,) = await clients_of(settings, tmp_path, "telnyx-account", entry)
    assert client.level is Level.OK
    (tmp_path / ".claude.json").write_text(json.dumps({"mcpServers": {"telnyx-account": entry}}))
    claude, cursor = of(await found(settings), "client")
    assert (claude.level, cursor.level) == (Level.FAILED, Level.OK)


async def test_a_server_that_lacks_the_proxy_of_this_terminal_is_reported_with_the_option(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address answers nobody, as Telnyx does behind a company's proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))
    address = f"http://127.0.0.1:{free_port()}/v2"
    env = sandbox_variables(settings) | {"TELNYX_BASE_URL": address}
    entry = {"command": sys.executable, "args": ["-m", "telnyx_mcp"], "env": env}
    finding = await check_entry(
        Installed(CLIENTS["codex"], "telnyx-account", entry, tmp_path), dict(os.environ)
    )
    assert finding.level is Level.FAILED
    assert "it can't read the balance" in finding.found
    assert "secret" not in finding.found
    assert finding.do == (
        "Run: telnyx-account-mcp install codex --env HTTPS_PROXY --env SSL_CERT_FILE"
    )


async def test_a_server_without_a_key_is_reported(settings: Settings, tmp_path: Path) -> None:
    entry = {"command": sys.executable, "args": ["-m", "telnyx_mcp"]}
    (client,) = await clients_of(settings, tmp_path, "telnyx-account", entry)
    assert client.level is Level.FAILED
    assert "There is no API key" in client.found
    assert client.do == "Run: telnyx-account-mcp install cursor"


async def test_a_server_without_the_tool_for_the_balance_is_only_started(
    settings: Settings, tmp_path: Path
) -> None:
    entry = {"command": sys.executable, "args": ["-m", "telnyx_mcp", "serve", "--tools", "numbers"]}
    (client,) = await clients_of(settings, tmp_path, "telnyx-account", entry)
    assert client.level is Level.OK
    assert client.found.endswith(" tools")


@pytest.mark.parametrize("content", [b"{ broken", b"\xff\xfe"])
async def test_a_clients_file_that_can_not_be_read_is_reported(
    settings: Settings, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / ".gemini" / "settings.json"
    file.parent.mkdir()
    file.write_bytes(content)
    (client,) = of(await found(settings), "client")
    assert client.level is Level.FAILED
    assert client.found.startswith(f"Gemini CLI's {file} can't be parsed")


# --- the command ---------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(["doctor", *arguments])
    shown = capsys.readouterr()
    return status, shown.out + shown.err


def test_its_exit_status_and_its_json_say_whether_all_is_well(
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TELNYX_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("TELNYX_MCP_STATE_URL", f"sqlite:///{tmp_path}/state.sqlite3")
    monkeypatch.setenv("TELNYX_API_KEY", sandbox.key)
    status, shown = run(capsys, "--json")
    told: dict[str, Any] = json.loads(shown)
    assert (status, told["ok"]) == (0, True)
    assert {"check", "level", "found", "do"} == told["checks"][0].keys()
    status, shown = run(capsys)
    assert (status, "All checks passed." in shown) == (0, True)

    monkeypatch.setenv("TELNYX_API_KEY", KEY)
    status, shown = run(capsys, "--json")
    assert (status, json.loads(shown)["ok"]) == (1, False)
    status, shown = run(capsys)
    assert (status, "checks failed." in shown) == (1, True)
    assert KEY not in shown


def test_it_can_be_tried_on_a_sandbox_which_has_no_other_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profiles = tmp_path / "profiles.toml"
    profiles.write_text('default = "main"\n[profiles.main]\n[profiles.eu]\n', "utf-8")
    monkeypatch.setenv("TELNYX_MCP_PROFILES", str(profiles))
    status, shown = run(capsys, "--sandbox")
    assert status == 0
    assert "a sandbox account" in shown
    assert "eu:" not in shown


async def test_a_closed_pace_is_shown_and_what_the_text_says_to_type_opens_it(
    scripted: Scripted,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = answer(200, {"data": {"balance": "300.00"}})
    scripted.will(answer(429, b"slow down", {"retry-after": "86400"}), good)
    closed = settings.model_copy(update={"base_url": scripted.base_url})
    findings = await found(closed)
    (network,) = of(findings, "network")
    assert "answers" in network.found, "the first request came through to the proxy"
    (_, pace) = of(findings, "pace")
    assert pace.level is Level.NOTE
    assert pace.found.startswith("/balance is closed until ")
    assert "something in front of Telnyx (a proxy or gateway) answered 429" in pace.found

    asked = len(scripted.requests)
    (network,) = of(await found(closed), "network")
    assert network.found.startswith("not tried: ")
    assert "/balance" not in {each.target for each in scripted.requests[asked:]}

    program, *words = pace.do.removeprefix("To open it now: ").split()
    assert program == "telnyx-account-mcp"
    key, state = closed.api_key, closed.state_url
    assert key
    assert state
    monkeypatch.setenv("TELNYX_API_KEY", key.get_secret_value())
    monkeypatch.setenv("TELNYX_BASE_URL", closed.base_url)
    monkeypatch.setenv("TELNYX_MCP_STATE_URL", state.get_secret_value())
    await to_thread.run_sync(main, words)
    shown = capsys.readouterr().out
    assert "opened again for all copies: /balance" in shown
    assert "is closed until" not in shown
    assert of(await found(closed), "network")[0].found.startswith(scripted.base_url)


# --- proxies and certificates --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, "no proxy is used: neither HTTPS_PROXY nor ALL_PROXY is set"),
        (
            {"HTTPS_PROXY": "http://user:Swordfish@127.0.0.1:9"},
            "the proxy 127.0.0.1:9 named by HTTPS_PROXY (http, with a user and password)",
        ),
        ({"all_proxy": "socks5://[::1]:9"}, "the proxy [::1]:9 named by all_proxy (socks5)"),
        (
            {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ".invalid"},
            "no proxy is used: NO_PROXY exempts it from the proxy of HTTPS_PROXY",
        ),
    ],
)
async def test_the_proxy_in_use_is_named_without_its_password(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], proxy: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    findings = await found(settings.model_copy(update={"base_url": "https://telnyx.invalid/v2"}))
    assert [each.found for each in of(findings, "proxy")] == [proxy]
    assert "Swordfish" not in str(findings)


@pytest.mark.parametrize(
    ("variable", "value", "check"),
    [
        ("HTTPS_PROXY", "ftp://user:Swordfish@127.0.0.1:9", "proxy"),
        ("ALL_PROXY", "socks5://user:Swordfish@:9", "proxy"),
        ("SSL_CERT_FILE", "/missing/ca.pem", "tls"),
        ("SSL_CERT_DIR", "/missing", "tls"),
    ],
)
async def test_a_variable_that_no_connection_can_be_made_with_is_a_failure(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    check: str,
) -> None:
    monkeypatch.setenv(variable, value)
    unkeyed = {"base_url": "https://telnyx.invalid/v2", "api_key": None}
    findings = await found(settings.model_copy(update=unkeyed))
    (finding,) = of(findings, check)
    assert finding.level is Level.FAILED
    assert variable in finding.found
    assert "Swordfish" not in str(findings)


async def test_the_certificates_in_use_are_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    findings = await found(settings.model_copy(update={"base_url": "https://telnyx.invalid/v2"}))
    assert f"SSL_CERT_FILE ({tmp_path / 'ca.pem'})" in of(findings, "tls")[0].found
