"""Who is sending a change: one process on one machine, and whether it may still live."""

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
    """A process, told apart from a later one with the same number by when it was started."""

    host: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> ProcessIdentity:
        return cls(_host(), os.getpid(), _stat(os.getpid())[1])

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.started}"

    def lives(self, other: str) -> bool | None:
        """Whether the process named so still runs. None where that can't be told: it is on another
        machine, or the system does not tell when it was started, and its number may be used again."""
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
    """A process's state and when it was started, in the kernel's ticks; empty where the system
    doesn't tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    fields = stat.rpartition(")")[2].split()
    return fields[0], fields[19]
