"""`telnyx-account-mcp export detail-records`: all records of a period in a file, whole or resumable."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import partial
from hashlib import blake2b

import anyio

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


def run_export(
    settings: Settings, wish: ExportOptions, *, now: Callable[[], datetime] = utc_now
) -> int:
    """Exports, and says what came of it. 0 if the file is whole and in its place. Raises `ExportFailure`,
    and `KeyboardInterrupt` where it was stopped; both leave what can be resumed."""
    try:
        settings = with_key(settings)
    except KeyUnavailable as error:
        raise ExportFailure(str(error), status=2) from None
    if wish.to.is_dir():
        raise ExportFailure(f"{wish.to} is a folder: give the name of a file.", status=2)
    question = question_of(wish, settings, now())
    if not wish.restart and (journal := finished_before(wish.to, question)):
        return _done(wish, journal)
    refuse_taken(wish.to, force=wish.force)
    start = Journal(question=question, until=question.until(now()))
    with Part(wish.to, start, restart=wish.restart) as part:
        again = f"To go on: {command_line(wish, question)}"
        try:
            if not anyio.run(partial(_read, settings, part)):
                raise KeyboardInterrupt
            _check(part.journal)
            part.finish(force=wish.force)
        except KeyboardInterrupt:
            sys.stderr.write(f"\n{_kept(part)} {again}\n")
            raise
        except (ExportFailure, TelnyxError) as error:
            raise ExportFailure(f"{error} {_kept(part)} {again}") from None
        return _done(wish, part.journal)


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
    """What identifies a record: all of it, as an id may be that of a call that several share. Empty
    for a record without an id, of which two may well be equal."""
    if not (row.get("id") or row.get("uuid")):
        return ""
    text = json.dumps(row, sort_keys=True, default=str)
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _check(journal: Journal) -> None:
    if journal.total is not None and journal.rows != journal.total:
        raise ExportFailure(
            f"The export is not whole: Telnyx counts {journal.total:,} records and {journal.rows:,} "
            "were written. Records may have been added meanwhile, or Telnyx gave no more: go on to "
            "ask for the next page once more, or add --restart to begin anew."
        )


def _kept(part: Part) -> str:
    journal = part.journal
    if not journal.time_field:
        return "Nothing was written."
    of = f" of {journal.total:,}" if journal.total is not None else ""
    return f"{journal.rows:,}{of} rows are in {part_of(part.target)}."


def _done(wish: ExportOptions, journal: Journal) -> int:
    unchecked = "" if journal.total is not None else " Telnyx gave no count to check them against."
    running = journal.until != journal.question.end
    why = ", as the period was not over" if running and journal.question.end else ""
    sys.stdout.write(
        f"{wish.to}: {journal.rows:,} {journal.question.record_type} records, "
        f"{journal.bytes:,} bytes, from {journal.question.start} until {journal.until}{why}."
        f"{unchecked}\n"
    )
    return 0
