"""What a person decides at the terminal, and what the assistant's next call makes of it."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from telnyx_mcp.approval.change import LIFETIME, RECHARGE, Change, State
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.question import Question
from telnyx_mcp.sandbox import Sandbox
from tests.support.changes import paid, payment, state_of, unknown, unknown_setting
from tests.support.command import Run
from tests.support.sandbox_requests import posts

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

from tests.support.terminal import Terminal, at_terminal, told_to_run

pytestmark = pytest.mark.slow  # real processes, a second each

PAY = "telnyx_create_stored_payment_transaction"
POST = "create_stored_payment_transaction"
FINDING = "Did it happen? Type paid or not paid (Enter: do nothing):"
WITHDRAWING = "To withdraw the approval, type withdraw (Enter: leave it approved):"

Call = Callable[[str], str]


@pytest.fixture
def pay(run: Run) -> Call:
    """What the assistant is told when it calls for a payment of this amount."""

    def pay(amount: str) -> str:
        more = {"TELNYX_MCP_APPROVAL": "terminal", "COLUMNS": "5000"}
        done = run("call", PAY, f"amount={amount}", **more)
        return done.stdout + done.stderr

    return pay


def types_amount(terminal: Terminal, amount: str) -> None:
    terminal.shows(f"type the amount, {amount}")
    terminal.types(amount)


def stored(ledger: Ledger, id: str) -> Change:
    found = ledger.get(id, datetime.now(UTC))
    assert found
    return found


# --- resolve, as the assistant says to type it ----------------------------------------------------


@pytest.fixture
def lost(pay: Call, environment: dict[str, str], sandbox: Sandbox) -> str:
    """What the assistant is told of a payment whose outcome is unknown."""
    pay("12.00")
    with at_terminal("approve", environment=environment) as terminal:
        types_amount(terminal, "12.00")
        assert terminal.ends() == 0
    sandbox.fault(POST, "status", status=500)
    told = pay("12.00")
    assert "UNKNOWN whether paying 12.00 happened" in told
    return told


@pytest.mark.parametrize(
    ("found", "says", "state"),
    [
        ("paid", "You say that it happened.", State.SUCCEEDED),
        ("Not paid", "You say that it did not happen.", State.REFUSED),
        ("not-paid", "You say that it did not happen.", State.REFUSED),
    ],
)
def test_resolve_as_the_assistant_says_to_type_it_shows_the_evidence_and_asks(
    lost: str,
    pay: Call,
    run: Run,
    ledger: Ledger,
    environment: dict[str, str],
    found: str,
    says: str,
    state: State,
) -> None:
    command = told_to_run(lost)
    assert command[0] == "resolve"
    assert len(command) == 2, "no option is needed"
    with at_terminal(*command, environment=environment) as terminal:
        for evidence in ("requested via", "approved by", "sent  ", "balance before", "http status"):
            terminal.shows(evidence)
        terminal.shows(FINDING)
        terminal.types(found)
        terminal.shows(says)
        types_amount(terminal, "12.00")
        terminal.shows(f"Resolved: pay 12.00: {state}.")
        terminal.shows("Payments can be made again.")
        assert terminal.ends() == 0
    assert "then run" not in terminal.shown, "it runs already"
    assert state_of(ledger, stored(ledger, command[1])) is state
    assert "resolved via" in run("ledger", command[1]).stdout
    assert "Nothing was sent yet" in pay("13.00")


@pytest.mark.parametrize(
    ("found", "state"), [("changed", State.SUCCEEDED), ("not changed", State.REFUSED)]
)
def test_an_unknown_change_of_a_setting_is_resolved_as_changed_and_not_as_paid(
    ledger: Ledger, environment: dict[str, str], found: str, state: State
) -> None:
    change = unknown_setting(ledger)
    with at_terminal("resolve", change.id, environment=environment) as terminal:
        terminal.shows("Did it happen? Type changed or not changed (Enter: do nothing):")
        terminal.types(found)
        terminal.shows("To confirm, type yes:")
        terminal.types("yes")
        assert terminal.ends() == 0
    assert state_of(ledger, change) is state


@pytest.mark.parametrize("typed", ["", "yes", "y", "paid not paid", "changed", "\x04"])
def test_nothing_is_resolved_unless_one_of_the_two_words_is_typed(
    ledger: Ledger, environment: dict[str, str], pay: Call, typed: str
) -> None:
    change = unknown(ledger)
    with at_terminal("resolve", change.id, environment=environment) as terminal:
        terminal.shows(FINDING)
        terminal.types(typed)
        terminal.shows("Nothing was resolved.")
        assert terminal.ends() == 1
    assert state_of(ledger, change) is State.UNKNOWN
    assert told_to_run(pay("13.00")) == ["resolve", change.id]


def test_an_answer_typed_before_the_evidence_is_shown_resolves_nothing(
    ledger: Ledger, environment: dict[str, str]
) -> None:
    change = unknown(ledger)
    with at_terminal("resolve", change.id, environment=environment) as terminal:
        terminal.types("paid")
        terminal.shows(FINDING)
        terminal.types("")
        assert terminal.ends() == 1
    assert state_of(ledger, change) is State.UNKNOWN


# --- an approval is withdrawn ---------------------------------------------------------------------


def approved(ledger: Ledger) -> Change:
    change = payment(ledger)
    found = ledger.approve(change.id, "terminal", datetime.now(UTC))
    assert found
    return found


@pytest.mark.parametrize("named", [True, False])
def test_a_withdrawn_approval_sends_nothing(
    ledger: Ledger, environment: dict[str, str], sandbox: Sandbox, pay: Call, *, named: bool
) -> None:
    change = approved(ledger)
    arguments = ("approve", change.id) if named else ("approve",)
    with at_terminal(*arguments, environment=environment) as terminal:
        terminal.shows("It is approved, and nothing was sent yet.")
        terminal.shows(WITHDRAWING)
        terminal.types("Withdraw")
        terminal.shows("Withdrawn. Nothing is sent.")
        assert terminal.ends() == 0
    assert stored(ledger, change.id).outcome_text == "The user withdrew the approval."
    for amount in ("120.00", "13.00"):
        assert "Nothing" in pay(amount)
    assert state_of(ledger, change) is State.DECLINED
    assert posts(sandbox) == 0


@pytest.mark.parametrize("typed", ["", "w", "no", "120.00", "\x04"])
def test_an_approval_stays_unless_the_word_withdraw_is_typed(
    ledger: Ledger, environment: dict[str, str], sandbox: Sandbox, pay: Call, typed: str
) -> None:
    change = approved(ledger)
    with at_terminal("approve", change.id, environment=environment) as terminal:
        terminal.shows(WITHDRAWING)
        terminal.types(typed)
        terminal.shows("It stays approved.")
        assert terminal.ends() == 1
    assert "Done: paying 120.00." in pay("120.00").replace("\n", " ")
    assert posts(sandbox) == 1
    assert state_of(ledger, change) is State.SUCCEEDED


def test_what_was_sent_while_the_person_was_typing_is_not_withdrawn(
    ledger: Ledger, environment: dict[str, str], pay: Call
) -> None:
    change = approved(ledger)
    with at_terminal("approve", change.id, environment=environment) as terminal:
        terminal.shows(WITHDRAWING)
        pay("120.00")
        terminal.types("withdraw")
        terminal.shows("It is too late to withdraw it: it is succeeded.")
        assert terminal.ends() == 1
    assert "Nothing was approved" not in terminal.shown
    assert state_of(ledger, change) is State.SUCCEEDED


# --- the question stopped being true --------------------------------------------------------------


def proposed(pay: Call, ledger: Ledger) -> Change:
    """The question of a payment of 12.00, as the assistant's call wrote it."""
    pay("12.00")
    (change,) = ledger.newest(1, datetime.now(UTC))
    return change


