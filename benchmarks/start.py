"""From the start of a server's process to its answer to `tools/list`."""

from __future__ import annotations

from time import perf_counter

from benchmarks.measurement import Goal, Measurement, side_by_side
from benchmarks.subjects import Subject, rounds, subjects
from benchmarks.wire import Session

ROUNDS = 21


def measure() -> list[Measurement]:
    """Ours against the bare SDK and the peers, in milliseconds; medians."""
    measured = subjects()
    for subject in measured:
        seconds_to_answer(subject)  # compiles what was just installed, fills the file cache
    taken: dict[str, list[float]] = {subject.name: [] for subject in measured}
    for each_once in rounds(measured, ROUNDS):
        for subject in each_once:
            taken[subject.name].append(seconds_to_answer(subject) * 1000)
    return side_by_side("spawn to tools/list", taken, "ms", Goal(1.0))


def seconds_to_answer(subject: Subject) -> float:
    begun = perf_counter()
    with Session(subject) as session:
        session.open()
        return perf_counter() - begun
