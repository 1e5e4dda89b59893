"""Variables that a client does not pass on to a server can be written into its entry."""

from __future__ import annotations

import stat
import sys
from typing import Any

import pytest

from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.clients.variables import NEEDED, needed_here, shown
from tests.support.desk import Desk
from tests.support.scripted_telnyx import KEY

PROXY = "http://user:secret@proxy.example:3128"
HERE = {
    "HTTPS_PROXY": PROXY,
    "SSL_CERT_FILE": "/etc/company.pem",
    "XDG_STATE_HOME": "/data/state",
    "DISPLAY": ":0",
    "EDITOR": "vi",
}
OURS = {name: value for name, value in HERE.items() if name != "EDITOR"}


@pytest.mark.parametrize(
    ("client", "missing"),
    [
        ("codex", set(OURS)),
        ("claude-desktop", set(OURS)),
        ("cursor", set(OURS)),
        ("gemini", {"SSL_CERT_FILE"}),
        ("claude-code", set()),
        ("vscode", set()),
    ],
)
def test_what_the_client_does_not_pass_on_is_offered_and_written(
    desk: Desk, client: str, missing: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    desk.environment = HERE
    desk.answers = ["yes", "yes"] if missing else ["yes"]
    assert desk.install(client) == 0
    env = desk.entry(client)["env"]
    assert {name: env[name] for name in missing} == {name: HERE[name] for name in missing}
    assert set(env) - missing == {"TELNYX_API_KEY"}
    said = capsys.readouterr().err
    assert ("may not pass these variables on" in said) == bool(missing)
    assert "secret" not in said
    if "HTTPS_PROXY" in missing:
        assert "HTTPS_PROXY=http://***@proxy.example:3128" in said


def test_a_no_leaves_them_out_and_is_not_taken_for_a_no_to_all(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.environment = HERE
    desk.answers = ["no", "yes"]
    assert desk.install("codex") == 0
    assert desk.entry("codex")["env"] == {"TELNYX_API_KEY": KEY}
    assert "--env HTTPS_PROXY --env SSL_CERT_FILE" in capsys.readouterr().err


@pytest.mark.parametrize("at_terminal", [True, False])
def test_without_a_question_nothing_is_copied_but_what_is_named(
    desk: Desk,
    at_terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", KEY)
    desk.environment, desk.at_terminal = HERE, at_terminal
    desk.install("codex", yes=True, env=["SSL_CERT_FILE", "NO_PROXY=127.0.0.1,::1"])
    env = desk.entry("codex")["env"]
    assert env == {
        "SSL_CERT_FILE": "/etc/company.pem",
        "NO_PROXY": "127.0.0.1,::1",
        "TELNYX_API_KEY": KEY,
    }
    said = capsys.readouterr().err
    assert "--env HTTPS_PROXY --env XDG_STATE_HOME --env DISPLAY" in said
    assert "--env SSL_CERT_FILE" not in said


def test_what_stands_in_the_entry_is_not_offered_again(desk: Desk) -> None:
    desk.environment = HERE
    desk.answers = ["yes", "yes"]
    desk.install("codex")
    desk.answers, desk.keys = [], [""]
    assert desk.install("codex") == 0  # no question: nothing changes


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        ("NO_PROXY", "not set here"),
        ("PATH=/x", "got 'PATH'"),
        ("TELNYX_MCP_MAX_PAYMENTS=1", "got 'TELNYX_MCP_MAX_PAYMENTS'"),
        ("TELNYX_API_KEY", "got 'TELNYX_API_KEY'"),
    ],
)
def test_a_variable_that_the_server_does_not_read_or_that_is_not_set_is_refused(
    desk: Desk, pair: str, why: str
) -> None:
    with pytest.raises(CommandError, match="--env") as refused:
        desk.install("cursor", yes=True, env=[pair])
    assert why in str(refused.value)


@pytest.mark.usefixtures("profiles")
def test_the_variable_of_a_profile_can_be_written_and_is_not_shown(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.environment = {"US": KEY}
    desk.install("cursor", profile="us", yes=True, env=["US"])
    assert desk.entry("cursor", "telnyx-us")["env"] == {"US": KEY}
    assert KEY not in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are POSIX's")
def test_an_entry_with_the_password_of_a_proxy_is_for_its_owner_only(desk: Desk) -> None:
    file = desk.file("vscode")
    file.parent.mkdir(parents=True)
    file.write_text("{}", "utf-8")
    file.chmod(0o644)
    desk.install("vscode", yes=True, env=["HTTPS_PROXY=http://proxy:3128"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    desk.install("vscode", yes=True, env=[f"HTTPS_PROXY={PROXY}"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


class AsOnWindows(dict[str, str]):
    """Finds a variable whatever the case of its name."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.upper())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.upper(), default)


def test_a_variable_is_offered_once_where_case_does_not_matter() -> None:
    environment = AsOnWindows({"HTTPS_PROXY": "p", "NO_PROXY": ""})
    assert environment.get("https_proxy") == "p"
    assert needed_here(environment) == {"HTTPS_PROXY": "p"}


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        (PROXY, "http://***@proxy.example:3128"),
        ("socks5://u:p@w@h:1080", "socks5://***@h:1080"),
        ("user:pw@proxy:3128", "***@proxy:3128"),
    ],
)
def test_the_password_of_a_proxy_is_masked(value: str, seen: str) -> None:
    assert shown("ALL_PROXY", value) == seen
    assert shown("SSL_CERT_DIR", "/a@b") == "/a@b"


def test_what_a_network_a_browser_and_a_keyring_need_is_known() -> None:
    assert {"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "XDG_STATE_HOME"} < set(NEEDED)
    assert {"DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"} < set(NEEDED)
