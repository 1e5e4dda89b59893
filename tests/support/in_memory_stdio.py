"""The server over the SDK's stdio transport, with bytes in place of a process."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import anyio
from anyio.lowlevel import checkpoint
from mcp.server.stdio import stdio_server

from telnyx_mcp.front.conversation import Conversation
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.continuing import RemainingAnswers

IDLE_TURNS = 50
"""Turns of the event loop without an answer after which none is on its way. No thread is involved, and
an answer takes about ten."""


class _Stdout:
    def __init__(self) -> None:
        self.content = ""

    async def write(self, text: str) -> None:
        self.content += text

    async def flush(self) -> None:
        pass


class _Stdin:
    """Lines as the transport would read them. Ends when everything was answered: the real stdin of a
    client does not end before."""

    def __init__(self, content: bytes, stdout: _Stdout) -> None:
        self._content = content
        self._stdout = stdout

    async def __aiter__(self) -> AsyncIterator[str]:
        for line in io.TextIOWrapper(io.BytesIO(self._content), "utf-8", "replace"):
            yield line
        idle, written = 0, -1
        while idle < IDLE_TURNS:
            idle = idle + 1 if len(self._stdout.content) == written else 0
            written = len(self._stdout.content)
            await checkpoint()


def messages_of(content: str) -> list[str]:
    """The messages in a canonical order: the server answers concurrently."""
    return sorted(
        json.dumps(json.loads(line), sort_keys=True) for line in content.split("\n") if line
    )


async def answers_of_server(
    server: AccountServer, content: bytes, answered: int | str | None = None
) -> str:
    """What the real server writes to stdout when it reads this, without the first answer to `answered`."""
    stdout = _Stdout()
    with anyio.fail_after(20):
        async with stdio_server(cast(Any, _Stdin(content, stdout)), cast(Any, stdout)) as (
            received,
            sent,
        ):
            answers = sent if answered is None else RemainingAnswers(sent, answered)
            await server.run(received, answers, server.create_initialization_options())
    return stdout.content


async def answers_of_front(
    conversation: Conversation, server: AccountServer, content: bytes
) -> tuple[str, bool]:
    """The same through the front, and whether the real server was needed."""
    written = b""
    lines = _lines(content)
    for line in lines:
        whole = line.endswith(b"\n")
        pieces = conversation.reply(line[:-1]) if whole else None
        if pieces is None:
            opening = conversation.opening(line + b"".join(lines))
            rest = await answers_of_server(server, opening.received, opening.answered)
            return written.decode() + rest, True
        written += b"".join(pieces)
    return written.decode(), False


def _lines(content: bytes) -> Iterator[bytes]:
    yield from io.BytesIO(content)
