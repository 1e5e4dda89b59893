"""What tests of the commands on the ledger share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telnyx_mcp.approval.accounts import Identity
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.storage.store import Store
from tests.support.command import Run
from tests.support.server_process import environment_for


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that works on the sandbox."""
    return environment_for(sandbox, tmp_path)


@pytest.fixture
def run(run: Run, environment: dict[str, str]) -> Run:
    """Runs a command on the sandbox, in this process."""

    def on_sandbox(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, **environment | more)

    return on_sandbox


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger that the commands see. Any number of its changes may wait at a time."""
    assert settings.state_url
    assert settings.api_key
    opened = Ledger.of(
        Store(settings.state_url.get_secret_value()),
        settings.api_key.get_secret_value(),
        settings.base_url,
        ProcessIdentity.this_process(),
        Policy(one_question=False),
    )
    opened.identify(Identity(), datetime.now(UTC))
    yield opened
    opened.close()


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which a program that leaves something behind is seen to."""
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    yield {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "TMPDIR": str(scratch),
        "COLUMNS": "100",
    }
    assert list(home.iterdir()) == []
    assert list(scratch.iterdir()) == []
