"""`telnyx_get_auto_recharge_preferences`, `telnyx_update_auto_recharge_preferences`"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from mcp_types import CallToolResult, InputRequiredResult
from pydantic import Field

from telnyx_mcp.approval.changes import Change
from telnyx_mcp.approval.gate import Draft, Wanted
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.models import AutoRechargePreferences, Balance
from telnyx_mcp.tools.arguments import Amount, Params, PositiveAmount
from telnyx_mcp.tools.changes import (
    CHECK_SECONDS,
    DRAFT_SECONDS,
    EVIDENCE_SECONDS,
    SEND_SECONDS,
    ChangeResult,
    account_name,
    carry_out,
    opening_lines,
    sending,
)
from telnyx_mcp.tools.results import Result, taken_from
from telnyx_mcp.tools.tool import Call, Failed, ToolSpec

_UNSAID = {"id", "record_type"}


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
    return taken_from(preferences, PreferencesResult, without=_UNSAID)


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
        await call.client.update_auto_recharge_preferences(
            asked, deadline=Deadline.after(SEND_SECONDS)
        )
        return {}

    async def voided_by(change: Change) -> str | None:
        """Says so if somebody else changed the preferences after the question was written."""
        try:
            before = _plain(
                await call.client.get_auto_recharge_preferences(
                    deadline=Deadline.after(CHECK_SECONDS)
                )
            )
        except TelnyxError as error:
            return f"The preferences could not be read again just before. {error.happened}"
        if before == change.basis.get("before"):
            return None
        return "Somebody else changed the preferences after the question was asked."

    async def after(change: Change) -> Mapping[str, Any]:
        """The preferences as they are now, compared with what was asked."""
        before = {"before": change.basis.get("before")}
        try:
            now = _plain(
                await call.client.get_auto_recharge_preferences(
                    deadline=Deadline.after(EVIDENCE_SECONDS)
                )
            )
        except TelnyxError:
            return before
        differs = [name for name, value in asked.items() if not _same(now.get(name), value)]
        note = f"Read again afterwards, this is not as asked: {', '.join(differs)}."
        return before | {"after": now} | ({"note": note} if differs else {})

    wanted = Wanted(
        operation="update_auto_recharge_preferences",
        arguments=asked,
        summary="changing the auto-recharge preferences",
        draft=lambda: _draft(call, asked),
        send=sending(update),
        voided_by=voided_by,
        evidence=after,
    )
    return await carry_out(call, wanted, UpdateResult)


async def _draft(call: Call[UpdateParams], asked: Mapping[str, Any]) -> Draft:
    """What changes, from what to what, and what may be charged then."""
    deadline = Deadline.after(DRAFT_SECONDS)
    before = _plain(await call.client.get_auto_recharge_preferences(deadline=deadline))
    asked = {name: value for name, value in asked.items() if not _same(before.get(name), value)}
    if not asked:
        raise Failed("Nothing was sent: it is already as asked. Calling again will not help.")
    after = {**before, **asked}
    lines = [
        "Change when Telnyx charges your stored payment method by itself?",
        *opening_lines(call, await account_name(call, deadline)),
        *(f"{name}: {_shown(before.get(name))} -> {_shown(asked[name])}" for name in asked),
    ]
    if after.get("enabled") is False:
        lines.append("Auto-recharge is off then: nothing is charged by itself.")
    else:
        if "enabled" not in after:
            lines.append("Telnyx does not say whether auto-recharge is on.")
        lines += _charges(after, await call.client.get_balance(deadline=deadline))
    return Draft("\n".join(lines), {"before": before})


def _charges(preferences: Mapping[str, Any], balance: Balance) -> list[str]:
    """What a recharge could charge: with the balance of now, and at the most."""
    try:
        threshold, recharge, now, credit = (
            Decimal(str(amount))
            for amount in (
                preferences.get("threshold_amount"),
                preferences.get("recharge_amount"),
                balance.balance,
                balance.credit_limit or "0",
            )
        )
    except InvalidOperation:
        return ["What a recharge would charge can't be told: Telnyx gave no amounts."]
    currency = balance.currency or ""
    lines = [
        "A recharge charges what is missing up to the threshold, plus the recharge amount: at most "
        f"{threshold + recharge + max(credit, Decimal(0))} {currency} (with a credit limit of {credit} "
        "used up)."
    ]
    if now < threshold:
        lines.append(
            f"NOTE: the balance of {now} {currency} is below the threshold, so "
            f"{threshold - now + recharge} {currency} may be charged at once."
        )
    return lines


def _plain(preferences: AutoRechargePreferences) -> dict[str, Any]:
    """What can be changed, as it is. Nothing else has a place in the question or the record."""
    return preferences.model_dump(include=set(UpdateParams.model_fields), exclude_none=True)


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


GET_AUTO_RECHARGE_PREFERENCES = ToolSpec(
    name="telnyx_get_auto_recharge_preferences",
    title="Auto-recharge preferences",
    description="When and how Telnyx charges the stored payment method by itself: what is missing up to "
    "threshold_amount, plus recharge_amount.",
    params=NoParams,
    result=PreferencesResult,
    run=get_auto_recharge_preferences,
)
UPDATE_AUTO_RECHARGE_PREFERENCES = ToolSpec(
    name="telnyx_update_auto_recharge_preferences",
    title="Change auto-recharge (authorises charges)",
    description="Changes when and how Telnyx charges by itself; only what is given changes. The server "
    "asks the person to approve it. Call only when the user asked for it.",
    params=UpdateParams,
    result=UpdateResult,
    run=update_auto_recharge_preferences,
    changes=True,
    destructive=True,
    idempotent=True,
)
