"""Real processes that are killed or stopped in the middle of an export."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from telnyx_mcp.exporting.part import journal_of, read_journal
from telnyx_mcp.sandbox import Sandbox
from tests.support.exported_files import files_of
from tests.support.polling import wait_until
from tests.support.server_process import SECONDS, environment_for, whole

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's"),
]
EXPORT = ("export", "detail-records", "--type", "messaging", "--period", "2026-05", "--to")


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return whole(environment_for(sandbox, tmp_path))


def started(*arguments: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "telnyx_mcp", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(environment),
    )


def export(*arguments: str, environment: Mapping[str, str]) -> int:
    with started(*arguments, environment=environment) as process:
        process.communicate(timeout=SECONDS)
    return process.returncode


def stuck_after(
    pages: int, target: Path, sandbox: Sandbox, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    """An export that waits for the answer to its next request, of which nothing comes."""
    asked = sandbox.counts["total"]
    sandbox.fault("search_detail_records", "slow", seconds=SECONDS, skip=pages, times=None)
    process = started(*EXPORT, str(target), environment=environment)
    assert process.stderr
    process.stderr.readline()  # the first line of its progress
    wait_until(lambda: len(sandbox.requests) > asked + pages or process.poll() is not None)
    assert process.poll() is None
    return process


def test_an_export_killed_twice_is_byte_for_byte_what_one_run_writes(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> None:
    target, whole = tmp_path / "may.csv", tmp_path / "whole.csv"
    for pages, so_far in ((3, 150), (4, 350)):
        sandbox.reset()
        with stuck_after(pages, target, sandbox, environment) as process:
            process.send_signal(signal.SIGKILL)
        journal = read_journal(target)
        assert journal
        assert journal.rows == so_far
    sandbox.reset()
    assert export(*EXPORT, str(target), environment=environment) == 0
    assert export(*EXPORT, str(whole), environment=environment) == 0
    assert target.read_bytes() == whole.read_bytes()
    assert files_of(tmp_path) == {"may.csv"}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_export_that_is_stopped_says_how_to_go_on(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path, sent: signal.Signals
) -> None:
    target = tmp_path / "may.csv"
    with stuck_after(3, target, sandbox, environment) as process:
        process.send_signal(sent)
        _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert f"150 of 620 rows are in {target}.part." in said
    assert journal_of(target).exists()
    sandbox.reset()
    command = said.partition("To continue: telnyx-account-mcp ")[2].splitlines()[0]
    assert export(*shlex.split(command), environment=environment) == 0
    assert len(target.read_text(encoding="utf-8").splitlines()) == 621
