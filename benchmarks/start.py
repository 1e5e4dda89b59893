"""How long a server takes to its first answers, from the start of its process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from time import perf_counter, sleep

from benchmarks.measurement import Goal, Measurement, side_by_side
from benchmarks.stand_ins import running_stub
from benchmarks.subjects import (
    Subject,
    ours,
    plain_python,
    rounds,
    state_url,
    subjects,
    without_front,
)
from benchmarks.wire import HANDSHAKE, MODERN, Session

ROUNDS = 21
IDLE_COPIES, IDLE_SECONDS = 7, 60.0


def measure() -> list[Measurement]:
    """Ours against the bare SDK and the peers, and its first call against itself without the front; in
    milliseconds, medians."""
    rows = []
    for protocol in (HANDSHAKE, MODERN):
        # Plain Python does not speak the newest revision, but answers it.
        measured = [*subjects(), plain_python()]
        taken = _in_turns(measured, partial(to_list, protocol))
        rows += side_by_side(f"spawn to tools/list, {protocol}", taken, "ms", Goal(0.15))
    with running_stub() as base_url, state_url() as state:
        settings = {"TELNYX_MCP_STATE_URL": state}
        measured = [ours(base_url, **settings), without_front(base_url, **settings)]
        taken = _in_turns(measured, to_first_call)
        rows += side_by_side("spawn to the first call's answer", taken, "ms", Goal(1.05))
        taken = _after_an_idle_minute(measured)
        rows += side_by_side("first call after an idle minute", taken, "ms")
    return rows


def _in_turns(
    measured: Sequence[Subject], seconds_of: Callable[[Subject], float]
) -> dict[str, list[float]]:
    """The milliseconds of each, after one time that does not count: it compiles what was just
    installed, and fills the file cache."""
    taken: dict[str, list[float]] = {subject.name: [] for subject in measured}
    for subject in measured:
        seconds_of(subject)
    for each_once in rounds(measured, ROUNDS):
        for subject in each_once:
            taken[subject.name].append(seconds_of(subject) * 1000)
    return taken


def to_list(protocol: str, subject: Subject) -> float:
    """Seconds to the answer to `tools/list`."""
    begun = perf_counter()
    with Session(subject) as session:
        session.open(protocol)
        return perf_counter() - begun


def to_first_call(subject: Subject) -> float:
    """Seconds to the answer to a call that is made at once."""
    begun = perf_counter()
    with Session(subject) as session:
        session.open()
        session.call(subject.balance_tool)
        return perf_counter() - begun


def _after_an_idle_minute(measured: Sequence[Subject]) -> dict[str, list[float]]:
    """The milliseconds of the first call to each of some copies that were listed a minute ago."""
    taken: dict[str, list[float]] = {subject.name: [] for subject in measured}
    with ExitStack() as running:
        copies = []
        for each_once in rounds(measured, IDLE_COPIES):
            for subject in each_once:
                session = running.enter_context(Session(subject))
                session.open()
                copies.append((subject, session))
        sleep(IDLE_SECONDS)
        for subject, session in copies:
            begun = perf_counter()
            session.call(subject.balance_tool)
            taken[subject.name].append((perf_counter() - begun) * 1000)
    return taken
