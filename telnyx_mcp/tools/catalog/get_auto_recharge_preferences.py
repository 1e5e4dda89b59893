"""`telnyx_get_auto_recharge_preferences`"""

from __future__ import annotations

from typing import Any

import anyio
from pydantic import Field

from telnyx_mcp.billing.money import amount_of, format_amount
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.tools.catalog.update_auto_recharge_preferences import (
    MAX_RECHARGES_A_DAY,
    Charge,
    PreferencesRow,
)
from telnyx_mcp.tools.framework.arguments import NoParams
from telnyx_mcp.tools.framework.results import Result, Row, copy_fields
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.low_credit import LowCreditNotice, low_credit_notice

NOTHING = "nothing now"
SCHEDULED = "Scheduled payments set up in the portal are not visible here."


class ChargedAtMost(Row):
    """The most that recharges can charge."""

    at_once: str | None = Field(
        None, description="Most that one recharge charges, as a decimal string."
    )
    in_24_hours: str | None = Field(
        None, description="Most that ten recharges charge, which is the limit."
    )


class PreferencesResult(Result, PreferencesRow):
    balance: str | None = Field(None, description="Balance as a decimal string.")
    available_credit: str | None = Field(
        None, description="Balance plus credit limit, as a decimal string."
    )
    currency: str | None = None
    charged_now: str | None = Field(
        None, description=f'What Telnyx would charge at once; or "{NOTHING}".'
    )
    charged_at_most: ChargedAtMost | None = Field(
        None, description="Most that recharges can charge, in the currency of the answer."
    )
    low_credit_notice: LowCreditNotice | None = Field(
        None, description="Recipients of the notice that credit is low."
    )


async def get_auto_recharge_preferences(call: Call[NoParams]) -> PreferencesResult:
    preferences = await call.client.get_auto_recharge_preferences()
    result = copy_fields(preferences, PreferencesResult, without={"id", "record_type"})

    async def add_charge() -> None:
        unknown = await _add_charge(result, call)
        result.note = f"{unknown} {SCHEDULED}" if unknown else SCHEDULED

    async def add_notice() -> None:
        result.low_credit_notice = await low_credit_notice(call.client)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(add_charge)
        tasks.start_soon(add_notice)
    return result


async def _add_charge(result: PreferencesResult, call: Call[Any]) -> str:
    """Adds the balance and what a recharge would charge. Returns why that is unknown, if it is."""
    try:
        balance = await call.client.get_balance()
    except TelnyxError as error:
        return f"What would be charged is unknown, as the balance is: {error.summary}"
    result.balance, result.currency = balance.balance, balance.currency
    result.available_credit = balance.available_credit
    charge = Charge(
        result.enabled,
        amount_of(result.threshold_amount),
        amount_of(result.recharge_amount),
        balance,
    )
    if not charge.is_possible:
        result.charged_now = NOTHING
        return ""
    if charge.largest is None:
        return "What would be charged is unknown, as Telnyx did not send all amounts."
    result.charged_now = NOTHING if charge.now is None else format_amount(charge.now)
    result.charged_at_most = ChargedAtMost(
        at_once=format_amount(charge.largest),
        in_24_hours=format_amount(charge.largest * MAX_RECHARGES_A_DAY),
    )
    return ""


GET_AUTO_RECHARGE_PREFERENCES = ToolSpec(
    name="telnyx_get_auto_recharge_preferences",
    group="billing",
    title="Auto-recharge preferences",
    description="When and how Telnyx charges the stored payment method automatically: if available credit "
    "is below threshold_amount, it brings the balance up to threshold_amount + recharge_amount. With the "
    "balance, what would be charged now and at most, and who is notified of low credit.",
    params=NoParams,
    result=PreferencesResult,
    run=get_auto_recharge_preferences,
)
