"""What a detail record says of time, cost and amount.

Telnyx publishes seven shapes for its 21 record types, and each names things its own way; the voice
records have none. So nothing here depends on a schema: a table of the known names, and sensible
guesses for the rest.

Source: Telnyx's OpenAPI document of 2026-07-16 and the description of `filter[record_type]`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from decimal import Decimal
from typing import Literal, get_args

from telnyx_mcp.money import amount_of
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import DetailRecord, Page
from telnyx_mcp.telnyx.operations import SEARCH_DETAIL_RECORDS
from telnyx_mcp.telnyx.walking import MOST_PAGES, walk

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
"""The first of these that a record has is what it cost. `cost` includes a message's carrier fee."""
_AMOUNTS = {"parts": "parts", "billed_sec": "billed_seconds"}
"""What is billed by the piece, as records name it and as it is told."""


def time_fields(record_type: str) -> tuple[str, ...]:
    """The fields that may tell when a record was made, the likeliest first."""
    likely = _TIME_FIELDS.get(record_type, "created_at")
    return likely, *(each for each in _ANY_TIME[:2] if each != likely)


def moment_of(record: DetailRecord) -> datetime | None:
    """When the record was made, in UTC."""
    for field in _ANY_TIME:
        try:
            moment = datetime.fromisoformat(str(record[field]))
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (KeyError, ValueError, OverflowError):
            continue
        if MINYEAR < moment.year < MAXYEAR:  # whatever the zone it is shown in
            return moment
    return None


def cost_of(record: DetailRecord) -> tuple[str, Decimal] | None:
    """The currency and the cost; None for a record that costs nothing it tells of."""
    for field in _COSTS:
        if (cost := amount_of(record.get(field))) is not None:
            return str(record.get("currency") or "unknown")[:20], cost
    return None


def has_unreadable_cost(record: DetailRecord) -> bool:
    """Whether the record tells a cost that is no amount: to leave it out would make a sum wrong."""
    told = any(record.get(field) not in (None, "") for field in _COSTS)
    return told and cost_of(record) is None


def amounts_of(record: DetailRecord) -> dict[str, Decimal]:
    """What the record counts besides itself: parts of a message, billed seconds of a call."""
    found: dict[str, Decimal] = {}
    for field, name in _AMOUNTS.items():
        value = record.get(field)
        if isinstance(value, int) and (amount := amount_of(value)) is not None:
            found[name] = amount
    return found


def mark_of(record: DetailRecord) -> int:
    """What tells the record from others: all of it, as an id may name the call that several share."""
    return hash(json.dumps(record, sort_keys=True, default=str))


async def records_between(
    client: TelnyxClient,
    record_type: str,
    start: datetime,
    end: datetime,
    *,
    filters: Mapping[str, str] | None = None,
    deadline: Deadline,
    most_pages: int = MOST_PAGES,
) -> AsyncGenerator[Page[DetailRecord], None]:
    """The pages of all records made from `start` up to, and without, `end`; oldest first.

    Which field tells the time depends on the record type, and one that a type lacks is refused: the
    likely ones are tried in turn. Raises `TelnyxError`.
    """
    fields = time_fields(record_type)
    for field in fields:
        time_filters = {f"filter[{field}][gte]": _wire(start), f"filter[{field}][lt]": _wire(end)}

        async def fetch(
            number: int, field: str = field, only: Mapping[str, str] = time_filters
        ) -> Page[DetailRecord]:
            return await client.search_detail_records(
                record_type,
                filters={**(filters or {}), **only},
                sort=[field],
                page=number,
                page_size=SEARCH_DETAIL_RECORDS.largest_page,
                deadline=deadline,
            )

        begun = False
        try:
            async with aclosing(walk(fetch, most_pages=most_pages)) as pages:
                async for page in pages:
                    begun = True
                    yield page
            return
        except TelnyxError as error:
            lacking = error.failure is Failure.BAD_REQUEST and field in str(error)
            if begun or not lacking or field == fields[-1]:
                raise


def _wire(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
