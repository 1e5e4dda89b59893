"""Carries a conversation over stdin and stdout, and hands the stream over."""

from __future__ import annotations

import os
import select
import signal
from collections import deque
from typing import TYPE_CHECKING

from telnyx_mcp.front.messages import MAX_BYTES
from telnyx_mcp.process.signals import stopping_signals

if TYPE_CHECKING:
    from telnyx_mcp.front.conversation import Conversation
    from telnyx_mcp.front.opening import Opening

_STDIN, _STDOUT = 0, 1
_READ = 65_536


def converse(conversation: Conversation) -> Opening | None:
    """Answers until the real server is needed. Returns what it continues with; None if the client has
    left."""
    for each in stopping_signals():
        signal.signal(each, _leave)
    try:
        return _answer(conversation)
    except (BrokenPipeError, ConnectionResetError):
        return None


def _answer(conversation: Conversation) -> Opening | None:
    received, waiting = b"", deque[memoryview]()
    while chunk := _next_chunk(waiting):
        received += chunk
        while (end := received.find(b"\n")) >= 0:
            pieces = conversation.reply(received[:end])
            if pieces is None:
                return conversation.opening(received + _drain(waiting))
            waiting.extend(map(memoryview, pieces))
            received = received[end + 1 :]
        if len(received) > MAX_BYTES:  # a line that `recognize` refuses; it may be very long
            return conversation.opening(received + _drain(waiting))
    received += _drain(waiting)
    # The SDK reads a last line without an end too. Where nothing came at all, someone tries whether the
    # server starts, and it says what is wrong with the settings.
    return conversation.opening(received) if received or not conversation.has_begun else None


def _leave(_number: int, _frame: object) -> None:
    """Nothing is in flight, so nothing is waited for. The real server replaces this."""
    os._exit(0)


def _next_chunk(waiting: deque[memoryview]) -> bytes:
    """What comes next from the client, who is sent what waits meanwhile; empty at the end of stdin."""
    while True:
        readable, writable, _ = select.select([_STDIN], [_STDOUT] if waiting else [], [])
        if writable:
            _write(waiting)
        if readable:
            return os.read(_STDIN, _READ)


def _drain(waiting: deque[memoryview]) -> bytes:
    """Sends everything that waits, and returns what was received meanwhile."""
    received, is_open = b"", True
    while waiting:
        readable, writable, _ = select.select([_STDIN] if is_open else [], [_STDOUT], [])
        if writable:
            _write(waiting)
        if readable:
            chunk = os.read(_STDIN, _READ)
            received, is_open = received + chunk, bool(chunk)
    return received


def _write(waiting: deque[memoryview]) -> None:
    """Sends as much as a pipe that can be written to surely takes, so that no write waits: a client that
    sends many requests before it reads an answer would wait too, and for ever."""
    piece = waiting.popleft()
    sent = os.write(_STDOUT, piece[: select.PIPE_BUF])
    if sent < len(piece):
        waiting.appendleft(piece[sent:])
