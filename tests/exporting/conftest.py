"""Exports as the command makes them, and what may be compared with them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telnyx_mcp.cli.main import main
from telnyx_mcp.sandbox import Sandbox
from tests.support.server_process import environment_for

Run = Callable[..., int]


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


def rows_of(file: Path) -> list[dict[str, Any]]:
    text = file.read_text(encoding="utf-8")
    if file.name.startswith("may.jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text, newline="")))


def files_of(folder: Path) -> set[str]:
    return {each.name for each in folder.glob("may*")}
