"""Ports that a command serves on."""

from __future__ import annotations

import argparse
import errno
import os
import socket

from telnyx_mcp.cli.errors import NOT_DONE, CommandError

MAX_PORT = 65_535


def port_number(text: str) -> int:
    """The port of an option; 0 is any free one. Raises `ArgumentTypeError`."""
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"takes a number from 0 to {MAX_PORT}; got {text!r}")
    return int(text)


def check_port(host: str, port: int, option: str) -> None:
    """Raises `CommandError` if nothing can be served there. `option` is where the user names another."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # as the servers do; on Windows it would share the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = {
            errno.EADDRINUSE: "another program uses it",
            errno.EACCES: "only an administrator may use it",
            errno.EADDRNOTAVAIL: "this computer has no such address",
        }.get(error.errno or 0, error.strerror or type(error).__name__)
        raise CommandError(
            f"can't serve on {host} port {port}: {why}. Choose another with {option}.", NOT_DONE
        ) from None
