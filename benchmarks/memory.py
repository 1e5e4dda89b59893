"""Memory of copies that a host has started and listed, and does not call."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path
from time import sleep

from benchmarks.measurement import Goal, Measurement, side_by_side
from benchmarks.subjects import Subject, plain_python, rounds, subjects
from benchmarks.wire import Session

ROUNDS, COPIES, IDLE_SECONDS = 3, 20, 10.0
ANSWER_SECONDS = 180.0
"""Twenty copies start at once, on few processors."""


def measure() -> list[Measurement]:
    """Ours against the bare SDK and the peers, in MiB, ten seconds after the list. One server runs at a
    time, then twenty copies of one."""
    measured = [*subjects(), plain_python()]
    kind = "PSS" if _SMAPS.exists() else "RSS"
    rows = []
    for copies, count in ((1, ROUNDS), (COPIES, 1)):
        taken: dict[str, list[float]] = {subject.name: [] for subject in measured}
        for each_once in rounds(measured, count):
            for subject in each_once:
                taken[subject.name].append(_idle(subject, copies) / 1024)
        what = f"memory, idle ({kind})" if copies == 1 else f"{copies} idle copies together"
        rows += side_by_side(what, taken, "MiB", Goal(0.2))
    return rows


def _idle(subject: Subject, copies: int) -> int:
    """Kibibytes of that many copies together."""
    with ExitStack() as running:
        sessions = [running.enter_context(Session(subject, ANSWER_SECONDS)) for _ in range(copies)]
        for session in sessions:
            session.open()
        sleep(IDLE_SECONDS)
        return sum(kibibytes(session.pid) for session in sessions)


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
