"""`serve`: the MCP server, on stdin and stdout or over HTTP."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from telnyx_mcp.cli.account import account_options, configured_accounts, run_with_account
from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.cli.ports import MAX_PORT, check_port
from telnyx_mcp.cli.terminal import Terminal

if TYPE_CHECKING:
    from telnyx_mcp.config.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--http", metavar="HOST:PORT", help="Streamable HTTP on loopback, not stdio"
    )
    token = parser.add_mutually_exclusive_group()
    token.add_argument(
        "--token-file",
        metavar="PATH",
        help="with --http: a file with the token that clients send; created if missing",
    )
    token.add_argument(
        "--no-token",
        action="store_true",
        help="with --http: answer every user and program of this computer",
    )
    account_options(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Serves until stdin ends or a signal comes. Returns 0."""
    # Importing builds many thousand objects that all stay: collecting garbage meanwhile is a
    # quarter of the start.
    gc.disable()
    import anyio

    from telnyx_mcp.server.build import build_server
    from telnyx_mcp.server.stdio import serve_stdio

    if (options.token_file or options.no_token) and options.http is None:
        raise CommandError("--token-file and --no-token go with --http")
    address = _address(options.http) if options.http is not None else None
    accounts = configured_accounts(options, terminal, tolerant=True)
    gc.enable()
    gc.freeze()

    def serve(settings: Settings) -> int:
        if address:
            return _serve_http(options, address, settings, accounts.others)
        if terminal.has_input():
            terminal.write(
                "telnyx-account-mcp: serving MCP on stdin and stdout, for an assistant to "
                "start. To see what it does: telnyx-account-mcp demo\n",
                error=True,
            )
        anyio.run(serve_stdio, build_server(settings, others=accounts.others), options.opening)
        return 0

    return run_with_account(options, accounts.main, serve)


def _serve_http(
    options: argparse.Namespace,
    address: tuple[str, int],
    settings: Settings,
    others: Mapping[str, Settings],
) -> int:
    from pathlib import Path

    import anyio

    from telnyx_mcp.config.paths import without_tilde
    from telnyx_mcp.server.build import build_server
    from telnyx_mcp.server.http import serve_http
    from telnyx_mcp.server.http_token import TokenError, find_token

    for each in settings.problems:
        if each.setting == "http_token":
            raise CommandError(f"{each.text} Nothing was started.")
    file = without_tilde(Path(options.token_file)) if options.token_file else None
    try:
        token = find_token(settings.http_token, file, wanted=not options.no_token)
    except TokenError as error:
        raise CommandError(f"{error}. Nothing was started.") from None
    if token is None:  # anyone on this computer could spend a budget
        settings = settings.model_copy(update={"standing_budget_per_payment": Decimal(0)})
    check_port(*address, "--http HOST:PORT")
    server = build_server(settings, others=others, client_may_answer=token is not None)
    anyio.run(serve_http, server, *address, token)
    return 0


def _address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `:PORT` or `PORT`; loopback only."""
    from telnyx_mcp.config.addresses import is_loopback

    host, _, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) <= MAX_PORT:
        raise CommandError(f"--http takes HOST:PORT, such as 127.0.0.1:8000; got {text!r}")
    if not is_loopback(host):
        raise CommandError(
            f"--http serves on loopback only (127.0.0.1, localhost, [::1]); {host} would let other "
            "machines use this account"
        )
    return host, int(port)
