"""Whether spans are sent, and where to: what the environment says, as everywhere with OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping

COLLECTORS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Variables that name a collector. Without one there are no traces."""


def traces_to(environment: Mapping[str, str]) -> str | None:
    """The collector that spans are sent to; None if there is none."""
    return next((environment[name] for name in COLLECTORS if environment.get(name)), None)
