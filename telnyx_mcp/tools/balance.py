"""`telnyx_get_balance`"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import anyio
from pydantic import Field

from telnyx_mcp.money import ZERO, Sums, amount_of, written
from telnyx_mcp.periods import Period, period_of
from telnyx_mcp.spending import AT_ONCE, Usage, charges_of, sampled_usage_of
from telnyx_mcp.telnyx.models import Balance
from telnyx_mcp.telnyx.usage import RECORD_TYPES
from telnyx_mcp.tools.arguments import Params
from telnyx_mcp.tools.results import Result, taken_from
from telnyx_mcp.tools.tool import Call, ToolSpec

USAGE_DAYS = 7
"""The days before today whose usage is taken for the recent rate: every day of the week once."""


class BalanceParams(Params):
    reads_many: ClassVar[bool] = True

    include_runway: bool = Field(
        False,
        description="Add how long it lasts at the recent rate: some 50 requests.",
    )


class BalanceResult(Result):
    balance: str | None = None
    credit_limit: str | None = None
    available_credit: str | None = None
    pending: str | None = None
    currency: str | None = None
    runway: dict[str, Any] | None = None


async def get_balance(call: Call[BalanceParams]) -> BalanceResult:
    balance = await call.client.get_balance()
    result = taken_from(balance, BalanceResult, without={"record_type"})
    if call.params.include_runway:
        result.runway = await _runway(call, balance)
    return result


async def _runway(call: Call[BalanceParams], balance: Balance) -> dict[str, Any]:
    """How many days are left, at the rate of the last whole days; or why that can't be said."""
    today, zone = call.day, call.services.zone
    # A whole month, as monthly charges fall on certain days: thirty days may hold them twice, or not.
    month = period_of("last month", today, zone)
    charges = await charges_of(call.client, month)
    usages = await _recent_usage(call, Period(today - timedelta(days=USAGE_DAYS), today, zone))
    currency = balance.currency or "unknown"
    daily = Sums()
    for each, figures in charges.figures.items():
        daily.add(each, figures["total"] / month.days)
    for usage in usages:
        for each, cost in usage.estimate(USAGE_DAYS):
            daily.add(each, cost)
    refused = sorted(usage.record_type for usage in usages if usage.refused)
    failed = [
        each
        for each in usages
        if each.reading.error
        or each.reading.wrong_fields
        or each.tally.unreadable
        or each.countless
    ]
    missing = sorted(each.record_type for each in failed if not each.refused)
    if missing or charges.missing:
        return {"unknown": f"not all of the recent spending could be read: {missing or 'charges'}"}
    sampled = any(not usage.whole for usage in usages if not usage.refused)
    rates = dict(daily)
    if rates.keys() - {currency}:
        return {"unknown": f"spending is in {', '.join(sorted(rates))}, the balance in {currency}"}
    rate = rates.get(currency, ZERO)
    return {
        "spent_per_day": written(rate.quantize(Decimal("0.01"))),
        "basis": f"charges of {month.start:%Y-%m}, usage of the {USAGE_DAYS} days before today"
        + (", estimated from a sample of the records" if sampled else ""),
        **({"not_counted": refused} if refused else {}),
        "balance_lasts": _days(balance.balance, rate),
        "available_credit_lasts": _days(balance.available_credit, rate),
    }


async def _recent_usage(call: Call[Any], period: Period) -> list[Usage]:
    usages: list[Usage] = []
    few = anyio.CapacityLimiter(AT_ONCE)

    async def one(record_type: str) -> None:
        async with few:
            usages.append(await sampled_usage_of(call.client, record_type, period))
            await call.progress.report(len(usages), len(RECORD_TYPES), "estimating recent usage")

    async with anyio.create_task_group() as tasks:
        for record_type in RECORD_TYPES:
            tasks.start_soon(one, record_type)
    return usages


def _days(amount: str | None, rate: Decimal) -> str:
    left = amount_of(amount)
    if left is None:
        return "unknown: Telnyx told no amount"
    if left <= 0:
        return "used up"
    if rate <= 0:
        return "does not shrink at this rate"
    days = int(left / rate)
    return f"about {days} days" if days > 1 else f"less than {days + 1} days"


GET_BALANCE = ToolSpec(
    name="telnyx_get_balance",
    title="Balance",
    description="The account's balance, credit limit, pending amount, and available credit "
    "(balance + credit limit).",
    params=BalanceParams,
    result=BalanceResult,
    run=get_balance,
)