def test_after_the_balance_moved_a_new_question_is_asked_and_only_it_can_be_approved(
    pay: Call, ledger: Ledger, environment: dict[str, str], sandbox: Sandbox, run: Run
) -> None:
    stale = proposed(pay, ledger)
    sandbox.account.balance += Decimal("50.00")
    with at_terminal("approve", stale.id, environment=environment) as terminal:
        terminal.shows(f"The question {stale.id} is no longer true;")
        terminal.shows("Balance now: 434.60 USD")
        terminal.shows("NOTE: This question replaces an earlier one.")
        terminal.shows("The balance moved from 384.60 to 434.60 since.")
        types_amount(terminal, "12.00")
        terminal.shows("Approved.")
        assert terminal.ends() == 0
    fresh = stored(ledger, stored(ledger, stale.id).replaced_by or "")
    assert (state_of(ledger, stale), fresh.state) == (State.VOID, State.APPROVED)
    record = json.loads(run("ledger", stale.id, "--json").stdout)
    assert (record["state"], record["replaced_by"]) == ("void", fresh.id)
    assert record["approved_by"] is None
    assert re.search(rf"replaced by +{fresh.id}", run("ledger", stale.id).stdout)
    assert fresh.id in pay("12.00")
    assert posts(sandbox) == 1


