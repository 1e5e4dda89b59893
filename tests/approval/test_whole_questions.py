"""The whole of what an approver reads, and the figures that decide about it."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.build import build_server
from telnyx_mcp.telnyx.errors import Failure, Fate, TelnyxError
from telnyx_mcp.telnyx.models import Balance, StoredPaymentTransaction
from telnyx_mcp.tools.catalog.create_stored_payment_transaction import PaymentRequest
from telnyx_mcp.tools.catalog.update_auto_recharge_preferences import Charge, _is_same, _value_text
from telnyx_mcp.tools.support.change_requests import (
    Surroundings,
    amount_text,
    balance_moved,
    currency_of,
    payment_notes,
    quoted,
    send_failure,
)
from tests.support.changes import change
from tests.support.client import text_of
from tests.support.clock import NOW, Clock
from tests.support.person import DECLINES, PAY, UPDATE, Person, ask, types

PREFERENCES = {
    "enabled": True,
    "threshold_amount": "20.00",
    "recharge_amount": "50.00",
    "preference": "credit_paypal",
    "invoice_enabled": False,
}


@pytest.fixture
def account(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Telnyx says of the balance and the account."""
    told = {"balance": "90.00", "credit_limit": "10.00", "currency": "USD"}
    real = sandbox.account.balance_data
    monkeypatch.setattr(sandbox.account, "balance_data", lambda: real() | told)
    sandbox.account.preferences = dict(PREFERENCES)
    return told


async def question_about(
    settings: Settings, tool: str, arguments: dict[str, Any], time: Clock | None = None
) -> list[str]:
    server = build_server(settings, now=time or Clock())
    person = Person(DECLINES)
    result = await ask(server, person, tool, arguments)
    await server.accounts.aclose()
    assert person.questions, text_of(result)
    return person.questions[0].splitlines()


# --- a payment ------------------------------------------------------------------------------------


async def test_the_question_of_a_payment_says_whose_account_what_for_and_what_was_paid_before(
    settings: Settings, sandbox: Sandbox, account: dict[str, Any]
) -> None:
    time = Clock()
    server = build_server(settings, now=time)
    for amount in ("30.00", "120.00"):
        arguments = {"amount": amount, "reference": f"may {amount}"}
        assert not (await ask(server, Person(types(amount)), PAY, arguments)).is_error
    await server.accounts.aclose()
    time.passes(hours=1)
    wish = {"amount": "120", "reference": "Invoice 7"}
    email = sandbox.account.business.owner.email
    assert await question_about(settings, PAY, wish, time) == [
        "Pay 120.00 USD from the stored payment method into your Telnyx account?",
        "SANDBOX: a sandbox account, no real money",
        f"Account: {email}",
        "Balance now: 90.00 USD",
        "Balance after: 210.00 USD",
        "Reference: “invoice 7”",
        "Paid through this server in the last 24 hours: 150.00 USD",
        "NOTE: 120.00 was already paid at 2026-06-15 12:00 UTC.",
        "To approve, type the amount: 120.00",
    ]


async def test_a_question_names_the_profile_and_leaves_out_what_was_not_given(
    settings: Settings, sandbox: Sandbox, account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    summaries = sandbox.account.charges.summary
    nobody = {"user_id": "", "user_email": ""}
    monkeypatch.setattr(sandbox.account.charges, "summary", lambda *told: summaries(*told) | nobody)
    named = settings.model_copy(update={"profile": "work"})
    lines = await question_about(named, PAY, {"amount": "12.00"})
    assert lines[2] == "Account: the one of the configured API key (profile work)"
    assert lines[5:] == [
        "Paid through this server in the last 24 hours: 0.00 USD",
        "To approve, type the amount: 12.00",
    ]


SENT = NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    ("payment", "notes"),
    [
        (
            change(state=State.SUCCEEDED, sent_at=SENT),
            ["120.00 was already paid at 2026-06-15 10:00 UTC."],
        ),
        (change(state=State.SUCCEEDED), ["120.00 was already paid at 2026-06-15 12:00 UTC."]),
        (change(state=State.SUCCEEDED, amount=Decimal("50.00")), []),
        (
            change(state=State.UNKNOWN, amount=Decimal("50.00")),
            ["50.00 was sent with an unknown outcome at 2026-06-15 12:00 UTC."],
        ),
        (
            change(state=State.SENDING, sent_at=SENT),
            ["120.00 was sent with an unknown outcome at 2026-06-15 10:00 UTC."],
        ),
    ],
)
def test_a_payment_of_the_same_amount_or_of_unknown_outcome_is_mentioned(
    payment: Change, notes: list[str]
) -> None:
    assert payment_notes([payment], Decimal("120.00")) == notes


