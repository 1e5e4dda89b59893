"""The server gets into each client's own file, and out of it, and nothing else there is touched."""

from __future__ import annotations

import json
import os
import stat
import sys
import tomllib
from collections.abc import Callable
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.cli.key import remove_key, set_key
from telnyx_mcp.cli.main import main
from telnyx_mcp.clients import jsonc
from telnyx_mcp.clients.catalog import CLIENTS, FILE_CLIENTS
from telnyx_mcp.clients.client import Host
from telnyx_mcp.clients.config_file import ConfigFile
from telnyx_mcp.clients.entry import command_of, env_of
from telnyx_mcp.clients.errors import ClientConfigError
from telnyx_mcp.config import keys
from tests.support.desk import Desk, parsed
from tests.support.scripted_telnyx import KEY

EVERY = sorted(FILE_CLIENTS)
OTHER = {"command": "npx", "args": ["-y", "other"], "env": {"TOKEN": "of-another"}}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes of files are POSIX's")


@pytest.mark.parametrize(
    ("client", "linux", "darwin", "win32"),
    [
        (
            "claude-desktop",
            ".config/Claude/claude_desktop_config.json",
            "Library/Application Support/Claude/claude_desktop_config.json",
            "AppData/Roaming/Claude/claude_desktop_config.json",
        ),
        ("claude-code", ".claude.json", ".claude.json", ".claude.json"),
        ("cursor", ".cursor/mcp.json", ".cursor/mcp.json", ".cursor/mcp.json"),
        (
            "vscode",
            ".config/Code/User/mcp.json",
            "Library/Application Support/Code/User/mcp.json",
            "AppData/Roaming/Code/User/mcp.json",
        ),
        ("windsurf", *[".codeium/windsurf/mcp_config.json"] * 3),
        (
            "zed",
            ".config/zed/settings.json",
            ".config/zed/settings.json",
            "AppData/Roaming/Zed/settings.json",
        ),
        ("gemini", *[".gemini/settings.json"] * 3),
        ("codex", *[".codex/config.toml"] * 3),
        (
            "vscode-insiders",
            ".config/Code - Insiders/User/mcp.json",
            "Library/Application Support/Code - Insiders/User/mcp.json",
            "AppData/Roaming/Code - Insiders/User/mcp.json",
        ),
        ("copilot-cli", *[".copilot/mcp-config.json"] * 3),
        ("antigravity", *[".gemini/config/mcp_config.json"] * 3),
        ("junie", *[".junie/mcp/mcp.json"] * 3),
        ("opencode", *[".config/opencode/opencode.json"] * 3),
        ("kiro", *[".kiro/settings/mcp.json"] * 3),
        ("lmstudio", *[".lmstudio/mcp.json"] * 3),
        ("cline", *[".cline/data/settings/cline_mcp_settings.json"] * 3),
    ],
)
def test_each_client_has_its_file_where_it_looks_for_it(
    tmp_path: Path, client: str, linux: str, darwin: str, win32: str
) -> None:
    for system, expected in (("linux", linux), ("darwin", darwin), ("win32", win32)):
        assert CLIENTS[client].file(Host(system, tmp_path, {})) == tmp_path / expected


@pytest.mark.parametrize(
    ("client", "system", "variable", "expected"),
    [
        ("claude-desktop", "linux", "XDG_CONFIG_HOME", "Claude/claude_desktop_config.json"),
        ("zed", "linux", "XDG_CONFIG_HOME", "zed/settings.json"),
        ("vscode", "win32", "APPDATA", "Code/User/mcp.json"),
        ("claude-code", "darwin", "CLAUDE_CONFIG_DIR", ".claude.json"),
        ("codex", "linux", "CODEX_HOME", "config.toml"),
        ("gemini", "darwin", "GEMINI_CLI_HOME", ".gemini/settings.json"),
        ("copilot-cli", "win32", "COPILOT_HOME", "mcp-config.json"),
        ("cline", "darwin", "CLINE_MCP_SETTINGS_PATH", ""),
        ("opencode", "linux", "XDG_CONFIG_HOME", "opencode/opencode.json"),
    ],
)
def test_a_variable_can_move_it(
    tmp_path: Path, client: str, system: str, variable: str, expected: str
) -> None:
    machine = Host(system, tmp_path / "home", {variable: str(tmp_path / "moved")})
    assert CLIENTS[client].file(machine) == tmp_path / "moved" / expected