def test_a_payment_sent_while_the_question_is_shown_brings_a_fresh_question(
    pay: Call, ledger: Ledger, environment: dict[str, str]
) -> None:
    stale = proposed(pay, ledger)
    with at_terminal("approve", environment=environment) as terminal:
        terminal.shows("in the last 24 hours: 0.00 USD")
        terminal.shows("type the amount, 12.00")
        paid(ledger, "20.00")
        terminal.types("12.00")
        terminal.shows("Nothing was approved. Another change was sent")
        terminal.shows("in the last 24 hours: 20.00 USD")
        terminal.shows("NOTE: This question replaces an earlier one.")
        types_amount(terminal, "12.00")
        assert terminal.ends() == 0
    assert state_of(ledger, stale) is State.VOID


def test_the_first_id_leads_to_the_newest_of_several_fresh_questions(
    pay: Call, ledger: Ledger, environment: dict[str, str], sandbox: Sandbox
) -> None:
    first = proposed(pay, ledger)
    for _ in range(2):
        sandbox.account.balance += Decimal("50.00")
        with at_terminal("approve", first.id, environment=environment) as terminal:
            terminal.shows("type the amount, 12.00")
            terminal.types("")
            terminal.types("")
            assert terminal.ends() == 1
    second = stored(ledger, stored(ledger, first.id).replaced_by or "")
    third = stored(ledger, second.replaced_by or "")
    with at_terminal("approve", first.id, environment=environment) as terminal:
        terminal.shows(f"{third.id} replaces it")
        terminal.shows("Balance now: 484.60 USD")
        types_amount(terminal, "12.00")
        assert terminal.ends() == 0
    assert state_of(ledger, third) is State.APPROVED


@pytest.mark.parametrize("decided", ["decline", "approve"])
def test_a_fresh_question_that_was_answered_elsewhere_is_not_asked_again(
    pay: Call, ledger: Ledger, environment: dict[str, str], decided: str
) -> None:
    stale = proposed(pay, ledger)
    ledger.void(stale.id, "The balance moved.", datetime.now(UTC))
    fresh = payment(ledger, "12.00", replaces=stale.id)
    getattr(ledger, decided)(fresh.id, "browser", datetime.now(UTC))
    with at_terminal("approve", stale.id, environment=environment) as terminal:
        if decided == "approve":
            terminal.shows(WITHDRAWING)
            terminal.types("")
        else:
            terminal.shows("It no longer waits for an answer: it is declined.")
        assert terminal.ends() == 1
    assert "type the amount, 12.00" not in terminal.shown


def test_a_fresh_question_that_expired_is_not_asked(
    pay: Call, ledger: Ledger, environment: dict[str, str]
) -> None:
    stale = proposed(pay, ledger)
    ledger.void(stale.id, "The balance moved.", datetime.now(UTC))
    payment(ledger, "12.00", replaces=stale.id, ago=LIFETIME + timedelta(seconds=1))
    with at_terminal("approve", stale.id, environment=environment) as terminal:
        terminal.shows("It no longer waits for an answer: it is expired.")
        assert terminal.ends() == 1
    assert "type the amount, 12.00" not in terminal.shown


