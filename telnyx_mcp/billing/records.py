"""What a detail record states about time, cost and amount.

Telnyx publishes seven shapes for its 21 record types, each with names of its own; the voice
records have none. So nothing here depends on a schema: a table of the known names, and sensible
guesses for the rest.

Source: Telnyx's OpenAPI document of 2026-07-16 and the description of `filter[record_type]`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from decimal import Decimal
from typing import Literal, get_args

from telnyx_mcp.billing.money import ZERO, Sums, amount_of
from telnyx_mcp.telnyx import pagination
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import DetailRecord, Page
from telnyx_mcp.telnyx.pagination import Fetch, Scan, stop_reason

RecordType = Literal[
    "messaging",
    "call-control",
    "sip-trunking",
    "verify",
    "conference",
    "conference-participant",
    "amd",
    "ai-voice-assistant",
    "embedding",
    "fax",
    "inference",
    "inference-speech-to-text",
    "media_storage",
    "media-streaming",
    "noise-suppression",
    "recording",
    "siprec-client",
    "stt",
    "tts",
    "webrtc",
    "wireless",
]
RECORD_TYPES: tuple[RecordType, ...] = get_args(RecordType)
"""The values of `filter[record_type]`, the most common first."""
_WITH_SCHEMA = frozenset(
    {
        "messaging",
        "conference",
        "conference-participant",
        "amd",
        "verify",
        "wireless",
        "media_storage",
    }
)
"""The types whose fields Telnyx publishes. The time field of the others is a guess."""
_TIME_FIELDS = {
    "call-control": "started_at",
    "sip-trunking": "started_at",
    "conference": "started_at",
    "conference-participant": "joined_at",
    "amd": "invoked_at",
    "recording": "started_at",
    "stt": "start_time",
}
"""Observed on the live API by others; where nothing is known, `created_at` is tried first."""
_ANY_TIME = ("created_at", "started_at", "joined_at", "invoked_at", "start_time")
_COSTS = ("cost", "data_cost", "verify_usage_fee")
"""The first of these that a record has is what it cost, as Telnyx states it. Whether the `cost` of a message
holds its `carrier_fee` is not documented."""
_AMOUNTS = (("parts", "parts"), ("billed_sec", "billed_seconds"), ("call_sec", "connected_seconds"))
"""Countable fields: wire name, result name."""


TOO_MANY = "more than one call can read"


def time_fields(record_type: str) -> tuple[str, ...]:
    """The fields that may hold the time of a record, the likeliest first."""
    likely = _TIME_FIELDS.get(record_type, "created_at")
    return likely, *(each for each in _ANY_TIME[:2] if each != likely)


def moment_of(record: DetailRecord) -> datetime | None:
    """When the record was made, in UTC."""
    return next((each for name in _ANY_TIME if (each := _parse_time(record, name))), None)


def _parse_time(record: DetailRecord, name: str) -> datetime | None:
    """The moment that a field of the record holds, in UTC."""
    try:
        moment = datetime.fromisoformat(str(record[name]))
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (KeyError, ValueError, OverflowError):
        return None
    # Not at the ends of the calendar, so that it can be shown in any zone.
    return moment if MINYEAR < moment.year < MAXYEAR else None


def cost_of(record: DetailRecord) -> tuple[str, Decimal] | None:
    """The currency and the cost; None if the record states no cost."""
    for name in _COSTS:
        if (cost := amount_of(record.get(name))) is not None:
            return str(record.get("currency") or "unknown")[:20], cost
    return None


def has_unreadable_cost(record: DetailRecord) -> bool:
    """Whether the record states a cost that can't be read: leaving it out would make a sum wrong."""
    states_cost = any(record.get(name) not in (None, "") for name in _COSTS)
    return states_cost and cost_of(record) is None


def amounts_of(record: DetailRecord) -> dict[str, Decimal]:
    """What the record counts besides itself: parts of a message, billed seconds of a call."""
    found: dict[str, Decimal] = {}
    for name, result_name in _AMOUNTS:
        if (amount := amount_of(record.get(name))) is not None and amount == int(amount):
            found[result_name] = amount
    return found


def mark_of(record: DetailRecord) -> int:
    """What identifies a record: a hash of all of it, as several records may share the id of one call."""
    return hash(json.dumps(record, sort_keys=True, default=str))


@dataclass(slots=True)
class Tally:
    """Sums over some records."""

    records: int = 0
    with_cost: int = 0
    """Records that state a cost."""
    unreadable: int = 0
    """Records whose cost can't be read."""
    costs: Sums = field(default_factory=Sums)
    amounts: dict[str, Decimal] = field(default_factory=dict)

    def add(self, record: DetailRecord) -> None:
        self.records += 1
        self.unreadable += has_unreadable_cost(record)
        if cost := cost_of(record):
            self.with_cost += 1
            self.costs.add(*cost)
        for name, amount in amounts_of(record).items():
            self.amounts[name] = self.amounts.get(name, ZERO) + amount

    def merge(self, other: Tally) -> None:
        self.records += other.records
        self.with_cost += other.with_cost
        self.unreadable += other.unreadable
        for currency, cost in other.costs:
            self.costs.add(currency, cost)
        for name, amount in other.amounts.items():
            self.amounts[name] = self.amounts.get(name, ZERO) + amount