# --- auto-recharge --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "told", "lines"),
    [
        (
            {"enabled": False, "invoice_enabled": True},
            {},
            [
                "Auto-recharge: on -> off",
                "Invoice for each recharge: no -> yes",
                "Charged automatically after that: nothing: auto-recharge is off",
            ],
        ),
        (
            {"threshold_amount": "60", "recharge_amount": "120.00", "preference": "ach"},
            {},
            [
                "Recharge when available credit falls below: 20.00 -> 60.00 USD",
                "Charged on top of what is missing up to that: 50.00 -> 120.00 USD",
                "Payment method: credit card or PayPal -> bank transfer (ACH)",
                "Available credit now: 100.00 USD",
                "One recharge charges at most: 190.00 USD (with a credit limit of 10.00 USD used)",
                "Recharges in 24 hours: at most 10",
                "The largest charge has to be typed. To approve, type the amount: 190.00",
            ],
        ),
        (
            {"recharge_amount": "60.00"},
            {"balance": "-5.00"},
            [
                "Charged on top of what is missing up to that: 50.00 -> 60.00 USD",
                "Available credit now: 5.00 USD",
                "One recharge charges at most: 90.00 USD (with a credit limit of 10.00 USD used)",
                "Recharges in 24 hours: at most 10",
                "NOTE: The available credit of 5.00 USD is below the threshold, so 85.00 USD may be "
                "charged at once.",
                "The largest charge has to be typed. To approve, type the amount: 90.00",
            ],
        ),
    ],
)
async def test_the_question_of_a_recharge_says_what_changes_and_what_may_be_charged(
    settings: Settings,
    sandbox: Sandbox,
    account: dict[str, Any],
    wish: dict[str, Any],
    told: dict[str, str],
    lines: list[str],
) -> None:
    account.update(told)
    question = await question_about(settings, UPDATE, wish)
    assert question[0] == "Change when Telnyx charges your stored payment method automatically?"
    assert question[3:] == lines


async def test_turning_auto_recharge_off_does_not_claim_to_charge_anything(
    settings: Settings, sandbox: Sandbox, account: dict[str, Any]
) -> None:
    account["balance"] = "-5.00"  # below the threshold, so a recharge would be due
    question = await question_about(settings, UPDATE, {"enabled": False})
    assert question[3:] == [
        "Auto-recharge: on -> off",
        "Charged automatically after that: nothing: auto-recharge is off",
    ]


async def test_a_preference_without_a_value_is_shown_as_not_set(
    settings: Settings, sandbox: Sandbox, account: dict[str, Any]
) -> None:
    for name in ("enabled", "preference"):
        del sandbox.account.preferences[name]
    question = await question_about(settings, UPDATE, {"preference": "ach"})
    assert "Payment method: not set -> bank transfer (ACH)" in question
    assert "NOTE: Telnyx does not say whether auto-recharge is on." in question


@pytest.mark.parametrize(
    ("threshold", "recharge", "balance", "credit", "largest", "now"),
    [
        ("20", "50", "90", "0", "70.00", None),
        ("20", "50", "20", "0", "70.00", None),
        ("20", "50", "19.99", "0", "70.00", "50.01"),
        ("20", "50", "90", "10", "80.00", None),
        ("20", "50", "-5", "10", "80.00", "75"),
        ("20", "50", "10", "10", "80.00", None),
        ("20", "50", "-30", "10", "100.00", "100"),
        ("0", "50", "0", "0", "50.00", None),
        ("20", "50.001", "90", "0", "70.01", None),
    ],
)
def test_a_recharge_brings_the_balance_from_where_it_can_be_to_the_threshold_and_the_amount(
    threshold: str, recharge: str, balance: str, credit: str, largest: str, now: str | None
) -> None:
    charge = Charge.of(
        {"enabled": True, "threshold_amount": threshold, "recharge_amount": recharge},
        Balance(balance=balance, credit_limit=credit, currency="USD"),
    )
    assert charge.largest == Decimal(largest)
    assert charge.now == (None if now is None else Decimal(now))
    assert charge.typed == largest


