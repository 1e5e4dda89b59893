"""Sends a response, complete or distorted by a fault."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

from telnyx_mcp.sandbox import connection
from telnyx_mcp.sandbox.faults import Fault, distort
from telnyx_mcp.sandbox.refusals import Refusal

SANDBOX_HEADER = (b"x-telnyx-sandbox", b"true")
JSON = b"application/json; charset=utf-8"
HTML_PAGE = (
    b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center>"
    b"<hr><center>cloudflare</center></body></html>"
)
CHUNK = 64 * 1024

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Response:
    """The response of an operation: a payload to encode as JSON, or encoded text of another media type."""

    payload: Any = None
    status: int = 200
    encoded: bytes | None = None
    media_type: bytes = JSON

    @property
    def body(self) -> bytes:
        return json.dumps(self.payload).encode() if self.encoded is None else self.encoded


@dataclass(slots=True)
class Exchange:
    """Answers one request.

    `on_end` is called once: with the status when the response begins, or with None if there is no
    response. This happens before the client can see it, so a test that looks at the sandbox after a
    call finds the request recorded.
    """

    scope: Scope
    receive: Receive
    send: Send
    on_end: Callable[[int | None], None]
    headers: Headers = field(default_factory=lambda: [SANDBOX_HEADER])
    not_before: float = 0.0
    """The earliest time for the response to begin, by the monotonic clock."""
    ended: bool = False
    error_body: Callable[[Refusal], dict[str, Any]] = Refusal.body

    def end(self, status: int | None) -> None:
        """Call `on_end`, unless it was called before."""
        if not self.ended:
            self.ended = True
            self.on_end(status)

    async def answer(self, response: Response) -> None:
        """Send the whole response."""
        await self._whole(response.status, response.media_type, response.body)

    async def refuse(self, refusal: Refusal) -> None:
        """Send the documented error."""
        body = json.dumps(self.error_body(refusal)).encode()
        await self._whole(refusal.status, JSON, body)

    async def left_within(self, seconds: float) -> bool:
        """Wait; true if the client disconnects within this time."""
        try:
            async with asyncio.timeout(seconds):
                while (await self.receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True

    async def misbehave(self, fault: Fault, response: Response | None) -> None:
        """Send the response as the fault distorts it; `response` is None if the request was not executed."""
        self.headers += [
            (name.lower().encode(), value.encode()) for name, value in fault.headers.items()
        ]
        response = Response({}) if response is None else response
        match fault.kind:
            case "drop_before" | "drop_after":
                self.end(None)
                await connection.drop(self.scope, self.receive)
            case "reset_before" | "reset_after":
                self.end(None)
                await connection.reset(self.scope, self.receive)
            case "drip":
                await self._stream(response, _drops(response.body, fault.seconds))
            case "truncated":
                await self._start(response.status, response.media_type, len(response.body))
                half = response.body[: len(response.body) // 2]
                await self.send({"type": "http.response.body", "body": half, "more_body": True})
                await connection.drop(self.scope, self.receive)
            case "truncated_json":
                await self._whole(response.status, JSON, response.body[: len(response.body) // 2])
            case "html":
                page = HTML_PAGE % (fault.status, fault.status)
                await self._whole(fault.status, b"text/html", page)
            case "empty" | "no_content":
                await self._whole(fault.status, None, b"")
            case "nonsense":
                await self._whole(fault.status, JSON, json.dumps(fault.body).encode())
            case "status":
                await self.refuse(Refusal(fault.status, code=fault.code))
            case "huge":
                await self._stream(Response(), _padding(fault.size))
            case "redirect":
                self.headers.append((b"location", fault.location.encode()))
                await self._whole(fault.status, None, b"")
            case kind:
                payload = distort(kind, response.payload)
                encoded = response.encoded if payload is response.payload else None
                await self.answer(Response(payload, response.status, encoded, response.media_type))

    async def _whole(self, status: int, media_type: bytes | None, body: bytes) -> None:
        await self._start(status, media_type, None if status == 204 else len(body))
        await self.send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, media_type: bytes | None, length: int | None) -> None:
        await asyncio.sleep(max(0.0, self.not_before - time.monotonic()))
        self.end(status)
        headers = list(self.headers)
        if media_type is not None:
            headers.append((b"content-type", media_type))
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def _stream(self, response: Response, chunks: AsyncIterator[bytes]) -> None:
        await self._start(response.status, response.media_type, None)
        async for chunk in chunks:
            await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self.send({"type": "http.response.body", "body": b""})


async def _drops(body: bytes, seconds: float) -> AsyncIterator[bytes]:
    for index in range(len(body)):
        yield body[index : index + 1]
        await asyncio.sleep(seconds)


async def _padding(size: int) -> AsyncIterator[bytes]:
    """Valid JSON of at least `size` bytes, a chunk at a time."""
    for chunk in _padding_chunks(size):
        yield chunk


def _padding_chunks(size: int) -> Iterator[bytes]:
    yield b'{"data": {"padding": "'
    for _ in range(-(-size // CHUNK)):
        yield b"x" * CHUNK
    yield b'"}}'
