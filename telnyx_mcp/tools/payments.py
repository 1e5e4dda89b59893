"""`telnyx_create_stored_payment_transaction`"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, ClassVar

from mcp_types import CallToolResult, InputRequiredResult
from pydantic import AfterValidator, Field

from telnyx_mcp.approval.changes import PAYMENT, Change, State
from telnyx_mcp.approval.gate import Draft, Wanted
from telnyx_mcp.approval.policy import DAY
from telnyx_mcp.approval.thread import in_thread
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import StoredPaymentTransaction
from telnyx_mcp.tools.arguments import Params, PositiveAmount, Text
from telnyx_mcp.tools.changes import (
    DRAFT_SECONDS,
    EVIDENCE_SECONDS,
    SEND_SECONDS,
    ChangeResult,
    account_name,
    carry_out,
    opening_lines,
    sending,
)
from telnyx_mcp.tools.tool import Call, ToolSpec

Reference = Annotated[
    Text, AfterValidator(lambda text: unicodedata.normalize("NFKC", text).casefold())
]
"""A name for a payment; case and ways to write the same letter make no difference."""


class PaymentParams(Params):
    instead: ClassVar[Mapping[str, str]] = {
        "currency": "The amount is always in the account's currency."
    }

    amount: PositiveAmount = Field(
        description="In the account's currency, e.g. 120.00. Exactly what the user said."
    )
    reference: Reference | None = Field(
        None, description="A name for this payment: the same reference is never paid twice."
    )


class PaymentResult(ChangeResult):
    amount: str | None = None
    currency: str | None = None
    transaction_id: str | None = None
    processor_status: str | None = None
    created_at: str | None = None
    reference: str | None = None
    balance_before: str | None = None
    balance_after: str | None = None


async def create_stored_payment_transaction(
    call: Call[PaymentParams],
) -> CallToolResult | InputRequiredResult:
    asked = call.params

    async def pay() -> Mapping[str, Any]:
        # By the clock on the wall: a machine that sleeps meanwhile must not send long after.
        receipt = await call.client.create_stored_payment_transaction(
            asked.amount, deadline=Deadline.after(SEND_SECONDS, time.time)
        )
        if not receipt.id:
            raise TelnyxError(Failure.WRONG_SHAPE, "the receipt has no id")
        return _difference(receipt, asked.amount) | {
            "amount": asked.amount,
            "amount_cents": receipt.amount_cents,
            "currency": receipt.amount_currency,
            "transaction_id": receipt.id,
            "processor_status": receipt.processor_status,
            "created_at": receipt.created_at,
            "reference": asked.reference,
        }

    async def balance_after(change: Change) -> Mapping[str, Any]:
        """The balance around the payment: evidence for a person, never taken as proof."""
        before = {"balance_before": change.basis.get("balance")}
        try:
            balance = await call.client.get_balance(deadline=Deadline.after(EVIDENCE_SECONDS))
            return before | {"balance_after": balance.balance}
        except TelnyxError:
            return before

    wanted = Wanted(
        operation=PAYMENT,
        arguments=asked.model_dump(exclude_none=True),
        summary=f"paying {asked.amount}",
        draft=lambda: _draft(call),
        send=sending(pay),
        evidence=balance_after,
        reference=asked.reference,
        amount=Decimal(asked.amount),
    )
    return await carry_out(call, wanted, PaymentResult)


async def _draft(call: Call[PaymentParams]) -> Draft:
    """The question for the person, from the account's figures of now."""
    asked = call.params
    deadline = Deadline.after(DRAFT_SECONDS)
    balance = await call.client.get_balance(deadline=deadline)
    currency = balance.currency or ""
    lines = [
        f"Pay {asked.amount} {currency}".rstrip()
        + " from the stored payment method into your Telnyx account?",
        *opening_lines(call, await account_name(call, deadline)),
        f"Balance now: {balance.balance} {currency}; after: {_sum(balance.balance, asked.amount)} "
        f"{currency}".rstrip(),
    ]
    if asked.reference:
        lines.append(f"Reference: {asked.reference}")
    now = call.services.now()
    ledger = await call.services.gate.ledger()
    recent = await in_thread(ledger.payments_since, now - DAY)
    paid = sum((each.amount or Decimal(0) for each in recent), Decimal("0.00"))
    lines.append(f"Paid through this server in the last 24 hours: {paid} {currency}".rstrip())
    lines += [
        f"NOTE: {each.amount} was {_words(each.state)} at {each.sent_at:%Y-%m-%d %H:%M} UTC."
        for each in recent
        if each.amount == Decimal(asked.amount) or each.state is State.UNKNOWN
    ]
    question = "\n".join([*lines, f"To approve, type the amount: {asked.amount}"])
    return Draft(question, {"balance": balance.balance})


def _difference(receipt: StoredPaymentTransaction, amount: str) -> dict[str, Any]:
    """A note where the receipt is for another amount than was asked."""
    cents = receipt.amount_cents
    if cents is None or cents == int(Decimal(amount) * 100):
        return {}
    return {"note": f"Telnyx says it charged {cents} cents, not {amount}. Tell the user."}


def _words(state: State) -> str:
    return "already paid" if state is State.SUCCEEDED else "sent with an unknown outcome"


def _sum(balance: str | None, amount: str) -> str:
    try:
        return str(Decimal(balance or "") + Decimal(amount))
    except InvalidOperation:
        return "not known"


CREATE_STORED_PAYMENT_TRANSACTION = ToolSpec(
    name="telnyx_create_stored_payment_transaction",
    title="Pay (moves real money)",
    description="Charges the stored payment method and adds the amount to the balance, once the server "
    "asked a person. Call only when the user asked for a payment, once. If the state is unknown, never "
    "try again: tell the user.",
    params=PaymentParams,
    result=PaymentResult,
    run=create_stored_payment_transaction,
    changes=True,
    destructive=True,
    idempotent=False,
)