@pytest.mark.parametrize(
    ("told", "asked", "same"),
    [
        (True, True, True),
        (True, False, False),
        (None, False, False),
        (None, "1.00", False),
        ("1", "1.00", True),
        (1.5, "1.50", True),
        ("1.00", "1.01", False),
        (True, "1", False),
        ("1", True, False),
        ("ach", "ach", True),
        ("ach", "credit_paypal", False),
    ],
)
def test_a_preference_is_as_asked_only_if_its_value_is(
    told: object, asked: object, *, same: bool
) -> None:
    assert _is_same(told, asked) is same


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("enabled", True, "on"),
        ("enabled", False, "off"),
        ("invoice_enabled", True, "yes"),
        ("invoice_enabled", False, "no"),
        ("threshold_amount", "1.5", "1.50"),
        ("threshold_amount", "much", "not known"),
        ("preference", "credit_paypal", "credit card or PayPal"),
        ("preference", "ach", "bank transfer (ACH)"),
        ("preference", "cheque", "cheque"),
        ("preference", None, "not set"),
    ],
)
def test_a_preference_is_written_as_people_say_it(name: str, value: object, text: str) -> None:
    assert _value_text(name, value) == text


# --- figures and words of both --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "amount", "why"),
    [
        ("100.00", "100.00", "10", None),
        ("100.00", "100", "10", None),
        ("100.00", "95.01", "10", None),
        ("100.00", "95.00", "10", "The balance moved from 100.00 to 95.00 since."),
        ("100.00", "88.01", "120", None),
        ("100.00", "88.00", "120", "The balance moved from 100.00 to 88.00 since."),
        ("100.00", "100.01", "120", "The balance moved from 100.00 to 100.01 since."),
        ("100.00", "NaN", "10", "The balance was 100.00 and is not known now."),
        (None, "5.00", "10", "The balance was not known and is 5.00 now."),
        (None, "NaN", "10", None),
    ],
)
def test_a_balance_has_moved_if_it_grew_or_fell_by_more_than_usage_takes(
    before: object, now: object, amount: str, why: str | None
) -> None:
    assert balance_moved(before, now, Decimal(amount)) == why


@pytest.mark.parametrize(
    ("currency", "shown"),
    [
        ("USD", " USD"),
        ("EUR", " EUR"),
        *((each, "") for each in ("usd", "USd", "US", "USDT", "U1D", "U D", "ÄÖÜ", "", None)),
    ],
)
def test_a_currency_is_three_capital_letters_or_nothing(currency: str | None, shown: str) -> None:
    assert currency_of(Balance(balance="1.00", currency=currency)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ann@example.com", "ann@example.com"),
        ("a.b_c+d-e@x", "a.b_c+d-e@x"),
        ("ann b", "“ann b”"),
        ("né", "“né”"),
        ("", "“”"),
        ("“a” b", "“'a' b”"),
    ],
)
def test_a_text_that_could_be_a_line_of_ours_is_quoted(text: str, shown: str) -> None:
    assert quoted(text) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [("1.5", "1.50 USD"), (Decimal("1.505"), "1.505 USD"), (3, "3.00 USD"), (None, "not known")],
)
def test_an_amount_has_its_currency_and_other_text_has_none(value: object, text: str) -> None:
    assert amount_text(value, " USD") == text


# --- what came of it ------------------------------------------------------------------------------


async def test_the_result_of_a_payment_is_its_whole_receipt(
    settings: Settings, sandbox: Sandbox, account: dict[str, Any]
) -> None:
    server = build_server(settings, now=Clock())
    wish = {"amount": "120", "reference": "may"}
    result = await ask(server, Person(types("120.00")), PAY, wish)
    (change,) = (await (await server.accounts.main.services()).gate.ledger()).newest(2, NOW)
    await server.accounts.aclose()
    (payment,) = sandbox.payments
    receipt = {
        "amount": "120.00",
        "currency": "USD",
        "transaction_id": payment["id"],
        "processor_status": payment["processor_status"],
        "created_at": payment["created_at"],
        "reference": "may",
        "balance_before": "90.00",
        "balance_after": "90.00",
    }
    content = dict(result.structured_content or {})
    assert {name: content.get(name) for name in receipt} == receipt
    assert (content["state"], content["change_id"]) == ("succeeded", change.id)
    assert content["message"] == "Done: paying 120.00."
    assert change.evidence == receipt | {"amount_cents": 12000}
    assert change.basis["balance"] == "90.00"
    assert change.question.typed == "120.00"
    assert change.question.action == "Pay 120.00 USD"
    sent = [each for each in sandbox.requests if each.method == "POST"]
    assert [json.loads(each.body) for each in sent] == [{"amount": "120.00"}]


