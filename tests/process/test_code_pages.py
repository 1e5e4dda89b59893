"""Pipes of another code page: JSON is UTF-8 whatever the pipe is, and no text fails."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.server_process import SECONDS, environment_for, newly_started, whole

NAME = "Zoë → 東京 👩 é"
PAGES: Mapping[str, dict[str, str]] = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "ascii, strict": {"PYTHONIOENCODING": "ascii:strict"},
    "cp437": {"PYTHONIOENCODING": "cp437"},
    "a locale without letters": {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    },
}


USUAL = "a locale without letters"
"""The page that the default suite tries: most of the time goes into starting processes."""


def seldom(*command: str) -> Any:
    """A command that the default suite does not try."""
    return pytest.param(command, marks=pytest.mark.slow)


@pytest.fixture(
    params=[each if each == USUAL else pytest.param(each, marks=pytest.mark.slow) for each in PAGES]
)
def environment(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path
) -> Mapping[str, str]:
    """That of a server whose standard streams are of this code page."""
    return whole(environment_for(sandbox, tmp_path)) | PAGES[request.param]


def run(
    environment: Mapping[str, str], *arguments: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "telnyx_mcp", *arguments],
        input=stdin,
        env=environment,
        capture_output=True,
        timeout=3 * SECONDS,
        check=False,
    )
    assert b"Traceback" not in done.stdout + done.stderr, done.stderr
    assert b"codec" not in done.stdout + done.stderr, done.stderr
    return done


async def test_serve_speaks_utf8_both_ways(environment: dict[str, str]) -> None:
    async with newly_started(environment=environment) as server:
        await server.initialize()
        arguments = {"starts_with": NAME}
        result = await server.ask(
            "tools/call", {"name": "telnyx_list_user_tags", "arguments": arguments}
        )
        assert not result.get("isError"), result
        wrong = await server.ask("tools/call", {"name": NAME, "arguments": {}})
        assert wrong["isError"]
        assert (await server.ended())[0] == 0


@pytest.mark.parametrize(
    "command",
    [
        ("call", "telnyx_list_user_tags", f"starts_with={NAME}", "--json"),
        seldom("call", "telnyx_list_audit_events", "page_size=1", "--json"),
        seldom("ledger", "--json"),
        seldom("doctor", "--json"),
    ],
    ids=lambda each: " ".join(each[:2]),
)
def test_json_is_utf8(environment: Mapping[str, str], command: tuple[str, ...]) -> None:
    done = run(environment, *command)
    json.loads(done.stdout.decode("utf-8"))


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("doctor",),
        ("install", NAME),
        seldom("ledger"),
        seldom("call", "telnyx_get_balance"),
        seldom("call", "telnyx_list_user_tags", f"starts_with={NAME}"),
        seldom("call", NAME),
        seldom("export", "detail-records", "--type", NAME, "--period", NAME, "--to", "x.csv"),
        seldom("resolve", NAME),
    ],
    ids=lambda each: " ".join(each[:2]),
)
def test_text_never_fails(environment: Mapping[str, str], command: tuple[str, ...]) -> None:
    run(environment, *command)


@pytest.mark.slow
def test_the_demo_runs_to_its_end(environment: Mapping[str, str]) -> None:
    assert run(environment, "demo").returncode == 0


@pytest.mark.parametrize("command", [("key", "set"), ("approve",), ("resolve", "x")])
def test_what_comes_through_stdin_never_fails(
    environment: Mapping[str, str], command: tuple[str, ...]
) -> None:
    run(environment, *command, stdin=NAME.encode() + b"\xff\xfe\n" * 3)


def test_letters_in_json_are_those_of_the_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    """`profiles.toml` and JSON are UTF-8, whatever the locale is."""
    folder = tmp_path / "config" / "telnyx-account-mcp"
    folder.mkdir(parents=True)
    (folder / "profiles.toml").write_text(f"# {NAME}\n[profiles.eu]\n", encoding="utf-8")
    variables = whole(environment_for(sandbox, tmp_path)) | PAGES["ascii"]
    del variables["TELNYX_MCP_PROFILES"]
    done = run(variables, "doctor", "--json", "--profile", "eu")
    assert "profile eu" in done.stdout.decode("utf-8")
