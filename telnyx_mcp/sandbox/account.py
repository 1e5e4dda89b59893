"""The sandbox account: eighteen months of history, and the few parts of it that a request can change."""

from __future__ import annotations

import random
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from telnyx_mcp.sandbox.audit import PREFERENCES_ID, AuditEvents, current_preferences
from telnyx_mcp.sandbox.business import NUMBER_TAGS, OUTBOUND_PROFILE_TAGS, Business
from telnyx_mcp.sandbox.charges import Charges
from telnyx_mcp.sandbox.days import first_of_month, timestamp
from telnyx_mcp.sandbox.invoices import Invoices
from telnyx_mcp.sandbox.numbers import Numbers
from telnyx_mcp.sandbox.records import Count, DetailRecords, History, Volume
from telnyx_mcp.sandbox.refusals import Refusal
from telnyx_mcp.sandbox.spend_limits import SpendLimits
from telnyx_mcp.sandbox.usage import UsageReports
from telnyx_mcp.sandbox.webhooks import WebhookDeliveries

MONTHS = 18
DOLLARS_AND_CENTS = re.compile(r"\d{1,9}\.\d{2}\Z", re.ASCII)
DECIMAL_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,2})?\Z", re.ASCII)
PREFERENCES = ("ach", "credit_paypal")


class Account:
    """A consistent Telnyx account, identical for the same seed and day."""

    def __init__(
        self,
        seed: int = 7,
        today: date | None = None,
        records_per_day: Count | None = None,
        records_per_month: Count | None = None,
    ) -> None:
        self._fixed = today is not None
        # On a fixed day the clock stays at noon, so that every answer is predictable.
        self._start = datetime.combine(today, time(12), tzinfo=UTC) if today else datetime.now(UTC)
        self.today = self._start.date()
        self.first_day = first_of_month(self.today, -MONTHS)
        self.business = Business(seed)
        self.numbers = Numbers(self.business, self.first_day, self._start)
        self.charges = Charges(self.business, self.numbers, self.first_day, self.today)
        self.invoices = Invoices(self.business, self.first_day, self.today)
        self.webhooks = WebhookDeliveries(self.business, self._start)
        volume = Volume(seed, records_per_day, records_per_month)
        history = History(self.business, self.numbers, self.first_day, self._start, volume)
        self.records = DetailRecords(history)
        self.usage = UsageReports(self.business, history, self.now)
        self.spend_limits = SpendLimits(self.usage, self.now)
        self._history = AuditEvents.of_history(
            self.business, self.numbers, self.first_day, self._start
        )
        self._opening = Decimal(random.Random(f"{seed}:balance").randrange(18_000, 62_000)).scaleb(
            -2
        )
        self.reset()

    def reset(self) -> None:
        """Undo every payment, change and block."""
        self.balance = self._opening
        self.credit_limit = Decimal("250.00")
        self.payments: list[dict[str, Any]] = []
        self.preferences = current_preferences()
        self.audit_events = list(self._history.all)
        self._changes = 0
        self.spend_limits.reset()

    def now(self) -> datetime:
        """The real time. On a fixed day: noon, plus a second per change (12:00:02 after two)."""
        if self._fixed:
            return self._start + timedelta(seconds=self._changes)
        return datetime.now(UTC)

    def balance_data(self) -> dict[str, str]:
        """The `data` of `GET /balance`."""
        return {
            "record_type": "balance",
            "balance": str(self.balance),
            "credit_limit": str(self.credit_limit),
            "available_credit": str(self.balance + self.credit_limit),
            "pending": "0.00",
            "currency": "USD",
        }

    def user_tags(self, prefix: str) -> dict[str, list[str]]:
        """The `data` of `GET /user_tags`, whatever case the prefix is in."""
        return {
            name: [tag for tag in tags if tag.lower().startswith(prefix.lower())]
            for name, tags in (
                ("number_tags", NUMBER_TAGS),
                ("outbound_profile_tags", OUTBOUND_PROFILE_TAGS),
            )
        }

    def preferences_data(self) -> dict[str, Any]:
        """The `data` of both auto-recharge operations."""
        return {"record_type": "auto_recharge_pref", "id": PREFERENCES_ID, **self.preferences}

    def pay(self, body: Any) -> dict[str, Any]:
        """Charge the stored payment method: the balance rises, and an audit event records it."""
        amount = body.get("amount") if isinstance(body, dict) else None
        if not isinstance(amount, str) or not DOLLARS_AND_CENTS.match(amount):
            raise Refusal(
                422,
                'Amount must include dollars and cents (e.g. "120.00").',
                code="10027",
                title="Invalid amount format",
                pointer="/",
            )
        value = Decimal(amount)
        if value == 0:
            raise Refusal(
                422,
                "Amount must be greater than zero.",
                code="10027",
                title="Invalid amount",
                pointer="/",
            )
        self._changes += 1
        now = self.now()
        transaction = {
            "id": self.business.uuid(f"transaction:{len(self.payments)}:{timestamp(now)}"),
            "record_type": "transaction",
            "amount_cents": int(value * 100),
            "amount_currency": "USD",
            "processor_status": "submitted_for_settlement",
            "auto_recharge": False,
            "transaction_processing_type": "stored_payment",
            "created_at": timestamp(now),
        }
        self.balance += value
        self.payments.append(transaction)
        event = self._history.payment(self.business.owner, now, str(transaction["id"]), value)
        self.audit_events.insert(0, event)
        return transaction

    def change_preferences(self, body: Any) -> dict[str, Any]:
        """Change the named fields only. An audit event records the fields whose values changed."""
        if not isinstance(body, dict):
            raise Refusal(422, "The body must be a JSON object.", pointer="/")
        for name, value in body.items():
            _check_preference(name, value)
        changes = [
            (name, self.preferences[name], value)
            for name, value in body.items()
            if self.preferences[name] != value
        ]
        if changes:
            self._changes += 1
            self.preferences = {**self.preferences, **body}
            event = self._history.preferences(self.business.owner, self.now(), changes)
            self.audit_events.insert(0, event)
        return self.preferences_data()


def _check_preference(name: str, value: Any) -> None:
    match name:
        case "enabled" | "invoice_enabled":
            valid, wanted = isinstance(value, bool), "true or false"
        case "preference":
            valid, wanted = value in PREFERENCES, f"one of {', '.join(PREFERENCES)}"
        case "recharge_amount" | "threshold_amount":
            valid = isinstance(value, str) and DECIMAL_AMOUNT.match(value) is not None
            wanted = 'a decimal string (e.g. "104.00")'
        case _:
            raise Refusal(422, f"'{name}' is not a known field.", pointer=f"/{name}")
    if not valid:
        raise Refusal(422, f"'{name}' must be {wanted}.", pointer=f"/{name}")
