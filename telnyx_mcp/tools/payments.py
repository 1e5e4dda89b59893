"""`telnyx_create_stored_payment_transaction`"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from mcp_types import CallToolResult, InputRequiredResult
from pydantic import Field

from telnyx_mcp.approval.gate import Wanted
from telnyx_mcp.approval.ledger import State
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.tools.arguments import Params, PositiveAmount, Text
from telnyx_mcp.tools.changes import ChangeResult, carry_out, sending
from telnyx_mcp.tools.tool import Call, ToolSpec

NAME = "telnyx_create_stored_payment_transaction"


class PaymentParams(Params):
    amount: PositiveAmount = Field(
        description="In the account's currency, e.g. 120.00. Exactly what the user said."
    )
    reference: Text | None = Field(
        None, description="A name for this payment: the same reference is never paid twice."
    )


class PaymentResult(ChangeResult):
    amount: str | None = None
    currency: str | None = None
    transaction_id: str | None = None
    processor_status: str | None = None
    created_at: str | None = None
    reference: str | None = None


async def create_stored_payment_transaction(
    call: Call[PaymentParams],
) -> CallToolResult | InputRequiredResult:
    asked = call.params

    async def pay() -> Mapping[str, Any]:
        receipt = await call.client.create_stored_payment_transaction(asked.amount)
        return {
            "amount": asked.amount,
            "currency": receipt.amount_currency,
            "transaction_id": receipt.id,
            "processor_status": receipt.processor_status,
            "created_at": receipt.created_at,
            "reference": asked.reference,
        }

    wanted = Wanted(
        operation="create_stored_payment_transaction",
        arguments=asked.model_dump(exclude_none=True),
        summary=f"paying {asked.amount}",
        question=lambda: _question(call),
        send=sending(pay),
        reference=asked.reference,
        amount=Decimal(asked.amount),
    )
    return await carry_out(call, NAME, wanted, PaymentResult)


async def _question(call: Call[PaymentParams]) -> str:
    """The question for the person, from the account's figures of now."""
    asked = call.params
    balance = await call.client.get_balance()
    currency = balance.currency or ""
    lines = [
        f"Pay {asked.amount} {currency}".rstrip()
        + " from the stored payment method into your Telnyx account?",
        *(["SANDBOX: a pretend account, no real money."] if call.client.sandbox else []),
        f"Account: {await _account(call)}",
        f"Balance now: {balance.balance} {currency}; after: {_sum(balance.balance, asked.amount)} "
        f"{currency}".rstrip(),
    ]
    if asked.reference:
        lines.append(f"Reference: {asked.reference}")
    now = call.services.now()
    recent = call.services.gate.ledger.since(
        "create_stored_payment_transaction", now - timedelta(hours=24)
    )
    today = [each for each in recent if each.updated_at.date() == now.date()]
    paid = sum((each.amount or Decimal(0) for each in today), Decimal("0.00"))
    lines.append(f"Paid through this server today (UTC): {paid} {currency}".rstrip())
    lines += [
        f"NOTE: {each.amount} was {_words(each.state)} at {each.updated_at:%Y-%m-%d %H:%M} UTC."
        for each in recent
        if each.amount == Decimal(asked.amount) or each.state is State.UNKNOWN
    ]
    return "\n".join([*lines, f"To approve, type the amount: {asked.amount}"])


def _words(state: State) -> str:
    return "already paid" if state is State.SUCCEEDED else "sent with an unknown outcome"


async def _account(call: Call[Any]) -> str:
    """Whose account it is, as far as Telnyx tells: only the charges carry a name."""
    today = call.services.now().date()
    try:
        summary = await call.client.get_charges_summary(today, today + timedelta(days=1))
    except TelnyxError:
        return "the one of the configured API key"
    return summary.user_email or summary.user_id or "the one of the configured API key"


def _sum(balance: str | None, amount: str) -> str:
    try:
        return str(Decimal(balance or "") + Decimal(amount))
    except InvalidOperation:
        return "not known"


CREATE_STORED_PAYMENT_TRANSACTION = ToolSpec(
    name=NAME,
    title="Pay (moves real money)",
    description="Charges the stored payment method and adds the amount to the balance. The server "
    "asks the person to approve it; nothing is paid without that. Call only when the user asked for "
    "a payment, once. If the state is unknown, never try again: tell the user.",
    params=PaymentParams,
    result=PaymentResult,
    run=create_stored_payment_transaction,
    changes=True,
    destructive=True,
    idempotent=False,
)
