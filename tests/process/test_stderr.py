"""A stderr that is closed, full or unread: no call fails for it, and none waits."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.server_process import KEPT, SECONDS, ServerProcess, environment_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="descriptors are POSIX's"),
]
BALANCE = {"name": "telnyx_get_balance", "arguments": {}}


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """That of a server which has something to say: it can't share its pace."""
    (tmp_path / "taken").write_text("a file, not a folder", encoding="utf-8")
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | environment_for(sandbox, tmp_path / "taken")


@contextmanager
def closed() -> Iterator[None]:
    yield None


@contextmanager
def full() -> Iterator[int]:
    if not Path("/dev/full").exists():
        pytest.skip("a device of Linux")
    file = os.open("/dev/full", os.O_WRONLY)
    yield file
    os.close(file)


@contextmanager
def unread() -> Iterator[int]:
    """A pipe that takes no byte more."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    for size in (65536, 1):
        try:
            while True:
                os.write(writes, b"." * size)
        except BlockingIOError:
            pass
    os.set_blocking(writes, True)
    yield writes
    os.close(writes)
    os.close(reads)


@contextmanager
def broken() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reads, writes = os.pipe()
    os.close(reads)
    yield writes
    os.close(writes)


STDERRS = pytest.mark.parametrize("stderr", [closed, full, unread, broken])
CLOSING = 'exec "$0" "$@" 2>&-'


def command(stderr: int | None, *arguments: str) -> list[str]:
    python = [sys.executable, "-m", "telnyx_mcp", *arguments]
    return python if stderr is not None else ["sh", "-c", CLOSING, *python]


@STDERRS
async def test_a_server_answers(environment: Mapping[str, str], stderr: object) -> None:
    with anyio.fail_after(SECONDS), stderr() as file:  # type: ignore[operator]
        process = await asyncio.create_subprocess_exec(
            *command(file),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            env=environment,
            limit=2**22,
        )
        try:
            server = ServerProcess(process)
            await server.initialize()
            for _ in range(3):
                result = await server.ask("tools/call", BALANCE)
                assert not result.get("isError"), result
            assert (await server.ended())[0] == 0
        finally:
            if process.returncode is None:
                process.kill()


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
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    script = 'ulimit -f 0; exec "$0" "$@"'
    arguments = ("call", "telnyx_create_stored_payment_transaction", "amount=120")
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, "-m", "telnyx_mcp", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
        env=kept | environment_for(sandbox, tmp_path),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "nothing was" in f"{done.stdout}{done.stderr}".lower()
    assert sandbox.payments == []
