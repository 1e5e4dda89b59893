"""Memory of a server's process when it has answered `tools/list`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.measurement import Goal, Measurement, side_by_side
from benchmarks.subjects import Subject, rounds, subjects
from benchmarks.wire import Session

ROUNDS = 5


def measure() -> list[Measurement]:
    """Ours against the bare SDK and the peers, in MiB. One server runs at a time."""
    measured = subjects()
    taken: dict[str, list[float]] = {subject.name: [] for subject in measured}
    for each_once in rounds(measured, ROUNDS):
        for subject in each_once:
            taken[subject.name].append(_once_listed(subject) / 1024)
    kind = "PSS" if _SMAPS.exists() else "RSS"
    return side_by_side(f"memory then ({kind})", taken, "MiB", Goal(1.1))


def _once_listed(subject: Subject) -> int:
    with Session(subject) as session:
        session.open()
        return kibibytes(session.pid)


_SMAPS = Path("/proc/self/smaps_rollup")


def kibibytes(pid: int) -> int:
    """Memory of a process: its proportional share (PSS) on Linux, what is resident elsewhere."""
    smaps = _SMAPS.parents[1] / str(pid) / _SMAPS.name
    if smaps.exists():
        text = smaps.read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    shown = subprocess.run(
        ("ps", "-o", "rss=", "-p", str(pid)), capture_output=True, text=True, check=True
    )
    return int(shown.stdout)
