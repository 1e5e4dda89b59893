"""Products that a spend limit blocks, or soon will."""

from __future__ import annotations

import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from telnyx_mcp.billing.money import ZERO, amount_of, format_amount
from telnyx_mcp.telnyx.account_models import SpendLimit
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.deadline import Clock
from telnyx_mcp.telnyx.errors import TelnyxError

KEPT = 60.0
"""Seconds for which the limits are not read again: Telnyx's own figures are about a minute old."""
SECONDS = 5.0
"""How long an answer waits for them."""
CLOSE_TO_LIMIT = Decimal("0.8")
"""The part of a limit from which on it is close to being reached."""


@dataclass(slots=True)
class SpendLimitCache:
    """The limits of one account, as they were read in the last minute."""

    clock: Clock = time.monotonic
    _read_at: float | None = None
    _limits: tuple[SpendLimit, ...] = ()

    async def read(self, client: TelnyxClient) -> tuple[SpendLimit, ...]:
        """The limits; empty if they can't be read, for example because the key may not. Raises
        nothing."""
        if self._read_at is None or self.clock() - self._read_at >= KEPT:
            try:
                self._limits = tuple(await client.within(SECONDS).list_spend_limits())
            except TelnyxError:
                self._limits = ()
            self._read_at = self.clock()
        return self._limits


def blocked(limits: tuple[SpendLimit, ...]) -> list[dict[str, Any]]:
    """A row for each product that is blocked now, and until when."""
    return [_row(each) | _until(each) for each in limits if each.blocked]


def close_to_limit(limits: tuple[SpendLimit, ...]) -> list[dict[str, Any]]:
    """A row for each limit of which 80 % or more is spent, except those that block already."""
    rows = []
    for each in limits:
        limit, spent = _limit(each), amount_of(each.spend_usd)
        if not each.blocked and limit and spent is not None and spent >= limit * CLOSE_TO_LIMIT:
            rows.append(_row(each) | {"used": f"{spent / limit * 100:.0f}%"})
    return rows


def _row(limit: SpendLimit) -> dict[str, Any]:
    block = limit.block
    spent = amount_of(limit.spend_usd)
    if spent is None and block:
        spent = amount_of(block.spend_usd)
    amounts = {"limit": _limit(limit), "spent": spent}
    return {
        "product": limit.product,
        "period": limit.period,
        **{name: format_amount(amount) for name, amount in amounts.items() if amount is not None},
        "currency": "USD",
    }


def _limit(limit: SpendLimit) -> Decimal | None:
    amount = amount_of(limit.effective_limit_usd)
    if amount is None and limit.block:
        amount = amount_of(limit.block.limit_usd)
    return amount if amount is None or amount >= ZERO else None


def _until(limit: SpendLimit) -> dict[str, str]:
    """The first day on which the product works again, in UTC."""
    until = (limit.block and limit.block.blocked_until) or limit.period_end
    return {"until": until} if until else {}
