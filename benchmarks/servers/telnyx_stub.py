"""Telnyx's balance and lists, answered as fast as Python can: HTTP/1.1 with keep-alive, no more.

Prints its port and serves on loopback until its stdin ends. Tells a rate limit in its headers, as
Telnyx does, far too high to be reached: reading them is part of a call. Filters are not looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs

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


def invoice(number: int) -> str:
    """One of many invoices, a month each, as Telnyx shows it."""
    invoice_id = f"3f1c0ab2-5c7e-4d19-9a51-{number:012x}"
    month = f"{1000 + number // 12}-{number % 12 + 1:02d}"
    return (
        f'{{"invoice_id":"{invoice_id}","file_id":"8d2f4b66-1d0b-4c3e-8a77-{number:012x}",'
        f'"period_start":"{month}-01","period_end":"{month}-28","paid":true,'
        f'"url":"https://api.telnyx.com:443/v2/invoices/{invoice_id}"}}'
    )


class List:
    """So many rows, `largest` of them on a page at most."""

    def __init__(self, row: Callable[[int], str], rows: int, largest: int) -> None:
        self._row = row
        self._rows = rows
        self._largest = largest

    def page(self, query: str) -> bytes:
        asked = parse_qs(query)
        number = int(asked.get("page[number]", ["1"])[0])
        size = min(int(asked.get("page[size]", ["20"])[0]), self._largest)
        first = (number - 1) * size
        rows = ",".join(map(self._row, range(first, min(first + size, self._rows))))
        return (
            f'{{"data":[{rows}],"meta":{{"page_number":{number},"page_size":{size},'
            f'"total_pages":{math.ceil(self._rows / size)},"total_results":{self._rows}}}}}'
        ).encode()


class Stub:
    """What is served, and how many seconds each answer takes at least."""

    def __init__(self, lists: dict[str, List], latency: float) -> None:
        self._lists = lists
        self._latency = latency
        self._limit = Limit()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of one connection, until it or the stub ends."""
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if self._latency:
                    await asyncio.sleep(self._latency)
                status, body = self._answer(head)
                writer.write(
                    b"HTTP/1.1 %s\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n%s\r\n%s"
                    % (status, len(body), self._limit.headers(), body)
                )
                await writer.drain()
        writer.close()

    def _answer(self, head: bytes) -> tuple[bytes, bytes]:
        if head.startswith(b"GET /v2/balance "):
            return b"200 OK", BODY
        path, _, query = head.split(b" ", 2)[1].decode().partition("?")
        found = self._lists.get(path.removeprefix("/v2"))
        return (b"200 OK", found.page(query)) if found else (b"404 Not Found", NOT_FOUND)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--invoices", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    options = parser.parse_args()
    lists = {
        "/invoices": List(invoice, options.invoices, 250),
    }
    stub = Stub(lists, options.latency)
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
