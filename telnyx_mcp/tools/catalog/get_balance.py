"""`telnyx_get_balance`"""

from __future__ import annotations

import asyncio
from datetime import UTC, date
from typing import Any, ClassVar

from pydantic import Field

from telnyx_mcp.billing.charges import Charges, charges_of
from telnyx_mcp.billing.money import ZERO, amount_of, format_amount
from telnyx_mcp.billing.periods import period_of
from telnyx_mcp.billing.runway import Rates, charge_days, describe_runway
from telnyx_mcp.billing.spend import RECENT_DAYS, RecentUsage, recent_usage
from telnyx_mcp.telnyx.models import Balance
from telnyx_mcp.telnyx.usage_reports import rounded
from telnyx_mcp.tools.framework.arguments import Params
from telnyx_mcp.tools.framework.results import Result, Row, copy_fields
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.spend_limits import blocked, close_to_limit


class BalanceParams(Params):
    reads_many: ClassVar[bool] = True

    include_runway: bool = Field(
        False,
        description="Add how long the money lasts, at the usage of the last seven days and with the next "
        "monthly charges: about 30 requests.",
    )


class SpendLimitRow(Row):
    """A spend limit, and how much of it is spent."""

    product: str | None = Field(None, description="Product that the limit is for.")
    period: str | None = Field(
        None, description="How often the limit starts over: day, week or month."
    )
    limit: str | None = Field(
        None, description="Most that may be spent in the period, as a decimal string."
    )
    spent: str | None = Field(None, description="Spent so far in the period, as a decimal string.")
    currency: str | None = Field(None, description="Currency of limit and spent.")
    until: str | None = Field(None, description="First day (UTC) on which the product works again.")
    used: str | None = Field(None, description="Share of the limit that is spent, in percent.")


class DayUsage(Row):
    """The usage of one day."""

    date: str | None = Field(None, description="Day in UTC, YYYY-MM-DD.")
    usage: str | None = Field(
        None, description="Cost of the usage, in the currency of the balance."
    )


class NextCharges(Row):
    """The next monthly charges."""

    date: str | None = Field(None, description="Day on which they fall due, YYYY-MM-DD.")
    amount: str | None = Field(
        None, description="Sum of the charges, in the currency of the balance."
    )


class Runway(Row):
    """How long the money lasts, or why that is unknown."""

    unknown: str | None = Field(None, description="Why it can't be estimated.")
    balance_lasts: str | None = Field(None, description="How long the balance lasts.")
    available_credit_lasts: str | None = Field(
        None, description="How long the balance and the credit limit last."
    )
    usage_per_day: str | None = Field(
        None, description="Mean cost of usage per day, in the currency of the balance."
    )
    dearest_day: DayUsage | None = Field(
        None, description="Day of the last seven with the highest usage."
    )
    next_charges: NextCharges | None = Field(
        None, description="Monthly charges that fall due next."
    )
    basis: str | None = Field(None, description="What the estimate is based on.")


class BalanceResult(Result):
    balance: str | None = Field(
        None, description="Balance as a decimal string; negative if money is owed."
    )
    credit_limit: str | None = Field(None, description="Credit limit as a decimal string.")
    available_credit: str | None = Field(
        None, description="Balance plus credit limit, as a decimal string."
    )
    pending: str | None = Field(
        None, description="Amount that is not settled yet, as a decimal string."
    )
    currency: str | None = None
    blocked_by_spend_limit: list[SpendLimitRow] | None = Field(
        None,
        description="Products that work again on the day `until` (UTC), or with a higher limit.",
    )
    close_to_spend_limit: list[SpendLimitRow] | None = Field(
        None, description="With include_runway: limits of which 80 % or more is spent."
    )
    runway: Runway | None = Field(
        None, description="With include_runway: how long the money lasts."
    )


async def get_balance(call: Call[BalanceParams]) -> BalanceResult:
    reading = asyncio.create_task(call.services.spend_limits.read(call.client))
    try:
        balance = await call.client.get_balance()
    except BaseException:
        reading.cancel()
        raise
    limits = await reading
    result = copy_fields(balance, BalanceResult, without={"record_type"})
    result.blocked_by_spend_limit = [SpendLimitRow(**each) for each in blocked(limits)] or None
    if call.params.include_runway:
        result.close_to_spend_limit = [
            SpendLimitRow(**each) for each in close_to_limit(limits)
        ] or None
        result.runway = Runway(**await _runway(call, balance))
    return result


async def _runway(call: Call[BalanceParams], balance: Balance) -> dict[str, Any]:
    """How long the balance and the available credit last; or why that is unknown."""
    currency = balance.currency or "unknown"
    today = call.services.now().astimezone(UTC).date()
    charges = await charges_of(call.client, period_of("this month", today))
    recent = await recent_usage(call.client, currency, _progress(call))
    if unknown := _unknown(charges, recent, currency):
        return {"unknown": unknown}
    days = recent.days(currency)
    rates = Rates.of(list(days.values()))
    monthly = charges.figures.get(currency, {}).get("recurring", ZERO)
    due = charge_days(today, monthly)
    lasts = {
        f"{name}_lasts": describe_runway(amount_of(amount), rates, due, today)
        for name, amount in (
            ("balance", balance.balance),
            ("available_credit", balance.available_credit),
        )
    }
    return {
        **lasts,
        "usage_per_day": format_amount(rounded(recent.per_day(currency))),
        **_dearest(days),
        **_next_charges(today, due),
        "basis": f"usage of the {RECENT_DAYS} days before {today} (UTC), and this month's recurring charges "
        "on each first of a month. An estimate; top-ups and auto-recharge are not counted.",
    }


def _progress(call: Call[Any]) -> Any:
    async def progress(done: int, total: int) -> None:
        await call.progress.report(done, total, f"recent usage: report {done} of {total}")

    return progress


def _unknown(charges: Charges, recent: RecentUsage, currency: str) -> str:
    """Why the rate is unknown; empty if it is known."""
    if recent.costs.error:
        return f"the recent usage could not be read: {recent.costs.error.summary}"
    missing = [*([] if charges.is_complete else ["charges"]), *recent.costs.incomplete]
    if missing:
        return f"not all of the recent spending could be read: {', '.join(missing)}"
    others = {each for each in recent.costs.currencies | charges.figures.keys() if each != currency}
    return (
        f"spending is in {', '.join(sorted(others))}, the balance in {currency}" if others else ""
    )


def _dearest(days: dict[str, Any]) -> dict[str, Any]:
    day = max(days, key=lambda each: days[each])
    return (
        {"dearest_day": {"date": day, "usage": format_amount(rounded(days[day]))}}
        if days[day]
        else {}
    )


def _next_charges(today: date, due: dict[date, Any]) -> dict[str, Any]:
    day = min((each for each in due if each > today), default=None)
    if day is None or not due[day]:
        return {}
    return {"next_charges": {"date": day.isoformat(), "amount": format_amount(due[day])}}


GET_BALANCE = ToolSpec(
    name="telnyx_get_balance",
    group="billing",
    title="Balance",
    description="The account's balance, credit limit, pending amount, and available credit "
    "(balance + credit limit); and products that a spend limit blocks.",
    params=BalanceParams,
    result=BalanceResult,
    run=get_balance,
)
