"""What tests of the commands on the ledger share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telnyx_mcp.approval.accounts import Identity
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.cli.main import main
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.storage.store import Store
from tests.process.harness import environment_for

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that works on the sandbox."""
    return environment_for(sandbox, tmp_path)


@pytest.fixture
def run(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command in this process, where no terminal is, as that is much faster."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        for name, value in (environment | more).items():
            monkeypatch.setenv(name, value)
        try:
            status = main(arguments)
        except SystemExit as left:  # argparse's way
            status = int(left.code or 0)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, out, err)

    return run


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
