"""Commands as real processes, on a pseudo-terminal where a person is asked. POSIX only."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile

from tests.support import server_process
from tests.support.forked_command import ForkedCommand

SECONDS = 20


class Terminal:
    """A command on a terminal of its own, and a person there."""

    def __init__(self, process: ForkedCommand, screen: int) -> None:
        self.process = process
        self._screen = screen
        self._seen = ""
        self.shown = ""
        """All that was shown so far."""

    def shows(self, words: str) -> None:
        """Returns once these words are on the screen, after what was waited for before."""
        while words not in self._seen:
            assert self._reads(), f"ended without {words!r}:\n{self.shown}"
        self._seen = self._seen.partition(words)[2]

    def types(self, line: str) -> None:
        os.write(self._screen, line.encode() + b"\n")

    def interrupts(self) -> None:
        """Ctrl-C until it is heard: one that comes just before the terminal is read is not."""
        while self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(2)

    def ends(self) -> int:
        """The exit status, after the rest was shown."""
        while self._reads():
            pass
        return self.process.wait(SECONDS)

    def _reads(self) -> bool:
        ready, _, _ = select.select([self._screen], [], [], SECONDS)
        assert ready, f"nothing more was shown within {SECONDS} s:\n{self.shown}"
        try:
            piece = os.read(self._screen, 65536).decode().replace("\r\n", "\n")
        except OSError:  # Linux's way to say that the other end is closed
            return False
        self.shown += piece
        self._seen += piece
        return bool(piece)


@contextmanager
def at_terminal(*arguments: str, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """The command on a pseudo-terminal, killed at the latest when the test is over."""
    screen, other_end = pty.openpty()
    on_screen = (other_end, other_end, other_end)
    process = ForkedCommand(arguments, on_screen, whole(environment) | {"COLUMNS": "200"})
    os.close(other_end)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def piped(
    *arguments: str, environment: Mapping[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """The command without a terminal."""
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(typed.encode())
        given.seek(0)
        streams = (given.fileno(), out.fileno(), err.fileno())
        process = ForkedCommand(arguments, streams, whole(environment))
        try:
            status = process.wait(SECONDS)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(
            arguments, status, out.read().decode(), err.read().decode()
        )


def whole(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process with a plain terminal."""
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return server_process.whole({**kept, "TERM": "dumb", **environment})


def told_to_run(words: str) -> list[str]:
    """The arguments of the command that a text names."""
    found = re.search(
        r"telnyx-account-mcp ((?:approve|resolve|ledger (?:link|accept))[^`\n]*?)(`|  |$)",
        words,
        re.MULTILINE,
    )
    assert found, words
    return found[1].split()
