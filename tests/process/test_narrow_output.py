"""Output in a pipe and in a narrow window: nothing is cut, and lines break at blanks only."""

from __future__ import annotations

from pathlib import Path

import pytest

from telnyx_mcp.cli.terminal import hanging
from telnyx_mcp.sandbox import Sandbox
from tests.support.command import Run
from tests.support.server_process import environment_for

COMMANDS = [
    ("call", "list_invoices", "page_size=3", "include_download_links=true"),
    ("call", "list_phone_numbers", "page_size=5"),
    ("call", "list_webhook_deliveries", "page_size=3"),
    ("call", "get_invoice", "--help"),
    ("call",),
    ("doctor",),
    ("ledger",),
    ("install", "cursor", "--print"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_narrow_window_shows_every_word_of_a_wide_one(
    run: Run,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    environment = environment_for(sandbox, tmp_path) | {"HOME": str(tmp_path)}
    run("call", "create_stored_payment_transaction", "amount=12", **environment)
    narrow = run(*command, **environment | {"COLUMNS": "40"}).stdout
    monkeypatch.delenv("COLUMNS")
    piped = run(*command, **environment | {"COLUMNS": ""}).stdout
    assert "\u2026" not in narrow + piped
    assert all(line == line.rstrip() for line in (narrow + piped).splitlines())
    if command[0] == "call" and len(command) > 1:
        # The titles of a table have blanks in the place of underscores.
        words = piped.replace("_", " ").split()
        values = {word for word in words if any(each.isdigit() for each in word)}
        assert values <= set(narrow.replace("_", " ").split())
        assert all(len(line) <= 40 or len(line.split()) <= 2 for line in narrow.splitlines())


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_hanging_indent_breaks_no_word(width: int) -> None:
    text = "Set https://gateway.example/v2/with-a-long-path, then run: telnyx-account-mcp key set"
    lines = hanging(text, 18, width).splitlines()
    assert " ".join(lines).split() == text.split()
    assert all(line.startswith(" " * 18) for line in lines[1:])
