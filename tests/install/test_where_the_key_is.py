"""The key of an installed server: in the client, the keyring, a file or a variable, and tried once."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend

from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.cli.main import main
from telnyx_mcp.clients.catalog import CLIENTS, FILE_CLIENTS
from telnyx_mcp.clients.entry import env_of
from telnyx_mcp.sandbox import Sandbox
from tests.support.desk import Desk, parsed
from tests.support.ports import free_port
from tests.support.scripted_telnyx import KEY

PROJECTS = [each.name for each in CLIENTS.values() if each.project_file]
REFERS = [each.name for each in CLIENTS.values() if each.reference or each.forward_field]


# --- a project's file ----------------------------------------------------------------------------


@pytest.mark.parametrize("client", PROJECTS)
def test_the_file_of_a_project_refers_to_the_key_and_starts_the_command_by_its_name(
    desk: Desk, client: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", KEY)
    assert desk.install(client, scope="project") == 0
    row = CLIENTS[client]
    file = row.file(desk.host, "project")
    assert file.is_relative_to(desk.project)
    text = file.read_text("utf-8")
    assert KEY not in text
    assert "TELNYX_API_KEY" in text
    entry = parsed(client, text)[row.table]["telnyx-account"]
    assert str(entry["command"]).strip("[']") == "telnyx-account-mcp"
    assert not desk.home.exists()
    said = capsys.readouterr().err
    assert (
        "needs telnyx-account-mcp on the PATH (telnyx-account-mcp is not on the PATH here)" in said
    )
    desk.answers.append("yes")
    assert desk.uninstall(client, scope="project") == 0
    assert "telnyx" not in file.read_text("utf-8")


@pytest.mark.parametrize("client", sorted(FILE_CLIENTS.keys() - PROJECTS))
def test_a_client_without_a_file_for_projects_is_refused(desk: Desk, client: str) -> None:
    with pytest.raises(CommandError, match="leave out --scope project"):
        desk.install(client, scope="project", yes=True)


@pytest.mark.attack(
    "a project's file, which others get with the repository, is made to hold a key or a password",
    "refused: such a file refers to a variable, or the client asks",
)
@pytest.mark.parametrize(
    "options",
    [
        {"key": "client"},
        {"env": ["HTTPS_PROXY=http://user:secret@proxy:3128"]},
        {"env": ["TELNYX_MCP_STATE_URL=postgresql+psycopg://u:secret@h/d"]},
        {"env": ["TELNYX_MCP_HTTP_TOKEN=secretsecretsecret"]},
    ],
)
def test_no_key_or_password_gets_into_the_file_of_a_project(
    desk: Desk, options: dict[str, Any]
) -> None:
    with pytest.raises(CommandError, match="shared"):
        desk.install("cursor", scope="project", yes=True, **options)
    assert not desk.project.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are POSIX's")
def test_the_file_of_a_project_can_be_read_by_others(desk: Desk) -> None:
    desk.install("claude-code", scope="project", yes=True)
    assert stat.S_IMODE((desk.project / ".mcp.json").stat().st_mode) == 0o644


# --- a variable and a file -----------------------------------------------------------------------


@pytest.mark.parametrize("client", sorted(REFERS & FILE_CLIENTS.keys()))
def test_an_entry_can_refer_to_the_variable_of_the_client(
    desk: Desk, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.keys[:] = []
    desk.install(client, key="env", yes=True)
    entry = desk.entry(client)
    refers = CLIENTS[client].reference
    if refers:
        assert env_of(entry) == {"TELNYX_API_KEY": refers.replace("NAME", "TELNYX_API_KEY")}
    else:
        assert entry["env_vars"] == ["TELNYX_API_KEY"]
    assert "set it in the environment" in capsys.readouterr().err
    desk.keys.append(KEY)
    desk.install(client, key="client", yes=True)  # and back
    assert "env_vars" not in desk.entry(client)


def test_variables_that_a_person_had_passed_on_stay(desk: Desk) -> None:
    file = desk.file("codex")
    file.parent.mkdir(parents=True)
    file.write_text('[mcp_servers.telnyx-account]\nenv_vars = ["MINE"]\n', "utf-8")
    desk.install("codex", key="env", yes=True)
    assert desk.entry("codex")["env_vars"] == ["MINE", "TELNYX_API_KEY"]
    desk.install("codex", key="client", yes=True)
    assert desk.entry("codex")["env_vars"] == ["MINE"]


@pytest.mark.parametrize("client", sorted(FILE_CLIENTS.keys() - set(REFERS)))
def test_a_client_that_can_not_refer_to_a_variable_is_refused(desk: Desk, client: str) -> None:
    with pytest.raises(CommandError, match="can't refer to a variable"):
        desk.install(client, key="env", yes=True)


def test_a_key_file_is_made_for_its_owner_only_and_named_by_the_entry(
    desk: Desk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "keys" / "telnyx key"
    with pytest.raises(CommandError, match=r"can't be read.*key set --file"):
        desk.install("cursor", key_file=file, yes=True)
    monkeypatch.setenv("MINE", KEY)
    assert main(["key", "set", "--file", str(file), "--from-env", "MINE"]) == 0
    assert f"--key-file '{file}'" in capsys.readouterr().err
    assert file.read_text("utf-8").strip() == KEY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    desk.install("cursor", key_file=file, yes=True)
    assert desk.entry("cursor")["env"] == {"TELNYX_API_KEY_FILE": str(file)}
    desk.install("cursor", yes=True)  # the source of the key is replaced
    assert desk.entry("cursor")["env"] == {"TELNYX_API_KEY": KEY}


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"\xff\xfe"])
def test_a_key_file_without_a_key_is_refused_and_not_shown(
    desk: Desk, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(CommandError, match="key set --file") as refused:
        desk.install("cursor", key_file=file, yes=True)
    assert "two words" not in str(refused.value)
    assert not desk.home.exists()


def test_a_key_file_that_can_not_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert main(["key", "set", "--file", str(tmp_path / "file" / "key"), "--from-env", "NO"]) == 1


def test_options_that_contradict_each_other_are_refused(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="leave out --key"):
        desk.install("cursor", key_file=tmp_path, key="client", yes=True)
    assert main(["key", "remove", "--file", "x"]) == 2
    assert main(["key", "set", "--file", "x", "--profile", "eu"]) == 2


def test_without_a_keyring_setting_a_key_says_what_works_instead(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["key", "set"]) == 1
    said = capsys.readouterr().err
    assert "install CLIENT keeps the key in the client's configuration" in said
    assert "key set --file PATH" in said


# --- installing again ----------------------------------------------------------------------------


def test_installing_again_without_a_terminal_keeps_the_key_and_says_one_line(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.install("cursor", yes=True)
    capsys.readouterr()
    desk.at_terminal = False
    assert desk.install("cursor") == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "nothing changes" in shown.err


@pytest.mark.parametrize("place", ["client", "keyring"])
def test_installing_the_same_again_at_a_terminal_says_one_line(
    desk: Desk, place: str, keyring: KeyringBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.install("zed", key=place, yes=True)
    capsys.readouterr()
    desk.keys.append("")  # Enter
    assert desk.install("zed", key=place) == 0
    assert capsys.readouterr().err.count("\n") == 1


def test_a_changed_key_is_said_to_be_changed_and_not_shown(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.install("cursor", yes=True)
    capsys.readouterr()
    desk.keys.append("KEYnew")
    desk.install("cursor", yes=True)
    said = capsys.readouterr().err
    assert '-     "TELNYX_API_KEY": "(not shown)"' in said
    assert '+     "TELNYX_API_KEY": "(changed, not shown)"' in said
    assert '-   "command"' not in said  # what stays is not shown as a change
    assert "KEYnew" not in said


# --- one request ---------------------------------------------------------------------------------


def at(sandbox: Sandbox, tmp_path: Path) -> list[str]:
    state = f"TELNYX_MCP_STATE_URL=sqlite:///{tmp_path}/state.sqlite3"
    return [f"TELNYX_BASE_URL={sandbox.base_url}", state]


def test_the_key_is_tried_once(
    desk: Desk, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.keys[:] = [sandbox.key]
    assert desk.install("cursor", offline=False, yes=True, env=at(sandbox, tmp_path)) == 0
    assert f"The key works: the balance is {sandbox.balance} USD." in capsys.readouterr().err
    assert [each.path for each in sandbox.requests] == ["/v2/balance"]


def test_a_key_that_telnyx_refuses_is_not_written(
    desk: Desk, sandbox: Sandbox, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="does not accept this key") as refused:
        desk.install("cursor", offline=False, yes=True, env=at(sandbox, tmp_path))
    assert "--offline" in str(refused.value)
    assert not desk.file("cursor").exists()


def test_without_a_network_the_key_is_written_and_said_to_be_untried(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = f"TELNYX_MCP_STATE_URL=sqlite:///{tmp_path}/state.sqlite3"
    env = [f"TELNYX_BASE_URL=http://127.0.0.1:{free_port()}/v2", state]
    assert desk.install("cursor", offline=False, yes=True, env=env) == 0
    assert "Whether the key works is not known" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("client", "options", "why"),
    [
        ("vscode", {}, "VS Code asks for it when it starts the server"),
        ("claude-code", {"key": "env"}, "it is not set here"),
        ("cursor", {"offline": True}, "(--offline)"),
    ],
)
def test_a_key_that_is_not_tried_is_said_to_be_so(
    desk: Desk, client: str, options: dict[str, Any], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.install(client, yes=True, **{"offline": False, **options}) == 0
    said = capsys.readouterr().err
    assert "The key was not tried" in said
    assert why in said


# --- clients without a file that can be edited ---------------------------------------------------


@pytest.mark.parametrize("client", ["jetbrains", "any", "goose"])
def test_what_is_to_be_pasted_is_printed_without_a_key(
    desk: Desk, client: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", KEY)
    assert desk.install(client) == 0
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err
    assert CLIENTS[client].next_step in shown.err
    assert ("in the place of KEY..." in shown.err) == ("KEY..." in shown.out)
    assert "TELNYX_API_KEY" in shown.out
    assert not desk.home.exists()
    with pytest.raises(CommandError, match="Take the server out there"):
        desk.uninstall(client)
