"""`telnyx_create_stored_payment_transaction`"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from mcp_types import CallToolResult, InputRequiredResult
from pydantic import AfterValidator, Field

from telnyx_mcp.approval.change import PAYMENT, Change
from telnyx_mcp.approval.question import Fact, Question
from telnyx_mcp.approval.request import CannotCheck, QuestionDraft
from telnyx_mcp.billing.money import amount_of
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import StoredPaymentTransaction
from telnyx_mcp.tools.framework.arguments import Params, PositiveAmount, Text
from telnyx_mcp.tools.framework.host_arguments import EMPTY_WORDS
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.change_requests import (
    CHECK_SECONDS,
    DRAFT_SECONDS,
    EVIDENCE_SECONDS,
    NOT_KNOWN,
    SEND_SECONDS,
    AccountRequest,
    Surroundings,
    amount_text,
    balance_moved,
    currency_of,
    payment_notes,
    quoted,
    send_failure,
)
from telnyx_mcp.tools.support.changes import ChangeResult, carry_out

SMALLEST_PAYMENT = Decimal("10.00")
"""The smallest payment that Telnyx accepts (support.telnyx.com, "Add funds")."""
_NO_NAMES = {"null", "none", "undefined", "nil"}
"""A payment that was to have a reference is not sent without one."""


def _reference(text: str) -> str:
    """One spelling for one name: case and ways to write the same letter make no difference."""
    name = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if not name.isascii() or not name.isprintable() or name in _NO_NAMES:
        raise ValueError(
            "must be a name of ASCII letters, digits and punctuation, such as invoice-2026-05; leave "
            "it out if the user gave none"
        )
    return name


def _at_least(amount: str) -> str:
    if Decimal(amount) < SMALLEST_PAYMENT:
        raise ValueError(f"must be {SMALLEST_PAYMENT} or more, the smallest payment Telnyx takes")
    return amount


Reference = Annotated[Text, AfterValidator(_reference)]
PaymentAmount = Annotated[PositiveAmount, AfterValidator(_at_least)]


class PaymentParams(Params):
    instead: ClassVar[Mapping[str, str]] = {
        "currency": "The amount is always in the account's currency."
    }
    words: ClassVar[Mapping[str, Set[str]]] = {"reference": EMPTY_WORDS}

    amount: PaymentAmount = Field(
        description="Amount in the account's currency, e.g. 120.00; at least 10.00. Exactly what the user "
        "said."
    )
    reference: Reference | None = Field(
        None,
        description="A name for this payment, e.g. invoice-2026-05: the same reference is never paid twice.",
    )


class PaymentResult(ChangeResult):
    amount: str | None = Field(
        None, description="Amount that was sent to Telnyx, as a decimal string."
    )
    amount_cents: int | None = Field(None, description="Amount on Telnyx's receipt, in cents.")
    currency: str | None = None
    transaction_id: str | None = Field(None, description="Id of the payment at Telnyx.")
    processor_status: str | None = Field(None, description="Status at the payment processor.")
    created_at: str | None = Field(None, description="When Telnyx created the payment, RFC 3339.")
    reference: str | None = Field(None, description="Reference of the payment.")
    balance_before: str | None = Field(
        None, description="Balance before the payment, as a decimal string."
    )
    balance_after: str | None = Field(
        None, description="Balance after the payment, as a decimal string."
    )


class PaymentRequest(AccountRequest):
    """A payment with the stored payment method."""

    operation = PAYMENT

    def __init__(self, arguments: Mapping[str, Any], around: Surroundings) -> None:
        super().__init__(arguments, around)
        self._wire_amount: str = arguments["amount"]
        self.amount: Decimal = Decimal(self._wire_amount)
        self.reference = arguments.get("reference")

    @property
    def summary(self) -> str:
        return f"paying {self.amount}"

    async def draft(self, payments: Sequence[Change]) -> QuestionDraft:
        client = self._client.within(DRAFT_SECONDS)
        balance = await client.get_balance()
        currency = currency_of(balance)
        before = amount_of(balance.balance)
        after = NOT_KNOWN if before is None else amount_text(before + self.amount, currency)
        paid = sum((each.amount or Decimal(0) for each in payments), Decimal("0.00"))
        facts = [
            *await self.opening_facts(),
            Fact("Balance now", amount_text(balance.balance, currency)),
            Fact("Balance after", after),
            *([Fact("Reference", quoted(self.reference))] if self.reference else []),
            Fact("Paid through this server in the last 24 hours", f"{paid}{currency}"),
        ]
        question = Question(
            f"Pay {self.amount}{currency} from the stored payment method into your Telnyx account?",
            tuple(facts),
            tuple(payment_notes(payments, self.amount)),
            f"To approve, type the amount: {self.amount}",
            str(self.amount),
            f"Pay {self.amount}{currency}",
        )
        return QuestionDraft(question, {"balance": balance.balance}, self.amount)

    async def void_reason(self, change: Change) -> str | None:
        try:
            balance = await self._client.within(CHECK_SECONDS).get_balance()
        except TelnyxError as error:
            raise CannotCheck(error.summary) from None
        return balance_moved(change.basis.get("balance"), balance.balance, self.amount)

    async def send(self) -> Mapping[str, Any]:
        client = self._client.within(SEND_SECONDS)
        try:
            receipt = await client.create_stored_payment_transaction(self._wire_amount)
            if not receipt.id:
                raise TelnyxError(Failure.WRONG_SHAPE, "the receipt has no id")
        except TelnyxError as error:
            raise send_failure(error) from None
        return self._difference(receipt) | {
            "amount": self._wire_amount,
            "amount_cents": receipt.amount_cents,
            "currency": receipt.amount_currency,
            "transaction_id": receipt.id,
            "processor_status": receipt.processor_status,
            "created_at": receipt.created_at,
            "reference": self.reference,
        }

    async def evidence(self, change: Change) -> Mapping[str, Any]:
        """The balance around the payment: evidence for a person, never taken as proof."""
        before = {"balance_before": change.basis.get("balance")}
        try:
            balance = await self._client.within(EVIDENCE_SECONDS).get_balance()
            return before | {"balance_after": balance.balance}
        except TelnyxError:
            return before

    def _difference(self, receipt: StoredPaymentTransaction) -> dict[str, Any]:
        """A note where the receipt is for another amount than was asked."""
        cents = receipt.amount_cents
        if cents is None or cents == int(self.amount * 100):
            return {}
        return {"note": f"Telnyx says it charged {cents} cents, not {self.amount}. Tell the user."}


async def create_stored_payment_transaction(
    call: Call[PaymentParams],
) -> CallToolResult | InputRequiredResult:
    request = PaymentRequest(call.params.model_dump(exclude_none=True), call.surroundings)
    return await carry_out(call, request, PaymentResult)


CREATE_STORED_PAYMENT_TRANSACTION = ToolSpec(
    name="telnyx_create_stored_payment_transaction",
    group="changes",
    title="Pay (moves real money)",
    description="Charges the stored payment method and adds the amount to the balance, after the user "
    "approves it. Call only when the user asked for a payment, once. If the state is unknown, never "
    "try again: tell the user.",
    params=PaymentParams,
    result=PaymentResult,
    run=create_stored_payment_transaction,
    changes=True,
    destructive=True,
    idempotent=False,
)
