"""`report`: a month as a page for the accountant, and its figures as CSV.

Writes what the account spent in a month, compared with the month before, with usage by product and day,
invoices, and the changes made through this server. The page needs nothing else: it can be mailed and
printed. What is missing is said on it.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

import anyio
from mcp import Client

from telnyx_mcp.billing.periods import Period, PeriodError, period_of
from telnyx_mcp.cli.account import (
    configured_accounts,
    profile_option,
    run_with_account,
    sandbox_option,
)
from telnyx_mcp.cli.errors import CommandError, not_done, wrongly_called
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.cli.waiting import waiting
from telnyx_mcp.config.keys import KeyUnavailable, with_key
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.config.tool_groups import TOOL_GROUPS
from telnyx_mcp.reporting.figures import Report, ReportFailure, read_report
from telnyx_mcp.reporting.page import csv_of, page_of
from telnyx_mcp.server.build import build_server, transport_of
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.server_clock import utc_now


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--month", required=True, help="2026-05, or last month")
    parser.add_argument("--html", metavar="FILE", help="write the page")
    parser.add_argument("--csv", metavar="FILE", help="write the figures")
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    profile_option(parser)
    sandbox_option(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Writes the files. 0 if they are written, 1 if the month could not be read."""
    period = _month(options.month)
    files = [Path(each) for each in (options.html, options.csv) if each]
    if not files:
        raise CommandError("say what to write: --html FILE, --csv FILE or both.")
    for each in files:
        if each.is_dir() or (each.exists() and not options.force):
            raise CommandError(f"{each} exists: give another name, or add --force to replace it.")
    settings = configured_accounts(options, terminal).main
    settings = settings.model_copy(update={"read_only": True, "tools": tuple(TOOL_GROUPS)})

    def write(settings: Settings) -> int:
        try:
            report = anyio.run(partial(_read, with_key(settings), period))
        except KeyUnavailable as error:
            raise wrongly_called(error) from None
        except ReportFailure as error:
            raise not_done(error) from None
        if options.html:
            _write(Path(options.html), page_of(report).encode("utf-8", "replace"))
        if options.csv:
            _write(Path(options.csv), csv_of(report))
        names = " and ".join(map(str, files))
        terminal.write(f"{names}: {period.start:%Y-%m}, {len(report.missing)} notes on coverage.\n")
        return 0

    return run_with_account(options, settings, write)


def _month(text: str) -> Period:
    try:
        period = period_of(text, utc_now().date())
    except PeriodError as error:
        raise wrongly_called(error) from None
    if period.start.day != 1 or period.end != period_of(f"{period.start:%Y-%m}", period.end).end:
        raise CommandError(f"--month takes one month, such as 2026-05; got {text!r}.")
    return period


async def _read(settings: Settings, period: Period) -> Report:
    client = TelnyxClient(transport_of(settings))
    try:
        with waiting() as progress:
            async with Client(build_server(settings)) as server:
                return await read_report(server, client, period, progress)
    finally:
        with anyio.CancelScope(shield=True):
            await client.aclose()


def _write(file: Path, content: bytes) -> None:
    """Writes beside the file first, so that it is whole or not there. Only its owner can read it."""
    draft = file.with_name(f".{file.name}.part")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    draft.replace(file)
