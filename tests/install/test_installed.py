"""Commands at the terminal find the account and the ledger of the server that is installed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.cli.installed_account import as_installed, choose
from telnyx_mcp.clients.catalog import CLIENTS
from telnyx_mcp.clients.client import Host
from telnyx_mcp.clients.entry import own_command
from telnyx_mcp.clients.installed import Installed
from telnyx_mcp.sandbox import Sandbox
from tests.support.command import Run
from tests.support.desk import Desk
from tests.support.scripted_telnyx import KEY

OURS = {"command": "telnyx-account-mcp", "args": []}


def installed(client: str, env: Mapping[str, str], **fields: Any) -> Installed:
    row = CLIENTS[client]
    return Installed(row, "telnyx-account", {**OURS, row.env_field: env, **fields}, Path("file"))


@pytest.mark.parametrize(
    ("client", "value", "seen"),
    [
        ("cursor", "plain", "plain"),
        ("claude-code", "${TELNYX_API_KEY}", "here"),
        ("claude-code", "${OTHER:-otherwise}", "otherwise"),
        ("cursor", "${env:TELNYX_API_KEY}", "here"),
        ("gemini", "$TELNYX_API_KEY", "here"),
        ("opencode", "{env:TELNYX_API_KEY}", "here"),
        ("kiro", "${OTHER}", None),
        ("vscode", "${input:telnyx_api_key}", None),
    ],
)
def test_references_are_filled_in_as_the_client_does(
    client: str, value: str, seen: str | None
) -> None:
    entry = installed(client, {"TELNYX_API_KEY": value})
    assert entry.variables({"TELNYX_API_KEY": "here"}).get("TELNYX_API_KEY") == seen


def test_variables_that_codex_passes_on_by_name_are_passed_on() -> None:
    entry = installed("codex", {}, env_vars=["TELNYX_API_KEY", "GONE"])
    here = {"TELNYX_API_KEY": "here", "HTTPS_PROXY": "p", "HOME": "h", "PATH": "p"}
    assert entry.environment(here) == {"TELNYX_API_KEY": "here", "HOME": "h", "PATH": "p"}


def test_settings_and_directories_of_the_terminal_do_not_reach_a_server_of_few_variables() -> None:
    here = {"XDG_STATE_HOME": "/mine", "TELNYX_MCP_STATE_URL": "x", "HTTPS_PROXY": "p", "LANG": "C"}
    few = installed("cursor", {"TELNYX_API_KEY": KEY}).settings(here)
    assert few == {"HTTPS_PROXY": "p", "LANG": "C", "TELNYX_API_KEY": KEY}
    everything = installed("claude-code", {"TELNYX_API_KEY": KEY}).settings(here)
    assert everything == here | {"TELNYX_API_KEY": KEY}


def test_a_key_that_the_client_asks_for_is_taken_from_the_terminal() -> None:
    entry = installed("vscode", {"TELNYX_API_KEY": "${input:telnyx_api_key}"})
    assert entry.asks_for_key
    assert entry.settings({"TELNYX_API_KEY": KEY}) == {"TELNYX_API_KEY": KEY}


# --- which one -----------------------------------------------------------------------------------


def test_the_only_server_is_found_and_several_that_agree_are_one(desk: Desk) -> None:
    assert choose(None, None, desk.host) is None
    desk.keys.append(KEY)
    desk.install("cursor", yes=True)
    desk.install("zed", yes=True, env=["HTTPS_PROXY=http://proxy:3128"])
    found = choose(None, None, desk.host)
    assert found
    assert found.client.name == "cursor"
    desk.keys.append("KEYanother")
    desk.install("windsurf", yes=True)
    assert choose(None, None, desk.host) is None
    named = choose("windsurf", None, desk.host)
    assert named
    assert named.variables({}) == {"TELNYX_API_KEY": "KEYanother"}


@pytest.mark.parametrize("variable", ["TELNYX_API_KEY", "TELNYX_MCP_PROFILE", "TELNYX_BASE_URL"])
def test_a_terminal_with_settings_of_its_own_keeps_them_unless_a_client_is_named(
    desk: Desk, variable: str
) -> None:
    desk.install("cursor", yes=True)
    desk.environment = {variable: "x"}
    assert choose(None, None, desk.host) is None
    assert choose("cursor", None, desk.host) is not None


@pytest.mark.usefixtures("profiles")
def test_the_profile_and_the_name_choose_among_several(desk: Desk) -> None:
    desk.install("cursor", profile="us", yes=True)
    desk.install("cursor", profile="asia", yes=True)
    with pytest.raises(
        CommandError, match="--client cursor/telnyx-us, --client cursor/telnyx-asia"
    ):
        choose("cursor", None, desk.host)
    for client, profile in (("cursor", "us"), ("cursor/telnyx-us", None), (None, "us")):
        found = choose(client, profile, desk.host)
        assert found
        assert found.profile == "us"


@pytest.mark.parametrize(
    ("client", "why"),
    [
        ("zed", "Zed does not have this server. To add it: telnyx-account-mcp install zed"),
        ("cursor/other", "does not have the server other"),
        ("emacs", "no client 'emacs'"),
        ("jetbrains", "no client 'jetbrains' whose file can be read"),
    ],
)
def test_a_client_that_does_not_have_it_is_reported(desk: Desk, client: str, why: str) -> None:
    desk.install("cursor", yes=True)
    with pytest.raises(CommandError, match=r"client|have") as refused:
        choose(client, None, desk.host)
    assert why in str(refused.value)


def test_the_environment_is_as_before_afterwards(desk: Desk) -> None:
    desk.install("cursor", yes=True)
    before = dict(os.environ)
    options = argparse.Namespace(client="cursor", profile=None)
    with as_installed(options, desk.terminal(), desk.host):
        assert os.environ["TELNYX_API_KEY"] == KEY
        assert "TELNYX_MCP_PROFILES" not in os.environ  # Cursor does not pass it on
    assert dict(os.environ) == before


# --- the commands --------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a person whose Claude Desktop has the server, with its own ledger and key."""
    for name in ("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA", "TELNYX_MCP_PROFILES"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    env = {
        "TELNYX_API_KEY": sandbox.key,
        "TELNYX_BASE_URL": sandbox.base_url,
        "TELNYX_MCP_STATE_URL": f"sqlite:///{tmp_path}/state.sqlite3",
    }
    file = CLIENTS["claude-desktop"].file(Host(home=tmp_path))
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"mcpServers": {"telnyx-account": {**OURS, "env": env}}}), "utf-8")
    return tmp_path