def test_where_telnyx_does_not_answer_the_question_is_asked_all_the_same(
    ledger: Ledger, environment: dict[str, str], sandbox: Sandbox
) -> None:
    """Whether it is true is checked again before it is sent."""
    change = payment(ledger)
    sandbox.fault("get_balance", "status", status=403, times=None)
    with at_terminal("approve", environment=environment) as terminal:
        types_amount(terminal, "120.00")
        assert terminal.ends() == 0
    assert state_of(ledger, change) is State.APPROVED


def test_where_no_fresh_question_can_be_written_nothing_is_asked_and_the_reason_is_shown(
    ledger: Ledger, environment: dict[str, str], sandbox: Sandbox
) -> None:
    change = payment(ledger)
    paid(ledger, "20.00")
    sandbox.fault("get_balance", "status", status=403, times=None)
    with at_terminal("approve", change.id, environment=environment) as terminal:
        terminal.shows("The API key is valid but may not do this")
        assert terminal.ends() == 1
    assert "Traceback" not in terminal.shown
    assert state_of(ledger, change) is State.VOID


def test_a_setting_that_is_already_as_asked_by_now_is_not_asked_about(
    ledger: Ledger, environment: dict[str, str], sandbox: Sandbox
) -> None:
    preferences = sandbox.account.preferences
    change = ledger.propose(
        RECHARGE,
        {"enabled": preferences["enabled"]},
        reference=None,
        amount=None,
        question=Question("Change when Telnyx charges?"),
        basis={"before": preferences | {"enabled": not preferences["enabled"]}},
        now=datetime.now(UTC),
    )
    with at_terminal("approve", change.id, environment=environment) as terminal:
        terminal.shows("it is already as asked")
        assert terminal.ends() == 1
    assert "Traceback" not in terminal.shown
    assert state_of(ledger, change) is State.VOID


# --- an approval that nobody gave -----------------------------------------------------------------

APPROVED = "state = 'approved', decided_at = proposed_at, decided_by = 'root'"
FORGED = {
    "approved": f"UPDATE telnyx_mcp_changes SET {APPROVED}, channel = 'terminal' WHERE id = :id",
    "approved by the standing budget": f"UPDATE telnyx_mcp_changes SET {APPROVED}, "
    "channel = 'standing' WHERE id = :id",
    "signed as another was": f"UPDATE telnyx_mcp_changes SET {APPROVED}, channel = 'terminal', "
    "signature = (SELECT signature FROM telnyx_mcp_changes WHERE id = :other) WHERE id = :id",
    "signed for another amount": "UPDATE telnyx_mcp_changes SET amount = 12000, "
    """arguments = '{"amount":"120.00"}' WHERE id = :other""",
}


@pytest.mark.attack(
    "One UPDATE in the ledger file marks a payment as approved",
    "It is not sent: the approval is not signed",
)
@pytest.mark.parametrize("statement", FORGED.values(), ids=FORGED)
def test_an_approval_written_into_the_file_is_not_sent(
    statement: str, ledger: Ledger, sandbox: Sandbox, pay: Call, tmp_path: Path
) -> None:
    other = payment(ledger, "10.00")
    ledger.approve(other.id, "terminal", datetime.now(UTC))
    change = payment(ledger) if ":id" in statement else other
    with sqlite3.connect(tmp_path / "state.sqlite3") as connection:
        named = {"id": change.id, "other": other.id}
        assert connection.execute(statement, named).rowcount == 1
    connection.close()
    assert state_of(ledger, change) is State.VOID
    for _ in range(2):
        assert "Nothing was sent" in pay("120.00")
    assert posts(sandbox) == 0
    found = ledger.get(change.id, datetime.now(UTC))
    assert found
    assert "not signed with this API key" in found.outcome_text
