"""A client's own command adds the server, where it has one and no secret would stand on a command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend

from telnyx_mcp.clients.catalog import CLIENTS
from tests.support.desk import Desk
from tests.support.scripted_telnyx import KEY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs here are scripts")

RECORDS = """\
#!{python}
import json, os, sys
with open({log!r}, "a", encoding="utf-8") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
{does}
"""
ADDS = """\
from pathlib import Path
path = Path({file!r})
data = json.loads(path.read_text()) if path.exists() else {{}}
servers = data.setdefault("mcpServers", {{}})
if sys.argv[2] == "remove":
    servers.pop(sys.argv[-1], None)
else:
    assert sys.argv[-2] not in servers
    servers[sys.argv[-2]] = json.loads(sys.argv[-1])
path.write_text(json.dumps(data))
"""


class Program:
    """A program of a client, on the PATH of the desk, that records how it was called."""

    def __init__(self, desk: Desk, name: str, does: str = "") -> None:
        self.log = desk.home.parent / "calls"
        path = desk.home.parent / "bin" / name
        path.parent.mkdir(exist_ok=True)
        text = RECORDS.format(python=sys.executable, log=str(self.log), does=does)
        path.write_text(text, "utf-8")
        path.chmod(0o755)
        desk.environment = {"PATH": str(path.parent)}

    @property
    def calls(self) -> list[list[str]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]


def adds(desk: Desk) -> str:
    desk.home.mkdir(exist_ok=True)
    return ADDS.format(file=str(desk.file("claude-code")))


def test_claude_code_is_asked_to_add_it_and_the_file_is_read_back(
    desk: Desk, keyring: KeyringBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    program = Program(desk, "claude", adds(desk))
    assert desk.install("claude-code") == 0
    [call] = program.calls
    assert call[:5] == ["mcp", "add-json", "-s", "user", "telnyx-account"]
    assert json.loads(call[5]) == desk.entry("claude-code")
    assert "Added by `claude mcp add-json`, and read back from" in capsys.readouterr().err
    desk.answers.append("yes")
    assert desk.install("claude-code", read_only=True) == 0
    assert [each[1] for each in program.calls] == ["add-json", "remove", "add-json"]
    assert desk.entry("claude-code")["args"] == ["serve", "--read-only"]


def test_claude_code_is_asked_to_remove_it(
    desk: Desk, keyring: KeyringBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    program = Program(desk, "claude", adds(desk))
    desk.install("claude-code", yes=True)
    assert desk.uninstall("claude-code", yes=True) == 0
    assert program.calls[-1] == ["mcp", "remove", "-s", "user", "telnyx-account"]
    assert desk.data("claude-code")["mcpServers"] == {}
    assert "by `claude mcp remove`" in capsys.readouterr().err
    assert desk.uninstall("claude-code", yes=True) == 0  # it is not there: nothing is run
    assert len(program.calls) == 2


@pytest.mark.parametrize("client", ["claude", "gemini", "codex"])
def test_a_command_that_does_not_remove_it_is_followed_by_the_edit_of_the_file(
    desk: Desk, client: str
) -> None:
    name = {"claude": "claude-code"}.get(client, client)
    desk.install(name, yes=True)
    program = Program(desk, client)
    assert desk.uninstall(name, yes=True) == 0
    [call] = program.calls
    assert call[:2] == ["mcp", "remove"]
    assert "telnyx" not in desk.file(name).read_text("utf-8")


@pytest.mark.attack(
    "another program reads the command lines of the computer while `install` runs a client's command",
    "no key, token or password of a proxy or a database stands on one: the file is changed instead",
)
def test_a_key_never_stands_on_a_command_line(desk: Desk) -> None:
    program = Program(desk, "claude", adds(desk))
    assert desk.install("claude-code", key="client") == 0
    assert program.calls == []
    assert desk.entry("claude-code")["env"] == {"TELNYX_API_KEY": KEY}


@pytest.mark.parametrize(
    "env",
    [
        ["HTTPS_PROXY=http://user:secret@proxy:3128"],
        ["TELNYX_MCP_STATE_URL=postgresql+psycopg://u:secret@h/d"],
        ["TELNYX_MCP_HTTP_TOKEN=secretsecretsecret"],
    ],
)
def test_no_other_secret_does_either(desk: Desk, keyring: KeyringBackend, env: list[str]) -> None:
    program = Program(desk, "claude", adds(desk))
    assert desk.install("claude-code", env=env) == 0
    assert program.calls == []
    assert desk.entry("claude-code")["env"]["TELNYX_MCP_KEY_FROM"] == "keyring"


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (
            "gemini",
            ["mcp", "add", "-s", "user", "-e", "TELNYX_MCP_KEY_FROM=keyring", "telnyx-account"],
        ),
        ("codex", ["mcp", "add", "telnyx-account", "--env", "TELNYX_MCP_KEY_FROM=keyring", "--"]),
    ],
)
@pytest.mark.parametrize("does", ["", "sys.exit(1)", "print('added')", "os._exit(3)"])
def test_a_command_that_does_not_add_it_is_followed_by_the_edit_of_the_file(
    desk: Desk,
    keyring: KeyringBackend,
    client: str,
    words: list[str],
    does: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = Program(desk, client, does)
    assert desk.install(client) == 0
    [call] = program.calls
    assert call[: len(words)] == words
    assert Path(call[len(words)]).exists()
    assert desk.entry(client)["env"] == {"TELNYX_MCP_KEY_FROM": "keyring"}
    said = capsys.readouterr().err
    assert f"`{client} mcp add` did not add it, so the file was changed" in said


SPOILS = """\
from pathlib import Path
Path({file!r}).write_text('{{"mcpServers": {{}}, "theirs": 1}}')
"""


def test_the_backup_is_of_what_was_there_before_a_command_changed_the_file(
    desk: Desk, keyring: KeyringBackend
) -> None:
    file = desk.file("gemini")
    file.parent.mkdir(parents=True)
    file.write_text('{"mine": 1}', "utf-8")
    Program(desk, "gemini", SPOILS.format(file=str(file)))
    desk.install("gemini", yes=True)
    assert file.with_name("settings.json.telnyx-backup").read_text("utf-8") == '{"mine": 1}'
    assert desk.data("gemini")["theirs"] == 1
    assert "telnyx-account" in desk.data("gemini")["mcpServers"]


def test_what_a_command_can_not_express_goes_into_the_file(
    desk: Desk, keyring: KeyringBackend
) -> None:
    program = Program(desk, "codex")
    file = desk.file("codex")
    file.parent.mkdir(parents=True)
    file.write_text("[mcp_servers.telnyx-account]\nstartup_timeout_sec = 20\n", "utf-8")
    desk.install("codex", yes=True)
    assert program.calls == []
    assert desk.entry("codex")["startup_timeout_sec"] == 20


@pytest.mark.parametrize("options", [{"scope": "project"}, {"print_only": True}])
def test_no_command_is_run_for_a_project_or_to_print(
    desk: Desk, keyring: KeyringBackend, options: dict[str, Any]
) -> None:
    program = Program(desk, "claude", adds(desk))
    desk.install("claude-code", yes=True, **options)
    assert program.calls == []


def test_nothing_is_run_when_the_person_says_no(desk: Desk, keyring: KeyringBackend) -> None:
    program = Program(desk, "claude", adds(desk))
    desk.answers[:] = ["no"]
    assert desk.install("claude-code") == 1
    assert program.calls == []


def test_a_script_of_windows_is_not_given_json(desk: Desk, keyring: KeyringBackend) -> None:
    program = Program(desk, "claude")
    (desk.home.parent / "bin" / "claude").rename(desk.home.parent / "bin" / "claude.cmd")
    assert CLIENTS["claude-code"].own_command
    desk.install("claude-code", yes=True)
    assert program.calls == []
