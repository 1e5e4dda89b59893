"""`telnyx_get_auto_recharge_preferences`, `telnyx_update_auto_recharge_preferences`"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from mcp_types import CallToolResult, InputRequiredResult
from pydantic import Field

from telnyx_mcp.approval.gate import Wanted
from telnyx_mcp.telnyx.models import AutoRechargePreferences
from telnyx_mcp.tools.arguments import Amount, Params, PositiveAmount
from telnyx_mcp.tools.changes import ChangeResult, carry_out, sending
from telnyx_mcp.tools.results import Result
from telnyx_mcp.tools.tool import Call, Failed, ToolSpec

UPDATE_NAME = "telnyx_update_auto_recharge_preferences"


class NoParams(Params):
    pass


class UpdateParams(Params):
    enabled: bool | None = Field(None, description="Whether Telnyx recharges by itself.")
    threshold_amount: Amount | None = Field(
        None, description="Recharge when the balance falls below this, e.g. 50.00."
    )
    recharge_amount: PositiveAmount | None = Field(
        None,
        description="Charged on top of what is missing up to the threshold, e.g. 100.00.",
    )
    preference: Literal["credit_paypal", "ach"] | None = Field(None, description="How to pay.")
    invoice_enabled: bool | None = Field(None, description="Whether recharges are invoiced.")


class PreferencesResult(Result):
    enabled: bool | None = None
    threshold_amount: str | None = None
    recharge_amount: str | None = None
    preference: str | None = None
    invoice_enabled: bool | None = None


class UpdateResult(ChangeResult):
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


async def get_auto_recharge_preferences(call: Call[NoParams]) -> PreferencesResult:
    preferences = await call.client.get_auto_recharge_preferences()
    return PreferencesResult(**_plain(preferences))


async def update_auto_recharge_preferences(
    call: Call[UpdateParams],
) -> CallToolResult | InputRequiredResult:
    asked = call.params.model_dump(exclude_none=True)
    if not asked:
        raise Failed(
            "Nothing was sent: there is nothing to change. Give at least one of "
            f"{', '.join(UpdateParams.model_fields)}. Call again."
        )

    async def update() -> Mapping[str, Any]:
        after = _plain(await call.client.update_auto_recharge_preferences(asked))
        differs = [name for name, value in asked.items() if not _same(after.get(name), value)]
        note = f"Telnyx's answer differs from what was asked: {', '.join(differs)}."
        return {"after": after} | ({"note": note} if differs else {})

    wanted = Wanted(
        operation="update_auto_recharge_preferences",
        arguments=asked,
        summary="changing the auto-recharge preferences",
        question=lambda: _question(call, asked),
        send=sending(update),
    )
    return await carry_out(call, UPDATE_NAME, wanted, UpdateResult)


async def _question(call: Call[UpdateParams], asked: Mapping[str, Any]) -> str:
    """What changes, from what to what, and what may be charged then."""
    before = _plain(await call.client.get_auto_recharge_preferences())
    after = {**before, **asked}
    lines = ["Change when Telnyx charges your stored payment method by itself?"]
    if call.client.sandbox:
        lines.append("SANDBOX: a pretend account, no real money.")
    lines += [f"{name}: {_shown(before.get(name))} -> {_shown(asked[name])}" for name in asked]
    if after.get("enabled"):
        lines.append(
            "A recharge charges what is missing up to the threshold plus the recharge amount: from "
            f"a balance of zero, {_total(after)} in the account's currency. It may happen at once."
        )
    else:
        lines.append("Auto-recharge stays off: nothing is charged by itself.")
    return "\n".join(lines)


def _plain(preferences: AutoRechargePreferences) -> dict[str, Any]:
    return preferences.model_dump(exclude={"id", "record_type"}, exclude_none=True)


def _shown(value: object) -> str:
    words = {None: "not set", True: "yes", False: "no"}
    return words.get(value, str(value)) if isinstance(value, bool | None) else str(value)


def _same(told: object, asked: object) -> bool:
    if isinstance(asked, bool) or isinstance(told, bool) or told is None:
        return told is asked
    try:
        return Decimal(str(told)) == Decimal(str(asked))
    except InvalidOperation:
        return told == asked


def _total(preferences: Mapping[str, Any]) -> str:
    try:
        amounts = (preferences.get("threshold_amount"), preferences.get("recharge_amount"))
        return str(sum((Decimal(str(amount)) for amount in amounts), Decimal(0)))
    except InvalidOperation:
        return "an amount that is not known"


GET_AUTO_RECHARGE_PREFERENCES = ToolSpec(
    name="telnyx_get_auto_recharge_preferences",
    title="Auto-recharge preferences",
    description="When and how Telnyx charges the stored payment method by itself. A recharge charges "
    "what is missing up to threshold_amount, plus recharge_amount.",
    params=NoParams,
    result=PreferencesResult,
    run=get_auto_recharge_preferences,
)
UPDATE_AUTO_RECHARGE_PREFERENCES = ToolSpec(
    name=UPDATE_NAME,
    title="Change auto-recharge (authorises charges)",
    description="Changes when and how Telnyx charges the stored payment method by itself; only what "
    "is given changes. The server asks the person to approve it. Call only when the user asked for it.",
    params=UpdateParams,
    result=UpdateResult,
    run=update_auto_recharge_preferences,
    changes=True,
    destructive=True,
    idempotent=True,
)
