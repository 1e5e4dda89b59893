"""A Telnyx that answers byte for byte as told, for what goes wrong on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.transport import Transport
from tests.support.client import SECONDS

KEY = "KEYtests0123456789abcdefSECRET"

TLS_HANDSHAKE = b"\x16"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Scripted:
    """Answers each request with the next of `answers`; the last one again and again."""

    base_url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    connections: int = 0

    def will(self, *answers: Answer) -> Scripted:
        self.answers = list(answers)
        return self

    def will_answer(self, body: Any, **more: Any) -> Scripted:
        return self.will(answer(200, body, **more))

    async def next_answer(self, asked: Asked) -> Answer:
        """The answer to this request, which is kept."""
        self.requests.append(asked)
        return self.answers[min(len(self.requests), len(self.answers)) - 1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while first_byte := await reader.read(1):
                if first_byte == TLS_HANDSHAKE:
                    writer.write(b"HTTP/1.1 400 This port speaks no TLS\r\n\r\n")
                    return
                head = first_byte + await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                method, target, _ = first.split(" ", 2)
                pairs = (line.split(":", 1) for line in lines)
                headers = {name.strip().lower(): value.strip() for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                asked = Asked(method, target, headers, body)
                await (await self.next_answer(asked))(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answer(status: int, body: Any = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """A whole answer; a body that is not bytes goes out as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {"content-type": "application/json", "content-length": str(len(content))}
    lines = [f"{name}: {value}" for name, value in (head | dict(headers or {})).items()]
    return raw(f"HTTP/1.1 {status} Told\r\n{chr(10).join(lines)}\r\n\r\n".encode() + content)


def complaint(
    status: int, code: str = "10015", headers: Mapping[str, str] | None = None, **more: Any
) -> Answer:
    """An answer with Telnyx's error body."""
    entry = {"code": code, "title": "A title", "detail": "A detail.", **more}
    return answer(status, {"errors": [entry]}, headers)


def raw(content: bytes) -> Answer:
    """Exactly these bytes."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(content)

    return send


def hang_up(after: bytes = b"") -> Answer:
    """These bytes, if any, and the end of the connection."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(after)
        await writer.drain()
        writer.close()

    return send


async def silence(_writer: asyncio.StreamWriter) -> None:
    """Nothing, for as long as the connection lasts."""
    await asyncio.Event().wait()


def drip(piece: bytes = b" ", every: float = 0.01) -> Answer:
    """A head at once, and a body that never ends, a piece at a time."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)

    return send


async def failure_of(transport: Transport, operation: op.Operation, **more: Any) -> TelnyxError:
    """The error that a request ends in."""
    with anyio.fail_after(SECONDS), pytest.raises(TelnyxError) as caught:
        await transport.request(operation, **more)
    return caught.value
