"""A stderr that is closed, full or unread: no call fails for it, and none waits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.broken_streams import broken, closed, full, unread
from tests.support.server_process import SECONDS, ServerProcess, environment_for, spawned, whole

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="descriptors are POSIX's"),
]
BALANCE = {"name": "telnyx_get_balance", "arguments": {}}


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """That of a server which has something to say: it can't share its pace."""
    (tmp_path / "taken").write_text("a file, not a folder", encoding="utf-8")
    return whole(environment_for(sandbox, tmp_path / "taken"))


STDERRS = pytest.mark.parametrize("stderr", [closed, full, unread, broken])
CLOSING = 'exec "$0" "$@" 2>&-'


def command(stderr: int | None, *arguments: str) -> list[str]:
    python = [sys.executable, "-m", "telnyx_mcp", *arguments]
    return python if stderr is not None else ["sh", "-c", CLOSING, *python]


@STDERRS
async def test_a_server_answers(environment: Mapping[str, str], stderr: object) -> None:
    with anyio.fail_after(SECONDS), stderr() as file:  # type: ignore[operator]
        async with spawned(*command(file), environment=environment, stderr=file) as process:
            server = ServerProcess(process)
            await server.initialize()
            for _ in range(3):
                result = await server.ask("tools/call", BALANCE)
                assert not result.get("isError"), result
            assert (await server.ended())[0] == 0


@STDERRS
def test_a_call_prints_its_result(environment: Mapping[str, str], stderr: object) -> None:
    with stderr() as file:  # type: ignore[operator]
        done = subprocess.run(
            command(file, "call", "telnyx_get_balance", "--json"),
            stdout=subprocess.PIPE,
            stderr=file,
            env=environment,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 0
    assert b'"balance"' in done.stdout


def test_the_package_can_be_imported_without_stderr() -> None:
    code = "import telnyx_mcp.server.build, sys; print(sys.stderr)"
    done = subprocess.run(
        ["sh", "-c", CLOSING, sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"None\n")


def test_where_no_file_may_grow_a_payment_is_not_sent_and_words_say_why(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    script = 'ulimit -f 0; exec "$0" "$@"'
    arguments = ("call", "telnyx_create_stored_payment_transaction", "amount=120")
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, "-m", "telnyx_mcp", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
        env=whole(environment_for(sandbox, tmp_path)),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "nothing was" in f"{done.stdout}{done.stderr}".lower()
    assert sandbox.payments == []