@pytest.mark.parametrize(
    ("cents", "note"),
    [
        (12000, None),
        (None, None),
        (12001, "Telnyx says it charged 12001 cents, not 120.00. Tell the user."),
        (120, "Telnyx says it charged 120 cents, not 120.00. Tell the user."),
    ],
)
def test_a_receipt_for_another_amount_is_reported(cents: int | None, note: str | None) -> None:
    around = Surroundings(client=cast(Any, None), now=lambda: NOW)
    request = PaymentRequest({"amount": "120.00"}, around)
    receipt = StoredPaymentTransaction(id="t1", amount_cents=cents)
    assert request._difference(receipt) == ({"note": note} if note else {})
    assert request.summary == "paying 120.00"


async def test_the_result_of_a_recharge_says_how_it_was_and_how_it_is(
    settings: Settings, sandbox: Sandbox, account: dict[str, Any]
) -> None:
    server = build_server(settings, now=Clock())
    result = await ask(server, Person(types("90.00")), UPDATE, {"recharge_amount": "60"})
    content = dict(result.structured_content or {})
    assert content["before"] == PREFERENCES
    assert content["after"] == PREFERENCES | {"recharge_amount": "60.00"}
    assert "note" not in content
    ledger = await (await server.accounts.main.services()).gate.ledger()
    (change,) = ledger.newest(2, NOW)
    await server.accounts.aclose()
    assert change.basis["before"] == PREFERENCES
    assert change.basis["balance"] == "90.00"
    assert Decimal(change.basis["at_once"]) == Decimal("90.00")


async def test_a_preference_that_differs_from_the_request_afterwards_is_reported(
    settings: Settings,
    sandbox: Sandbox,
    account: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandbox.account, "change_preferences", lambda _: dict(PREFERENCES))
    server = build_server(settings, now=Clock())
    wish = {"recharge_amount": "60", "enabled": True, "invoice_enabled": True}
    result = await ask(server, Person(types("90.00")), UPDATE, wish)
    await server.accounts.aclose()
    content = dict(result.structured_content or {})
    assert content["after"] == PREFERENCES
    assert content["note"] == (
        "Read again afterwards, this is not as asked: recharge_amount, invoice_enabled."
    )


async def test_a_change_of_nothing_names_what_can_be_changed(
    settings: Settings, sandbox: Sandbox, account: dict[str, Any]
) -> None:
    server = build_server(settings, now=Clock())
    nothing = await ask(server, Person(DECLINES), UPDATE, {})
    as_it_is = await ask(server, Person(DECLINES), UPDATE, {"enabled": True, "recharge_amount": 50})
    await server.accounts.aclose()
    assert text_of(nothing) == (
        "Nothing was sent: there is nothing to change. Give at least one of enabled, "
        "threshold_amount, recharge_amount, preference, invoice_enabled. Call again."
    )
    assert text_of(as_it_is) == (
        "Nothing was sent: it is already as asked. Calling again will not help."
    )


@pytest.mark.parametrize(
    ("fate", "state"),
    [
        (Fate.NOT_SENT, State.NOT_SENT),
        (Fate.REFUSED, State.REFUSED),
        (Fate.UNKNOWN, State.UNKNOWN),
    ],
)
@pytest.mark.parametrize("status", [403, None])
def test_a_failure_is_kept_with_its_kind_and_its_status_if_there_was_one(
    fate: Fate, state: State, status: int | None
) -> None:
    error = TelnyxError(Failure.FORBIDDEN, "", status)
    error.fate = fate
    failed = send_failure(error)
    assert failed.state is state
    # What helps with a refusal does not help with a payment that may have been made.
    assert str(failed) == (error.summary if fate is Fate.UNKNOWN else str(error))
    seen = {"failure": Failure.FORBIDDEN}
    assert failed.evidence == (seen if status is None else seen | {"http_status": status})
