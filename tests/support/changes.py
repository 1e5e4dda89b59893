"""Changes of a sandbox's account, put into the ledger as a server puts them there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from telnyx_mcp.approval.change import PAYMENT, RECHARGE, Change, State
from telnyx_mcp.approval.ledger import MARK, Decision, Ledger
from telnyx_mcp.approval.question import Fact, Question
from tests.support.clock import NOW

BALANCE = "384.60"
"""The sandbox's balance at the start: a question that shows another is not true."""
SEEN = {"failure": "timeout", "http_status": 504, "balance_after": "504.60"}
"""What is known of a payment whose answer never came."""


def question_of(amount: str) -> Question:
    """A question about this payment."""
    return Question(
        f"Pay {amount} USD from the stored payment method?",
        (Fact("Balance now", f"{BALANCE} USD"),),
        prompt=f"To approve, type the amount: {amount}",
        typed=amount,
    )


QUESTION = question_of("120.00").text


def payment(
    ledger: Ledger,
    amount: str = "120.00",
    *,
    ago: timedelta = timedelta(0),
    replaces: str | None = None,
) -> Change:
    """A payment that waits for its approval. Its question is true of the sandbox as new."""
    now = datetime.now(UTC)
    return ledger.propose(
        PAYMENT,
        {"amount": amount},
        reference=None,
        amount=Decimal(amount),
        question=question_of(amount),
        basis={"balance": BALANCE, MARK: ledger.history(now).mark},
        now=now - ago,
        requested_via="claude-code 2.1",
        replaces=replaces,
    )


def paid(ledger: Ledger, amount: str) -> Change:
    """A payment that Telnyx confirmed."""
    change, now = payment(ledger, amount), datetime.now(UTC)
    ledger.claim(change.id, now, Decision("elicitation", "claude-code 2.1"))
    ledger.record(change.id, State.SUCCEEDED, "Telnyx confirmed it.", {}, now)
    return change


def unknown(ledger: Ledger, amount: str = "120.00") -> Change:
    """A payment of unknown outcome."""
    return _lost(ledger, payment(ledger, amount))


def unknown_setting(ledger: Ledger) -> Change:
    """A change of the auto-recharge preferences of unknown outcome."""
    change = ledger.propose(
        RECHARGE,
        {"enabled": True},
        reference=None,
        amount=None,
        question=Question("Turn auto-recharge on?"),
        basis={},
        now=datetime.now(UTC),
    )
    return _lost(ledger, change)


def _lost(ledger: Ledger, change: Change) -> Change:
    now = datetime.now(UTC)
    ledger.approve(change.id, "elicitation", now, by="claude-code 2.1")
    ledger.claim(change.id, now)
    ledger.record(change.id, State.UNKNOWN, "No answer came.", SEEN, now)
    return change


def state_of(ledger: Ledger, change: Change) -> State:
    """The state of the change now."""
    found = ledger.get(change.id, datetime.now(UTC))
    assert found
    return found.state


def change(**told: Any) -> Change:
    """A payment of 120.00 that was proposed at noon."""
    payment = Change(
        id="0123456789abcdef",
        operation=PAYMENT,
        arguments={"amount": "120.00"},
        reference=None,
        amount=Decimal("120.00"),
        question=Question("Pay?"),
        basis={},
        state=State.PROPOSED,
        channel="",
        requested_via="",
        decided_by="",
        owner="",
        outcome_text="",
        evidence={},
        note="",
        proposed_at=NOW,
        decided_at=None,
        sent_at=None,
        updated_at=NOW,
    )
    return replace(payment, **told)