@dataclass(slots=True)
class Reading:
    """How far the records of a period were read."""

    records: int = 0
    total: int | None = None
    """How many there are, as Telnyx counts them."""
    since: datetime | None = None
    until: datetime | None = None
    """The times of the earliest and the latest record that was read, whatever their order."""
    more: bool = False
    """Whether there were more when the reading ended."""
    error: TelnyxError | None = None
    """The failure that ended the reading early."""
    why: str = ""
    """Why it is incomplete; empty if it is complete."""
    wrong_fields: tuple[str, ...] = ()
    """The time fields that were tried, where there are records and none of the fields finds them."""

    def stop(self, error: TelnyxError) -> None:
        self.error, self.why = error, stop_reason(error)

    @property
    def whole(self) -> bool:
        """Whether every record was read."""
        return not self.why

    @property
    def extent(self) -> str:
        """Such as `150 of 620 records, from 2026-05-01T00:02:00+00:00 to 2026-05-08T11:20:00+00:00`."""
        between = (
            f", from {self.since.isoformat()} to {self.until.isoformat()}"
            if self.since and self.until
            else ""
        )
        return f"{self.records} of {self.total or 'unknown'} records{between}"

    def note(self, record: DetailRecord) -> None:
        """Counts a record that was read."""
        self.records += 1
        if moment := moment_of(record):
            self.since = min(self.since or moment, moment)
            self.until = max(self.until or moment, moment)


async def read_records(
    client: TelnyxClient,
    record_type: str,
    start: datetime,
    end: datetime,
    take: Callable[[DetailRecord], None],
    progress: Callable[[Reading], Awaitable[None]],
    *,
    filters: Mapping[str, str] | None = None,
    most: int | None = None,
) -> Reading:
    """Passes every record made from `start` up to, but not including, `end` to `take`, each once, as
    far as they can be read; none if Telnyx counts more than `most`.

    `progress` is called after each page. A failure ends the reading and is kept in `error`.
    """
    reading = Reading()
    try:
        first, fetch = await _first_page(client, record_type, start, end, filters, reading)
        if most is not None and (first.total_results or 0) > most:
            reading.total, reading.more, reading.why = first.total_results, True, TOO_MANY
            return reading

        async def page_at(number: int) -> Page[DetailRecord]:
            return first if number == 1 else await fetch(number)

        async def report(_count: int, total: int | None) -> None:
            reading.total = total
            await progress(reading)

        scan = Scan(page_at, mark_of, report, max_pages=pagination.MAX_RECORD_PAGES)
        async with aclosing(scan.rows()) as records:
            async for record in records:
                take(record)
                reading.note(record)
        reading.total, reading.more, reading.error = scan.total, scan.more, scan.error
        reading.why = reading.why or scan.why
    except TelnyxError as error:
        reading.stop(error)
    return reading


async def _first_page(
    client: TelnyxClient,
    record_type: str,
    start: datetime,
    end: datetime,
    filters: Mapping[str, str] | None,
    reading: Reading,
) -> tuple[Page[DetailRecord], Fetch[DetailRecord]]:
    """The first page of the records made between two times, and how to get the others.

    Which field holds the time depends on the record type. Telnyx refuses a filter on a field that
    the type lacks, with an undocumented error, or finds nothing. So the likely fields are tried in
    turn. If all are refused, something else was wrong, and the first refusal is raised. If there are
    records and no field finds them, `reading` says so.
    """
    refusals: list[TelnyxError] = []
    empty: dict[str, tuple[Page[DetailRecord], Fetch[DetailRecord]]] = {}
    some_record: DetailRecord | None = None
    for name in time_fields(record_type):
        fetch = _fetch_by_time(client, record_type, name, start, end, filters)
        try:
            page = await fetch(1)
        except TelnyxError as error:
            if error.failure is not Failure.BAD_REQUEST:
                raise
            refusals.append(error)
            continue
        if page.items or record_type in _WITH_SCHEMA:
            return page, fetch
        if not empty:
            any_time = await client.search_detail_records(record_type, filters=filters, page_size=1)
            some_record = next(iter(any_time.items), None)
        empty[name] = page, fetch
        if some_record is None:
            return page, fetch
    if not empty:
        raise refusals[0]
    if not any(_is_outside(some_record or {}, name, start, end) for name in empty):
        reading.wrong_fields = tuple(empty)
        reading.why = f"there are records, but {' and '.join(empty)} do not find them by time"
    return next(iter(empty.values()))


def _fetch_by_time(
    client: TelnyxClient,
    record_type: str,
    field: str,
    start: datetime,
    end: datetime,
    filters: Mapping[str, str] | None,
) -> Fetch[DetailRecord]:
    """Gets pages of the records whose `field` lies between two times, oldest first."""
    times = {f"filter[{field}][gte]": _rfc3339(start), f"filter[{field}][lt]": _rfc3339(end)}
    all_filters = {**(filters or {}), **times}
    return lambda number: client.search_detail_records(
        record_type, filters=all_filters, sort=[field], page=number
    )


def _is_outside(record: DetailRecord, name: str, start: datetime, end: datetime) -> bool:
    """Whether a field holds a time outside of the period: then a filter on it may find nothing."""
    moment = _parse_time(record, name)
    return moment is not None and not start <= moment < end


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
