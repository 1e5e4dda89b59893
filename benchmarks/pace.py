"""Many copies on one API key, each asking for the balance again and again, under a rate limit.

What counts is counted from the first request the account saw, over whole windows of its limit.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from benchmarks.measurement import Figure, Goal, Measurement, Unavailable
from benchmarks.peers import tell
from benchmarks.postgres import running_postgres
from benchmarks.stand_ins import LimitedAccount, running_sandbox
from benchmarks.subjects import WORKERS, environment, ours, state_url
from benchmarks.wire import Session
from benchmarks.worker import Worker

LIMIT = 200
WINDOW = 10.0
"""Seconds; the sandbox's limit."""
WINDOWS = 4
FIRST_REQUEST_SECONDS = 12.0
"""Calls go on for so long beyond the windows: the first request comes seconds after the start, as the
first call of each copy loads the MCP SDK, all of them at once."""
COPIES = (8, 20)
SDK = "telnyx SDK"

Ask = Callable[[], bool]
"""Makes one call. Whether it was answered."""
Copy = Callable[[LimitedAccount], AbstractContextManager[Ask]]
"""Starts a process; is ready when its first call may be made."""


@dataclass(frozen=True, slots=True)
class _Asked:
    copy: int
    began: float
    ended: float
    answered: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """What came of one run."""

    by_window: Sequence[int]
    """Calls answered in each of the limit's windows."""
    refused: float
    """Part of the requests that were answered 429."""
    failed: int
    longest: float
    """Seconds of the slowest call."""
    fairness: float
    """Calls answered for the copy served least, as a part of those for the one served most."""

    @property
    def use(self) -> float:
        """Calls answered, as a part of what the limit allows."""
        return sum(self.by_window) / (LIMIT * len(self.by_window))


METRICS: tuple[tuple[str, str, Goal | None, Callable[[_Run], float]], ...] = (
    ("of limit", "%", Goal(95, at_least=True, of_figure=True), lambda run: run.use * 100),
    ("429", "%", Goal(1, of_figure=True), lambda run: run.refused * 100),
    ("failed", "calls", Goal(0, of_figure=True), lambda run: run.failed),
    ("slowest", "s", None, lambda run: run.longest),
    ("fairness", "", None, lambda run: run.fairness),
)


def measure() -> list[Measurement]:
    """Ours, sharing the pace through a file, against the official SDK; ours through PostgreSQL."""
    rows = []
    for number in COPIES:
        with state_url() as state:
            of_ours = _run(number, partial(_server, state))
        rows += _rows(f"{number} copies", of_ours, _run(number, _sdk))
    with suppress(Unavailable), running_postgres() as url:  # told once, below the table
        rows += _rows(f"{COPIES[-1]} on Postgres", _run(COPIES[-1], partial(_server, url)))
    return rows


def _rows(what: str, of_ours: _Run, of_sdk: _Run | None = None) -> list[Measurement]:
    windows = {f"window {n}": float(each) for n, each in enumerate(of_ours.by_window, 1)}
    return [
        Measurement(
            f"{what}: {metric}",
            Figure("ours", value(of_ours), unit),
            Figure(SDK, value(of_sdk), unit) if of_sdk else None,
            goal,
            parts=windows if metric == "of limit" else {},
        )
        for metric, unit, goal, value in METRICS
    ]


def _run(number: int, copy: Copy) -> _Run:
    with running_sandbox() as account, ExitStack() as running:
        with ThreadPoolExecutor(number) as starting:  # so that all start at once
            opened = [starting.submit(running.enter_context, copy(account)) for _ in range(number)]
            copies = [each.result() for each in opened]
        tell(f"  {number} copies run")
        until = time.time() + WINDOWS * WINDOW + FIRST_REQUEST_SECONDS
        with ThreadPoolExecutor(number) as asking:
            asked = asking.map(partial(_ask_on, until), range(number), copies)
            calls = [each for of_one in asked for each in of_one]
        requests = account.requests()
    first = min(each["time"] for each in requests)
    last = first + WINDOWS * WINDOW
    statuses = [each["status"] for each in requests if each["time"] < last]
    answered = [each for each in calls if each.answered and each.ended < last]
    by_copy = [sum(each.copy == one for each in answered) for one in range(number)]
    return _Run(
        [
            sum(int((each.ended - first) // WINDOW) == window for each in answered)
            for window in range(WINDOWS)
        ],
        statuses.count(429) / len(statuses),
        sum(not each.answered for each in calls),
        max(each.ended - each.began for each in calls),
        min(by_copy) / max(by_copy),
    )


def _ask_on(until: float, copy: int, ask: Ask) -> list[_Asked]:
    """Calls one after the other, without a pause."""
    asked = []
    while (began := time.time()) < until:
        answered = ask()
        asked.append(_Asked(copy, began, time.time(), answered))
    return asked


@contextmanager
def _server(state: str, account: LimitedAccount) -> Iterator[Ask]:
    settings = {"TELNYX_API_KEY": account.key, "TELNYX_MCP_STATE_URL": state}
    subject = ours(account.base_url, **settings)
    call = {"name": subject.balance_tool, "arguments": {}}
    with Session(subject) as session:
        session.open()
        yield lambda: not session.ask("tools/call", call).get("isError")


@contextmanager
def _sdk(account: LimitedAccount) -> Iterator[Ask]:
    command = (sys.executable, str(WORKERS / "sdk_balance.py"))
    with Worker(command, environment(account.base_url, TELNYX_API_KEY=account.key)) as process:
        process.said()

        def ask() -> bool:
            process.tell("call")
            return process.said() == "answered"

        yield ask
