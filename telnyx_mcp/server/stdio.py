"""Serves MCP over stdin and stdout, and ends the process without losing a payment's outcome."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import NoReturn

import anyio
from mcp.server.stdio import stdio_server

from telnyx_mcp.front.opening import Opening
from telnyx_mcp.process.leaving import leave
from telnyx_mcp.process.signals import stopping_signals
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.continuing import RemainingAnswers, continued_stdin
from telnyx_mcp.telnyx.deadline import CALL_SECONDS

SHUTDOWN_SECONDS = CALL_SECONDS + 2


async def serve_stdio(server: AccountServer, opening: Opening | None = None) -> None:
    """Serves stdin and stdout until either is closed or a signal comes. `opening` is what the front has
    read of stdin and left to be answered."""
    async with anyio.create_task_group() as tasks:
        serving = anyio.CancelScope()
        tasks.start_soon(_leave_on_signal, server, serving)
        with serving:
            try:
                await _converse(server, opening)
            except* (BrokenPipeError, ConnectionResetError):  # the client reads no more answers
                pass
        tasks.cancel_scope.cancel()


async def _converse(server: AccountServer, opening: Opening | None) -> None:
    stdin = continued_stdin(opening) if opening else None
    async with stdio_server(stdin) as (received, sent):
        options = server.create_initialization_options()
        if opening and opening.answered is not None:
            await server.run(received, RemainingAnswers(sent, opening.answered), options)
        else:
            await server.run(received, sent, options)


async def _leave_on_signal(server: AccountServer, serving: anyio.CancelScope) -> None:
    """On SIGTERM, SIGINT or SIGHUP, however often: cancels what is being done, lets a change that was
    sent finish, leaves.

    Leaves by `os._exit`, as the thread that reads stdin can't be interrupted.
    """
    if sys.platform == "win32":
        return
    with anyio.open_signal_receiver(*stopping_signals()) as signals:
        async for _ in signals:
            serving.cancel()
            with anyio.CancelScope(shield=True):
                await changes_recorded(server)
            leave_process(server)


async def changes_recorded(server: AccountServer) -> None:
    """Returns when nothing that was sent is still waiting for its answer, or after the longest wait."""
    with anyio.move_on_after(SHUTDOWN_SECONDS):
        for each in server.accounts.made:
            await each.gate.idle()


def leave_process(server: AccountServer) -> NoReturn:
    """Closes the ledgers and pages, and ends the process with status 0."""
    for each in server.accounts.made:
        with suppress(Exception):
            each.gate.close()
    leave()
