"""How every command ends, as its help says: 0 done, 1 not done, 2 wrongly called, 130 interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.cli.main import COMMANDS, STATUSES, command, main, parse
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.sandbox import Sandbox
from tests.support.command import Run

PAY = ("call", "telnyx_create_stored_payment_transaction", "amount=20")
NO_STORE = {"TELNYX_MCP_STATE_URL": "sqlite:////proc/nowhere/state.sqlite3"}
NO_KEY = {"TELNYX_API_KEY": ""}
NO_ZONE = {"TELNYX_MCP_TIMEZONE": "Nowhere/City"}

ENDINGS: dict[int, list[tuple[tuple[str, ...], dict[str, str]]]] = {
    0: [
        (("call", "telnyx_get_balance"), {}),
        (("call", "telnyx_get_balance", "--json"), {}),
        (("call",), {}),
        (("ledger",), {}),
        (("ledger", "--json"), {}),
        (("ledger", "accept"), {}),
        (("uninstall", "cursor", "--yes"), {}),
        (("install", "cursor", "--print"), {}),
        (("doctor",), {}),
        (("doctor", "--json"), {}),
        (("export", "detail-records", "--type", "fax", "--period", "2026-05", "--to", "f.csv"), {}),
    ],
    1: [
        (("call", "telnyx_get_balance"), NO_KEY),
        (("call", "telnyx_get_invoice", "invoice_id=none"), {}),
        (("call", "telnyx_no_such_tool"), {}),
        (PAY, {}),  # nobody is there to approve it
        (("doctor",), NO_KEY),
        (("doctor",), NO_ZONE),
        (("doctor", "--profile", "none"), {}),
        (("ledger", "none"), {}),
        (("ledger", "link"), {}),
        (("ledger",), NO_KEY),
        (("ledger",), NO_STORE),
        (("resolve", "none"), {}),
        (("resolve", "none"), NO_STORE),
        (("install", "cursor"), {}),  # nobody is there to agree
        (("key", "set"), {}),
        (("key", "set", "--from-env", "UNSET_VARIABLE"), {}),
    ],
    2: [
        (("approve",), {}),  # not at a terminal
        (("no-such-command",), {}),
        (("call", "telnyx_get_balance", "no-equals-sign"), {}),
        (("call", "--tools", "no-such-group"), {}),
        (("call", "telnyx_get_balance"), NO_ZONE),
        (("serve", "--http", "nonsense"), {}),
        (("serve", "--http", "0.0.0.0:8000"), {}),
        (("serve", "--no-token"), {}),
        (("service", "--config", "none.toml"), {}),
        (("service", "health", "--config", "none.toml"), {}),
        (("ledger", "--limit", "0"), {}),
        (("ledger", "--state", "settled"), {}),
        (("ledger",), NO_ZONE),
        (("resolve",), {}),
        (("resolve", "none", "--paid", "--not-paid"), {}),
        (("install", "no-such-client"), {}),
        (("install", "cursor", "--env", "NO_SUCH=1", "--yes"), {}),
        (("install", "cursor", "--name", "not a name", "--yes"), {}),
        (("uninstall",), {}),
        (("key", "show"), {}),
        (("key", "remove", "--from-env", "KEY"), {}),
        (("sandbox", "--host", "0.0.0.0"), {}),
        (("sandbox", "--today", "tomorrow"), {}),
        (("sandbox", "--port", "many"), {}),
        (("demo", "--fast"), {}),
        (("report", "--month", "2026-05"), {}),
        (("export", "detail-records", "--type", "fax"), {}),
        (("export", "detail-records", "--type", "fax", "--period", "x", "--to", "f.csv"), {}),
    ],
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `install` finds the client's files, and `export` writes to."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("status", "arguments", "variables"),
    [
        pytest.param(status, *each, id=f"{status} {' '.join(each[0])} {''.join(each[1])}")
        for status, endings in ENDINGS.items()
        for each in endings
    ],
)
def test_a_command_ends_with_the_status_that_its_help_names(
    run: Run, status: int, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    done = run(*arguments, **variables)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert status == 0 or done.stdout + done.stderr, "the text says why"


def test_every_command_is_in_the_table() -> None:
    tried = {arguments[0] for endings in ENDINGS.values() for arguments, _ in endings}
    assert COMMANDS.keys() <= tried


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_names_the_statuses(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    assert STATUSES in " ".join(capsys.readouterr().out.split())


def test_ctrl_c_at_a_question_ends_with_130(sandbox: Sandbox, run: Run, tmp_path: Path) -> None:
    def interrupt(_prompt: str) -> str:
        raise KeyboardInterrupt

    terminal = Terminal(read=interrupt, has_input=lambda: True, has_output=lambda: True)
    assert main(["install", "cursor", "--yes"], terminal=_secret(terminal, interrupt)) == 130


def _secret(terminal: Terminal, read: object) -> Terminal:
    from dataclasses import replace

    return replace(terminal, read_secret=read)  # type: ignore[arg-type]


def test_without_a_command_it_serves() -> None:
    assert parse([])[0] == "serve"
    assert parse(["--read-only"])[0] == "serve"


def test_an_error_of_a_command_carries_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError) as error:
        command("key").run(parse(["key", "remove", "--from-env", "X"])[1], Terminal())
    assert error.value.exit_code == 2
