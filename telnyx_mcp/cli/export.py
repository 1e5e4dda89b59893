"""`export`: write all detail records of a period to a file, however many.

Writes all detail records of one type and period to a file: CSV or JSON Lines, as its name ends in
.csv or .jsonl. Telnyx gives 2,000 records a minute, so a large export runs for hours. Rows go to
FILE.part; Ctrl-C, a kill or a lost network loses none: the same command goes on where it stopped. At
the end their number is checked against Telnyx's, and the file gets its name.
"""

from __future__ import annotations

import argparse
import json
import signal
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path

import anyio

from telnyx_mcp.cli.account import (
    configured_accounts,
    profile_option,
    run_with_account,
    sandbox_option,
)
from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.config.keys import KeyUnavailable, with_key
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.exporting.failure import ExportFailure
from telnyx_mcp.exporting.formats import FORMATS, columns_for
from telnyx_mcp.exporting.pages import Pages, RecordPage
from telnyx_mcp.exporting.part import Journal, Part, finished_before, part_of, refuse_taken
from telnyx_mcp.exporting.progress import Progress, shown_progress
from telnyx_mcp.exporting.question import ExportOptions, command_line, question_of
from telnyx_mcp.process.signals import stopping_signals_heard
from telnyx_mcp.server.build import transport_of
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.models import DetailRecord
from telnyx_mcp.telnyx.server_clock import utc_now


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("detail-records",), help="what to export")
    parser.add_argument("--type", required=True, help="messaging, call-control, verify, ...")
    parser.add_argument("--period", help="2026-05, 2026-Q2, last month, last 7 days, ...")
    parser.add_argument("--start", metavar="TIME", help="or: the first day, or a time with offset")
    parser.add_argument("--end", metavar="TIME", help="the day after the last one (until now)")
    parser.add_argument(
        "--filter",
        metavar="FILTER",
        action="append",
        default=[],
        help="field=value, field>=value, field<value or field~text (contains); repeatable",
    )
    parser.add_argument("--to", metavar="FILE", required=True, help="the file to write")
    parser.add_argument(
        "--format", choices=("csv", "jsonl"), help="if the name of FILE does not show it"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument(
        "--restart", action="store_true", help="start over; drop what FILE.part has"
    )
    profile_option(parser)
    sandbox_option(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Exports. 0 if the file is whole and in its place."""
    wanted = export_options(options)
    settings = configured_accounts(options, terminal).main.model_copy(update={"read_only": True})
    try:
        return run_with_account(
            options, settings, lambda settings: run_export(settings, wanted, terminal)
        )
    except ExportFailure as error:
        raise CommandError(str(error), error.status) from None


def export_options(options: argparse.Namespace) -> ExportOptions:
    """What the options of the command ask for."""
    return ExportOptions(
        record_type=options.type,
        to=Path(options.to).absolute(),
        period=options.period,
        start=options.start,
        end=options.end,
        filters=tuple(options.filter),
        format=options.format,
        profile=options.profile,
        sandbox=options.sandbox,
        force=options.force,
        restart=options.restart,
    )


def run_export(
    settings: Settings,
    wanted: ExportOptions,
    terminal: Terminal | None = None,
    *,
    now: Callable[[], datetime] = utc_now,
) -> int:
    """Exports, and prints the outcome. 0 if the file is whole and in its place. Raises `ExportFailure`,
    and `KeyboardInterrupt` where it was stopped; both leave what can be resumed."""
    terminal = terminal or Terminal()
    try:
        settings = with_key(settings)
    except KeyUnavailable as error:
        raise ExportFailure(str(error), status=2) from None
    if wanted.to.is_dir():
        raise ExportFailure(f"{wanted.to} is a folder: give the name of a file.", status=2)
    question = question_of(wanted, settings, now())
    if not wanted.restart and (journal := finished_before(wanted.to, question)):
        return _done(wanted, journal, terminal)
    refuse_taken(wanted.to, force=wanted.force)
    start = Journal(question=question, until=question.until(now()))
    with Part(wanted.to, start, restart=wanted.restart) as part:
        again = f"To continue: {command_line(wanted, question)}"
        try:
            if not anyio.run(partial(_read, settings, part)):
                raise KeyboardInterrupt
            _check(part.journal)
            part.finish(force=wanted.force)
        except KeyboardInterrupt:
            terminal.write(f"\n{_kept(part)} {again}\n", error=True)
            raise
        except (ExportFailure, TelnyxError) as error:
            raise ExportFailure(f"{error} {_kept(part)} {again}") from None
        return _done(wanted, part.journal, terminal)


async def _read(settings: Settings, part: Part) -> bool:
    """Reads and writes until the end, a failure, or a signal. False if it was stopped by a signal."""
    failed: ExportFailure | TelnyxError | None = None
    ended = False
    client = TelnyxClient(transport_of(settings))
    with shown_progress() as progress, stopping_signals_heard() as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_on_signal, signals, tasks.cancel_scope)
            pages = Pages(client, part.journal.question, part.journal.until, progress)
            try:
                await export(part, pages, progress)
                ended = True
            except (ExportFailure, TelnyxError) as error:
                failed = error
            finally:
                with anyio.CancelScope(shield=True):
                    await client.aclose()
            tasks.cancel_scope.cancel()
    if failed:
        raise failed
    return ended


async def _stop_on_signal(
    signals: AsyncIterator[signal.Signals], reading: anyio.CancelScope
) -> None:
    async for _ in signals:
        reading.cancel()
        return


async def export(part: Part, pages: Pages, progress: Progress) -> None:
    """Appends page after page to the part, from where it is, until Telnyx has no more."""
    if not part.journal.time_field:
        time_field, page = await pages.first()
        _begin(part, time_field, page)
    else:
        page = None
    journal = part.journal
    progress.advance(journal.rows, journal.total)
    while journal.total is None or journal.rows < journal.total:
        if page is None:
            page = await pages.page(journal.next_page, journal.time_field)
            if not _append(part, page):
                return
            journal = part.journal
            progress.advance(journal.rows, journal.total)
        if not page.has_more:
            return
        page = None


def _begin(part: Part, time_field: str, page: RecordPage) -> None:
    """Fixes the columns, and writes the head of the file and the first page."""
    question = part.journal.question
    columns = columns_for(question.record_type, page.items) if question.format == "csv" else []
    head, rows = FORMATS[question.format]
    part.append(
        head(columns) + rows(page.items, columns),
        time_field=time_field,
        columns=columns,
        next_page=2,
        rows=len(page.items),
        total=page.total_results,
        last_rows=_marks(page.items),
    )


def _append(part: Part, page: RecordPage) -> bool:
    """Writes the rows that the page before did not have. False if there are none.

    A list that moves while it is read repeats the end of a page on the next one. The count then
    shows whether another record was missed.
    """
    journal = part.journal
    before = set(journal.last_rows)
    fresh = [row for row in page.items if _mark(row) not in before]
    if not fresh:
        return False
    _, rows = FORMATS[journal.question.format]
    part.append(
        rows(fresh, journal.columns),
        next_page=journal.next_page + 1,
        rows=journal.rows + len(fresh),
        total=journal.total if page.total_results is None else page.total_results,
        last_rows=_marks(page.items),
    )
    return True


def _marks(rows: list[DetailRecord]) -> list[str]:
    return [mark for row in rows if (mark := _mark(row))]


def _mark(row: DetailRecord) -> str:
    """What identifies a record: all of it, as several records may share the id of one call. Empty for
    a record without an id, as two of these may be equal."""
    if not (row.get("id") or row.get("uuid")):
        return ""
    text = json.dumps(row, sort_keys=True, default=str)
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _check(journal: Journal) -> None:
    if journal.total is not None and journal.rows != journal.total:
        raise ExportFailure(
            f"The export is incomplete: Telnyx counts {journal.total:,} records and {journal.rows:,} "
            "were written. Records may have been added meanwhile, or Telnyx sent no more: run the "
            "command again to ask for the next page once more, or add --restart to start over."
        )


def _kept(part: Part) -> str:
    journal = part.journal
    if not journal.time_field:
        return "Nothing was written."
    of = f" of {journal.total:,}" if journal.total is not None else ""
    return f"{journal.rows:,}{of} rows are in {part_of(part.target)}."


def _done(wanted: ExportOptions, journal: Journal, terminal: Terminal) -> int:
    unchecked = "" if journal.total is not None else " Telnyx gave no count to check them against."
    running = journal.until != journal.question.end
    why = ", as the period was not over" if running and journal.question.end else ""
    terminal.write(
        f"{wanted.to}: {journal.rows:,} {journal.question.record_type} records, "
        f"{journal.bytes:,} bytes, from {journal.question.start} until {journal.until}{why}."
        f"{unchecked}\n"
    )
    return 0
