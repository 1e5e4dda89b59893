"""Spans go to the collector that the environment names; without one nothing of it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

SPAN = """\
import os, sys
from opentelemetry import trace
from telnyx_mcp.service.telemetry.exporting import telemetry
from telnyx_mcp.service.telemetry.metrics import LedgerCounts
watched = telemetry(os.environ, LedgerCounts)
with trace.get_tracer("test").start_as_current_span("a span of the test"):
    pass
watched.close()
print(any(each.startswith("opentelemetry.exporter.otlp") for each in sys.modules))
"""


def run(**environment: str) -> str:
    """Whether the exporter was imported by a process that made a span."""
    done = subprocess.run(
        [sys.executable, "-c", SPAN],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Its address, and what it was sent."""
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()
    thread.join()


def test_spans_are_sent_to_the_collector(collector: tuple[str, list[tuple[str, bytes]]]) -> None:
    url, received = collector
    assert run(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_COMPRESSION="none") == "True"
    assert [path for path, _ in received] == ["/v1/traces"]
    assert b"a span of the test" in received[0][1]
    assert b"telnyx-account-mcp" in received[0][1]


def test_without_a_collector_nothing_of_it_is_imported() -> None:
    assert run() == "False"
