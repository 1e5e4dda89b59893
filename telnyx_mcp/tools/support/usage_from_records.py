"""Usage added up from detail records, for groups that usage reports can't distinguish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from telnyx_mcp.billing.records import TOO_MANY, Reading, read_records
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.models import DetailRecord
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.framework.progress import Progress
from telnyx_mcp.tools.support.group_by import Groups, reader_of
from telnyx_mcp.tools.support.usage_question import Filter, Time, passes

REACH = 2_000
"""Records that one call can read: 40 requests a minute for 50 records each."""


@dataclass(slots=True)
class RecordUsage:
    """What the records of a time came to, as far as they were read."""

    groups: Groups
    reading: Reading


async def usage_from_records(
    client: TelnyxClient,
    record_type: str,
    time: Time,
    group_by: list[str],
    filters: list[Filter],
    progress: Progress,
) -> RecordUsage:
    """The records between two moments by group, those that pass the filters.

    Raises `ToolFailure` if there are more than one call can read, and `TelnyxError` if none could be read.
    """
    start, end = time.start, time.end

    async def report(reading: Reading) -> None:
        counted = f"{reading.records} of {reading.total or '?'} records"
        await progress.report(reading.records, reading.total, counted)

    groups = Groups(group_by, time.zone)
    readers = {each.word: _reader(each.word, time) for each in filters}

    def take(record: DetailRecord) -> None:
        if passes(filters, record, readers):
            groups.add(record)

    reading = await read_records(client, record_type, start, end, take, report, most=REACH)
    if reading.why == TOO_MANY:
        raise ToolFailure(
            f"there are {reading.total:,} records, and one call can read {REACH:,}: Telnyx allows 40 "
            "requests a minute, for 50 records each."
        )
    if reading.error and not reading.records:
        raise reading.error
    return RecordUsage(groups, reading)


def _reader(word: str, time: Time) -> Callable[[Mapping[str, object]], str]:
    """Reads all values of a field as one text."""
    read = reader_of(word, time.zone)
    return lambda record: ", ".join(read(dict(record)))
