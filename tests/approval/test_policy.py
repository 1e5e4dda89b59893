"""What the operator allows: caps, the standing budget, the block by an unknown payment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from telnyx_mcp.approval.change import PAYMENT, Change, State
from telnyx_mcp.approval.ledger import SENDING_LEASE, Blocked, Ledger
from telnyx_mcp.approval.owner import Owner
from telnyx_mcp.approval.policy import DAY, MONTH, Policy, Spent
from telnyx_mcp.state import Store

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
TICK = timedelta(milliseconds=1)
CENT = Decimal("0.01")
NOTHING = Spent(Decimal(0), Decimal(0), Decimal(0))
STANDING = Policy(standing_per_payment=Decimal(50), standing_per_day=Decimal(80))


def spent(day: str = "0", month: str = "0", standing_day: str = "0") -> Spent:
    return Spent(Decimal(day), Decimal(month), Decimal(standing_day))


# --- the caps -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "before"),
    [
        ("500.00", NOTHING),
        ("400.00", spent(day="600.00", month="600.00")),
        ("300.00", spent(month="4700.00")),
    ],
    ids=["one payment", "24 hours", "30 days"],
)
def test_up_to_a_cap_is_allowed_and_a_cent_more_is_not(most: str, before: Spent) -> None:
    assert Policy().refusal(Decimal(most), before) is None
    assert Policy().refusal(Decimal(most) + CENT, before) is not None


@pytest.mark.parametrize(
    ("amount", "before", "words"),
    [
        (
            "500.01",
            NOTHING,
            "500.01 would exceed the cap of 500.00 for one payment. Only the user can raise it, with "
            "TELNYX_MCP_MAX_PAYMENT.",
        ),
        (
            "400.01",
            spent(day="600.00", month="600.00"),
            "400.01 would exceed the cap of 1000.00 for 24 hours (600.00 already paid or possibly "
            "paid). Only the user can raise it, with TELNYX_MCP_MAX_PER_DAY.",
        ),
        (
            "300.01",
            spent(month="4700.00"),
            "300.01 would exceed the cap of 5000.00 for 30 days (4700.00 already paid or possibly "
            "paid). Only the user can raise it, with TELNYX_MCP_MAX_PER_30_DAYS.",
        ),
    ],
)
def test_a_refusal_says_which_cap_how_much_is_used_and_who_can_raise_it(
    amount: str, before: Spent, words: str
) -> None:
    assert Policy().refusal(Decimal(amount), before) == words


@pytest.mark.parametrize("cap", ["max_payment", "max_per_day", "max_per_30_days"])
def test_a_cap_of_zero_allows_nothing(cap: str) -> None:
    assert Policy(**{cap: Decimal(0)}).refusal(CENT, NOTHING) is not None


# --- the standing budget --------------------------------------------------------------------------


def test_the_standing_budget_is_off_unless_both_halves_are_set() -> None:
    for policy in (
        Policy(),
        Policy(standing_per_payment=Decimal(50)),
        Policy(standing_per_day=Decimal(50)),
    ):
        assert not policy.stands_for(CENT, NOTHING)


@pytest.mark.parametrize(("most", "used"), [("50.00", "0"), ("50.00", "30.00"), ("0.01", "79.99")])
def test_it_stands_for_what_fits_and_not_for_a_cent_more(most: str, used: str) -> None:
    assert STANDING.stands_for(Decimal(most), spent(standing_day=used))
    assert not STANDING.stands_for(Decimal(most) + CENT, spent(standing_day=used))


def test_what_a_person_approved_does_not_use_it_up() -> None:
    assert STANDING.stands_for(Decimal("50.00"), spent(day="900.00", month="900.00"))


# --- what the ledger counts -----------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/state.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return ledger_of(store, Policy())


def ledger_of(store: Store, policy: Policy, key: str = "KEY1") -> Ledger:
    return Ledger.of(store, key, "https://api.telnyx.com/v2", Owner.this_process(), policy)


def proposed(ledger: Ledger, amount: str, at: datetime) -> Change:
    return ledger.propose(
        PAYMENT,
        {"amount": amount, "at": at.isoformat()},
        reference=None,
        amount=Decimal(amount),
        question="Pay?",
        basis={},
        now=at,
    )


def sending(ledger: Ledger, amount: str, at: datetime, channel: str = "elicitation") -> Change:
    change = proposed(ledger, amount, at)
    assert ledger.approve(change.id, channel, at)
    claimed = ledger.claim(change.id, at)
    assert claimed
    return claimed


def ended(
    ledger: Ledger, state: State, amount: str, at: datetime, channel: str = "elicitation"
) -> Change:
    change = sending(ledger, amount, at, channel)
    recorded = ledger.record(change.id, state, "It ended so.", {}, at)
    assert recorded
    return recorded


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.UNKNOWN])
def test_what_happened_or_may_have_counts(ledger: Ledger, state: State) -> None:
    ended(ledger, state, "120.00", NOW)
    assert ledger.spent(NOW) == Spent(Decimal(120), Decimal(120), Decimal(0))


def test_what_is_being_sent_counts(ledger: Ledger) -> None:
    sending(ledger, "120.00", NOW)
    assert ledger.spent(NOW).day == 120


@pytest.mark.parametrize("state", [State.REFUSED, State.NOT_SENT])
def test_what_did_not_happen_does_not_count(ledger: Ledger, state: State) -> None:
    ended(ledger, state, "120.00", NOW)
    assert ledger.spent(NOW) == NOTHING


def test_what_waits_or_was_let_go_does_not_count(ledger: Ledger) -> None:
    proposed(ledger, "10.00", NOW)
    ledger.approve(proposed(ledger, "20.00", NOW).id, "terminal", NOW)
    ledger.decline(proposed(ledger, "30.00", NOW).id, "terminal", NOW)
    assert ledger.spent(NOW) == NOTHING


def test_another_operation_or_account_does_not_count(ledger: Ledger, store: Store) -> None:
    other = ledger.propose(
        "update_auto_recharge_preferences",
        {"enabled": True},
        reference=None,
        amount=None,
        question="Change?",
        basis={},
        now=NOW,
    )
    ledger.approve(other.id, "terminal", NOW)
    ledger.claim(other.id, NOW)
    ended(ledger_of(store, Policy(), "KEY2"), State.UNKNOWN, "120.00", NOW)
    assert ledger.spent(NOW) == NOTHING
    assert ledger.refusal(Decimal(500), NOW) is None


@pytest.mark.parametrize(("span", "part"), [(DAY, "day"), (MONTH, "month"), (DAY, "standing_day")])
def test_a_payment_counts_for_the_whole_span_and_no_longer(
    store: Store, span: timedelta, part: str
) -> None:
    ledger = ledger_of(store, STANDING)
    ended(ledger, State.SUCCEEDED, "40.00", NOW, channel="standing")
    assert getattr(ledger.spent(NOW + span), part) == 40
    assert getattr(ledger.spent(NOW + span + TICK), part) == 0


def test_an_unknown_payment_counts_however_old(ledger: Ledger) -> None:
    ended(ledger, State.UNKNOWN, "120.00", NOW)
    assert ledger.spent(NOW + 10 * MONTH) == Spent(Decimal(120), Decimal(120), Decimal(0))


def test_an_unknown_payment_forbids_any_other_until_it_is_resolved(ledger: Ledger) -> None:
    lost = ended(ledger, State.UNKNOWN, "120.00", NOW)
    refusal = ledger.refusal(CENT, NOW + 10 * MONTH)
    assert refusal
    assert "nobody knows whether the payment of 120.00 at 2026-06-15 12:00 UTC happened" in refusal
    assert f"telnyx-account-mcp resolve {lost.id}` in a terminal" in refusal
    ledger.resolve(lost.id, paid=False, note="", now=NOW)
    assert ledger.refusal(CENT, NOW) is None


@pytest.mark.parametrize(("paid", "counted"), [(True, 120), (False, 0)])
def test_a_resolved_payment_counts_if_it_was_paid(ledger: Ledger, paid: bool, counted: int) -> None:
    lost = ended(ledger, State.UNKNOWN, "120.00", NOW)
    ledger.resolve(lost.id, paid=paid, note="", now=NOW)
    assert ledger.spent(NOW).day == counted


def test_the_standing_budget_is_counted_apart(store: Store) -> None:
    ledger = ledger_of(store, STANDING)
    ended(ledger, State.SUCCEEDED, "300.00", NOW)
    ended(ledger, State.SUCCEEDED, "40.00", NOW, channel="standing")
    assert ledger.spent(NOW) == Spent(Decimal(340), Decimal(340), Decimal(40))
    assert ledger.stands_for(proposed(ledger, "40.00", NOW), NOW)
    assert not ledger.stands_for(proposed(ledger, "40.01", NOW), NOW)
    assert ledger.stands_for(proposed(ledger, "50.00", NOW), NOW + DAY + TICK)


def test_the_standing_budget_is_for_payments_only(store: Store) -> None:
    ledger = ledger_of(store, STANDING)
    change = ledger.propose(
        "update_auto_recharge_preferences",
        {"enabled": True},
        reference=None,
        amount=None,
        question="Change?",
        basis={},
        now=NOW,
    )
    assert not ledger.stands_for(change, NOW)


def test_the_caps_are_looked_at_again_when_it_is_claimed(ledger: Ledger) -> None:
    first, second, third = (proposed(ledger, amount, NOW) for amount in ("500", "499", "2"))
    for change in (first, second, third):
        ledger.approve(change.id, "terminal", NOW)
    assert ledger.claim(first.id, NOW)
    assert ledger.claim(second.id, NOW)
    with pytest.raises(Blocked, match=r"cap of 1000\.00 for 24 hours"):
        ledger.claim(third.id, NOW)
    refused = ledger.get(third.id)
    assert refused
    assert refused.state is State.EXPIRED


def test_an_unknown_payment_forbids_the_claim_of_an_approved_one(ledger: Ledger) -> None:
    approved = proposed(ledger, "10.00", NOW)
    ledger.approve(approved.id, "terminal", NOW)
    ended(ledger, State.UNKNOWN, "120.00", NOW)
    with pytest.raises(Blocked, match="nobody knows"):
        ledger.claim(approved.id, NOW)


def test_the_standing_budget_is_looked_at_again_when_it_is_claimed(store: Store) -> None:
    ledger = ledger_of(store, STANDING)
    both = [proposed(ledger, amount, NOW) for amount in ("50.00", "40.00")]
    for change in both:
        ledger.approve(change.id, "standing", NOW)
    assert ledger.claim(both[0].id, NOW)
    with pytest.raises(Blocked, match="standing budget is used up"):
        ledger.claim(both[1].id, NOW)


# --- a clock that is wrong ------------------------------------------------------------------------


@pytest.mark.parametrize("back", [timedelta(seconds=1), DAY, MONTH, 12 * MONTH])
def test_a_clock_set_back_frees_nothing_that_was_paid_before(
    ledger: Ledger, back: timedelta
) -> None:
    for moment in (NOW, NOW + TICK):
        ended(ledger, State.SUCCEEDED, "500.00", moment)
    assert ledger.refusal(CENT, NOW - back) is not None


def test_what_was_paid_while_the_clock_was_wrong_still_counts_when_it_is_right_again(
    ledger: Ledger,
) -> None:
    ended(ledger, State.SUCCEEDED, "500.00", NOW)
    ended(ledger, State.SUCCEEDED, "500.00", NOW - 2 * DAY)
    assert ledger.refusal(CENT, NOW + TICK) is not None


# --- who sends ------------------------------------------------------------------------------------


def test_this_process_lives() -> None:
    me = Owner.this_process()
    assert me.may_live(str(me))
    assert me.host.startswith(socket.gethostname())
    assert me.pid == os.getpid()


def test_a_process_that_ended_does_not() -> None:
    told = "from telnyx_mcp.approval.owner import Owner; print(Owner.this_process())"
    other = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, encoding="utf-8", check=True
    ).stdout.strip()
    assert not Owner.this_process().may_live(other)


def test_one_that_got_the_number_of_a_dead_one_is_not_it() -> None:
    me = Owner.this_process()
    if not me.started:
        pytest.skip("this system does not tell when a process was started")
    assert not me.may_live(f"{me.host}/{me.pid}/{int(me.started) - 1}")


@pytest.mark.parametrize("name", ["elsewhere/1/1", "", "x", "a/b", "a/b/c", "/1/"])
def test_one_elsewhere_or_with_an_unreadable_name_may_live(name: str) -> None:
    assert Owner("here", 1, "1").may_live(name)


def test_a_number_that_no_process_can_have_fails_nothing() -> None:
    me = Owner.this_process()
    assert me.may_live(f"{me.host}/{10**30}/1") in (True, False)


@pytest.mark.parametrize("host", ["here", "a/b"])
def test_a_host_name_may_hold_anything(host: str) -> None:
    me = Owner.this_process()
    assert Owner(host, me.pid, me.started).may_live(f"{host}/{me.pid}/{me.started}")


def test_a_dead_senders_change_is_unknown_at_once_and_a_live_ones_after_its_lease(
    store: Store,
) -> None:
    dead = Ledger.of(store, "KEY1", "u", Owner(Owner.this_process().host, 2**22 + 1, "1"), Policy())
    live = Ledger.of(store, "KEY1", "u", Owner.this_process(), Policy())
    lost, busy = sending(dead, "10.00", NOW), sending(live, "20.00", NOW)
    live.sweep(NOW + SENDING_LEASE - TICK)
    states = [getattr(live.get(each.id), "state", None) for each in (lost, busy)]
    assert states == [State.UNKNOWN, State.SENDING]
    live.sweep(NOW + SENDING_LEASE)
    assert getattr(live.get(busy.id), "state", None) is State.UNKNOWN
