"""Telnyx's balance, answered as fast as Python can: HTTP/1.1 with keep-alive and nothing else.

Prints its port and serves on loopback until its stdin ends. Tells a rate limit in its headers, as
Telnyx does, far too high to be reached: reading them is part of a call.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from contextlib import suppress

BODY = (
    b'{"data":{"record_type":"balance","balance":"300.00","credit_limit":"100.00",'
    b'"available_credit":"400.00","pending":"10.00","currency":"USD"}}'
)
NOT_FOUND = b'{"errors":[{"code":"10005","title":"Resource not found"}]}'
LIMIT = 10_000_000
WINDOW_SECONDS = 10


class Limit:
    """Counts requests in windows of ten seconds."""

    def __init__(self) -> None:
        self._window = 0
        self._used = 0

    def headers(self) -> bytes:
        """The three headers, for one request more."""
        now = time.monotonic()
        window = int(now // WINDOW_SECONDS)
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        reset = math.ceil((window + 1) * WINDOW_SECONDS - now)
        return (
            b"x-ratelimit-limit: %d\r\nx-ratelimit-remaining: %d\r\nx-ratelimit-reset: %d\r\n"
            % (LIMIT, LIMIT - self._used, reset)
        )


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: Limit) -> None:
    """Answers the requests of one connection, until it or the stub ends."""
    with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            found = head.startswith(b"GET /v2/balance ")
            status, body = (b"200 OK", BODY) if found else (b"404 Not Found", NOT_FOUND)
            writer.write(
                b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n%s"
                % (status, len(body), limit.headers(), body)
            )
            await writer.drain()
    writer.close()


async def main() -> None:
    limit = Limit()
    server = await asyncio.start_server(
        lambda reader, writer: answer(reader, writer, limit), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
