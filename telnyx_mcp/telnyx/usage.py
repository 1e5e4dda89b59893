"""What a detail record says of time, cost and amount.

Telnyx publishes seven shapes for its 21 record types, and each names things its own way; the voice
records have none. So nothing here depends on a schema: a table of the known names, and sensible
guesses for the rest.

Source: Telnyx's OpenAPI document of 2026-07-16 and the description of `filter[record_type]`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Literal, get_args

from telnyx_mcp.money import ZERO, Sums, amount_of
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import DetailRecord, Page
from telnyx_mcp.telnyx.operations import SEARCH_DETAIL_RECORDS
from telnyx_mcp.telnyx.seen import Seen
from telnyx_mcp.telnyx.walking import walk

MOST_PAGES = 4_000
"""200,000 records; past that, a shorter period is the better question."""

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
"""What `filter[record_type]` takes; those that most accounts have most of come first."""
_TIME_FIELDS = {
    "call-control": "started_at",
    "sip-trunking": "started_at",
    "conference": "started_at",
    "conference-participant": "joined_at",
    "amd": "invoked_at",
}
_ANY_TIME = ("created_at", "started_at", "joined_at", "invoked_at")
_COSTS = ("cost", "data_cost", "verify_usage_fee")
"""The first of these that a record has is what it cost, as told. Whether the `cost` of a message
holds its `carrier_fee` is not documented."""
_AMOUNTS = (("parts", "parts"), ("billed_sec", "billed_seconds"), ("call_sec", "connected_seconds"))
"""What a record counts by the piece, as it names it and as results do."""


def time_fields(record_type: str) -> tuple[str, ...]:
    """The fields that may tell when a record was made, the likeliest first."""
    likely = _TIME_FIELDS.get(record_type, "created_at")
    return likely, *(each for each in _ANY_TIME[:2] if each != likely)


def moment_of(record: DetailRecord) -> datetime | None:
    """When the record was made, in UTC."""
    for name in _ANY_TIME:
        try:
            moment = datetime.fromisoformat(str(record[name]))
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (KeyError, ValueError, OverflowError):
            continue
        if MINYEAR < moment.year < MAXYEAR:  # whatever the zone it is shown in
            return moment
    return None


def cost_of(record: DetailRecord) -> tuple[str, Decimal] | None:
    """The currency and the cost; None for a record that costs nothing it tells of."""
    for name in _COSTS:
        if (cost := amount_of(record.get(name))) is not None:
            return str(record.get("currency") or "unknown")[:20], cost
    return None


def has_unreadable_cost(record: DetailRecord) -> bool:
    """Whether the record tells a cost that is no amount: to leave it out would make a sum wrong."""
    told = any(record.get(name) not in (None, "") for name in _COSTS)
    return told and cost_of(record) is None


def amounts_of(record: DetailRecord) -> dict[str, Decimal]:
    """What the record counts besides itself: parts of a message, billed seconds of a call."""
    found: dict[str, Decimal] = {}
    for name, told in _AMOUNTS:
        if (amount := amount_of(record.get(name))) is not None and amount == int(amount):
            found[told] = amount
    return found


def mark_of(record: DetailRecord) -> int:
    """What tells the record from others: all of it, as an id may name the call that several share."""
    return hash(json.dumps(record, sort_keys=True, default=str))


@dataclass(slots=True)
class Tally:
    """What some records came to."""

    records: int = 0
    with_cost: int = 0
    """Records that state a cost."""
    unreadable: int = 0
    """Records whose cost is no amount."""
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
    """How many there are, as Telnyx told."""
    until: datetime | None = None
    """When the latest one read was made."""
    more: bool = False
    """Whether there were more when the reading ended."""
    error: TelnyxError | None = None
    """What ended it before its end."""

    @property
    def whole(self) -> bool:
        """Whether every record was read."""
        told_all = self.total is None or self.records == self.total
        return told_all and not self.more and self.error is None

    @property
    def extent(self) -> str:
        """Such as `150 of 620 records until 2026-05-08T11:20:00+00:00`."""
        until = f" until {self.until.isoformat()}" if self.until else ""
        return f"{self.records} of {self.total or 'unknown'} records{until}"

    @property
    def why(self) -> str:
        """Why it is not whole."""
        if self.error:
            out_of_time = self.error.failure is Failure.PACED
            return "no time was left at Telnyx's rate limit" if out_of_time else self.error.happened
        return "the most that one call reads" if self.more else "Telnyx gave no more"


async def read_records(
    client: TelnyxClient,
    record_type: str,
    start: datetime,
    end: datetime,
    take: Callable[[DetailRecord], None],
    progress: Callable[[Reading], Awaitable[None]],
    *,
    filters: Mapping[str, str] | None = None,
    most_pages: int = MOST_PAGES,
) -> Reading:
    """Hands every record made from `start` up to, and without, `end` to `take`: once, oldest first, as
    far as can be had.

    `progress` is told after each page. A failure ends the reading, and is told in `error`.
    """
    reading, seen = Reading(), Seen()
    try:
        first, fetch = await _first_page(client, record_type, start, end, filters)

        async def page_at(number: int) -> Page[DetailRecord]:
            return first if number == 1 else await fetch(number)

        async with aclosing(walk(page_at, most_pages=most_pages)) as pages:
            async for page in pages:
                for record in seen.new(page.items, mark_of):
                    take(record)
                    reading.records += 1
                    reading.until = moment_of(record) or reading.until
                reading.total, reading.more = page.total_results, page.has_more
                await progress(reading)
    except TelnyxError as error:
        reading.error = error
    return reading


async def sample_records(
    client: TelnyxClient,
    record_type: str,
    start: datetime,
    end: datetime,
    take: Callable[[DetailRecord], None],
    *,
    most_pages: int,
) -> Reading:
    """Hands the records of some pages to `take`, spread evenly from `start` to `end`; all, where there
    are no more. `total` of what it returns tells how many there are. Failures as in `read_records`."""
    reading = Reading()
    try:
        page, fetch = await _first_page(client, record_type, start, end, None)
        reading.total, last = page.total_results, page.total_pages or 1
        of_unknown_many = reading.total is None and page.has_more
        steps = range(1, most_pages)
        numbers = {1 + (last - 1) * step // steps[-1] for step in steps} - {1}
        for number in [1, *sorted(numbers)]:
            page = page if number == 1 else await fetch(number)
            for record in page.items:
                take(record)
            reading.records += len(page.items)
            reading.more = page.has_more or of_unknown_many
    except TelnyxError as error:
        reading.error = error
    return reading


Fetch = Callable[[int], Coroutine[Any, Any, Page[DetailRecord]]]


async def _first_page(
    client: TelnyxClient,
    record_type: str,
    start: datetime,
    end: datetime,
    filters: Mapping[str, str] | None,
) -> tuple[Page[DetailRecord], Fetch]:
    """The first page of the records made between two times, and how to get the others.

    Which field tells the time depends on the record type, and one that a type lacks is refused, in
    words that are not documented: the likely ones are tried in turn. If all are refused, something
    else was, and the first refusal is raised.
    """
    refusals: list[TelnyxError] = []
    for name in time_fields(record_type):
        times = {f"filter[{name}][gte]": _wire(start), f"filter[{name}][lt]": _wire(end)}
        search = partial(
            client.search_detail_records,
            record_type,
            filters={**(filters or {}), **times},
            sort=[name],
            page_size=SEARCH_DETAIL_RECORDS.largest_page,
        )
        try:
            return await search(page=1), lambda number, search=search: search(page=number)
        except TelnyxError as error:
            if error.failure is not Failure.BAD_REQUEST:
                raise
            refusals.append(error)
    raise refusals[0]


def _wire(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
