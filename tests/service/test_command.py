"""`telnyx-account-mcp service`: what it says before it serves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telnyx_mcp.cli.main import main
from tests.service.test_config import SECRETS, SMALLEST
from tests.support.ports import free_port

ROLES = """
[roles.finance]
groups = ["finance"]
people = ["robot"]
propose = true
max_payment = "300.00"
self_approve_up_to = "20.00"

[roles.treasury]
groups = ["treasury"]
approve_up_to = "500.00"

[approval]
two_approvers_above = "400.00"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "300")
    found = tmp_path / "service.toml"
    found.write_text(SMALLEST + ROLES, encoding="utf-8")
    return found


def test_check_prints_what_would_be_served_and_no_secret(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "--check", "--config", str(file)]) == 0
    shown = capsys.readouterr().out
    for text in (
        "https://telnyx.example.com/mcp",
        "http://127.0.0.1:9464/metrics",
        "above 0, up to 400.00: one of treasury",
        "above 400.00, up to 500.00: two of treasury",
        "Payments above 500.00 are approved by nobody.",
        "group finance, robot",
        "postgresql://db/telnyx",
    ):
        assert text in shown
    for secret in (*SECRETS.values(), "the-password-of-tests"):
        assert secret not in shown


def test_check_fails_with_status_2_and_every_mistake(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TELNYX_API_KEY")
    monkeypatch.setenv("TELNYX_MCP_MAX_PAYMENT", "lots")
    file.write_text(SMALLEST.replace("client_id", "client"), encoding="utf-8")
    assert main(["service", "--check", "--config", str(file)]) == 2
    said = capsys.readouterr().err
    for text in ("did you mean client_id?", "TELNYX_API_KEY is not set", "TELNYX_MCP_MAX_PAYMENT"):
        assert text in said


def test_without_the_extra_it_says_what_to_install(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str, *_: Any) -> None:
        return None

    monkeypatch.setattr("telnyx_mcp.cli.service.find_spec", missing)
    assert main(["service", "--check", "--config", str(file)]) == 2
    assert "pip install '.[service]'" in capsys.readouterr().err


def test_health_says_that_no_replica_answers(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELNYX_MCP_SERVICE_LISTEN", f"0.0.0.0:{free_port()}")
    assert main(["service", "health", "--config", str(file)]) == 1
    assert "no replica answers" in capsys.readouterr().err


def test_the_packages_of_the_extra_are_not_imported_by_other_commands() -> None:
    code = (
        "import sys; from telnyx_mcp.cli.main import parse; parse(['serve']); "
        "print('joserfc' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
