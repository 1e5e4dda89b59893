"""Metrics, by the OpenTelemetry API. No label names a person, an account or an amount."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telnyx_mcp.telnyx.rate_limit.watch import PaceWatch

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0)
"""The upper bounds of the histogram's buckets: a call may wait 25 s for Telnyx."""


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """What the ledger and the outbox hold now."""

    changes: Mapping[str, int] = field(default_factory=dict)
    """Changes by state."""
    unknown_payments: int = 0
    decisions: Mapping[str, int] = field(default_factory=dict)
    """Decisions of people: approved and declined."""
    notices_waiting: int = 0
    notices_failed: int = 0
    """Given up after the last try."""


class ServiceMetrics(PaceWatch):
    """The instruments. Counts of the ledger are those that were last handed to `ledger`."""

    def __init__(self, meter: Meter) -> None:
        self.ledger = LedgerCounts()
        self._calls = meter.create_counter(
            "telnyx_mcp_calls", description="Messages to /mcp, by tool or method, and outcome"
        )
        self._seconds = meter.create_histogram(
            "telnyx_mcp_call_duration",
            unit="s",
            description="Time until the answer was complete",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._waits = meter.create_histogram(
            "telnyx_mcp_pace_wait",
            unit="s",
            description="Time that requests to Telnyx waited for their turn",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._turned_away = meter.create_counter(
            "telnyx_mcp_pace_turned_away",
            description="Requests that were not sent, as their turn was too far away",
        )
        self._too_many = meter.create_counter(
            "telnyx_mcp_rate_limited", description="Answers 429, by who gave them"
        )
        gauges: Mapping[str, tuple[str, Callable[[LedgerCounts], Iterable[Observation]]]] = {
            "telnyx_mcp_changes": (
                "Changes in the ledger, by state",
                lambda counts: _by("state", counts.changes),
            ),
            "telnyx_mcp_unknown_payments": (
                "Payments whose outcome a person has to find out; they block further ones",
                lambda counts: [Observation(counts.unknown_payments)],
            ),
            "telnyx_mcp_decisions": (
                "Decisions of people in the ledger: approved and declined",
                lambda counts: _by("decision", counts.decisions),
            ),
            "telnyx_mcp_notices_waiting": (
                "Notices that are to be sent",
                lambda counts: [Observation(counts.notices_waiting)],
            ),
            "telnyx_mcp_notices_failed": (
                "Notices that were given up",
                lambda counts: [Observation(counts.notices_failed)],
            ),
        }
        for name, (description, observe) in gauges.items():
            meter.create_observable_gauge(name, [self._observing(observe)], description=description)

    def _observing(
        self, observe: Callable[[LedgerCounts], Iterable[Observation]]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _options: observe(self.ledger)

    def call(self, tool: str, outcome: str, seconds: float) -> None:
        self._calls.add(1, {"tool": tool, "outcome": outcome})
        self._seconds.record(seconds, {"tool": tool})

    def waited(self, endpoint: str, seconds: float) -> None:
        self._waits.record(seconds, {"endpoint": endpoint})

    def turned_away(self, endpoint: str) -> None:
        self._turned_away.add(1, {"endpoint": endpoint})

    def refused(self, endpoint: str, *, own: bool) -> None:
        self._too_many.add(1, {"endpoint": endpoint, "by": "telnyx" if own else "other"})


def _by(label: str, counts: Mapping[str, int]) -> list[Observation]:
    return [Observation(count, {label: name}) for name, count in sorted(counts.items())]


class Cached:
    """Counts of the ledger that are read at most every `seconds`; the last ones while the store fails.
    `clock` counts seconds."""

    def __init__(
        self,
        read: Callable[[], LedgerCounts],
        seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._at = float("-inf")
        self._last = LedgerCounts()

    def __call__(self) -> LedgerCounts:
        """Blocks while the store is read. Raises what `read` raises."""
        if self._clock() - self._at >= self._seconds:
            self._at = self._clock()
            self._last = self._read()
        return self._last
