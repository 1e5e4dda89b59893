"""A port in front of another, with faults of the wire: cut, hung, far away, killed at a given piece."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]


class Proxy:
    """Carries bytes both ways. A *piece* is what one read returned: about one message."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._at: tuple[int, Callable[[], None]] | None = None
        self.port = 0
        self.pieces = 0
        """How many were seen so far, in both directions."""
        self.delay = 0.0
        """Seconds that each piece is under way, in each direction."""
        self.refuses = False
        """Whether connections are closed as soon as they are made."""

    @property
    def flows(self) -> bool:
        """Whether new connections are served."""
        return self._flows.is_set()

    def at_piece(self, number: int, action: Callable[[], None]) -> None:
        """Does this when the piece of that number, counted from now, is seen; the piece is lost."""
        self._at = (self.pieces + number, action)

    def cut(self) -> None:
        """Resets every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def hang(self) -> None:
        """Forwards nothing from now on, with every connection open; new ones are accepted too."""
        self._flows.clear()

    def hang_new(self) -> None:
        """Forwards nothing of connections that are made from now on."""
        self._flows = asyncio.Event()

    def flow(self) -> None:
        """Forwards again, also what was kept back."""
        self._flows.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            there, back = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(back)
        flows = self._flows
        try:
            await asyncio.gather(
                self._carry(reader, back, flows), self._carry(there, writer, flows)
            )
        finally:
            for each in (writer, back):
                self._writers.discard(each)
                each.close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event
    ) -> None:
        """Pieces are delayed beside each other, so that a far place is far and not slow."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivering = asyncio.create_task(self._deliver(under_way, writer, flows))
        try:
            with suppress(ConnectionError):
                while data := await reader.read(65536):
                    if not self._is_lost():
                        under_way.put_nowait((time.monotonic() + self.delay, data))
            under_way.put_nowait((time.monotonic() + self.delay, b""))
            await delivering
        finally:
            delivering.cancel()

    async def _deliver(
        self,
        under_way: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        flows: asyncio.Event,
    ) -> None:
        with suppress(ConnectionError, RuntimeError):
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await flows.wait()
                if not data:
                    writer.close()
                    return
                writer.write(data)
                await writer.drain()

    def _is_lost(self) -> bool:
        self.pieces += 1
        if self._at is None or self.pieces < self._at[0]:
            return False
        _, action = self._at
        self._at = None
        action()
        return True


@asynccontextmanager
async def proxy_to(connect: Connect, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """A proxy on a loopback port of its own, which speaks TLS there if it gets a context for it."""
    proxy = Proxy(connect)
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.ensure_future(proxy.serve(reader, writer)))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    proxy.port = listening.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listening.close()
        proxy.flow()
        proxy.cut()
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def to_port(port: int) -> Connect:
    """The way to a loopback port."""

    def connect() -> Awaitable[Streams]:
        return asyncio.open_connection("127.0.0.1", port)

    return connect
