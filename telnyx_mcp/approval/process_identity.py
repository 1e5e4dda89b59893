"""Identifies the process that sends a change, and checks whether it is still running.

The lease (`SENDING_LEASE`, 60 s) alone would not be enough: it depends on the clock. A change of a
running process must not become `unknown` because the clock was set forward, and one of a killed process
should become `unknown` at once. The lease decides only for processes on other machines.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

_ENDED = ("Z", "X")
"""States of a process that ended and was not reaped yet: zombie, dead."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process. Its start time distinguishes it from a later process with the same number."""

    host: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> ProcessIdentity:
        return cls(_host(), os.getpid(), _stat(os.getpid())[1])

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.started}"

    def is_running(self, other: str) -> bool | None:
        """Whether this process still runs. None if unknown: it is on another machine, or the system
        does not report start times and the number may belong to a new process."""
        host, pid, started = (*other.rsplit("/", 2), "", "")[:3]
        if host != self.host or not pid.isdecimal() or sys.platform == "win32":
            return None
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except (OSError, OverflowError):
            return None
        state, since = _stat(int(pid))
        if not since or not started:
            return None
        return state not in _ENDED and since == started


def _host() -> str:
    """The machine, and on Linux the namespace in which the numbers of processes mean something."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _stat(pid: int) -> tuple[str, str]:
    """A process's state and when it was started, in the kernel's ticks; empty if the system
    does not report them."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    fields = stat.rpartition(")")[2].split()
    return fields[0], fields[19]
