"""What a process holds, as Linux tells in /proc."""

from __future__ import annotations

from pathlib import Path

from tests.support.server_process import ServerProcess

MEBIBYTE = 1024 * 1024


def held(server: ServerProcess) -> int:
    """Bytes of memory now."""
    return status_of(server.process.pid, "VmRSS") * 1024


def peak(server: ServerProcess) -> int:
    """The most that it has ever held, in bytes."""
    return status_of(server.process.pid, "VmHWM") * 1024


def status_of(pid: int, name: str) -> int:
    """The number of this line of /proc/PID/status; sizes are in kibibytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    lines = (line.split() for line in status.splitlines())
    return next(int(words[1]) for words in lines if words[0] == f"{name}:")


def descriptors(pid: int) -> int:
    """How many files and sockets it has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
