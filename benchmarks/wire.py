"""MCP over a child's stdin and stdout, by hand: no SDK takes part in what is timed."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
from types import TracebackType
from typing import Any

from benchmarks.subjects import ROOT, Subject

HANDSHAKE, MODERN = "2025-11-25", "2026-07-28"
"""The revisions of the protocol: with a handshake, and without one."""
_CLIENT = {"name": "benchmarks", "version": "1"}
ANSWER_SECONDS = 30.0


class Session:
    """A server that was just started, and a conversation with it. Ends it on leaving."""

    def __init__(self, subject: Subject, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._subject = subject
        self._answer_seconds = answer_seconds
        self._last_id = 0
        self._read = b""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed on leaving)
        self._process = subprocess.Popen(
            subject.command,
            cwd=ROOT,
            env=subject.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        try:
            self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._stderr.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def open(self, protocol: str = HANDSHAKE) -> dict[str, Any]:
        """Begins as a client of this revision does, and returns the result of `tools/list`."""
        if protocol == MODERN:
            prefix = "io.modelcontextprotocol/"
            meta = {
                f"{prefix}protocolVersion": MODERN,
                f"{prefix}clientInfo": _CLIENT,
                f"{prefix}clientCapabilities": {},
            }
            self.ask("server/discover", {"_meta": meta})
            return self.ask("tools/list", {"_meta": meta})
        self.ask(
            "initialize",
            {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": _CLIENT},
        )
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self.ask("tools/list", {})

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The result of a tool, which must be no error."""
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        if result.get("isError"):
            raise RuntimeError(f"{self._subject.name}: {tool} answered {result['content']}")
        return result

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Sends a request and returns its result."""
        self._last_id += 1
        self._send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        while True:
            message: dict[str, Any] = json.loads(self._line())
            if message.get("id") != self._last_id:
                continue
            if "error" in message:
                raise RuntimeError(f"{self._subject.name}: {method}: {message['error']}")
            result: dict[str, Any] = message["result"]
            return result

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def _line(self) -> bytes:
        assert self._process.stdout
        source = self._process.stdout.fileno()
        while b"\n" not in self._read:
            ready, _, _ = select.select([source], [], [], self._answer_seconds)
            chunk = os.read(source, 1 << 16) if ready else b""
            if not chunk:
                raise RuntimeError(
                    f"{self._subject.name}: {'ended' if ready else 'no answer'}\n{self._said()}"
                )
            self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _said(self) -> str:
        """The end of what the server wrote to stderr."""
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")[-2000:]
