"""`telnyx_update_auto_recharge_preferences`"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any, Literal

from mcp_types import CallToolResult, InputRequiredResult
from pydantic import Field

from telnyx_mcp.approval.change import RECHARGE, Change
from telnyx_mcp.approval.question import Fact, Question
from telnyx_mcp.approval.request import CannotCheck, QuestionDraft
from telnyx_mcp.billing.money import ZERO, amount_of, format_amount
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.models import AutoRechargePreferences, Balance
from telnyx_mcp.tools.framework.arguments import Amount, Params, PositiveAmount
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.framework.results import Row
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.change_requests import (
    CHECK_SECONDS,
    DRAFT_SECONDS,
    EVIDENCE_SECONDS,
    NOT_KNOWN,
    SEND_SECONDS,
    AccountRequest,
    amount_text,
    balance_moved,
    currency_of,
    quoted,
    send_failure,
)
from telnyx_mcp.tools.support.changes import ChangeResult, carry_out

MAX_RECHARGES_A_DAY = 10
"""Telnyx recharges no more often in 24 hours (support.telnyx.com, "Auto recharge")."""
LABELS: Mapping[str, str] = {
    "enabled": "Auto-recharge",
    "threshold_amount": "Recharge when available credit falls below",
    "recharge_amount": "Charged on top of what is missing up to that",
    "preference": "Payment method",
    "invoice_enabled": "Invoice for each recharge",
}
"""What a person calls each preference."""
PROMPT = "The largest charge has to be typed. To approve, type the amount:"
_SUMS = frozenset({"enabled", "threshold_amount", "recharge_amount"})
"""The preferences that decide how much can be charged: a change of these is held to the caps."""
_CENT = Decimal("0.01")
_METHODS = {"credit_paypal": "credit card or PayPal", "ach": "bank transfer (ACH)"}


class UpdateParams(Params):
    enabled: bool | None = Field(None, description="Whether Telnyx recharges automatically.")
    threshold_amount: Amount | None = Field(
        None,
        description="Recharge when the available credit (balance + credit limit) falls below this, "
        "e.g. 50.00.",
    )
    recharge_amount: PositiveAmount | None = Field(
        None,
        description="Charged on top of what is missing up to the threshold, e.g. 100.00.",
    )
    preference: Literal["credit_paypal", "ach"] | None = Field(
        None,
        description="How Telnyx is paid: credit_paypal (card or PayPal) or ach (bank account).",
    )
    invoice_enabled: bool | None = Field(None, description="Whether recharges are invoiced.")


class PreferencesRow(Row):
    """The auto-recharge preferences at one time."""

    enabled: bool | None = Field(None, description="Whether Telnyx recharges automatically.")
    threshold_amount: str | None = Field(
        None, description="Available credit below which Telnyx recharges, as a decimal string."
    )
    recharge_amount: str | None = Field(
        None,
        description="Charged on top of what is missing up to the threshold, as a decimal string.",
    )
    preference: str | None = Field(None, description="How it is paid: credit_paypal or ach.")
    invoice_enabled: bool | None = Field(None, description="Whether recharges are invoiced.")


class UpdateResult(ChangeResult):
    before: PreferencesRow | None = Field(None, description="Preferences before the change.")
    after: PreferencesRow | None = Field(None, description="Preferences as read after the change.")


class RechargeRequest(AccountRequest):
    """A change of the auto-recharge preferences."""

    operation = RECHARGE

    @property
    def summary(self) -> str:
        return "changing the auto-recharge preferences"

    async def draft(self, _payments: Sequence[Change]) -> QuestionDraft:
        """The question: each preference before and after, and the largest charge that follows."""
        client = self._client.within(DRAFT_SECONDS)
        before = _preferences_of(await client.get_auto_recharge_preferences())
        changed = {
            name: value
            for name, value in self.arguments.items()
            if not _is_same(before.get(name), value)
        }
        if not changed:
            raise ToolFailure(
                "Nothing was sent",
                "it is already as asked.",
                again="Calling again will not help.",
            )
        balance = await client.get_balance()
        after = {**before, **changed}
        charge = Charge.of(after, balance)
        currency = currency_of(balance)
        facts = [
            *await self.opening_facts(),
            *(
                Fact(LABELS[name], _change_text(name, before, changed, currency))
                for name in LABELS
                if name in changed
            ),
            *charge.facts(),
        ]
        typed = charge.typed
        question = Question(
            "Change when Telnyx charges your stored payment method automatically?",
            tuple(facts),
            tuple(charge.notes()),
            f"{PROMPT} {typed}" if typed else "",
            typed,
        )
        basis = {"before": before, "balance": balance.balance}
        raises = charge.is_possible and not _SUMS.isdisjoint(changed)
        return QuestionDraft(question, basis, charge.largest if raises else None)

    async def void_reason(self, change: Change) -> str | None:
        client = self._client.within(CHECK_SECONDS)
        try:
            before = _preferences_of(await client.get_auto_recharge_preferences())
            balance = await client.get_balance()
        except TelnyxError as error:
            raise CannotCheck(error.summary) from None
        if before != change.basis.get("before"):
            return "The preferences changed after the question was asked."
        if change.question.typed is None or "balance" not in change.basis:
            return None  # nothing is charged, whatever the balance is
        typed = Decimal(change.question.typed)
        return balance_moved(change.basis["balance"], balance.balance, typed)

    async def send(self) -> Mapping[str, Any]:
        try:
            client = self._client.within(SEND_SECONDS)
            await client.update_auto_recharge_preferences(self.arguments)
        except TelnyxError as error:
            raise send_failure(error) from None
        return {}

    async def evidence(self, change: Change) -> Mapping[str, Any]:
        """The preferences as they are now, compared with what was asked."""
        before = {"before": change.basis.get("before")}
        client = self._client.within(EVIDENCE_SECONDS)
        try:
            now = _preferences_of(await client.get_auto_recharge_preferences())
        except TelnyxError:
            return before
        differs = [
            name for name, value in self.arguments.items() if not _is_same(now.get(name), value)
        ]
        note = f"Read again afterwards, this is not as asked: {', '.join(differs)}."
        return before | {"after": now} | ({"note": note} if differs else {})


class Charge:
    """What a recharge could charge with these preferences."""

    def __init__(
        self,
        enabled: bool | None,
        threshold: Decimal | None,
        recharge: Decimal | None,
        balance: Balance,
    ) -> None:
        self.is_possible = enabled is not False
        self._enabled = enabled
        self._threshold = threshold
        self._recharge = recharge
        self._balance = amount_of(balance.balance)
        self._credit = amount_of(balance.credit_limit)
        self._currency = currency_of(balance)

    @classmethod
    def of(cls, preferences: Mapping[str, Any], balance: Balance) -> Charge:
        """The charge under these preferences. Raises `ToolFailure` if recharging is possible and its
        largest sum can't be computed: no cap could be checked."""
        charge = cls(
            preferences.get("enabled"),
            amount_of(preferences.get("threshold_amount")),
            amount_of(preferences.get("recharge_amount")),
            balance,
        )
        if charge.is_possible and charge.largest is None:
            raise ToolFailure(
                "Nothing was sent",
                "the largest charge can't be computed, as Telnyx does not give all amounts "
                "(threshold, recharge amount, balance, credit limit).",
                do="Give threshold_amount and recharge_amount in this call, or turn auto-recharge off; "
                "if that does not help, ask the user to change it in the Mission Control Portal.",
            )
        return charge

    @property
    def largest(self) -> Decimal | None:
        """The most that one recharge could charge, in whole cents, as it has to be typed. It brings
        the balance from minus the credit limit, or from where it is if that is lower, up to the
        threshold plus the recharge amount."""
        parts = (self._threshold, self._recharge, self._balance, self._credit)
        if any(part is None for part in parts):
            return None
        threshold, recharge, balance, credit = (part or ZERO for part in parts)
        most = threshold + recharge + max(credit, -balance, ZERO)
        return most.quantize(_CENT, ROUND_CEILING)

    @property
    def now(self) -> Decimal | None:
        """What Telnyx would charge at once at the current balance; None if nothing."""
        parts = (self._threshold, self._recharge, self._balance, self._credit)
        if any(part is None for part in parts):
            return None
        threshold, recharge, balance, credit = (part or ZERO for part in parts)
        return threshold + recharge - balance if balance + credit < threshold else None

    @property
    def typed(self) -> str | None:
        """The figure that has to be typed: the largest charge."""
        return (
            format_amount(self.largest) if self.is_possible and self.largest is not None else None
        )

    def facts(self) -> list[Fact]:
        if not self.is_possible:
            return [Fact("Charged automatically after that", "nothing: auto-recharge is off")]
        largest = amount_text(self.largest, self._currency)
        credit = amount_text(self._credit, self._currency)
        return [
            Fact("Available credit now", self._available()),
            Fact(
                "One recharge charges at most", f"{largest} (with a credit limit of {credit} used)"
            ),
            Fact("Recharges in 24 hours", f"at most {MAX_RECHARGES_A_DAY}"),
        ]

    def _available(self) -> str:
        if self._balance is None or self._credit is None:
            return NOT_KNOWN
        return amount_text(self._balance + self._credit, self._currency)

    def notes(self) -> list[str]:
        notes = []
        if self._enabled is None:
            notes.append("Telnyx does not say whether auto-recharge is on.")
        if self.is_possible and self.now is not None:
            notes.append(
                f"The available credit of {self._available()} is below the threshold, so "
                f"{amount_text(self.now, self._currency)} may be charged at once."
            )
        return notes


