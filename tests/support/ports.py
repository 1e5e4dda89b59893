"""Ports on loopback: a free one, and whether anything listens on one."""

from __future__ import annotations

import socket

from tests.support.polling import until


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def listens(port: int) -> bool:
    """Whether connections to the port are accepted."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


async def accepts(port: int) -> None:
    """Returns once something listens on the port."""
    await until(lambda: listens(port))
