"""A file in the folder that a command is started in is not imported by any Python it starts."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from telnyx_mcp.approval.channels.browser import open_in_browser
from telnyx_mcp.clients.entry import own_command
from tests.support.server_process import SECONDS, whole

pytestmark = pytest.mark.slow  # real processes, a second each

SHADOWED = ("json", "webbrowser", "asyncio", "anyio", "mcp", "pydantic", "telnyx_mcp")
IMPORTED = "imported.txt"


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with modules named as those that a child needs; each says when it ran."""
    says = f"open({str(tmp_path / IMPORTED)!r}, 'a').write(__name__)\nraise SystemExit(9)\n"
    for name in SHADOWED:
        (tmp_path / f"{name}.py").write_text(says, encoding="utf-8")
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(says, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=whole({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.attack(
    "A `json.py` lies in the current folder",
    "It is not imported",
)
def test_the_demo_starts_a_server_that_imports_nothing_from_here(hostile: Path) -> None:
    script = Path(sysconfig.get_path("scripts")) / "telnyx-account-mcp"
    done = ran(str(script), "demo")
    assert not (hostile / IMPORTED).exists()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Top us up" in done.stdout


def test_an_entry_without_a_script_starts_a_server_that_imports_nothing_from_here(
    hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(hostile / "nothing"))
    command = own_command()
    assert command[0] == sys.executable
    done = ran(*command, "--version")
    assert not (hostile / IMPORTED).exists()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("telnyx-account-mcp ")


@pytest.mark.skipif(sys.platform == "win32", reason="BROWSER names a command of POSIX")
def test_the_browser_is_opened_by_a_python_that_imports_nothing_from_here(
    hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", "true")
    assert open_in_browser(hostile / "page.html")
    assert not (hostile / IMPORTED).exists()
