"""What must stay true of the ledger whatever happens to payments, and in whatever order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

import pytest

from telnyx_mcp.approval.change import (
    State,
)
from telnyx_mcp.approval.channels import AskOutcome
from tests.support.ledger_machine import LedgerMachine, OnPostgresql, OnSqlite, run


@pytest.fixture
def machine() -> Iterator[LedgerMachine]:
    made = OnSqlite()
    yield made
    made.teardown()


def test_a_payment_confirmed_while_the_clock_is_wrong_still_counts_when_it_is_right(
    machine: LedgerMachine,
) -> None:
    right = machine.now
    for number, reference in enumerate(("a", "b")):
        machine.now = right + timedelta(minutes=number)
        machine.call(0, "500.00", reference, AskOutcome.AT_TERMINAL, None)
        machine.answer_at_the_terminal(0, 0, approves=True)
        machine.claim(number, 0)
        machine.the_clock_is_set_back(25 * 60)
        machine.the_answer_comes(0, State.SUCCEEDED)
    assert len(machine.sent) == 2
    machine.now = right + timedelta(minutes=2)
    machine.call(0, "100.00", None, AskOutcome.APPROVED, State.SUCCEEDED)
    machine.spending_is_within_the_caps()


def test_a_proposal_made_after_the_clock_was_set_back_is_found_again(
    machine: LedgerMachine,
) -> None:
    machine.call(0, "100.00", None, AskOutcome.APPROVED, State.REFUSED)
    machine.the_clock_is_set_back(30)
    machine.call(0, "100.00", None, AskOutcome.AT_TERMINAL, None)
    machine.call(0, "100.00", None, AskOutcome.AT_TERMINAL, None)
    machine.no_two_changes_with_the_same_arguments_are_pending()


def test_a_payment_made_after_the_clock_was_set_back_is_reported_and_not_made_again(
    machine: LedgerMachine,
) -> None:
    machine.call(0, "100.00", None, AskOutcome.APPROVED, State.REFUSED)
    machine.the_clock_is_set_back(30)
    machine.call(0, "100.00", None, AskOutcome.APPROVED, State.SUCCEEDED)
    machine.call(0, "100.00", None, AskOutcome.APPROVED, State.SUCCEEDED)
    assert len(machine.sent) == 2


def test_the_page_of_a_replaced_question_shows_the_newest_that_is_true(
    machine: LedgerMachine,
) -> None:
    machine.call(0, "100.00", None, AskOutcome.AT_TERMINAL, None)
    for _ in range(2):
        machine.the_figures_move(0)
        machine.the_page_is_looked_at(0, 0)
    machine.the_figures_move(0)
    for which in range(3):
        machine.the_page_is_looked_at(which, 0)
    assert len(machine.seen()) == 4


MACHINES = [
    pytest.param(OnSqlite, id="sqlite"),
    pytest.param(
        OnPostgresql,
        id="postgresql",
        marks=pytest.mark.skipif(
            "TEST_POSTGRES_URL" not in os.environ, reason="TEST_POSTGRES_URL is not set"
        ),
    ),
]


@pytest.mark.parametrize("machine", MACHINES)
def test_the_ledger_keeps_its_promises(machine: type[LedgerMachine]) -> None:
    run(machine, examples=10, steps=25)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_the_ledger_keeps_its_promises_for_long(machine: type[LedgerMachine]) -> None:
    run(machine, examples=40, steps=40, shrink=True)