@pytest.mark.parametrize("named", [(), ("--client", "claude-desktop")])
def test_the_ledger_of_the_installed_server_is_shown(
    run: Run, home: Path, ledger: Ledger, named: tuple[str, ...]
) -> None:
    """`ledger` is the same store, opened as the server would."""
    done = run("ledger", "--json", *named)
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert ("Claude Desktop's entry telnyx-account" in done.stderr) == (not named)
    assert run("ledger", "nothing", *named).returncode == 1


def test_an_account_of_the_terminal_is_used_before_the_installed_one(
    run: Run, home: Path, tmp_path: Path
) -> None:
    other = f"sqlite:///{tmp_path}/other.sqlite3"
    done = run("ledger", "--json", TELNYX_API_KEY=KEY, TELNYX_MCP_STATE_URL=other)
    assert done.stderr == ""
    assert (tmp_path / "other.sqlite3").exists()


def test_doctor_checks_the_account_of_the_installed_server(run: Run, home: Path) -> None:
    done = run("doctor", "--json")
    checks = json.loads(done.stdout)["checks"]
    assert {"check": "key", "level": "ok", "found": "accepted", "do": ""} in checks


def test_doctor_ends_well_where_the_client_keeps_the_key(
    run: Run, home: Path, tmp_path: Path
) -> None:
    CLIENTS["claude-desktop"].file(Host(home=tmp_path)).unlink()
    file = CLIENTS["vscode"].file(Host(home=tmp_path))
    file.parent.mkdir(parents=True)
    entry = {"command": own_command()[0], "env": {"TELNYX_API_KEY": "${input:telnyx_api_key}"}}
    file.write_text(json.dumps({"servers": {"telnyx-account": entry}}), "utf-8")
    done = run("doctor")
    assert done.returncode == 0
    assert "not tried: VS Code asks for it and keeps it" in done.stdout
    assert "the client asks for the key" in done.stdout


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home and without a name, as in some containers."""

    def no_such_user(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_such_user)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pwd")
@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_commands_say_so_and_the_environment_still_works(
    run: Run, tmp_path: Path
) -> None:
    for command in ("install", "uninstall"):
        done = run(command, "cursor", "--yes", TELNYX_API_KEY=KEY)
        assert (done.returncode, done.stdout) == (1, "")
        assert "no home directory. Set HOME" in done.stderr
    state = f"sqlite:///{tmp_path}/state.sqlite3"
    assert run("ledger", "--json", TELNYX_MCP_STATE_URL=state).stdout == "[]\n"
    named = run("ledger", "--client", "cursor")
    assert named.returncode == 1
    assert "no home directory" in named.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use can't be removed")
def test_a_current_folder_that_is_gone_matters_to_the_file_of_a_project_only(
    desk: Desk, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(desk.home))
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    project = run("install", "claude-code", "--scope", "project", "--yes")
    assert project.returncode == 1
    assert "current folder does not exist any more" in project.stderr
    done = run("install", "windsurf", "--yes", "--offline", TELNYX_API_KEY=KEY)
    assert done.returncode == 0
