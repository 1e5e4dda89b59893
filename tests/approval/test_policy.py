"""What the operator allows: caps, the standing budget, the block by an unknown payment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from telnyx_mcp.approval.accounts import Identity
from telnyx_mcp.approval.change import (
    CLOCK_SKEW,
    LIFETIME,
    PAYMENT,
    RECHARGE,
    STANDING,
    Change,
    State,
)
from telnyx_mcp.approval.directions import TerminalDirections
from telnyx_mcp.approval.ledger import AT_ONCE, MARK, SENDING_LEASE, HistoryMoved, Ledger
from telnyx_mcp.approval.policy import DAY, MONTH, Policy, Spent
from telnyx_mcp.approval.process_identity import ProcessIdentity, _stat
from telnyx_mcp.approval.reasons import Blocked, OverCap, QuestionOpen, RecentlyDeclined
from telnyx_mcp.storage.schema import changes
from telnyx_mcp.storage.store import Store
from tests.support.clock import NOW
from tests.support.ledgers import ELSEWHERE, QUESTION, dead_owner, opened

TICK = timedelta(milliseconds=1)
CENT = Decimal("0.01")
NOTHING = Spent(Decimal(0), Decimal(0), Decimal(0))
SEVERAL = Policy(one_question=False)
"""For what needs several proposals at once."""
BUDGET = Policy(standing_per_payment=Decimal(50), standing_per_day=Decimal(80), one_question=False)


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
            "TELNYX_MCP_MAX_PAYMENT, in a profile max_payment.",
        ),
        (
            "400.01",
            spent(day="600.00", month="600.00"),
            "400.01 would exceed the cap of 1000.00 for 24 hours (600.00 already paid or possibly "
            "paid). Only the user can raise it, with TELNYX_MCP_MAX_PER_DAY, in a profile max_per_day.",
        ),
        (
            "300.01",
            spent(month="4700.00"),
            "300.01 would exceed the cap of 5000.00 for 30 days (4700.00 already paid or possibly "
            "paid). Only the user can raise it, with TELNYX_MCP_MAX_PER_30_DAYS, in a profile "
            "max_per_30_days.",
        ),
    ],
)
def test_a_refusal_says_which_cap_how_much_is_used_and_who_can_raise_it(
    amount: str, before: Spent, words: str
) -> None:
    refusal = Policy().refusal(Decimal(amount), before)
    assert refusal
    assert refusal.text(TerminalDirections()) == words


@pytest.mark.parametrize(
    "policy",
    [
        Policy(max_payment=Decimal(0)),
        Policy(max_per_day=Decimal(0)),
        Policy(max_per_30_days=Decimal(0)),
    ],
)
def test_a_cap_of_zero_allows_nothing(policy: Policy) -> None:
    assert policy.refusal(CENT, NOTHING) is not None


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
    assert BUDGET.stands_for(Decimal(most), spent(standing_day=used))
    assert not BUDGET.stands_for(Decimal(most) + CENT, spent(standing_day=used))


def test_what_a_person_approved_does_not_use_it_up() -> None:
    assert BUDGET.stands_for(Decimal("50.00"), spent(day="900.00", month="900.00"))


# --- what the ledger counts -----------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/state.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return ledger_of(store, SEVERAL)


ledger_of = opened


def proposed(ledger: Ledger, amount: str, at: datetime) -> Change:
    return ledger.propose(
        PAYMENT,
        {"amount": amount, "at": at.isoformat()},
        reference=None,
        amount=Decimal(amount),
        question=QUESTION,
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
        RECHARGE,
        {"enabled": True},
        reference=None,
        amount=None,
        question=QUESTION,
        basis={},
        now=NOW,
    )
    ledger.approve(other.id, "terminal", NOW)
    ledger.claim(other.id, NOW)
    another = opened(store, SEVERAL, key="KEY2", identity=Identity("user-2"), profile="another")
    ended(another, State.UNKNOWN, "120.00", NOW)
    assert ledger.spent(NOW) == NOTHING
    assert ledger.refusal(PAYMENT, Decimal(500), None, NOW) is None


@pytest.mark.parametrize(("span", "part"), [(DAY, "day"), (MONTH, "month"), (DAY, "standing_day")])
def test_a_payment_counts_for_the_whole_span_and_no_longer(
    store: Store, span: timedelta, part: str
) -> None:
    ledger = ledger_of(store, BUDGET)
    ended(ledger, State.SUCCEEDED, "40.00", NOW, channel=STANDING)
    assert getattr(ledger.spent(NOW + span), part) == 40
    assert getattr(ledger.spent(NOW + span + TICK), part) == 0


def test_no_more_of_the_newest_changes_come_than_were_asked_for(ledger: Ledger) -> None:
    for hours in (3, 2, 1):
        ended(ledger, State.SUCCEEDED, f"{hours}.00", NOW - timedelta(hours=hours))
    assert [str(each.amount) for each in ledger.newest(2, NOW)] == ["1.00", "2.00"]


def test_an_approved_payment_is_declined_only_where_that_is_asked_for(ledger: Ledger) -> None:
    change = proposed(ledger, "20.00", NOW)
    assert ledger.approve(change.id, "terminal", NOW)
    assert ledger.decline(change.id, "browser", NOW) is None
    declined = ledger.decline(change.id, "elicitation", NOW, approved_too=True)
    assert declined
    assert declined.state is State.DECLINED


def test_a_question_that_waits_does_not_hold_up_the_standing_budget(store: Store) -> None:
    small = Policy(standing_per_payment=Decimal(50), standing_per_day=Decimal(50))
    ledger = ledger_of(store, small)
    proposed(ledger, "60.00", NOW)
    assert proposed(ledger, "50.00", NOW).state is State.PROPOSED


def test_questions_and_outcomes_last_the_ten_minutes_that_the_texts_name(ledger: Ledger) -> None:
    change = proposed(ledger, "20.00", NOW)
    ten = timedelta(minutes=10)
    assert change.expires_at == NOW + ten
    assert not change.is_expired(NOW + ten - timedelta(seconds=1))
    assert change.is_expired(NOW + ten)


def test_an_unknown_payment_counts_however_old(ledger: Ledger) -> None:
    ended(ledger, State.UNKNOWN, "120.00", NOW)
    assert ledger.spent(NOW + 10 * MONTH) == Spent(Decimal(120), Decimal(120), Decimal(0))


def test_an_unknown_payment_forbids_any_other_until_it_is_resolved(ledger: Ledger) -> None:
    lost = ended(ledger, State.UNKNOWN, "120.00", NOW)
    refusal = ledger.refusal(PAYMENT, CENT, None, NOW + 10 * MONTH)
    assert refusal
    text = refusal.text(TerminalDirections())
    assert "the outcome of the payment of 120.00 sent at 2026-06-15 12:00 UTC is unknown" in text
    assert f"telnyx-account-mcp resolve {lost.id}` in a terminal" in text
    ledger.resolve(lost.id, paid=False, note="", now=NOW)
    assert ledger.refusal(PAYMENT, CENT, None, NOW) is None


@pytest.mark.parametrize(("paid", "counted"), [(True, 120), (False, 0)])
def test_a_resolved_payment_counts_if_it_was_paid(ledger: Ledger, paid: bool, counted: int) -> None:
    lost = ended(ledger, State.UNKNOWN, "120.00", NOW)
    ledger.resolve(lost.id, paid=paid, note="", now=NOW)
    assert ledger.spent(NOW).day == counted


def test_the_standing_budget_is_counted_apart(store: Store) -> None:
    ledger = ledger_of(store, BUDGET)
    ended(ledger, State.SUCCEEDED, "300.00", NOW)
    ended(ledger, State.SUCCEEDED, "40.00", NOW, channel=STANDING)
    assert ledger.spent(NOW) == Spent(Decimal(340), Decimal(340), Decimal(40))
    assert ledger.stands_for(proposed(ledger, "40.00", NOW), NOW)
    assert not ledger.stands_for(proposed(ledger, "40.01", NOW), NOW)
    assert ledger.stands_for(proposed(ledger, "50.00", NOW), NOW + DAY + 2 * TICK)


def test_the_standing_budget_is_for_payments_only(store: Store) -> None:
    ledger = ledger_of(store, BUDGET)
    change = ledger.propose(
        RECHARGE,
        {"enabled": True},
        reference=None,
        amount=None,
        question=QUESTION,
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
    refused = ledger.get(third.id, NOW)
    assert refused
    assert refused.state is State.VOID
    assert "cap of 1000.00 for 24 hours" in refused.outcome_text


def test_an_unknown_payment_forbids_the_claim_of_an_approved_one(ledger: Ledger) -> None:
    approved = proposed(ledger, "10.00", NOW)
    ledger.approve(approved.id, "terminal", NOW)
    ended(ledger, State.UNKNOWN, "120.00", NOW)
    with pytest.raises(Blocked, match="is unknown"):
        ledger.claim(approved.id, NOW)


def test_the_standing_budget_is_looked_at_again_when_it_is_claimed(store: Store) -> None:
    ledger = ledger_of(store, BUDGET)
    both = [proposed(ledger, amount, NOW) for amount in ("50.00", "40.00")]
    for change in both:
        ledger.approve(change.id, STANDING, NOW)
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
    assert ledger.refusal(PAYMENT, CENT, None, NOW - back) is not None


def test_what_was_paid_while_the_clock_was_wrong_still_counts_when_it_is_right_again(
    ledger: Ledger,
) -> None:
    ended(ledger, State.SUCCEEDED, "500.00", NOW)
    ended(ledger, State.SUCCEEDED, "500.00", NOW - 2 * DAY)
    assert ledger.refusal(PAYMENT, CENT, None, NOW + TICK) is not None


# --- a clock that was ahead -----------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [2 * CLOCK_SKEW, timedelta(hours=12), 400 * DAY])
def test_a_payment_dated_in_the_future_counts_from_when_it_was_seen(
    ledger: Ledger, ahead: timedelta
) -> None:
    ended(ledger, State.SUCCEEDED, "500.00", NOW + ahead)
    assert ledger.spent(NOW) == Spent(Decimal(500), Decimal(500), Decimal(0)), "it was just made"
    proposed(ledger, "20.00", NOW)  # the first that is written by a clock that is right
    assert ledger.spent(NOW + DAY).day == 500
    if ahead > 2 * DAY:
        assert ledger.spent(NOW + DAY + TICK).day == 0
        assert ledger.spent(NOW + MONTH + TICK) == NOTHING
    assert ledger.spent(NOW + ahead).day == 500, "the clock may have been right then"


def test_after_a_clock_was_ahead_payments_go_on_under_the_caps_of_the_right_time(
    ledger: Ledger,
) -> None:
    ended(ledger, State.SUCCEEDED, "10.00", NOW + 400 * DAY)
    ended(ledger, State.SUCCEEDED, "500.00", NOW)
    assert ledger.spent(NOW + DAY).day == 510
    tomorrow = NOW + DAY + TICK
    assert ledger.spent(tomorrow).day == 0
    ended(ledger, State.SUCCEEDED, "490.00", tomorrow)
    assert ledger.spent(tomorrow) == Spent(Decimal(490), Decimal(1000), Decimal(0))


def test_a_decline_dated_in_the_future_holds_up_no_payment(store: Store) -> None:
    ledger = opened(store, Policy())
    change = proposed(ledger, "20.00", NOW + 400 * DAY)
    ledger.decline(change.id, "terminal", NOW + 400 * DAY)
    assert proposed(ledger, "30.00", NOW).state is State.PROPOSED


def test_a_success_dated_a_year_ahead_is_not_repeated_for_a_year(ledger: Ledger) -> None:
    def again(at: datetime) -> Change | None:
        return ledger.find(PAYMENT, paid.arguments, None, at)

    paid = ended(ledger, State.SUCCEEDED, "10.00", NOW)
    assert again(NOW - 400 * DAY) is None
    hour_back = again(NOW - timedelta(hours=1))
    assert hour_back, "a clock that is set back by an hour must not pay again"
    assert hour_back.id == paid.id


# --- who sends ------------------------------------------------------------------------------------


def state_of(ledger: Ledger, change: Change, at: datetime) -> State | None:
    found = ledger.get(change.id, at)
    return found.state if found else None


def test_a_dead_senders_change_is_unknown_at_once_and_one_elsewhere_after_its_lease(
    store: Store,
) -> None:
    dead = opened(store, SEVERAL, owner=dead_owner())
    live = opened(store, SEVERAL, owner=ELSEWHERE)
    busy, lost = sending(live, "20.00", NOW), sending(dead, "10.00", NOW)
    other = opened(store, SEVERAL)
    assert state_of(other, lost, NOW) is State.UNKNOWN
    assert state_of(other, busy, NOW + SENDING_LEASE - TICK) is State.SENDING
    assert state_of(other, busy, NOW + SENDING_LEASE) is State.UNKNOWN


def test_what_this_process_still_waits_for_is_not_unknown_to_it(store: Store) -> None:
    ledger = opened(store, SEVERAL)
    busy = sending(ledger, "10.00", NOW)
    assert state_of(ledger, busy, NOW + DAY) is State.SENDING
    ledger.landed(busy.id)
    assert state_of(ledger, busy, NOW + DAY) is State.UNKNOWN


@pytest.mark.parametrize("jump", [SENDING_LEASE, DAY, 365 * DAY, -DAY])
def test_no_clock_calls_a_sender_of_this_machine_dead(store: Store, jump: timedelta) -> None:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        its = ProcessIdentity(ProcessIdentity.this_process().host, child.pid, _stat(child.pid)[1])
        mine, theirs = opened(store, SEVERAL), opened(store, SEVERAL, owner=its)
        own, others = sending(mine, "10.00", NOW), sending(theirs, "20.00", NOW)
        for ledger in (mine, opened(store, SEVERAL)):
            assert state_of(ledger, own, NOW + jump) is State.SENDING
            assert state_of(ledger, others, NOW + jump) is State.SENDING
        child.kill()
    assert state_of(mine, others, NOW) is State.UNKNOWN
    mine.landed(own.id)
    assert state_of(mine, own, NOW) is State.UNKNOWN


def test_a_sender_elsewhere_lives_for_as_long_as_it_renews_its_lease(store: Store) -> None:
    there, here = opened(store, SEVERAL, owner=ELSEWHERE), opened(store, SEVERAL)
    busy = sending(there, "10.00", NOW)
    for number in range(1, 9):
        moment = NOW + number * SENDING_LEASE / 4
        here.renew(busy.id, moment)  # not its sender
        there.renew(busy.id, moment)
        assert state_of(here, busy, moment) is State.SENDING
    assert state_of(here, busy, moment + SENDING_LEASE) is State.UNKNOWN
    there.record(busy.id, State.SUCCEEDED, "", {}, moment)
    there.renew(busy.id, moment + DAY)
    assert state_of(here, busy, moment) is State.SUCCEEDED


@pytest.mark.parametrize("back", [2 * CLOCK_SKEW, DAY])
def test_a_clock_set_back_makes_no_sender_live_for_longer(store: Store, back: timedelta) -> None:
    """The lease counts from the claim, also where the row says that it was sent in the future."""
    mine, other = opened(store, SEVERAL, owner=ELSEWHERE), opened(store, SEVERAL)
    ended(mine, State.SUCCEEDED, "10.00", NOW)
    busy = sending(mine, "20.00", NOW - back)
    assert state_of(other, busy, NOW - back + SENDING_LEASE - TICK) is State.SENDING
    assert state_of(other, busy, NOW - back + SENDING_LEASE) is State.UNKNOWN
    assert state_of(other, busy, NOW - back - 2 * CLOCK_SKEW) is State.UNKNOWN


def test_reading_writes_nothing(store: Store) -> None:
    dead = opened(store, SEVERAL, owner=dead_owner())
    sending(dead, "10.00", NOW)
    old = proposed(dead, "20.00", NOW)
    other = opened(store, SEVERAL)
    with store.read() as connection:
        before = connection.execute(changes.select()).all()
    later = NOW + DAY
    assert [state_of(other, old, later)] == [State.EXPIRED]
    other.newest(10, later)
    other.history(later)
    other.spent(later)
    other.refusal(PAYMENT, CENT, None, later)
    with store.read() as connection:
        assert connection.execute(changes.select()).all() == before


# --- one question, and a rest after a decline ----------------------------------------------------


def recharge(ledger: Ledger, at: datetime, at_once: str = "100.00", /, **basis: str) -> Change:
    return ledger.propose(
        RECHARGE,
        {"recharge_amount": at_once, "at": at.isoformat()},
        reference=None,
        amount=None,
        question=QUESTION,
        basis={AT_ONCE: at_once, **basis},
        now=at,
    )


@pytest.mark.parametrize("approves", [False, True])
def test_another_question_waits_until_the_open_one_is_over(store: Store, approves: bool) -> None:
    ledger = opened(store, Policy())
    first = proposed(ledger, "10.00", NOW)
    if approves:
        ledger.approve(first.id, "terminal", NOW)
    with pytest.raises(Blocked, match=first.id) as blocked:
        proposed(ledger, "20.00", NOW)
    assert isinstance(blocked.value.reason, QuestionOpen)
    with pytest.raises(Blocked, match=first.id):
        recharge(ledger, NOW)
    assert proposed(ledger, "20.00", NOW + LIFETIME).state is State.PROPOSED


def test_a_question_closed_without_an_answer_makes_room_for_another(store: Store) -> None:
    ledger = opened(store, Policy())
    first = proposed(ledger, "10.00", NOW)
    ledger.close_question(first.id, NOW)
    assert proposed(ledger, "10.00", NOW).id == first.id
    proposed(ledger, "20.00", NOW)
    assert state_of(ledger, first, NOW) is State.VOID
    assert ledger.approve(first.id, "terminal", NOW) is None


@pytest.mark.parametrize("withdrawn", [False, True])
def test_after_a_decline_no_payment_is_proposed_for_ten_minutes(
    store: Store, withdrawn: bool
) -> None:
    ledger = opened(store, Policy())
    change = proposed(ledger, "10.00", NOW)
    if withdrawn:
        ledger.approve(change.id, "terminal", NOW)
        assert ledger.withdraw(change.id, "terminal", NOW)
    else:
        assert ledger.decline(change.id, "terminal", NOW)
    with pytest.raises(Blocked) as blocked:
        proposed(ledger, "20.00", NOW + LIFETIME - TICK)
    assert isinstance(blocked.value.reason, RecentlyDeclined)
    assert blocked.value.reason.until == NOW + LIFETIME
    assert proposed(ledger, "20.00", NOW + LIFETIME).state is State.PROPOSED


def test_a_declined_setting_stops_no_payment_and_a_declined_payment_no_setting(
    store: Store,
) -> None:
    ledger = opened(store, Policy())
    ledger.decline(recharge(ledger, NOW).id, "terminal", NOW)
    ledger.decline(proposed(ledger, "10.00", NOW).id, "terminal", NOW)
    assert recharge(ledger, NOW + TICK).state is State.PROPOSED


# --- auto-recharge under the cap of one payment --------------------------------------------------


def test_a_setting_that_could_charge_more_than_a_payment_may_is_not_proposed(
    ledger: Ledger,
) -> None:
    assert recharge(ledger, NOW, "500.00").state is State.PROPOSED
    with pytest.raises(Blocked, match=r"cap of 500\.00 for one payment") as blocked:
        recharge(ledger, NOW, "500.01")
    assert isinstance(blocked.value.reason, OverCap)


def test_the_cap_is_looked_at_again_when_the_setting_is_claimed(store: Store) -> None:
    change = recharge(opened(store, Policy()), NOW, "400.00")
    stricter = opened(store, Policy(max_payment=Decimal(300)))
    stricter.approve(change.id, "terminal", NOW)
    with pytest.raises(Blocked, match="cap of 300 "):
        stricter.claim(change.id, NOW)
    assert state_of(stricter, change, NOW) is State.VOID


# --- the mark ------------------------------------------------------------------------------------


def test_a_question_written_before_another_change_was_sent_is_void_when_it_is_answered(
    ledger: Ledger,
) -> None:
    mark = {MARK: ledger.history(NOW).mark}
    early = [recharge(ledger, NOW + each * TICK, **mark) for each in (0, 1)]
    ledger.approve(early[0].id, "terminal", NOW)
    ended(ledger, State.SUCCEEDED, "10.00", NOW)
    assert getattr(ledger.claim(early[0].id, NOW), "state", None) is State.VOID
    assert getattr(ledger.approve(early[1].id, "terminal", NOW), "state", None) is State.VOID
    with pytest.raises(HistoryMoved):
        recharge(ledger, NOW + DAY, **mark)


@pytest.mark.parametrize("end", [State.REFUSED, State.SUCCEEDED, State.UNKNOWN])
def test_the_mark_changes_with_every_outcome(ledger: Ledger, end: State) -> None:
    change = sending(ledger, "10.00", NOW)
    before = ledger.history(NOW).mark
    ledger.record(change.id, end, "", {}, NOW)
    assert ledger.history(NOW).mark != before


def test_the_mark_changes_where_one_unknown_payment_takes_the_place_of_another(
    ledger: Ledger,
) -> None:
    """Also if the clock was set back, so that both seem to be sent at the same moment."""
    first = ended(ledger, State.UNKNOWN, "10.00", NOW)
    before = ledger.history(NOW).mark
    ledger.resolve(first.id, paid=False, note="", now=NOW)
    ended(ledger, State.UNKNOWN, "20.00", NOW - DAY)
    assert ledger.history(NOW).mark != before


def test_the_mark_changes_when_a_sender_is_found_dead(store: Store) -> None:
    alive = opened(store, SEVERAL, owner=ELSEWHERE)
    sending(alive, "10.00", NOW)
    other = opened(store, SEVERAL)
    before = other.history(NOW).mark
    assert other.history(NOW + SENDING_LEASE - TICK).mark == before
    assert other.history(NOW + SENDING_LEASE).mark != before
