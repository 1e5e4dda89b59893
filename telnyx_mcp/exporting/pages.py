"""Reads the pages of an export, which may run for hours, and retries them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio

from telnyx_mcp.billing.records import time_fields
from telnyx_mcp.exporting.failure import ExportFailure
from telnyx_mcp.exporting.question import Question
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.deadline import Clock
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import DetailRecord, Page
from telnyx_mcp.telnyx.operations import LOST_OR_BUSY
from telnyx_mcp.telnyx.rate_limit.pacer import Sleep

PAGE_SIZE = 50
"""The largest page that Telnyx allows."""
PATIENCE = 15 * 60.0
"""Seconds for which a failing request is retried."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
PASSING = LOST_OR_BUSY | {Failure.SERVER_ERROR, Failure.NOT_JSON, Failure.TOO_LATE}
"""Failures that may pass."""
RATE_LIMIT = "Telnyx's rate limit"
_NO_SUCH_FIELD = frozenset({Failure.BAD_REQUEST, Failure.INVALID})

RecordPage = Page[DetailRecord]


class Waits(Protocol):
    """Receives each wait."""

    def waiting(self, seconds: float, why: str) -> None: ...


class Pages:
    """The records of a question up to, but not including, `until`, fifty at a time, ordered by time.

    Each request has its own deadline. It waits for Telnyx's rate limit without a bound, and is
    retried for 15 minutes if the network or Telnyx fails. Raises `TelnyxError`.
    """

    def __init__(
        self,
        client: TelnyxClient,
        question: Question,
        until: str,
        waits: Waits,
        sleep: Sleep = anyio.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self._client = client
        self._question = question
        self._until = until
        self._waits = waits
        self._sleep = sleep
        self._clock = clock

    async def page(self, number: int, time_field: str) -> RecordPage:
        """A page by the field that holds the time of these records."""
        question = self._question
        times = {
            f"filter[{time_field}][gte]": question.start,
            f"filter[{time_field}][lt]": self._until,
        }
        return await self._with_retries(
            lambda: self._client.search_detail_records(
                question.record_type,
                filters={**question.filters, **times},
                sort=[time_field],
                page=number,
                page_size=PAGE_SIZE,
            )
        )

    async def first(self) -> tuple[str, RecordPage]:
        """The field that holds the time of these records, and the first page by it.

        Telnyx refuses a field that a type does not have, or answers with an empty page. An empty page
        counts only if there are no records at all, or if a record has the field.
        """
        refused: TelnyxError | None = None
        for name in time_fields(self._question.record_type):
            try:
                page = await self.page(1, name)
            except TelnyxError as error:
                if error.failure not in _NO_SUCH_FIELD:
                    raise
                refused = refused or error
                continue
            if page.items or await self._is_field(name):
                return name, page
        raise refused or ExportFailure(
            f"It is not known which field holds the time of {self._question.record_type} records, so "
            "they can't be exported by period."
        )

    async def _is_field(self, name: str) -> bool:
        question = self._question
        some = await self._with_retries(
            lambda: self._client.search_detail_records(question.record_type, page=1, page_size=1)
        )
        return all(name in row for row in some.items)

    async def _with_retries(self, ask: Callable[[], Awaitable[RecordPage]]) -> RecordPage:
        pause, since = FIRST_PAUSE, None
        while True:
            try:
                return await ask()
            except TelnyxError as error:
                if error.failure is Failure.PACED:
                    wait, why = error.retry_in or 1.0, RATE_LIMIT
                elif error.failure in PASSING:
                    since = self._clock() if since is None else since
                    wait, why = max(pause, error.retry_in or 0), error.summary
                    pause = min(LONGEST_PAUSE, pause * 2)
                    if self._clock() + wait - since > PATIENCE:
                        raise
                else:
                    raise
            self._waits.waiting(wait, why)
            await self._sleep(wait)
