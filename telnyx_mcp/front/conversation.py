"""One client's conversation as far as the front has it: what is answered, and what must be repeated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from telnyx_mcp.front.messages import Message, recognize
from telnyx_mcp.front.opening import Opening

if TYPE_CHECKING:
    from telnyx_mcp.front.book import Book


class Conversation:
    """Answers line by line, until a line needs the real server. It then goes on from `opening`."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._first: Message | None = None
        self._handshake: dict[str, bytes] = {}
        """The lines that the state of the SDK comes from, by method."""
        self._results: dict[tuple[str, bool, bool], bytes] = {}

    def reply(self, line: bytes) -> Sequence[bytes] | None:
        """The pieces of the answer to a line without its end. None, and from then on nothing else may
        be asked here, if only the real server can answer."""
        message = recognize(line)
        if message is None or not self._is_next(message):
            return None
        if self._first is None:
            self._first = message
        if message is self._first or message.id is None:
            self._handshake.setdefault(message.method, line + b"\n")
        if message.id is None:
            return ()
        identifier = json.dumps(message.id).encode()
        return b'{"jsonrpc":"2.0","id":', identifier, b',"result":', self._result(message), b"}\n"

    @property
    def has_begun(self) -> bool:
        """Whether anything was answered."""
        return self._first is not None

    def opening(self, rest: bytes) -> Opening:
        """What the real server has to hear: the handshake, and the `rest` of what was received."""
        answered = self._first.id if self._first else None
        return Opening(b"".join(self._handshake.values()) + rest, answered)

    def _is_next(self, message: Message) -> bool:
        """Whether the SDK would accept this message now. The first request decides on the revision of
        the protocol, for the life of the connection."""
        if message.modern:
            is_open = self._first is None or self._first.modern
            return is_open and message.version in self._book.modern_versions
        if message.method == "initialize":
            return self._first is None and message.version in self._book.handshake_versions
        return self._first is not None and not self._first.modern

    def _result(self, message: Message) -> bytes:
        # A client with a handshake said there what it shows; another one says it in each request.
        says = message if message.modern or self._first is None else self._first
        key = (message.method, message.modern, says.pages)
        if key not in self._results:
            if message.method == "initialize":
                result = self._book.initialized(str(message.version), pages=says.pages)
            else:
                result = self._book.result(message.method, modern=message.modern, pages=says.pages)
            text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
            self._results[key] = text.encode()
        return self._results[key]
