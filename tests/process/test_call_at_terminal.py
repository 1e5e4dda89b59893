"""`call` at a terminal, where the person who calls is asked."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.polling import wait_until
from tests.support.sandbox_requests import posts
from tests.support.server_process import environment_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX's"),
]
terminals = pytest.importorskip("tests.support.terminal")

PAY = ("call", "telnyx_create_stored_payment_transaction", "amount=120")
UPDATE = ("call", "telnyx_update_auto_recharge_preferences")


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return environment_for(sandbox, tmp_path)


def test_a_payment_is_made_when_its_amount_is_typed(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    with terminals.at_terminal(*PAY, environment=environment) as terminal:
        terminal.shows("Amount (nothing declines):")
        terminal.types("120")
        terminal.shows("Done: paying 120.00.")
        assert terminal.ends() == 0
    assert len(sandbox.payments) == 1


def test_what_was_typed_before_the_question_approves_nothing(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    with terminals.at_terminal(*PAY, environment=environment) as terminal:
        terminal.types("120.00")
        terminal.shows("Amount (nothing declines):")
        terminal.types("")
        terminal.shows("declined")
        assert terminal.ends() == 1
    assert sandbox.payments == []


def test_ctrl_c_at_the_question_ends_the_command_and_pays_nothing(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    with terminals.at_terminal(*PAY, environment=environment) as terminal:
        terminal.shows("Amount (nothing declines):")
        terminal.interrupts()
        terminal.shows("stopped")
        assert terminal.ends() == 130
    assert sandbox.payments == []


def test_a_setting_that_charges_nothing_is_changed_when_the_person_says_y(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    with terminals.at_terminal(*UPDATE, "enabled=no", environment=environment) as terminal:
        terminal.shows("Make this change? (yes/no)")
        terminal.types("y")
        assert terminal.ends() == 0
    assert [each.method for each in sandbox.requests].count("PATCH") == 1


@pytest.mark.parametrize(("typed", "status"), [("500", 0), ("50", 1), ("y", 1), ("", 1)])
def test_a_setting_that_can_charge_is_changed_when_the_largest_charge_is_typed(
    environment: dict[str, str], sandbox: Sandbox, typed: str, status: int
) -> None:
    arguments = (*UPDATE, "threshold_amount=50")
    with terminals.at_terminal(*arguments, environment=environment) as terminal:
        terminal.shows("One recharge charges at most: 500.00 USD")
        terminal.shows("Amount (nothing declines):")
        terminal.types(typed)
        assert terminal.ends() == status
    assert [each.method for each in sandbox.requests].count("PATCH") == (1 - status)


def test_a_setting_that_is_already_so_asks_nobody(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    arguments = (*UPDATE, f"threshold_amount={sandbox.account.preferences['threshold_amount']}")
    with terminals.at_terminal(*arguments, environment=environment) as terminal:
        terminal.shows("already as asked")
        assert terminal.ends() == 1


@pytest.mark.usefixtures("hears_hang_ups")
@pytest.mark.parametrize(
    "signals",
    [
        [signal.SIGINT],
        [signal.SIGTERM],
        [signal.SIGHUP],
        [signal.SIGINT, signal.SIGINT],
        [signal.SIGHUP, signal.SIGTERM, signal.SIGINT],
    ],
    ids=lambda signals: " ".join(each.name for each in signals),
)
def test_a_signal_while_a_payment_is_in_flight_finishes_it_and_says_what_came_of_it(
    environment: dict[str, str], sandbox: Sandbox, signals: list[signal.Signals]
) -> None:
    sandbox.fault("create_stored_payment_transaction", "slow", seconds=2)
    with terminals.at_terminal(*PAY, environment=environment) as terminal:
        terminal.shows("Amount (nothing declines):")
        terminal.types("120")
        wait_until(lambda: posts(sandbox) or terminal.process.poll() is not None)
        assert terminal.process.poll() is None
        for each in signals:
            terminal.process.send_signal(each)
        terminal.shows("It was sent already: waiting for its outcome.")
        terminal.shows("Done: paying 120.00.")
        assert terminal.ends() == 0
    assert len(sandbox.payments) == 1


@pytest.mark.usefixtures("hears_hang_ups")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_question_ends_the_command_and_pays_nothing(
    environment: dict[str, str], sandbox: Sandbox, number: signal.Signals
) -> None:
    with terminals.at_terminal(*PAY, environment=environment) as terminal:
        terminal.shows("Amount (nothing declines):")
        terminal.process.send_signal(number)
        terminal.shows("stopped")
        assert terminal.ends() == 130
    assert sandbox.payments == []