def test_claude_desktop_installed_as_a_package_has_its_file_there(tmp_path: Path) -> None:
    desk = Desk(tmp_path, system="win32", environment={"LOCALAPPDATA": str(tmp_path / "local")})
    package = tmp_path / "local" / "Packages" / "Claude_pzs8sxrjxfjjc"
    package.mkdir(parents=True)
    desk.install("claude-desktop", yes=True)
    file = package / "LocalCache" / "Roaming" / "Claude" / "claude_desktop_config.json"
    assert "telnyx-account" in json.loads(file.read_text("utf-8"))["mcpServers"]
    (package.parent / "Claude_another").mkdir()
    with pytest.raises(CommandError, match="Claude_another, Claude_pzs8sxrjxfjjc"):
        desk.install("claude-desktop", yes=True)


@pytest.mark.parametrize("client", EVERY)
def test_a_new_file_holds_the_server_and_leaves_with_it(desk: Desk, client: str) -> None:
    assert desk.install(client) == 0
    entry = desk.entry(client)
    [command] = command_of(entry)
    assert Path(command).exists()
    expected = "${input:telnyx_api_key}" if client.startswith("vscode") else KEY
    assert env_of(entry) == {"TELNYX_API_KEY": expected}
    desk.answers.append("y")
    assert desk.uninstall(client) == 0
    assert desk.data(client).get(CLIENTS[client].table, {}) == {}


@pytest.mark.parametrize("client", EVERY)
def test_other_servers_and_every_byte_of_them_stay(desk: Desk, client: str) -> None:
    file, table = desk.file(client), CLIENTS[client].table
    before = (
        f'# mine\nmodel = "o"\n\n[{table}.other] # this one\ncommand = "npx"\nargs = ["-y"]\n'
        if client == "codex"
        else f'{{\n\t// mine\n\t"{table}": {{\n\t\t"other": {json.dumps(OTHER)}, // this\n\t}},\n}}\n'
    )
    file.parent.mkdir(parents=True)
    file.write_text(before, "utf-8")
    assert desk.install(client, key="client") == 0
    after = file.read_text("utf-8")
    missing = [line for line in before.splitlines() if line not in after]
    assert missing == []
    desk.answers.append("yes")
    desk.keys.append(KEY)
    assert desk.uninstall(client) == 0
    kept = file.read_text("utf-8")
    assert kept.startswith(before.rstrip("\n}") if client.startswith("vscode") else before.rstrip())
    assert "telnyx" not in kept


def test_one_backup_is_kept_of_what_was_there_before_the_last_write(desk: Desk) -> None:
    file = desk.file("cursor")
    file.parent.mkdir(parents=True)
    file.write_text('{"mcpServers": {}}', "utf-8")
    desk.install("cursor", yes=True)
    desk.uninstall("cursor", yes=True)
    [backup] = [each for each in file.parent.iterdir() if each != file]
    assert backup.name == "mcp.json.telnyx-backup"
    assert KEY in backup.read_text("utf-8")


@POSIX
def test_a_file_with_the_key_and_every_backup_is_for_its_owner_only(desk: Desk) -> None:
    file = desk.file("cursor")
    file.parent.mkdir(parents=True)
    file.write_text("{}", "utf-8")
    file.chmod(0o644)
    desk.install("cursor", yes=True)
    for each in file.parent.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600


