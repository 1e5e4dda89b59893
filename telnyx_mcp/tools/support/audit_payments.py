"""Payments among audit events: the only place where Telnyx's API shows top-ups."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from pydantic import Field

from telnyx_mcp.billing.money import Sums, amount_of, format_amount
from telnyx_mcp.telnyx.models import AuditEvent
from telnyx_mcp.tools.framework.results import Row

_WORD = "payment"
"""What the types of payments have in common, as in `stored_payment_transaction`."""


class PaymentTotals(Row):
    """Payments, counted and added up."""

    count: int = Field(description="How many payments.")
    sum: dict[str, str] = Field(description="Sum by currency, as decimal strings.")
    unreadable: int | None = Field(None, description="How many have an amount that can't be read.")


def payments_in(events: Iterable[AuditEvent], *, whole: bool) -> dict[str, PaymentTotals]:
    """`payments`, with their count and their sum by currency; nothing where there are none.

    It is `part_payments` if `events` are not the `whole` of what was asked for, or if an amount
    can't be read.
    """
    sums, count, unreadable = Sums(), 0, 0
    for event in events:
        if _WORD not in (event.record_type or "") or event.change_type != "create":
            continue
        count += 1
        currency, amount = _amount(event)
        if amount is None:
            unreadable += 1
        else:
            sums.add(currency, amount)
    if not count:
        return {}
    added_up = PaymentTotals(
        count=count,
        sum={each: format_amount(sum_) for each, sum_ in sums},
        unreadable=unreadable or None,
    )
    return {"payments" if whole and not unreadable else "part_payments": added_up}


def _amount(event: AuditEvent) -> tuple[str, Decimal | None]:
    changes = {each.field: each.to for each in event.changes or []}
    return str(changes.get("currency") or "unknown"), amount_of(changes.get("amount"))
