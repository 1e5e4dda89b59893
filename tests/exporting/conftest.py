"""Exports as the command makes them, and what may be compared with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from telnyx_mcp.cli.main import main
from telnyx_mcp.sandbox import Sandbox
from tests.support.exported_files import Run
from tests.support.server_process import environment_for


@pytest.fixture
def run(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command for messages of May 2026, in this process: `run("--to", file, ...)`."""
    for name, value in environment_for(sandbox, tmp_path).items():
        monkeypatch.setenv(name, value)

    def export(*arguments: object, kind: str = "messaging", period: str = "2026-05") -> int:
        span = ["--period", period] if period else []
        words = ["export", "detail-records", "--type", kind, *span]
        return main([*words, *map(str, arguments)])

    return export
