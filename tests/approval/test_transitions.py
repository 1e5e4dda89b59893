"""From which state a change can go where, and what each step leaves in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from telnyx_mcp.approval.change import (
    CLOCK_SKEW,
    LIFETIME,
    PAYMENT,
    RECHARGE,
    STANDING,
    Change,
    State,
)
from telnyx_mcp.approval.ledger import MARK, Decision, Ledger
from telnyx_mcp.approval.policy import DAY, MONTH, Policy
from telnyx_mcp.approval.question import Fact, Question
from telnyx_mcp.storage.schema import changes
from telnyx_mcp.storage.store import Store, StoreError
from tests.support.clock import NOW
from tests.support.ledgers import QUESTION, opened

TICK = timedelta(milliseconds=1)
POLICY = Policy(standing_per_payment=Decimal(50), standing_per_day=Decimal(80), one_question=False)
DECISION = Decision("elicitation", "client 1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path}/state.sqlite3")) as made:
        yield made


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return opened(store, POLICY)


def proposed(
    ledger: Ledger, amount: str | None = "20.00", at: datetime = NOW, **told: Any
) -> Change:
    """A payment of this amount; a change of the preferences if it is None."""
    kind, arguments = (
        (RECHARGE, {"enabled": True}) if amount is None else (PAYMENT, {"amount": amount})
    )
    return ledger.propose(
        kind,
        told.pop("arguments", arguments),
        reference=None,
        amount=None if amount is None else Decimal(amount),
        question=QUESTION,
        basis=told.pop("basis", {}),
        now=at,
        **told,
    )


def ended(
    ledger: Ledger, state: State, amount: str | None = "20.00", at: datetime = NOW, **told: Any
) -> Change:
    """A change that was sent and came to this."""
    change = proposed(ledger, amount, at, **told)
    assert ledger.claim(change.id, at, DECISION)
    recorded = ledger.record(change.id, state, "It came to this.", {}, at)
    ledger.landed(change.id)
    assert recorded
    return recorded


def in_state(ledger: Ledger, state: State) -> Change:
    change = proposed(ledger)
    if state is State.APPROVED:
        ledger.approve(change.id, "terminal", NOW, "ann")
    elif state is State.DECLINED:
        ledger.decline(change.id, "terminal", NOW, "ann")
    elif state is State.VOID:
        ledger.void(change.id, "The balance moved.", NOW)
    elif state is not State.PROPOSED:
        assert ledger.claim(change.id, NOW, DECISION)
        if state is not State.SENDING:
            ledger.record(change.id, state, "It came to this.", {}, NOW)
    found = ledger.get(change.id, NOW)
    assert found
    assert found.state is state
    return found


Step = Callable[[Ledger, str], Change | None]
STEPS: dict[str, tuple[Step, set[State]]] = {
    "approve": (
        lambda ledger, change: ledger.approve(change, "browser", NOW, "bob"),
        {State.PROPOSED},
    ),
    "decline": (
        lambda ledger, change: ledger.decline(change, "browser", NOW, "bob"),
        {State.PROPOSED, State.VOID},
    ),
    "decline what may be approved": (
        lambda ledger, change: ledger.decline(change, "browser", NOW, "bob", approved_too=True),
        {State.PROPOSED, State.APPROVED, State.VOID},
    ),
    "withdraw": (
        lambda ledger, change: ledger.withdraw(change, "browser", NOW, "bob"),
        {State.APPROVED},
    ),
    "void": (
        lambda ledger, change: ledger.void(change, "It is not true.", NOW),
        {State.PROPOSED, State.APPROVED},
    ),
    "claim": (lambda ledger, change: ledger.claim(change, NOW), {State.APPROVED}),
    "claim with a decision": (
        lambda ledger, change: ledger.claim(change, NOW, DECISION),
        {State.PROPOSED, State.APPROVED},
    ),
    "resolve": (
        lambda ledger, change: ledger.resolve(change, paid=True, note="", now=NOW),
        {State.UNKNOWN},
    ),
}
SETTLED = [state for state in State if state is not State.EXPIRED]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", SETTLED)
def test_a_step_is_taken_from_its_own_states_and_leaves_every_other_as_it_is(
    ledger: Ledger, step: str, state: State
) -> None:
    act, starts = STEPS[step]
    before = in_state(ledger, state)
    after = act(ledger, before.id)
    stands = ledger.get(before.id, NOW)
    if state in starts:
        assert after is not None
        assert after == stands
        assert after.state is not state
        return
    assert stands == before
    # A claim says of a void change that it is void: then a fresh question is asked.
    assert after == (before if "claim" in step and state is State.VOID else None)


@pytest.mark.parametrize("step", STEPS)
def test_a_change_that_is_not_there_goes_nowhere(ledger: Ledger, step: str) -> None:
    act, _ = STEPS[step]
    assert act(ledger, "0123456789abcdef") is None


def test_the_outcome_of_a_change_that_is_not_there_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(StoreError, match="change 0123456789abcdef is no longer in the ledger"):
        ledger.record("0123456789abcdef", State.SUCCEEDED, "", {}, NOW)


# --- who decided ------------------------------------------------------------------------------------


def test_a_change_that_was_approved_elsewhere_keeps_its_approver(ledger: Ledger) -> None:
    change = in_state(ledger, State.APPROVED)
    claimed = ledger.claim(change.id, NOW, DECISION)
    assert claimed
    assert (claimed.channel, claimed.decided_by) == ("terminal", "ann")


def test_each_decision_names_its_channel_person_and_moment(ledger: Ledger) -> None:
    later = NOW + timedelta(minutes=1)
    first, second, third = (proposed(ledger, amount) for amount in ("1.00", "2.00", "3.00"))
    approved = ledger.approve(first.id, "terminal", later, "ann")
    declined = ledger.decline(second.id, "browser", later, "bob")
    claimed = ledger.claim(third.id, later, DECISION)
    for change, channel, person in (
        (approved, "terminal", "ann"),
        (declined, "browser", "bob"),
        (claimed, "elicitation", "client 1"),
    ):
        assert change
        assert (change.channel, change.decided_by, change.decided_at) == (channel, person, later)
        assert change.updated_at == later
        assert change == ledger.get(change.id, later)


@pytest.mark.parametrize(
    ("state", "channel"),
    [
        (State.PROPOSED, ""),
        (State.APPROVED, "terminal"),
        (State.DECLINED, ""),
        (State.SUCCEEDED, "elicitation"),
        (State.UNKNOWN, "elicitation"),
    ],
)
def test_a_waiting_or_declined_change_has_no_approver(
    ledger: Ledger, state: State, channel: str
) -> None:
    assert in_state(ledger, state).approved_by == channel


@pytest.mark.parametrize("approves_first", [False, True])
def test_a_change_that_was_declined_says_so_and_is_signed_no_more(
    store: Store, ledger: Ledger, approves_first: bool
) -> None:
    """Without a signature, no other process takes it for one that waits, whatever its state says."""
    change = proposed(ledger)
    if approves_first:
        ledger.approve(change.id, "terminal", NOW, "ann")
        declined, happened = ledger.withdraw(change.id, "terminal", NOW), "withdrew the approval"
    else:
        declined, happened = ledger.decline(change.id, "terminal", NOW), "declined"
    assert declined
    assert declined.outcome_text == f"The user {happened}."
    with store.read() as connection:
        assert connection.execute(sa.select(changes.c.signature)).scalar() is None


def test_a_change_whose_sender_ended_says_so(store: Store) -> None:
    from tests.support.ledgers import dead_owner

    dead = opened(store, POLICY, owner=dead_owner())
    lost = proposed(dead)
    assert dead.claim(lost.id, NOW, DECISION)
    found = opened(store, POLICY).get(lost.id, NOW)
    assert found
    assert (found.state, found.outcome_text) == (
        State.UNKNOWN,
        "The server that sent it ended before it recorded an answer.",
    )


@pytest.mark.parametrize("person", ["ann", ""])
def test_a_resolved_change_says_where_and_by_whom(ledger: Ledger, person: str) -> None:
    lost, later = ended(ledger, State.UNKNOWN), NOW + timedelta(hours=1)
    resolved = ledger.resolve(
        lost.id, paid=False, note="Looked.", now=later, channel="browser", by=person
    )
    assert resolved
    assert (resolved.updated_at, resolved.sent_at) == (later, lost.sent_at)
    assert resolved.outcome_text == lost.outcome_text
    assert (resolved.state, resolved.note) == (State.REFUSED, "Looked.")
    named = {"resolved_by": person} if person else {}
    assert resolved.evidence == {"resolved_via": "browser", **named}


# --- what voids a question --------------------------------------------------------------------------


@pytest.mark.parametrize("approves_first", [False, True])
def test_what_the_standing_budget_pays_does_not_wait_for_a_fresh_question(
    ledger: Ledger, approves_first: bool
) -> None:
    """Nobody reads the question of such a payment, so another payment does not make it untrue."""
    mark = {MARK: ledger.history(NOW).mark}
    change = proposed(ledger, "20.00", basis=mark)
    ended(ledger, State.SUCCEEDED, "30.00")
    standing = Decision(STANDING, "standing budget")
    if approves_first:
        approved = ledger.approve(change.id, STANDING, NOW)
        assert approved
        assert approved.state is State.APPROVED
    claimed = ledger.claim(change.id, NOW, standing)
    assert claimed
    assert claimed.state is State.SENDING


def test_a_void_question_that_was_replaced_is_not_declined_instead_of_the_fresh_one(
    ledger: Ledger,
) -> None:
    first = proposed(ledger)
    ledger.void(first.id, "The balance moved.", NOW)
    second = proposed(ledger, replaces=first.id)
    assert ledger.decline(first.id, "browser", NOW) is None
    for change, state in ((first, State.VOID), (second, State.PROPOSED)):
        found = ledger.get(change.id, NOW)
        assert found
        assert found.state is state


@pytest.mark.parametrize("end", ["sent", "declined", "withdrawn"])
def test_a_row_that_another_program_puts_back_as_it_was_waits_for_nothing(
    store: Store, ledger: Ledger, end: str
) -> None:
    """Its signature is right, as it was signed then."""
    change = proposed(ledger)
    if end != "declined":
        ledger.approve(change.id, "terminal", NOW)
    query = sa.select(changes).where(changes.c.id == change.id)
    with store.read() as connection:
        row = dict(connection.execute(query).mappings().one())
    if end == "sent":
        assert ledger.claim(change.id, NOW)
    elif end == "declined":
        assert ledger.decline(change.id, "terminal", NOW)
    else:
        assert ledger.withdraw(change.id, "terminal", NOW)
    with store.write() as connection:
        connection.execute(changes.update().where(changes.c.id == change.id).values(row))
    found = ledger.get(change.id, NOW)
    assert found
    assert found.state is State.VOID
    claimed = ledger.claim(change.id, NOW, DECISION)
    assert claimed
    assert claimed.state is State.VOID


# --- what is repeated, and for how long --------------------------------------------------------------


def test_a_payment_is_repeated_though_another_was_made_since(ledger: Ledger) -> None:
    first = ended(ledger, State.SUCCEEDED, "20.00")
    ended(ledger, State.SUCCEEDED, "30.00", NOW + TICK)
    found = ledger.find(PAYMENT, first.arguments, None, NOW + TICK)
    assert found
    assert found.id == first.id


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.UNKNOWN, State.DECLINED])
def test_an_outcome_is_repeated_for_ten_minutes_and_no_longer(ledger: Ledger, state: State) -> None:
    change = in_state(ledger, state)
    assert ledger.find(PAYMENT, change.arguments, None, NOW + LIFETIME - TICK) == change
    assert ledger.find(PAYMENT, change.arguments, None, NOW + LIFETIME) is None


@pytest.mark.parametrize("back", [2 * CLOCK_SKEW, timedelta(minutes=9)])
def test_a_question_that_a_clock_set_back_ended_is_asked_again(
    ledger: Ledger, back: timedelta
) -> None:
    change = proposed(ledger)
    assert ledger.find(PAYMENT, change.arguments, None, NOW - back) is None


@pytest.mark.parametrize("state", [State.REFUSED, State.NOT_SENT])
def test_what_did_not_happen_is_asked_again_at_once(ledger: Ledger, state: State) -> None:
    change = in_state(ledger, state)
    assert ledger.find(PAYMENT, change.arguments, None, NOW) is None


def test_a_setting_is_repeated_only_while_it_is_the_last_one_that_was_sent(ledger: Ledger) -> None:
    on, off = {"enabled": True}, {"enabled": False}
    ended(ledger, State.SUCCEEDED, None, arguments=on)
    ended(ledger, State.REFUSED, None, NOW + TICK, arguments=off)
    ended(ledger, State.SUCCEEDED, "20.00", NOW + 2 * TICK)
    assert ledger.find(RECHARGE, on, None, NOW + 2 * TICK), "what was refused changed nothing"
    ended(ledger, State.UNKNOWN, None, NOW + 3 * TICK, arguments=off)
    assert ledger.find(RECHARGE, on, None, NOW + 3 * TICK) is None
    unknown = ledger.find(RECHARGE, off, None, NOW + 3 * TICK)
    assert unknown
    assert unknown.state is State.UNKNOWN


def test_a_setting_that_waits_or_was_declined_is_not_asked_about_twice(ledger: Ledger) -> None:
    """Though another one was set before."""
    ended(ledger, State.SUCCEEDED, None, arguments={"enabled": True})
    off = {"enabled": False}
    waiting = proposed(ledger, None, NOW + TICK, arguments=off)
    assert ledger.find(RECHARGE, off, None, NOW + TICK) == waiting
    declined = ledger.decline(waiting.id, "terminal", NOW + TICK)
    assert ledger.find(RECHARGE, off, None, NOW + TICK) == declined


# --- what came of it --------------------------------------------------------------------------------


def test_an_outcome_that_is_recorded_twice_stays_and_another_one_is_not_taken(
    ledger: Ledger,
) -> None:
    paid = ended(ledger, State.SUCCEEDED)
    assert ledger.record(paid.id, State.SUCCEEDED, "It came to this.", {}, NOW) == paid
    assert ledger.record(paid.id, State.SUCCEEDED, "It came to that.", {}, NOW) is None
    assert ledger.record(paid.id, State.REFUSED, "It came to this.", {}, NOW) is None
    assert ledger.get(paid.id, NOW) == paid


@pytest.mark.parametrize(
    ("amount", "happened", "found"),
    [
        ("20.00", True, "paid"),
        ("20.00", False, "not paid"),
        (None, True, "changed"),
        (None, False, "not changed"),
    ],
)
def test_a_late_answer_of_telnyx_overrides_what_the_user_found_and_keeps_the_user(
    ledger: Ledger, amount: str | None, happened: bool, found: str
) -> None:
    lost = ended(ledger, State.UNKNOWN, amount)
    ledger.resolve(lost.id, paid=happened, note="", now=NOW, by="ann")
    end = State.REFUSED if happened else State.SUCCEEDED
    late = ledger.record(lost.id, end, "It came late.", {"http_status": 201}, NOW)
    assert late
    assert late.state is end
    assert late.outcome_text == f"It came late. You had resolved it as {found} before."
    seen = {"resolved_via": "terminal", "resolved_by": "ann", "http_status": 201}
    assert late.evidence == seen


# --- what counts, and for how long -------------------------------------------------------------------


def test_a_question_gets_the_payments_of_one_day_and_all_of_unknown_outcome(
    ledger: Ledger,
) -> None:
    lost = proposed(ledger, "1.00")
    ledger.claim(lost.id, NOW, DECISION)
    old = ended(ledger, State.SUCCEEDED, "2.00", NOW + TICK)
    new = ended(ledger, State.SUCCEEDED, "3.00", NOW + 2 * TICK)
    ended(ledger, State.REFUSED, "4.00", NOW + 3 * TICK)
    ended(ledger, State.SUCCEEDED, None, NOW + 4 * TICK)
    ledger.record(lost.id, State.UNKNOWN, "No answer came.", {}, NOW)
    later = NOW + DAY + 2 * TICK

    def ids(payments: Sequence[Change]) -> list[str]:
        return [each.id for each in payments]

    assert ids(ledger.history(NOW + DAY).payments) == [new.id, old.id, lost.id]
    assert ids(ledger.history(later).payments) == [new.id, lost.id]
    assert ids(ledger.payments_since(later - DAY, later)) == [new.id, lost.id]


def test_a_proposal_does_not_make_earlier_payments_count_for_longer(ledger: Ledger) -> None:
    ended(ledger, State.SUCCEEDED, "500.00")
    proposed(ledger, "20.00", NOW + DAY - TICK)
    assert ledger.spent(NOW + DAY + TICK).day == 0
    assert ledger.spent(NOW + MONTH + TICK).month == 0


def test_a_payment_made_after_the_clock_was_set_right_counts_for_its_own_day(
    ledger: Ledger,
) -> None:
    """It is dated after the one that was made while the clock was a year ahead."""
    ended(ledger, State.SUCCEEDED, "10.00", NOW + 365 * DAY)
    ended(ledger, State.SUCCEEDED, "500.00")
    assert ledger.spent(NOW + DAY).day == 510
    assert ledger.spent(NOW + DAY + TICK).day == 0


def test_what_was_learnt_afterwards_is_added_to_the_evidence(ledger: Ledger) -> None:
    paid = ended(ledger, State.SUCCEEDED)
    first = ledger.add_evidence(paid.id, {"a": 1, "b": 2}, NOW)
    second = ledger.add_evidence(paid.id, {"b": 3}, NOW)
    assert (first.evidence, second.evidence) == ({"a": 1, "b": 2}, {"a": 1, "b": 3})
    assert ledger.get(paid.id, NOW) == second


@pytest.mark.parametrize("sent_at", [None, "at noon", b"x"])
def test_a_payment_that_does_not_say_when_it_was_sent_counts(
    store: Store, ledger: Ledger, sent_at: object
) -> None:
    paid = ended(ledger, State.SUCCEEDED)
    with store.write() as connection:
        row = changes.update().where(changes.c.id == paid.id)
        connection.execute(row.values(sent_at=sa.literal(sent_at, sa.types.NullType())))
    for moment in (NOW, NOW + 2 * DAY, NOW + 2 * MONTH):
        assert ledger.spent(moment).day == 20
        assert ledger.spent(moment).month == 20


def test_only_the_sender_elsewhere_renews_its_lease(store: Store) -> None:
    from tests.support.ledgers import ELSEWHERE

    there, here = opened(store, POLICY, owner=ELSEWHERE), opened(store, POLICY)
    busy = proposed(there)
    assert there.claim(busy.id, NOW, DECISION)
    last = NOW + timedelta(seconds=59)
    here.renew(busy.id, last)
    found = here.get(busy.id, last + 2 * TICK)
    assert found
    assert found.updated_at == NOW
    there.renew(busy.id, last)
    found = here.get(busy.id, last)
    assert found
    assert found.updated_at == last


# --- what a row keeps ---------------------------------------------------------------------------------


def test_a_proposal_is_read_as_it_was_written(ledger: Ledger) -> None:
    question = Question(
        "Pay?", (Fact("Balance now", "5.00"),), ("A note.",), "Type 1.00.", "1.00", "Pay"
    )
    made = ledger.propose(
        PAYMENT,
        {"amount": "1.00", "reference": "may"},
        reference="may",
        amount=Decimal("1.00"),
        question=question,
        basis={"balance": "5.00"},
        now=NOW,
        requested_via="client 1",
    )
    assert made == ledger.get(made.id, NOW)
    assert (made.operation, made.amount, made.reference) == (PAYMENT, Decimal("1.00"), "may")
    assert made.arguments == {"amount": "1.00", "reference": "may"}
    assert (made.question, made.basis, made.requested_via) == (
        question,
        {"balance": "5.00"},
        "client 1",
    )
    assert (made.state, made.proposed_at, made.updated_at) == (State.PROPOSED, NOW, NOW)
    assert (made.channel, made.decided_by, made.decided_at) == ("", "", None)
    assert (made.owner, made.outcome_text, made.note, made.evidence) == ("", "", "", {})
    assert (made.sent_at, made.replaced_by, made.closed, made.damage) == (None, None, False, "")


@pytest.mark.parametrize("cents", [0, -1, 10**13, "twelve", 1.5])
def test_an_impossible_amount_is_not_read(store: Store, ledger: Ledger, cents: object) -> None:
    paid = ended(ledger, State.SUCCEEDED)
    with store.write() as connection:
        row = changes.update().where(changes.c.id == paid.id).values(reference="may")
        connection.execute(row.values(amount=sa.literal(cents, sa.types.NullType())))
    found = ledger.get(paid.id, NOW)
    assert found
    assert (found.state, found.amount) == (State.UNKNOWN, None)
    assert (found.reference, found.arguments) == ("may", paid.arguments)
    assert found.damage


def test_an_expired_change_is_void_only_if_its_question_stopped_being_true(ledger: Ledger) -> None:
    expired, void = proposed(ledger, "1.00"), proposed(ledger, "2.00")
    ledger.void(void.id, "The balance moved.", NOW)
    later = NOW + LIFETIME
    first, second = ledger.get(expired.id, later), ledger.get(void.id, later)
    assert first
    assert second
    assert (first.state, first.outcome_text) == (State.EXPIRED, "No answer came in time.")
    assert (second.state, second.outcome_text) == (State.VOID, "The balance moved.")
    approved = proposed(ledger, "3.00", later)
    ledger.approve(approved.id, "terminal", later)
    third = ledger.get(approved.id, later + LIFETIME)
    assert third
    assert (third.state, third.outcome_text) == (
        State.EXPIRED,
        "The approval was not used in time.",
    )


def test_a_question_that_ran_out_is_kept_as_expired_once_another_is_asked(store: Store) -> None:
    ledger = opened(store, Policy())
    first, later = proposed(ledger), NOW + LIFETIME
    proposed(ledger, "30.00", later)
    found = ledger.get(first.id, later)
    assert found
    assert (found.state, found.outcome_text) == (State.EXPIRED, "No answer came in time.")
    assert found.updated_at == later
    query = sa.select(changes.c.state).where(changes.c.id == first.id)
    with store.read() as connection:
        assert connection.execute(query).scalar() == State.EXPIRED


# --- looking back -----------------------------------------------------------------------------------


def test_only_rows_that_cannot_be_read_are_called_damaged(store: Store, ledger: Ledger) -> None:
    whole, broken = ended(ledger, State.SUCCEEDED, "1.00"), ended(ledger, State.SUCCEEDED, "2.00")
    assert ledger.damaged(5, NOW) == []
    with store.write() as connection:
        spoilt = changes.update().where(changes.c.id == broken.id)
        connection.execute(spoilt.values(evidence="{"))
    assert [each.id for each in ledger.damaged(5, NOW)] == [broken.id]
    assert ledger.get(whole.id, NOW) == whole


def test_the_newest_of_one_state_are_all_of_that_state(ledger: Ledger) -> None:
    for number, state in enumerate((State.SUCCEEDED, State.REFUSED, State.UNKNOWN)):
        ended(ledger, state, f"{number + 1}.00", NOW + number * TICK)
    later = NOW + 3 * TICK
    assert [each.state for each in ledger.newest(9, later)] == [
        State.UNKNOWN,
        State.REFUSED,
        State.SUCCEEDED,
    ]
    assert [each.state for each in ledger.newest(9, later, state=State.REFUSED)] == [State.REFUSED]


def test_a_clock_that_is_a_minute_off_ends_no_question(ledger: Ledger) -> None:
    change = proposed(ledger)
    for moment, state in (
        (NOW - CLOCK_SKEW, State.PROPOSED),
        (NOW - CLOCK_SKEW - TICK, State.EXPIRED),
        (NOW + LIFETIME - TICK, State.PROPOSED),
        (NOW + LIFETIME, State.EXPIRED),
    ):
        found = ledger.get(change.id, moment)
        assert found
        assert found.state is state
    assert replace(change, state=State.SUCCEEDED).is_expired(NOW + DAY) is False
