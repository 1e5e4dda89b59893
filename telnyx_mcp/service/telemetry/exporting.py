"""Where metrics and traces go: /metrics for Prometheus, and spans by OTLP if the environment names a
collector. The OpenTelemetry SDK is imported here alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio.to_thread
from opentelemetry import trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from telnyx_mcp import __version__
from telnyx_mcp.service.telemetry.metrics import Cached, LedgerCounts, ServiceMetrics
from telnyx_mcp.service.telemetry.tracing import traces_to
from telnyx_mcp.storage.store import StoreError

NAME = "telnyx-account-mcp"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The instruments, the application that serves them, and the end of both."""

    metrics: ServiceMetrics
    app: ASGIApp
    close: Callable[[], None]
    """Sends the last spans; blocks for seconds if the collector does not answer."""


def telemetry(environment: Mapping[str, str], counts: Callable[[], LedgerCounts]) -> Telemetry:
    """Metrics for one process. `counts` reads the ledger, and may block and raise `StoreError`."""
    resource = Resource.create({"service.name": NAME, "service.version": __version__})
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(scope_info_enabled=False, registry=registry)
    provider = MeterProvider([reader], resource, shutdown_on_exit=False)
    metrics = ServiceMetrics(provider.get_meter(NAME, __version__))
    end_traces = _trace_to_collector(resource) if traces_to(environment) else None

    def close() -> None:
        provider.shutdown()
        if end_traces:
            end_traces()

    return Telemetry(metrics, _MetricsApp(metrics, registry, Cached(counts)), close)


def _trace_to_collector(resource: Resource) -> Callable[[], None]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.shutdown


class _MetricsApp:
    """Serves /metrics. The ledger is read in a thread; while it can't be, its last counts are shown."""

    def __init__(
        self, metrics: ServiceMetrics, registry: CollectorRegistry, counts: Cached
    ) -> None:
        self._metrics = metrics
        self._registry = registry
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        if request.url.path != "/metrics" or request.method not in {"GET", "HEAD"}:
            await PlainTextResponse("See /metrics.\n", 404)(scope, receive, send)
            return
        try:
            self._metrics.ledger = await anyio.to_thread.run_sync(self._counts)
        except StoreError as error:
            _logger.warning("the ledger could not be counted: %s", error)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        response = Response(encode(self._registry), headers={"content-type": content_type})
        await response(scope, receive, send)