@POSIX
def test_a_file_with_the_password_of_a_database_is_for_its_owner_only(desk: Desk) -> None:
    file = desk.file("vscode")
    file.parent.mkdir(parents=True)
    file.write_text("{}", "utf-8")
    file.chmod(0o644)
    desk.install("vscode", yes=True, env=["TELNYX_MCP_STATE_URL=postgresql+psycopg://u:pw@h/d"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give away")
def test_what_root_writes_for_somebody_stays_theirs(desk: Desk) -> None:
    file = desk.file("cursor")
    file.parent.mkdir(parents=True)
    file.write_text("{}", "utf-8")
    os.chown(file, 1234, 1235)
    desk.install("cursor", yes=True)
    owners = {(each.stat().st_uid, each.stat().st_gid) for each in file.parent.iterdir()}
    assert owners == {(1234, 1235)}


@POSIX
def test_a_file_without_the_key_keeps_its_mode_and_its_link(desk: Desk, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text("{}", "utf-8")
    real.chmod(0o640)
    file = desk.file("vscode")
    file.parent.mkdir(parents=True)
    file.symlink_to(real)
    desk.install("vscode", yes=True)
    assert file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert "telnyx-account" in real.read_text("utf-8")


@pytest.mark.parametrize("client", ["cursor", "codex"])
@pytest.mark.parametrize("content", [b"{ broken", b"\xff\xfe{\x00}\x00", b'{"mcpServers": []}'])
def test_a_file_that_can_not_be_read_is_left_as_it_is(
    desk: Desk, client: str, content: bytes
) -> None:
    file = desk.file(client)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    for command in (desk.install, desk.uninstall):
        if command == desk.uninstall and content.startswith(b'{"mcp') and client == "cursor":
            continue
        with pytest.raises(CommandError):
            command(client, yes=True)
    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("client", ["cursor", "codex"])
@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf\r\n"])
def test_a_file_of_blanks_is_an_empty_one(desk: Desk, client: str, content: bytes) -> None:
    file = desk.file(client)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert desk.uninstall(client) == 0
    assert file.read_bytes() == content
    desk.install(client, yes=True)
    raw = file.read_bytes().removeprefix(b"\xef\xbb\xbf").decode()
    data = tomllib.loads(raw) if client == "codex" else json.loads(raw)
    assert list(data[CLIENTS[client].table]) == ["telnyx-account"]


ODD: tuple[Any, ...] = (
    {"command": "x", "env": None},
    {"command": "x", "env": ["A"]},
    {"command": {"path": "x"}, "env": 1, "args": None},
    {"command": "x", "args": ["--profile"], "env": {"TELNYX_MCP_KEY_FROM": {}}},
    {"command": "x", "note": "half \ud800"},
    "a text",
    None,
    [],
)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_an_entry_of_an_odd_shape_is_replaced_and_taken_out(desk: Desk, odd: Any) -> None:
    file = desk.file("cursor")
    file.parent.mkdir(parents=True)
    before = json.dumps({"mcpServers": {"telnyx-account": odd, "other": OTHER}})
    file.write_text(before, "utf-8")
    desk.install("cursor", yes=True)
    assert desk.entry("cursor")["env"] == {"TELNYX_API_KEY": KEY}
    file.write_text(before, "utf-8")
    desk.uninstall("cursor", yes=True)
    assert desk.data("cursor") == {"mcpServers": {"other": OTHER}}


def test_an_entry_of_what_json_does_not_have_is_replaced_and_taken_out(desk: Desk) -> None:
    file = desk.file("codex")
    file.parent.mkdir(parents=True)
    before = """\
[mcp_servers.telnyx-account]
args = ["--profile", 1979-05-27, ["--read-only"]]
since = 07:32:00
[mcp_servers.telnyx-account.env]
TELNYX_MCP_TIMEZONE = 1979-05-27
"""
    file.write_text(before, "utf-8")
    desk.install("codex", yes=True)
    assert desk.entry("codex")["args"] == []
    assert desk.entry("codex")["since"] == time(7, 32)
    file.write_text(before, "utf-8")
    desk.uninstall("codex", yes=True)
    assert file.read_text("utf-8") == ""


def test_questions_of_an_odd_shape_are_reported(desk: Desk) -> None:
    file = desk.file("vscode")
    file.parent.mkdir(parents=True)
    file.write_text('{"inputs": null}', "utf-8")
    with pytest.raises(CommandError, match="inputs is not of the expected type"):
        desk.install("vscode", yes=True)
    assert file.read_text("utf-8") == '{"inputs": null}'


@pytest.mark.parametrize(
    "content", ['mcp_servers = { telnyx-account = { command = "x" } }\n', "mcp_servers = {}\n"]
)
def test_a_file_that_can_not_be_changed_safely_is_left_as_it_is(desk: Desk, content: str) -> None:
    file = desk.file("codex")
    file.parent.mkdir(parents=True)
    file.write_text(content, "utf-8")
    with pytest.raises(CommandError, match="by hand"):
        desk.install("codex", yes=True)
    assert file.read_text("utf-8") == content


def test_a_change_that_would_change_something_else_is_not_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = desk.file("cursor")
    file.parent.mkdir(parents=True)
    file.write_text('{"mcpServers": {"telnyx-account": {}, "other": {}}}', "utf-8")
    monkeypatch.setenv("TELNYX_API_KEY", KEY)
    monkeypatch.setattr(jsonc, "put", lambda *_: '{"mcpServers": {"telnyx-account": {}}}')
    for wrong in ("{}", "{", '{"mcpServers": {}}'):
        monkeypatch.setattr(jsonc, "take", lambda *_, it=wrong: it)
        for command in (desk.install, desk.uninstall):
            with pytest.raises(CommandError, match="safely"):
                command("cursor", yes=True)
    assert list(file.parent.iterdir()) == [file]


def test_fields_of_a_remote_server_are_removed_from_an_entry_and_not_shown(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    file = desk.file("cursor")
    file.parent.mkdir(parents=True)
    remote = {"type": "http", "url": "https://h/?k=hidden", "headers": {"A": "Bearer hidden"}}
    file.write_text(json.dumps({"mcpServers": {"telnyx-account": remote | {"x": "hidden"}}}))
    desk.install("cursor", yes=True)
    assert desk.entry("cursor").keys() == {"x", "command", "args", "env"}
    assert "hidden" not in capsys.readouterr().err


def test_a_mark_of_byte_order_and_windows_lines_stay(desk: Desk) -> None:
    file = desk.file("cursor")
    file.parent.mkdir(parents=True)
    file.write_bytes(b'\xef\xbb\xbf{\r\n  "a": 1\r\n}\r\n')
    desk.install("cursor", yes=True)
    raw = file.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf{")
    assert raw.count(b"\n") == raw.count(b"\r\n")
    desk.uninstall("cursor", yes=True)
    assert b'"a": 1,\r\n  "mcpServers": {}\r\n}' in file.read_bytes()


def test_a_file_that_changed_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text("{}", "utf-8")
    file = ConfigFile.read(path)
    path.write_text('{"theirs": 1}', "utf-8")
    with pytest.raises(ClientConfigError, match="run the command again"):
        file.write('{"ours": 1}', private=False)
    assert path.read_text("utf-8") == '{"theirs": 1}'
    assert not list(tmp_path.glob(".mcp.json*"))


def test_a_file_that_came_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mcp.json"
    file = ConfigFile.read(path)
    path.parent.mkdir()
    path.write_text("{}", "utf-8")
    with pytest.raises(ClientConfigError, match="run the command again"):
        file.write("ours", private=False)
    assert path.read_text("utf-8") == "{}"


def test_a_folder_in_the_place_of_the_file_is_reported(desk: Desk) -> None:
    desk.file("cursor").mkdir(parents=True)
    with pytest.raises(CommandError, match=r"can't be read: Is a directory|Permission denied"):
        desk.install("cursor", yes=True)


def test_installing_again_keeps_what_a_person_added_to_the_entry(desk: Desk) -> None:
    desk.install("cursor", yes=True)
    file = desk.file("cursor")
    data = desk.data("cursor")
    data["mcpServers"]["telnyx-account"] |= {"disabled": True, "args": ["old"]}
    data["mcpServers"]["telnyx-account"]["env"]["TELNYX_MCP_MAX_PAYMENT"] = "20.00"
    file.write_text(json.dumps(data), "utf-8")
    desk.keys.append("KEYnew")
    desk.install("cursor", read_only=True, yes=True)
    entry = desk.entry("cursor")
    assert entry["disabled"] is True
    assert entry["args"] == ["serve", "--read-only"]
    assert entry["env"] == {"TELNYX_MCP_MAX_PAYMENT": "20.00", "TELNYX_API_KEY": "KEYnew"}


def test_a_server_that_only_reads_is_not_made_to_write_in_passing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.install("vscode", read_only=True, yes=True)
    assert "read-only, as before" not in capsys.readouterr().err
    desk.install("vscode", yes=True)
    assert desk.entry("vscode")["args"] == ["serve", "--read-only"]
    assert "read-only, as before" in capsys.readouterr().err


def test_the_groups_of_tools_are_written_and_stay_when_it_is_installed_again(desk: Desk) -> None:
    desk.keys += [KEY, KEY]
    desk.install("cursor", tools=("billing", "audit"), yes=True)
    assert desk.entry("cursor")["args"] == ["serve", "--tools", "billing,audit"]
    desk.install("cursor", read_only=True, yes=True)
    assert desk.entry("cursor")["args"] == ["serve", "--read-only", "--tools", "billing,audit"]
    desk.install("cursor", tools=("usage",), yes=True)
    assert desk.entry("cursor")["args"] == ["serve", "--read-only", "--tools", "usage"]


@pytest.mark.parametrize("name", ["", "my server", "a.b", "ü"])
def test_a_name_that_some_client_would_not_take_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(CommandError, match="--name takes"):
        desk.install("cursor", name=name, yes=True)


def test_installing_the_same_again_writes_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.install("vscode", yes=True)
    before = set(desk.file("vscode").parent.iterdir())
    desk.install("vscode")
    assert "nothing changes" in capsys.readouterr().err
    assert set(desk.file("vscode").parent.iterdir()) == before


@pytest.mark.parametrize("answer", ["no", "", "yess", None])
def test_without_a_clear_yes_nothing_is_written(desk: Desk, answer: str | None) -> None:
    desk.answers[:] = [] if answer is None else [answer]
    assert desk.install("cursor") == 1
    assert not desk.file("cursor").exists()


def test_without_a_terminal_it_needs_yes_and_a_key_from_the_environment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.at_terminal = False
    with pytest.raises(CommandError, match="Set TELNYX_API_KEY"):
        desk.install("cursor", yes=True)
    monkeypatch.setenv("TELNYX_API_KEY", KEY)
    with pytest.raises(CommandError, match="--yes"):
        desk.install("cursor")
    assert not desk.file("cursor").exists()
    assert desk.install("cursor", yes=True) == 0
    assert desk.entry("cursor")["env"]["TELNYX_API_KEY"] == KEY


@pytest.mark.parametrize("typed", [[], [""], ["  "], ["KEY with space"]])
def test_a_missing_or_unusable_key_changes_nothing(desk: Desk, typed: list[str]) -> None:
    desk.keys[:] = typed
    with pytest.raises(CommandError, match="Nothing was changed"):
        desk.install("cursor", yes=True)
    assert not desk.file("cursor").exists()


def test_print_shows_what_to_paste_and_writes_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", KEY)
    for client in EVERY:
        assert desk.install(client, print_only=True) == 0
        shown = capsys.readouterr()
        data = parsed(client, shown.out)
        assert "telnyx-account" in data[CLIENTS[client].table]
        assert KEY not in shown.out + shown.err
        assert str(desk.file(client)) in shown.err
    assert not desk.home.exists()


@pytest.mark.parametrize("client", EVERY)
def test_the_key_is_never_shown(
    desk: Desk, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.install(client, yes=True, env=["TELNYX_MCP_STATE_URL=postgresql+psycopg://u:secret@h/d"])
    desk.keys.append("KEYanother")
    desk.install(client, yes=True)
    desk.uninstall(client, yes=True)
    shown = capsys.readouterr()
    assert not any(each in shown.out + shown.err for each in (KEY, "KEYanother", "secret"))


def test_settings_can_be_given_and_wrong_ones_are_refused(desk: Desk) -> None:
    desk.install("cursor", yes=True, env=["TELNYX_MCP_MAX_PAYMENT=20.00"])
    assert desk.entry("cursor")["env"]["TELNYX_MCP_MAX_PAYMENT"] == "20.00"
    for pair in ("TELNYX_MCP_MAX_PAYMENT=-1", "TELNYX_MCP_NO=1", "TELNYX_API_KEY=x", "nothing"):
        with pytest.raises(CommandError, match="--env"):
            desk.install("windsurf", yes=True, env=[pair])
    assert not desk.file("windsurf").exists()


# --- the keyring ---------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [each for each in EVERY if not each.startswith("vscode")])
def test_where_there_is_a_keyring_no_file_holds_the_key(
    desk: Desk, client: str, keyring: KeyringBackend
) -> None:
    assert desk.install(client) == 0
    assert env_of(desk.entry(client)) == {"TELNYX_MCP_KEY_FROM": "keyring"}
    assert keys.read_key(None) == SecretStr(KEY)
    assert not any(
        KEY.encode() in each.read_bytes() for each in desk.home.rglob("*.*") if each.is_file()
    )


def test_a_key_that_the_keyring_has_is_not_asked_for_again(
    desk: Desk, keyring: KeyringBackend
) -> None:
    desk.install("cursor", yes=True)
    desk.keys[:] = []
    assert desk.install("zed", yes=True) == 0
    assert desk.install("zed", yes=True) == 0


def test_nothing_is_kept_in_the_keyring_when_the_person_says_no(
    desk: Desk, keyring: KeyringBackend
) -> None:
    desk.answers[:] = ["no"]
    assert desk.install("cursor") == 1
    assert keys.read_key(None) is None


def test_the_client_can_be_chosen_to_keep_the_key_and_then_names_no_keyring(
    desk: Desk, keyring: KeyringBackend
) -> None:
    desk.install("cursor", yes=True)
    desk.keys.append(KEY)
    desk.install("cursor", key="client", yes=True)
    assert desk.entry("cursor")["env"] == {"TELNYX_API_KEY": KEY}
    desk.install("vscode", key="keyring", yes=True)
    assert desk.entry("vscode")["env"] == {"TELNYX_MCP_KEY_FROM": "keyring"}
    assert "inputs" not in desk.data("vscode")


def test_a_required_keyring_that_is_missing_is_reported(desk: Desk) -> None:
    with pytest.raises(CommandError, match="no keyring"):
        desk.install("cursor", key="keyring", yes=True)


def test_the_key_can_be_set_and_removed(
    desk: Desk, keyring: KeyringBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set_key(None, terminal=desk.terminal()) == 0
    assert keys.read_key(None) == SecretStr(KEY)
    assert remove_key(None, desk.terminal()) == 0
    assert keys.read_key(None) is None
    assert remove_key(None, desk.terminal()) == 0
    assert KEY not in capsys.readouterr().err


def test_setting_a_key_asks_for_it_whatever_the_environment_holds(
    desk: Desk, keyring: KeyringBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", "KEYother")
    set_key(None, terminal=desk.terminal())
    assert keys.read_key(None) == SecretStr(KEY)
    desk.at_terminal = False
    with pytest.raises(CommandError, match="key set --from-env NAME"):
        set_key(None, terminal=desk.terminal())


def test_a_key_can_be_set_from_a_variable_that_is_named(
    desk: Desk, keyring: KeyringBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    assert main(["key", "set", "--from-env", "MY_KEY"]) == 0
    assert keys.read_key(None) == SecretStr(KEY)
    for name, status in (("NO_KEY", 1), ("", 2), ("A B", 2)):
        assert main(["key", "set", "--from-env", name]) == status
    assert main(["key", "remove", "--from-env", "MY_KEY"]) == 2
    assert keys.read_key(None) == SecretStr(KEY)


def test_what_stays_behind_is_reported(
    desk: Desk, keyring: KeyringBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.install("cursor", key="client", yes=True)
    desk.uninstall("cursor", yes=True)
    said = capsys.readouterr().err
    assert "still holds the key" in said
    assert "keyring" not in said
    desk.keys.append(KEY)
    desk.install("cursor", yes=True)
    desk.uninstall("cursor", yes=True)
    said = capsys.readouterr().err
    assert "still holds the key" not in said
    assert "key remove removes it" in said


def test_print_says_that_the_keyring_has_to_have_the_key(
    desk: Desk, keyring: KeyringBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.install("cursor", print_only=True)
    assert "telnyx-account-mcp key set puts it there" in capsys.readouterr().err


# --- profiles ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("profiles", "keyring")
def test_the_key_of_a_profile_is_never_that_of_the_environment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", "KEYother")
    desk.install("cursor", profile="eu", yes=True)
    assert keys.read_key("eu") == SecretStr(KEY)
    desk.keys.append("KEYnew")
    set_key("eu", terminal=desk.terminal())
    assert keys.read_key("eu") == SecretStr("KEYnew")
    keys.remove_key("eu")
    desk.at_terminal = False
    with pytest.raises(CommandError, match="key set --profile eu --from-env NAME"):
        desk.install("zed", profile="eu", yes=True)
    assert keys.read_key("eu") is None


@pytest.mark.usefixtures("profiles", "keyring")
def test_where_the_key_of_a_profile_is_can_only_be_said_in_the_profile(desk: Desk) -> None:
    wrong: list[tuple[str, Any]] = [("eu", "client"), ("us", "client"), ("us", "keyring")]
    for profile, place in wrong:
        with pytest.raises(CommandError, match="leave out --key"):
            desk.install("cursor", profile=profile, key=place, yes=True)
    assert desk.install("cursor", profile="eu", key="keyring", yes=True) == 0


@pytest.mark.usefixtures("profiles", "keyring")
def test_what_a_profile_needs_and_what_it_leaves_is_reported(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(command: Callable[..., int], profile: str, **more: Any) -> str:
        command("cursor", profile=profile, yes=True, **more)
        return capsys.readouterr().err

    assert "key set --profile eu puts" in said(desk.install, "eu", print_only=True)
    assert "have the client pass on US" in said(desk.install, "us", print_only=True)
    assert "have the client pass on US" in said(desk.install, "us")
    assert "keyring" not in said(desk.uninstall, "us")
    said(desk.install, "eu")
    assert "key remove --profile eu removes it" in said(desk.uninstall, "eu")


@pytest.mark.usefixtures("profiles", "keyring")
def test_a_profile_gets_an_entry_of_its_own_that_holds_no_key(desk: Desk) -> None:
    desk.install("cursor", profile="eu", yes=True)
    desk.install("cursor", profile="us", yes=True)
    assert desk.entry("cursor", "telnyx-eu")["args"] == ["serve", "--profile", "eu"]
    assert desk.entry("cursor", "telnyx-us")["env"] == {}
    assert keys.read_key("eu") == SecretStr(KEY)
    assert keys.read_key("us") is None
    with pytest.raises(CommandError, match="no profile 'mars'"):
        desk.install("cursor", profile="mars", yes=True)
    desk.uninstall("cursor", profile="eu", yes=True)
    assert list(desk.data("cursor")["mcpServers"]) == ["telnyx-us"]


# --- VS Code asks for the key itself -------------------------------------------------------------


def test_the_question_of_vs_code_leaves_with_the_last_server_that_needs_it(desk: Desk) -> None:
    file = desk.file("vscode")
    file.parent.mkdir(parents=True)
    file.write_text('{"inputs": [{"id": "theirs", "type": "promptString"}]}', "utf-8")
    desk.install("vscode", yes=True)
    desk.install("vscode", name="second", yes=True)
    assert [each["id"] for each in desk.data("vscode")["inputs"]] == ["theirs", "telnyx_api_key"]
    assert desk.data("vscode")["inputs"][1]["password"] is True
    desk.uninstall("vscode", yes=True)
    assert len(desk.data("vscode")["inputs"]) == 2
    desk.uninstall("vscode", name="second", yes=True)
    assert [each["id"] for each in desk.data("vscode")["inputs"]] == ["theirs"]


# --- the command line ----------------------------------------------------------------------------


def test_an_unknown_client_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["install", "emacs"]) == 2
    said = capsys.readouterr().err
    assert all(client in said for client in EVERY)


def test_uninstalling_what_is_not_there_changes_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.uninstall("cursor") == 0
    assert "nothing was changed" in capsys.readouterr().err
    assert not desk.file("cursor").exists()


def test_it_does_not_install_from_a_place_that_will_be_gone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", "/cache/uv/archive-v0/x")
    with pytest.raises(CommandError, match="uv tool install"):
        desk.install("cursor", yes=True)
