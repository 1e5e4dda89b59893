"""Real proxies on loopback: CONNECT over HTTP, and SOCKS5, each of which can refuse in its ways."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ForwardProxy:
    """A proxy, and what it was asked for. Every name leads to `target`, a port of loopback."""

    target: int = 0
    login: tuple[str, str] | None = None
    """The user and password that it wants."""
    answer: bytes | None = None
    """What it says instead of making a connection; nothing and hangs up if empty."""
    is_silent: bool = False
    """Whether it reads what it is asked, and says nothing."""
    tunnel: bytes | None = None
    """What comes out of its tunnel in place of the target's bytes."""
    asked: list[str] = field(default_factory=list)
    """HOST:PORT of each connection that it was asked for, refused or not."""
    read: bytearray = field(default_factory=bytearray)
    """All that it read, in the tunnels too."""
    port: int = 0

    async def _refuse(self, writer: asyncio.StreamWriter) -> None:
        if self.is_silent:
            await asyncio.Event().wait()
        writer.write(self.answer or b"")
        await writer.drain()

    @property
    def _refuses(self) -> bool:
        return self.is_silent or self.answer is not None

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.tunnel is not None:
            await reader.read(65536)
            writer.write(self.tunnel)
            await writer.drain()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                with suppress(OSError):
                    while chunk := await source.read(65536):
                        if sink is back:
                            self.read += chunk
                        sink.write(chunk)
                        await sink.drain()
            finally:
                sink.close()

        await asyncio.gather(copy(reader, back), copy(there, writer))

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection to an HTTP proxy."""
        if (head := await reader.readexactly(1)) == b"\x16":  # TLS, which this proxy does not speak
            return
        head += await reader.readuntil(b"\r\n\r\n")
        self.read += head
        self.asked.append(head.split(b" ")[1].decode())
        wanted = base64.b64encode(":".join(self.login or ()).encode())
        if self._refuses:
            await self._refuse(writer)
        elif self.login and b"Basic " + wanted not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await self._carry(reader, writer)

    async def socks5(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection to a SOCKS5 proxy (RFC 1928 and 1929)."""
        methods = (await reader.readexactly(2))[1]
        offered = await reader.readexactly(methods)
        method = 2 if self.login else 0
        if method not in offered:
            writer.write(b"\x05\xff")
            return
        writer.write(bytes((5, method)))
        if self.login:
            user = await reader.readexactly((await reader.readexactly(2))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            is_right = (user.decode(), password.decode()) == self.login
            writer.write(bytes((1, 0 if is_right else 1)))
            if not is_right:
                return
        kind = (await reader.readexactly(4))[3]
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        host = await reader.readexactly(length)
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"{host.decode() if kind == 3 else host.hex()}:{port}")
        if self._refuses:
            await self._refuse(writer)
            return
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        await self._carry(reader, writer)


@asynccontextmanager
async def forwarding(
    proxy: ForwardProxy, handle: Handler, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ForwardProxy]:
    """Runs a proxy on a loopback port of its own; `handle` is its `connect` or its `socks5`."""
    async with serving(handle, tls) as proxy.port:
        yield proxy


@asynccontextmanager
async def serving(handle: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A loopback port whose connections are handled so. All of them are closed in the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            try:
                await handle(reader, writer)
            finally:
                writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
