"""The ledger of a team: who asks for a change does not approve it, and nobody resumes another's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from telnyx_mcp.approval.change import LIFETIME, PAYMENT, Change, Signatory, State
from telnyx_mcp.approval.ledger import Decision, Ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.reasons import (
    Blocked,
    NeedsAnother,
    OverOwnCap,
    ProposedByAnother,
    QuestionOpen,
    RecentlyDeclined,
    ReferenceTaken,
)
from telnyx_mcp.approval.team.approvals import read_approvals
from telnyx_mcp.approval.team.requester import Requester
from telnyx_mcp.storage.schema import approvals, changes, notices
from telnyx_mcp.storage.store import Store
from tests.support.clock import NOW
from tests.support.ledgers import QUESTION, opened

ISSUER = "https://id.example.com"
ALICE = Signatory(ISSUER, "alice", "Alice")
BOB = Signatory(ISSUER, "bob", "Bob")
CAROL = Signatory(ISSUER, "carol", "Carol")
SECOND = timedelta(seconds=1)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with closing(Store(store_url)) as made:
        yield made


@pytest.fixture
def ledger(store: Store) -> Ledger:
    made = opened(store, Policy())
    made.announces = True
    return made


def seen_by(ledger: Ledger, who: Signatory, **terms: Decimal | None) -> Ledger:
    return ledger.seen_by(Requester(who, **terms))  # type: ignore[arg-type]


def propose(ledger: Ledger, amount: str = "120.00", reference: str | None = None) -> Change:
    named = {"reference": reference} if reference else {}
    return ledger.propose(
        PAYMENT,
        {"amount": amount, **named},
        reference=reference,
        amount=Decimal(amount),
        question=QUESTION,
        basis={"balance": "3.00"},
        now=NOW,
    )


def decision(who: Signatory | None, **more: bool) -> Decision:
    return Decision("page", who.name if who else "jo", who, **more)


def found(ledger: Ledger, amount: str = "120.00", reference: str | None = None) -> Change | None:
    named = {"reference": reference} if reference else {}
    return ledger.find(PAYMENT, {"amount": amount, **named}, reference, NOW + SECOND)


def blocked(ledger: Ledger, amount: str = "120.00", reference: str | None = None) -> object:
    with pytest.raises(Blocked) as refusal:
        found(ledger, amount, reference)
    return refusal.value.reason


def announced(store: Store, change: Change) -> list[str]:
    with store.read() as connection:
        query = sa.select(notices.c.kind).where(notices.c.change_id == change.id)
        return sorted(connection.execute(query).scalars())


# --- who approves --------------------------------------------------------------------------------


def test_somebody_else_approves_and_claims_in_one_step(ledger: Ledger) -> None:
    change = propose(seen_by(ledger, ALICE))
    claimed = ledger.claim(change.id, NOW + SECOND, decision(BOB))
    assert claimed
    assert (claimed.state, claimed.requester, claimed.decider) == (State.SENDING, ALICE, BOB)


@pytest.mark.parametrize(
    "who", [ALICE, replace(ALICE, name="Alice B"), None], ids=["requester", "renamed", "nobody"]
)
def test_neither_the_requester_nor_somebody_who_did_not_sign_in_approves(
    ledger: Ledger, who: Signatory | None
) -> None:
    change = propose(seen_by(ledger, ALICE))
    with pytest.raises(Blocked) as refusal:
        ledger.claim(change.id, NOW + SECOND, decision(who))
    assert isinstance(refusal.value.reason, NeedsAnother)
    with pytest.raises(Blocked):
        ledger.approve(change.id, "terminal", NOW + SECOND, "jo")
    after = ledger.get(change.id, NOW + SECOND)
    assert after
    assert after.state is State.PROPOSED


def test_a_person_of_another_issuer_with_the_same_subject_is_somebody_else(ledger: Ledger) -> None:
    change = propose(seen_by(ledger, ALICE))
    other = replace(ALICE, issuer="https://other.example.com")
    claimed = ledger.claim(change.id, NOW + SECOND, decision(other))
    assert claimed
    assert claimed.decider == other


def test_a_role_can_let_the_requester_approve(ledger: Ledger) -> None:
    change = propose(seen_by(ledger, ALICE))
    claimed = ledger.claim(change.id, NOW + SECOND, decision(ALICE, may_be_requester=True))
    assert claimed
    assert claimed.state is State.SENDING


def test_a_change_of_nobody_who_signed_in_is_approved_as_before(ledger: Ledger) -> None:
    change = propose(ledger)
    claimed = ledger.claim(change.id, NOW + SECOND, decision(None))
    assert claimed
    assert claimed.state is State.SENDING
    assert claimed.decider is None


# --- two people ----------------------------------------------------------------------------------


@pytest.fixture
def for_two(ledger: Ledger) -> Change:
    """A payment that two people have to approve."""
    return propose(seen_by(ledger, ALICE, two_approvers_above=Decimal("119.99")))


def test_an_amount_above_the_limit_is_sent_when_two_people_approved(
    ledger: Ledger, store: Store, for_two: Change
) -> None:
    first = ledger.claim(for_two.id, NOW + SECOND, decision(BOB))
    assert first
    assert first.state is State.PROPOSED
    assert [each.by for each in first.approvals] == [BOB]
    second = ledger.claim(for_two.id, NOW + 2 * SECOND, decision(CAROL))
    assert second
    assert second.state is State.SENDING
    assert [each.by for each in second.approvals] == [BOB, CAROL]
    assert announced(store, for_two) == ["approved", "proposed"]


def test_an_amount_at_the_limit_needs_one(ledger: Ledger) -> None:
    change = propose(seen_by(ledger, ALICE, two_approvers_above=Decimal("120.00")))
    assert change.approvers_needed == 1


def test_the_same_person_counts_once(ledger: Ledger, for_two: Change) -> None:
    for seconds in (1, 2):
        after = ledger.claim(for_two.id, NOW + seconds * SECOND, decision(BOB))
        assert after
        assert after.state is State.PROPOSED
        assert len(after.approvals) == 1


def test_the_requester_is_none_of_the_two(ledger: Ledger, for_two: Change) -> None:
    ledger.claim(for_two.id, NOW + SECOND, decision(BOB))
    for may in (False, True):
        with pytest.raises(Blocked):
            ledger.claim(for_two.id, NOW + SECOND, decision(ALICE, may_be_requester=may))


def test_an_approval_can_be_taken_back_until_the_other_comes(
    ledger: Ledger, for_two: Change
) -> None:
    ledger.claim(for_two.id, NOW + SECOND, decision(BOB))
    assert ledger.take_back(for_two.id, BOB, NOW + SECOND)
    assert not ledger.take_back(for_two.id, BOB, NOW + SECOND)
    after = ledger.claim(for_two.id, NOW + SECOND, decision(CAROL))
    assert after
    assert after.state is State.PROPOSED
    ledger.claim(for_two.id, NOW + SECOND, decision(BOB))
    assert not ledger.take_back(for_two.id, CAROL, NOW + SECOND)


def test_an_approval_is_taken_back_from_one_change_and_by_the_same_person_of_the_same_issuer(
    ledger: Ledger, for_two: Change
) -> None:
    other = propose(seen_by(ledger, CAROL, two_approvers_above=Decimal(0)), "20.00")
    for change in (for_two, other):
        ledger.claim(change.id, NOW + SECOND, decision(BOB))
    elsewhere = replace(BOB, issuer="https://other.example.com")
    assert not ledger.take_back(for_two.id, elsewhere, NOW + SECOND)
    assert ledger.take_back(for_two.id, BOB, NOW + SECOND)
    left = [ledger.get(change.id, NOW + SECOND) for change in (for_two, other)]
    assert [[by.by for by in change.approvals] for change in left if change] == [[], [BOB]]


def test_approvals_are_listed_in_the_order_they_were_given(ledger: Ledger, for_two: Change) -> None:
    ledger.claim(for_two.id, NOW + SECOND, decision(CAROL))
    sent = ledger.claim(for_two.id, NOW + 2 * SECOND, decision(BOB))
    assert sent
    assert [each.by for each in sent.approvals] == [CAROL, BOB]


@pytest.mark.parametrize(
    "columns",
    [
        {"change_id": "another"},
        {"issuer": "https://other.example.com"},
        {"subject": "eve"},
        {"name": "Eve"},
        {"approved_at": 1},
    ],
    ids=lambda columns: next(iter(columns)),
)
def test_who_approved_what_and_when_is_signed(
    ledger: Ledger, store: Store, for_two: Change, columns: dict[str, object]
) -> None:
    ledger.claim(for_two.id, NOW + SECOND, decision(BOB))
    with store.write() as connection:
        connection.execute(approvals.update().values(**columns))
    with store.read() as connection:
        moved = connection.execute(sa.select(approvals.c.change_id)).scalar_one()
        assert read_approvals(connection, ledger._signer, moved) == ()


def test_an_approval_that_another_program_wrote_does_not_count(
    ledger: Ledger, store: Store, for_two: Change
) -> None:
    row = {"issuer": ISSUER, "subject": "carol", "name": "Carol", "approved_at": 1}
    with store.write() as connection:
        connection.execute(
            approvals.insert().values(change_id=for_two.id, signature="0" * 64, **row)
        )
    after = ledger.claim(for_two.id, NOW + SECOND, decision(BOB))
    assert after
    assert after.state is State.PROPOSED


@pytest.mark.parametrize(
    "columns",
    [
        {"requester_subject": "bob"},
        {"requester_issuer": "https://other.example.com"},
        {"requester_name": "Dave"},
        {"requester_subject": None},
        {"requester_issuer": None, "requester_subject": None, "requester_name": None},
        {"approvers_needed": 1},
        {"approvers_needed": None},
        {"expires_at": 9_999_999_999_999},
    ],
)
def test_who_asked_and_how_many_approve_is_signed(
    ledger: Ledger, store: Store, for_two: Change, columns: dict[str, object]
) -> None:
    with store.write() as connection:
        connection.execute(changes.update().where(changes.c.id == for_two.id).values(**columns))
    after = ledger.get(for_two.id, NOW)
    assert after
    assert after.state is State.VOID
    claimed = ledger.claim(for_two.id, NOW, decision(BOB))
    assert claimed
    assert claimed.state is State.VOID


# --- whose it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", [None, "invoice 7"])
def test_the_same_arguments_by_another_person_name_the_proposal_and_resume_nothing(
    ledger: Ledger, reference: str | None
) -> None:
    change = propose(seen_by(ledger, ALICE), reference=reference)
    assert found(seen_by(ledger, ALICE), reference=reference) == change
    for other in (seen_by(ledger, BOB), ledger):
        reason = blocked(other, reference=reference)
        assert isinstance(reason, ProposedByAnother)
        assert "Alice proposed the same at" in reason.text(ledger.directions)


def test_what_nobody_who_signed_in_asked_for_is_not_resumed_by_a_person(ledger: Ledger) -> None:
    propose(ledger)
    assert isinstance(blocked(seen_by(ledger, ALICE)), ProposedByAnother)
    assert found(ledger)


def test_an_outcome_is_named_to_another_person_and_repeated_to_the_same(ledger: Ledger) -> None:
    change = propose(seen_by(ledger, ALICE))
    ledger.claim(change.id, NOW, decision(BOB))
    ledger.record(change.id, State.SUCCEEDED, "Telnyx confirmed it.", {}, NOW)
    own = found(seen_by(ledger, ALICE))
    assert own
    assert own.state is State.SUCCEEDED
    assert isinstance(blocked(seen_by(ledger, BOB)), ProposedByAnother)


def test_a_reference_of_its_own_makes_another_payment(ledger: Ledger) -> None:
    first = propose(seen_by(ledger, ALICE), reference="invoice 7")
    second = propose(seen_by(ledger, BOB), reference="invoice 8")
    assert first.id != second.id
    assert isinstance(blocked(seen_by(ledger, BOB), "99.00", "invoice 7"), ReferenceTaken)


def test_each_person_has_one_open_question(ledger: Ledger) -> None:
    propose(seen_by(ledger, ALICE), "20.00")
    propose(seen_by(ledger, BOB), "30.00")
    with pytest.raises(Blocked) as refusal:
        propose(seen_by(ledger, ALICE), "40.00")
    assert isinstance(refusal.value.reason, QuestionOpen)
    assert [each.amount for each in ledger.waiting(NOW)] == [Decimal("20.00"), Decimal("30.00")]


def test_a_decline_pauses_the_questions_of_its_requester_only(ledger: Ledger) -> None:
    change = propose(seen_by(ledger, ALICE), "20.00")
    declined = ledger.decline(change.id, "page", NOW, "Bob", signatory=BOB)
    assert declined
    assert (declined.decider, declined.outcome_text) == (BOB, "Bob declined.")
    with pytest.raises(Blocked) as refusal:
        propose(seen_by(ledger, ALICE), "40.00")
    assert isinstance(refusal.value.reason, RecentlyDeclined)
    propose(seen_by(ledger, BOB), "30.00")


def test_a_question_that_its_requester_closed_is_not_ended_by_anothers(ledger: Ledger) -> None:
    closed = propose(seen_by(ledger, ALICE), "20.00")
    ledger.close_question(closed.id, NOW)
    propose(seen_by(ledger, BOB), "30.00")
    assert ledger.waiting(NOW)[0].id == closed.id
    propose(seen_by(ledger, ALICE), "40.00")
    assert [each.amount for each in ledger.waiting(NOW)] == [Decimal("30.00"), Decimal("40.00")]


def test_a_replica_with_another_key_leaves_what_others_asked_for(
    ledger: Ledger, store: Store
) -> None:
    change = propose(seen_by(ledger, ALICE), "20.00")
    propose(seen_by(opened(store, Policy(), key="KEY2"), BOB), "30.00")
    assert [each.id for each in ledger.waiting(NOW)] == [change.id]


# --- caps and time -------------------------------------------------------------------------------


def test_a_persons_caps_count_what_they_asked_for_alone(ledger: Ledger) -> None:
    caps = {"max_payment": Decimal("150.00"), "max_per_day": Decimal("200.00")}
    change = propose(seen_by(ledger, BOB, **caps), "140.00")
    ledger.claim(change.id, NOW, decision(CAROL))
    ledger.record(change.id, State.SUCCEEDED, "Telnyx confirmed it.", {}, NOW)
    propose(seen_by(ledger, ALICE, **caps), "150.00")
    for amount in ("60.01", "150.01"):
        with pytest.raises(Blocked) as refusal:
            propose(seen_by(ledger, BOB, **caps), amount)
        assert isinstance(refusal.value.reason, OverOwnCap)
    propose(seen_by(ledger, BOB, **caps), "60.00")


def test_a_persons_daily_cap_holds_at_the_claim(ledger: Ledger) -> None:
    several = opened(ledger._store, Policy(one_question=False))
    alice = several.seen_by(Requester(ALICE, max_per_day=Decimal("200.00")))
    first, second = propose(alice, "110.00", "a"), propose(alice, "120.00", "b")
    assert several.claim(first.id, NOW, decision(BOB))
    with pytest.raises(Blocked) as refusal:
        several.claim(second.id, NOW, decision(BOB))
    assert isinstance(refusal.value.reason, OverOwnCap)


def test_a_proposal_waits_as_long_as_the_service_says(ledger: Ledger) -> None:
    change = propose(ledger.seen_by(Requester(ALICE, lifetime=timedelta(hours=24))))
    day = timedelta(hours=24)
    assert change.expires_at == NOW + day
    for late, state in ((LIFETIME * 2, State.PROPOSED), (day, State.EXPIRED)):
        after = ledger.get(change.id, NOW + late)
        assert after
        assert after.state is state
    assert ledger.claim(change.id, NOW + day, decision(BOB)) is None


# --- notices -------------------------------------------------------------------------------------


def test_an_outcome_is_announced_once(ledger: Ledger, store: Store) -> None:
    change = propose(seen_by(ledger, ALICE))
    ledger.claim(change.id, NOW, decision(BOB))
    for _ in range(2):
        ledger.record(change.id, State.SUCCEEDED, "Telnyx confirmed it.", {}, NOW)
    assert announced(store, change) == ["outcome", "proposed"]


def test_a_change_whose_sender_ended_is_announced_once(ledger: Ledger, store: Store) -> None:
    change = propose(seen_by(ledger, ALICE))
    ledger.claim(change.id, NOW, decision(BOB))
    ledger.announce_lost(NOW)
    assert announced(store, change) == ["proposed"]
    ledger.landed(change.id)
    for _ in range(2):
        ledger.announce_lost(NOW)
    assert announced(store, change) == ["proposed", "unknown"]


def test_an_unknown_outcome_that_comes_after_all_is_announced_once(
    ledger: Ledger, store: Store
) -> None:
    change = propose(seen_by(ledger, ALICE))
    ledger.claim(change.id, NOW, decision(BOB))
    ledger.landed(change.id)
    ledger.announce_lost(NOW)
    ledger.record(change.id, State.UNKNOWN, "No answer.", {}, NOW)
    assert announced(store, change) == ["proposed", "unknown"]


def test_nothing_is_announced_where_nobody_is_notified_or_nobody_signed_in(store: Store) -> None:
    silent = opened(store, Policy(one_question=False))
    change = propose(seen_by(silent, ALICE))
    silent.announces = True
    own = propose(silent, "20.00")
    assert announced(store, change) == announced(store, own) == []
