"""The streams of a conversation that the front began.

The real server hears it from its beginning, so that the SDK's state is its own: the revision of the
protocol, the client's capabilities. Only the answer that the client has had is not sent again.
"""

from __future__ import annotations

import io
import os
from types import TracebackType
from typing import Protocol

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse

from telnyx_mcp.front.opening import Opening


class _Answers(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...

    async def aclose(self) -> None: ...


class RemainingAnswers:
    """The stream of answers without the first one to the request that was answered."""

    def __init__(self, answers: _Answers, answered: int | str) -> None:
        self._answers = answers
        self._answered: int | str | None = answered

    async def send(self, item: SessionMessage, /) -> None:
        answer = item.message
        if (
            self._answered is not None
            and isinstance(answer, JSONRPCResponse)
            and answer.id == self._answered
        ):
            self._answered = None
            return
        await self._answers.send(item)

    async def aclose(self) -> None:
        await self._answers.aclose()

    async def __aenter__(self) -> RemainingAnswers:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def continued_stdin(opening: Opening) -> anyio.AsyncFile[str]:
    """Stdin, with what was received before in front of it. As in the SDK, programs that this process
    starts find an empty stdin, and take no line of the client's."""
    private = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    lines = io.BufferedReader(_Continued(opening.received, private))
    return anyio.wrap_file(io.TextIOWrapper(lines, encoding="utf-8", errors="replace"))


class _Continued(io.RawIOBase):
    """Some bytes, then what comes from a file. The file is never closed: a thread may still read it."""

    def __init__(self, received: bytes, file: int) -> None:
        self._received = memoryview(received)
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        chunk = self._received[: len(buffer)] or os.read(self._file, len(buffer))
        self._received = self._received[len(buffer) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)
