"""A program that is spoken to in lines, and lives until its stdin ends."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from types import TracebackType

from benchmarks.subjects import ROOT


class Worker:
    """The other end of such a program's stdin and stdout. Ends it on leaving."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._name = " ".join(command[1:])
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self) -> str:
        """Its next line. Raises `RuntimeError` if it has ended instead."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} has ended")
        return line.strip()

    def tell(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def terminate(self) -> None:
        self._process.terminate()
