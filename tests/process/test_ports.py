"""A port that can't be served on is one line on stderr."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.command import Run


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("command", [("serve", "--http"), ("sandbox", "--port")])
def test_a_port_in_use_is_one_line(command: tuple[str, ...], taken: int, run: Run) -> None:
    done = run(*command, str(taken))
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"127.0.0.1 port {taken}: another program uses it. Choose another" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["99999", "65536", "-1", "abc", "80.5", "", "٨٠"])
@pytest.mark.parametrize("command", [("serve", "--http="), ("sandbox", "--port=")])
def test_what_is_not_a_port_is_refused_in_words(
    command: tuple[str, str], port: str, run: Run
) -> None:
    done = run(command[0], command[1] + port)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert command[1].rstrip("=") in done.stderr.splitlines()[-1]
