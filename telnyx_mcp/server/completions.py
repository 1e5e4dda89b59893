"""What an argument of a prompt or of a resource may be, as far as the user has typed it."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta

from mcp_types import Completion

from telnyx_mcp.billing.records import RECORD_TYPES
from telnyx_mcp.config.keys import KeyUnavailable
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.pagination import Scan
from telnyx_mcp.tools.framework.accounts import Account
from telnyx_mcp.untrusted import one_line

MOST = 100
"""Values of a completion, as the protocol allows."""
MONTHS = 24
FRESH_SECONDS = 60.0
ASK_SECONDS = 5.0
PERIODS = ("last-month", "this-month", "last-7-days", "yesterday", "last-quarter", "year-to-date")
"""Each in one word, as hosts split what follows a slash command at spaces."""


class Completer:
    """Completes arguments by their name. Never fails: what can't be asked for is not offered."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._invoices: tuple[float, list[str]] = (0.0, [])
        self._sources: Mapping[str, Callable[[], Awaitable[list[str]]]] = {
            "month": self._months_and_words,
            "period": self._periods,
            "since": self._days,
            "record_type": self._record_types,
            "invoice_id": self._invoice_ids,
        }

    async def complete(self, argument: str, typed: str) -> Completion:
        """The values that begin with what was typed, the likeliest first."""
        source = self._sources.get(argument)
        try:
            values = await source() if source else []
        except (KeyUnavailable, TelnyxError):
            values = []
        begins = re.sub(r"[\s_]+", "-", typed.strip("\"' ").lower())
        fitting = [each for each in values if each.startswith(begins)]
        return Completion(values=fitting[:MOST], total=len(fitting), has_more=len(fitting) > MOST)

    async def _months(self) -> list[str]:
        first = (await self._today()).replace(day=1)
        months = []
        for _ in range(MONTHS):
            months.append(f"{first:%Y-%m}")
            first = (first - timedelta(days=1)).replace(day=1)
        return months

    async def _periods(self) -> list[str]:
        return [*PERIODS, *await self._months()]

    async def _days(self) -> list[str]:
        today = await self._today()
        return [(today - timedelta(days=ago)).isoformat() for ago in (0, 1, 7, 14, 30, 90)]

    async def _months_and_words(self) -> list[str]:
        return ["last-month", "this-month", *await self._months()]

    async def _record_types(self) -> list[str]:
        return list(RECORD_TYPES)

    async def _invoice_ids(self) -> list[str]:
        """The ids of the newest invoices, as of a minute ago at most."""
        fresh_until, ids = self._invoices
        if time.monotonic() < fresh_until:
            return ids
        services = await self._account.services()
        client = TelnyxClient(services.transport).within(ASK_SECONDS)
        scan = Scan(
            lambda number: client.list_invoices(sort="-period_start", page=number),
            lambda invoice: invoice.invoice_id,
            max_pages=1,
        )
        ids = [one_line(each.invoice_id) async for each in scan.rows() if each.invoice_id]
        self._invoices = (time.monotonic() + FRESH_SECONDS, ids)
        return ids

    async def _today(self) -> date:
        services = await self._account.services()
        return services.now().astimezone(services.zone).date()
