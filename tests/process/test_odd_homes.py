"""Homes that are missing, strange or can not be written: reading goes on, and no change is sent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from telnyx_mcp.config import paths
from telnyx_mcp.sandbox import Sandbox
from tests.support.sandbox_requests import posts
from tests.support.server_process import SECONDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="XDG's folders are Linux's")
NAMELESS = ("unshare", "-U", "--map-user=54321", "--map-group=54321")
"""A user without a name, where the kernel allows it."""
PAY = ("call", "telnyx_create_stored_payment_transaction", "amount=12.00")


def no_home(_: Path) -> dict[str, str]:
    return {}


def relative_home(_: Path) -> dict[str, str]:
    return {"HOME": "here"}


def home_in_a_file(folder: Path) -> dict[str, str]:
    (folder / "file").touch()
    return {"HOME": str(folder / "file")}


def home_in_proc(_: Path) -> dict[str, str]:
    return {"HOME": "/proc/nonexistent"}


def state_in_proc(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "XDG_STATE_HOME": "/proc/nonexistent"}


def store_that_is_a_folder(folder: Path) -> dict[str, str]:
    for name in ("state.sqlite3", "state.pace.sqlite3"):
        (folder / paths.config_folder().name / name).mkdir(parents=True)
    return {"HOME": str(folder), "XDG_STATE_HOME": str(folder)}


def store_that_is_damaged(folder: Path) -> dict[str, str]:
    (folder / paths.config_folder().name).mkdir()
    for name in ("state.sqlite3", "state.pace.sqlite3"):
        (folder / paths.config_folder().name / name).write_bytes(b"not a database" * 999)
    return {"HOME": str(folder), "XDG_STATE_HOME": str(folder)}


ODD = [
    no_home,
    *(
        pytest.param(each, marks=pytest.mark.slow)
        for each in (
            *(relative_home, home_in_a_file, home_in_proc, state_in_proc),
            *(store_that_is_a_folder, store_that_is_damaged),
        )
    ),
]


def run(
    sandbox: Sandbox, folder: Path, more: Mapping[str, str], *command: str, nameless: bool = True
) -> subprocess.CompletedProcess[str]:
    prefix = NAMELESS if nameless else ()
    if (
        nameless
        and subprocess.run((*NAMELESS, "true"), check=False, capture_output=True).returncode
    ):
        pytest.skip("no user namespace may be made here")
    environment = {
        "PATH": os.environ["PATH"],
        "TELNYX_API_KEY": sandbox.key,
        "TELNYX_BASE_URL": sandbox.base_url,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "telnyx_mcp", *command],
        env={**environment, **more},
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=3 * SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    makes: Callable[[Path], dict[str, str]] = request.param
    return makes(tmp_path)


def test_reading_goes_on_with_one_line_about_the_pace(
    sandbox: Sandbox, tmp_path: Path, odd: dict[str, str]
) -> None:
    done = run(sandbox, tmp_path, odd, "call", "telnyx_get_balance", "--json")
    assert done.returncode == 0
    assert '"currency": "USD"' in done.stdout
    assert len(done.stderr.splitlines()) <= 1, done.stderr


def test_a_payment_is_refused_in_words_before_anything_is_sent(
    sandbox: Sandbox, tmp_path: Path, odd: dict[str, str]
) -> None:
    done = run(sandbox, tmp_path, odd, *PAY)
    assert done.returncode == 1
    assert "Nothing was sent" in done.stdout + done.stderr
    assert "ledger" in done.stdout + done.stderr
    assert posts(sandbox) == 0


def test_doctor_says_that_nothing_can_be_changed(
    sandbox: Sandbox, tmp_path: Path, odd: dict[str, str]
) -> None:
    done = run(sandbox, tmp_path, odd, "doctor")
    assert done.returncode == 1
    assert "Until then nothing can be changed" in done.stdout


@pytest.mark.parametrize("command", [("ledger",), ("key", "remove"), ("uninstall", "claude-code")])
def test_other_commands_end_in_words(
    sandbox: Sandbox, tmp_path: Path, odd: dict[str, str], command: tuple[str, ...]
) -> None:
    assert run(sandbox, tmp_path, odd, *command).returncode in (0, 1, 2)


def test_a_user_without_a_home_is_told_which_variables_to_set(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    done = run(sandbox, tmp_path, {}, "doctor")
    assert "set HOME or XDG_STATE_HOME" in done.stdout


@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({"TELNYX_MCP_EXPORT_DIR": "~/exports"}, ("doctor",)),
        ({"TELNYX_MCP_PROFILES": "~/profiles.toml"}, ("call", "telnyx_get_balance")),
    ],
)
def test_a_tilde_without_a_home_is_no_traceback(
    sandbox: Sandbox, tmp_path: Path, more: dict[str, str], command: tuple[str, ...]
) -> None:
    assert run(sandbox, tmp_path, more, *command).returncode in (1, 2)


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "XDG_CONFIG_HOME"])
def test_a_relative_folder_of_xdg_is_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for each in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(each, raising=False)
    usual = paths.default_file(), paths.profiles_file()
    monkeypatch.setenv(variable, "relative")
    assert (paths.default_file(), paths.profiles_file()) == usual
    assert all(tmp_path in each.parents for each in usual)
