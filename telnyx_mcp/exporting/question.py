"""What is exported, from the arguments of the command."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from telnyx_mcp.billing.periods import PeriodError, period_of
from telnyx_mcp.billing.records import RECORD_TYPES, time_fields
from telnyx_mcp.config.command_line import PROGRAM
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.exporting.failure import ExportFailure
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.support.filters import excluded, wire_filters
from telnyx_mcp.tools.support.vocabulary import product_named

_FORMAT_OF = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
SETTLED_AFTER = timedelta(minutes=5)
"""An export of a period that is not over ends this long before it starts: newer records may still be
added, and would move those behind them to other pages."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The arguments of the command, as they were typed."""

    record_type: str
    to: Path
    period: str | None = None
    start: str | None = None
    end: str | None = None
    filters: tuple[str, ...] = ()
    format: str | None = None
    profile: str | None = None
    sandbox: bool = False
    force: bool = False
    restart: bool = False


class Question(BaseModel):
    """What is exported. An export is resumed only for the question that it was started with.

    Times are RFC 3339 in UTC; `end` is empty where none was asked for. `filters` are by their names
    on the wire. `account` identifies the account without showing its key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    record_type: str
    start: str
    end: str
    filters: dict[str, str]
    format: str
    account: str

    def until(self, now: datetime) -> str:
        """Where an export that starts now ends: with the period, or shortly before now."""
        settled = now.replace(microsecond=0) - SETTLED_AFTER
        until = min(datetime.fromisoformat(self.end), settled) if self.end else settled
        if until <= datetime.fromisoformat(self.start):
            raise ExportFailure(f"The period has not begun: it starts at {self.start}.", status=2)
        return rfc3339(until)

    def __str__(self) -> str:
        filters = "".join(f", {name}={value}" for name, value in self.filters.items())
        span = f"{self.start} to {self.end or 'the start of the export'}"
        return f"{self.record_type}, {span}{filters}, {self.format}"


def question_of(options: ExportOptions, settings: Settings, now: datetime) -> Question:
    """The question of these options, for the account of these settings. Raises `ExportFailure`."""
    record_type = _record_type(options.record_type)
    start, end = _times(options, settings.zone, now)
    return Question(
        record_type=record_type,
        start=start,
        end=end,
        filters=_filters(options, record_type),
        format=options.format or _format_of(options.to),
        account="sandbox" if options.sandbox else _account(settings),
    )


def command_line(options: ExportOptions, question: Question) -> str:
    """The command that resumes this export, with its times in full: `last month` may be another
    one by then."""
    span = ["--start", question.start, *(["--end", question.end] if question.end else [])]
    filters = [word for each in options.filters for word in ("--filter", each)]
    words = [
        *(PROGRAM, "export", "detail-records", "--type", question.record_type, *span, *filters),
        *("--to", str(options.to), *(["--format", options.format] if options.format else [])),
        *(["--profile", options.profile] if options.profile else []),
        *(["--sandbox"] if options.sandbox else []),
        *(["--force"] if options.force else []),
    ]
    return shlex.join(words)


def rfc3339(moment: datetime) -> str:
    """A moment as it is sent to Telnyx, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _record_type(typed: str) -> str:
    by_letters = {_letters(each): each for each in RECORD_TYPES}
    product = product_named(typed)
    found = by_letters.get(_letters(typed)) or (product and product.record_type)
    if not found:
        known = ", ".join(RECORD_TYPES)
        raise ExportFailure(f"--type must be one of {known}; got {typed[:40]!r}.", status=2)
    return found


def _letters(name: str) -> str:
    return "".join(each for each in name.lower() if each.isalnum())


def _format_of(to: Path) -> str:
    found = _FORMAT_OF.get(to.suffix.lower())
    if found is None:
        raise ExportFailure(
            f"The name of {to} does not show its format: end it with .csv or .jsonl, or add --format "
            "csv or --format jsonl.",
            status=2,
        )
    return found


def _filters(options: ExportOptions, record_type: str) -> dict[str, str]:
    if excluded(list(options.filters), record_type):
        raise ExportFailure(
            "Telnyx has no filter !=, so the rows could not be counted: export without it, and filter the "
            "file.",
            status=2,
        )
    try:
        filters = wire_filters(list(options.filters), record_type)
    except ToolFailure as error:
        raise ExportFailure(str(error), status=2) from None
    for name in time_fields(record_type):
        if filters.keys() & {f"filter[{name}][gte]", f"filter[{name}][lt]"}:
            raise ExportFailure(
                f"A filter on {name} can't be added to the period: give the times with --start and "
                "--end instead.",
                status=2,
            )
    return dict(sorted(filters.items()))


def _times(options: ExportOptions, zone: tzinfo, now: datetime) -> tuple[str, str]:
    if (options.period is None) == (options.start is None):
        raise ExportFailure("Give either --period or --start (with --end).", status=2)
    if options.period is not None:
        if options.end is not None:
            raise ExportFailure("--end goes with --start, not with --period.", status=2)
        try:
            period = period_of(options.period, now.astimezone(zone).date(), zone)
        except PeriodError as error:
            raise ExportFailure(f"--period: {error}", status=2) from None
        start, end = period.instants()
        return rfc3339(start), rfc3339(end)
    start = _parse_time("--start", options.start or "", zone)
    if not options.end:
        return rfc3339(start), ""
    end = _parse_time("--end", options.end, zone)
    if end <= start:
        raise ExportFailure("--end must be after --start; it is exclusive.", status=2)
    return rfc3339(start), rfc3339(end)


def _parse_time(option: str, text: str, zone: tzinfo) -> datetime:
    """A day, which begins at midnight of the zone, or a time with its offset."""
    try:
        if len(text) == len("YYYY-MM-DD"):
            return datetime.combine(date.fromisoformat(text), time.min, zone)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no offset")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ExportFailure(
            f"{option} takes a day such as 2026-05-01, or a time with its offset such as "
            f"2026-05-01T00:00:00Z; got {text[:40]!r}.",
            status=2,
        ) from None


def _account(settings: Settings) -> str:
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    mark = hashlib.blake2b(key.encode(), digest_size=12, person=b"export").hexdigest()
    return f"{settings.base_url} {mark}"