async def update_auto_recharge_preferences(
    call: Call[UpdateParams],
) -> CallToolResult | InputRequiredResult:
    changes = call.params.model_dump(exclude_none=True)
    if not changes:
        raise ToolFailure(
            "Nothing was sent",
            "there is nothing to change.",
            do=f"Give at least one of {', '.join(UpdateParams.model_fields)}. Call again.",
        )
    return await carry_out(call, RechargeRequest(changes, call.surroundings), UpdateResult)


def _preferences_of(preferences: AutoRechargePreferences) -> dict[str, Any]:
    """The current values of the preferences that this tool can change."""
    return preferences.model_dump(include=set(UpdateParams.model_fields), exclude_none=True)


def _change_text(
    name: str, before: Mapping[str, Any], changed: Mapping[str, Any], currency: str
) -> str:
    """One preference, from what to what: `100.00 -> 50.00 USD`."""
    unit = currency if name.endswith("_amount") else ""
    return f"{_value_text(name, before.get(name))} -> {_value_text(name, changed[name])}{unit}"


def _value_text(name: str, value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return ("on" if value else "off") if name == "enabled" else ("yes" if value else "no")
    if name.endswith("_amount"):
        return amount_text(value)
    return _METHODS.get(str(value)) or quoted(str(value))


def _is_same(current: object, requested: object) -> bool:
    if isinstance(requested, bool) or isinstance(current, bool) or current is None:
        return current is requested
    try:
        return Decimal(str(current)) == Decimal(str(requested))
    except InvalidOperation:
        return current == requested


UPDATE_AUTO_RECHARGE_PREFERENCES = ToolSpec(
    name="telnyx_update_auto_recharge_preferences",
    group="changes",
    title="Change auto-recharge (authorises charges)",
    description="Changes when and how Telnyx charges automatically; only what is given changes. "
    "The user has to approve it. Call only when the user asked for it.",
    params=UpdateParams,
    result=UpdateResult,
    run=update_auto_recharge_preferences,
    changes=True,
    destructive=True,
    idempotent=True,
)
