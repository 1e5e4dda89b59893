"""The gate of a team: people propose from their assistants, and others approve on the pages."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import anyio.lowlevel
import pytest
import sqlalchemy as sa

from telnyx_mcp.approval.change import Change, Signatory, State
from telnyx_mcp.approval.channels import AskOutcome
from telnyx_mcp.approval.gate import Outcome
from telnyx_mcp.approval.ledger import Decision
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.approval.team.gate import PAGE, NotPermitted, signatory_of
from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.approval.team.requester import MAX_PAYMENT, MAX_PER_DAY
from telnyx_mcp.approval.team.roles import Role
from telnyx_mcp.storage.schema import notices
from telnyx_mcp.storage.store import Store
from tests.support.ledgers import sqlite
from tests.support.team import (
    ADDRESS,
    ALICE,
    BOB,
    CAROL,
    DAN,
    ISSUER,
    LEO,
    ROBOT,
    Call,
    Team,
    person,
    roles,
)


async def refused(work: Any) -> str:
    with pytest.raises(NotPermitted) as refusal:
        await work
    return str(refusal.value)


# --- on the pages --------------------------------------------------------------------------------


async def test_who_approves_sends_at_once(team: Team) -> None:
    change = await team.proposes(ALICE)
    after = await team.gate.approve(change.id, BOB)
    assert after.state is State.SUCCEEDED
    assert after.requester == change.requester
    assert after.requested_via == "client-1"
    assert after.decider
    assert (after.decider.subject, after.channel) == ("bob", "page")
    assert team.sent == [{"amount": "20.00"}]
    assert (await team.gate.approve(change.id, BOB)).state is State.SUCCEEDED
    assert len(team.sent) == 1


@pytest.mark.parametrize(
    ("who", "amount", "why"),
    [
        (
            person("alice", "buyer", "treasurer"),
            "20.00",
            "You asked for it, so somebody else has to approve it. Roles that may: lead, treasurer.",
        ),
        (
            DAN,
            "120.00",
            "None of your roles approves changes. Roles that approve this one: treasurer.",
        ),
        (
            LEO,
            "120.00",
            "Your roles approve up to 100.00, and this could charge 120.00. Roles that approve it: "
            "treasurer.",
        ),
    ],
    ids=["requester", "reader", "small limit"],
)
async def test_who_may_not_approve_is_told_who_can(
    team: Team, who: Person, amount: str, why: str
) -> None:
    change = await team.proposes(ALICE, amount)
    assert team.gate.why_not(change, who) == why
    assert await refused(team.gate.approve(change.id, who)) == why
    assert team.sent == []


async def test_the_requester_approves_within_what_their_role_allows(team: Team) -> None:
    change = await team.proposes(ALICE, "50.00")
    assert team.gate.why_not(change, ALICE) is None
    after = await team.gate.approve(change.id, ALICE)
    assert (after.state, after.decider) == (State.SUCCEEDED, after.requester)
    change = await team.proposes(ALICE, "50.01")
    await refused(team.gate.approve(change.id, ALICE))


async def test_an_approver_approves_as_much_as_their_role_says(team: Team) -> None:
    change = await team.proposes(ALICE, "100.00")
    assert (await team.gate.approve(change.id, LEO)).state is State.SUCCEEDED


async def test_what_is_decided_is_shown_as_it_is_to_whoever_comes_later(team: Team) -> None:
    change = await team.proposes(ALICE)
    await team.gate.approve(change.id, BOB)
    for decide in (team.gate.approve, team.gate.decline, team.gate.withdraw):
        assert (await decide(change.id, LEO)).state is State.SUCCEEDED
    assert (await team.gate.approve(change.id, DAN)).state is State.SUCCEEDED
    assert (await team.gate.withdraw(change.id, DAN)).state is State.SUCCEEDED
    late = await team.gate.resolve(change.id, DAN, happened=False, note="")
    assert (late.state, late.note) == (State.SUCCEEDED, "")


async def test_of_two_who_decide_at_once_the_second_sees_what_the_first_decided(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = await team.proposes(ALICE)
    claim, resolve = team.ledger.claim, team.ledger.resolve

    def claimed_by_another(id: str, now: datetime, *_: Any) -> Change | None:
        claim(id, now, Decision(PAGE, "Carol", signatory_of(CAROL)))
        team.ledger.record(id, State.UNKNOWN, "No answer came.", {}, now)
        return claim(id, now, Decision(PAGE, "Bob", signatory_of(BOB)))

    monkeypatch.setattr(team.ledger, "claim", claimed_by_another)
    after = await team.gate.approve(change.id, BOB)
    assert (after.state, after.decided_by) == (State.UNKNOWN, "Carol")

    def resolved_by_another(id: str, **more: Any) -> Change | None:
        resolve(id, **{**more, "by": "Carol"})
        return resolve(id, **more)

    monkeypatch.setattr(team.ledger, "resolve", resolved_by_another)
    after = await team.gate.resolve(change.id, BOB, happened=True, note="the portal")
    assert (after.state, after.evidence["resolved_by"]) == (State.SUCCEEDED, "Carol")


async def test_two_people_approve_a_large_amount_and_one_can_take_it_back(team: Team) -> None:
    change = await team.proposes(ALICE, "210.00")
    first = await team.gate.approve(change.id, BOB)
    assert (first.state, len(first.approvals)) == (State.PROPOSED, 1)
    assert await refused(team.gate.approve(change.id, BOB)) == (
        "You approved it at 12:00 UTC. It needs the approval of another person."
    )
    assert (await team.gate.withdraw(change.id, BOB)).approvals == ()
    assert (await team.gate.approve(change.id, CAROL)).state is State.PROPOSED
    assert (await team.gate.approve(change.id, BOB)).state is State.SUCCEEDED
    assert len(team.sent) == 1


async def test_what_two_people_approve_is_not_approved_by_its_requester(team: Team) -> None:
    team.roles = roles("10.00")
    change = await team.proposes(ALICE)
    why = "You asked for it, so somebody else has to approve it. Roles that may: lead, treasurer."
    assert team.gate.why_not(change, ALICE) == why
    asked = await team.calls(ALICE, call=Call(asks=True))
    assert isinstance(asked, Outcome)
    assert asked.ask_outcome is AskOutcome.IN_TEAM


@pytest.mark.parametrize(("limit", "may"), [("0.00", False), ("0.50", True), ("0.49", False)])
async def test_a_role_that_approves_its_own_may_be_worth_little(
    team: Team, limit: str, *, may: bool
) -> None:
    small = Role(groups=("small",), propose=True, self_approve_up_to=Decimal(limit))
    team.roles = roles(small=small)
    ann = person("ann", "small")
    change = await team.proposes(ann, "0.50")
    assert (team.gate.why_not(change, ann) is None) is may


async def test_roles_count_as_they_are_at_the_decision(team: Team) -> None:
    change = await team.proposes(ALICE, "120.00")
    await refused(team.gate.approve(change.id, person("bob", "reader")))
    team.roles = roles(treasurer=roles().roles["reader"])
    await refused(team.gate.approve(change.id, BOB))
    team.roles = roles()
    assert (await team.gate.approve(change.id, BOB)).state is State.SUCCEEDED


async def test_a_question_that_is_no_longer_true_gets_a_fresh_one_of_the_same_requester(
    team: Team,
) -> None:
    team.roles = roles("200.00")
    buyer = person("alice", "buyer")
    old = await team.proposes(buyer, "210.00")
    await team.gate.approve(old.id, BOB)
    team.moved.add(old.id)
    team.clock.passes(hours=2)
    fresh = await team.gate.approve(old.id, CAROL)
    assert (fresh.state, fresh.requester) == (State.PROPOSED, old.requester)
    assert fresh.id != old.id
    assert (fresh.approvers_needed, fresh.approvals) == (2, ())
    assert fresh.expires_at == team.clock() + timedelta(hours=24)
    assert (fresh.basis[MAX_PAYMENT], fresh.basis[MAX_PER_DAY]) == ("300.00", "400.00")
    assert team.sent == []
    assert (await team.gate.check(old.id)).id == fresh.id


async def test_a_decline_counts_while_nothing_can_be_checked(team: Team) -> None:
    change = await team.proposes(ALICE)
    team.telnyx_is_away = True
    assert (await team.gate.decline(change.id, BOB)).state is State.DECLINED


async def test_a_decline_counts_while_a_payment_is_unknown(team: Team) -> None:
    one = await team.proposes(ALICE)
    other = await team.proposes(CAROL, "30.00")
    team.end = State.UNKNOWN
    assert (await team.gate.approve(one.id, BOB)).state is State.UNKNOWN
    assert (await team.gate.decline(other.id, BOB)).state is State.DECLINED


async def test_who_asked_or_may_approve_declines_and_a_reader_does_not(team: Team) -> None:
    change = await team.proposes(ALICE, "120.00")
    why = await refused(team.gate.decline(change.id, DAN))
    assert why == (
        "Only the person who asked for it, or somebody who may approve changes, declines it. Roles "
        "that may: lead, treasurer."
    )
    declined = await team.gate.decline(change.id, LEO)
    assert (declined.state, declined.decider) == (State.DECLINED, signatory_of(LEO))
    assert (await team.gate.decline(change.id, BOB)).decided_by == "Leo"


async def test_a_requester_withdraws_their_proposal_and_others_do_not(team: Team) -> None:
    change = await team.proposes(ALICE)
    why = await refused(team.gate.withdraw(change.id, BOB))
    assert why == "You have not approved it, so there is nothing to withdraw."
    assert (await team.gate.withdraw(change.id, ALICE)).state is State.DECLINED
    assert (await team.gate.withdraw(change.id, ALICE)).state is State.DECLINED


async def test_a_question_that_is_no_longer_true_is_withdrawn_by_its_requester_alone(
    team: Team,
) -> None:
    change = await team.proposes(ALICE)
    team.ledger.void(change.id, "The balance moved.", team.clock())
    await refused(team.gate.withdraw(change.id, BOB))
    assert (await team.gate.withdraw(change.id, ALICE)).state is State.DECLINED


@pytest.mark.parametrize("happened", [True, False])
async def test_who_may_approve_a_change_says_what_became_of_it(team: Team, happened: bool) -> None:
    change = await team.proposes(ALICE, "120.00")
    team.end = State.UNKNOWN
    await team.gate.approve(change.id, BOB)
    for who in (ALICE, DAN, LEO):
        why = await refused(team.gate.resolve(change.id, who, happened=happened, note=""))
        assert why == (
            "Only somebody who may approve it says whether it happened. Roles that may: treasurer."
        )
    after = await team.gate.resolve(change.id, CAROL, happened=happened, note="the portal")
    assert after.state is (State.SUCCEEDED if happened else State.REFUSED)
    assert after.note == "the portal"
    assert after.evidence == {"resolved_via": "page", "resolved_by": "Carol"}


async def test_what_its_sender_left_unfinished_is_announced(team: Team) -> None:
    team.ledger.announces = True
    change = await team.proposes(ALICE)
    team.ledger.claim(change.id, team.clock(), Decision(PAGE, "Bob", signatory_of(BOB)))
    team.ledger.landed(change.id)
    await team.gate.announce_lost()
    with team.store.read() as connection:
        kinds = connection.execute(sa.select(notices.c.kind)).scalars().all()
    assert sorted(kinds) == ["proposed", "unknown"]


def test_a_name_is_kept_in_one_line() -> None:
    assert signatory_of(Person(ISSUER, "ann", "Ann\nApproved by: Bob")) == Signatory(
        ISSUER, "ann", "Ann Approved by: Bob"
    )


async def test_what_waits_comes_first_and_the_newest_of_the_rest_after_it(team: Team) -> None:
    done = await team.proposes(ALICE)
    await team.gate.approve(done.id, BOB)
    team.clock.passes(minutes=1)
    first = await team.proposes(ALICE, "30.00")
    team.clock.passes(minutes=1)
    second = await team.proposes(CAROL, "40.00")
    assert [each.id for each in await team.gate.changes(9)] == [first.id, second.id, done.id]
    assert [each.id for each in await team.gate.changes(1)] == [first.id]


# --- from an assistant ---------------------------------------------------------------------------


async def test_a_call_waits_for_the_approval_and_tells_the_outcome(team: Team) -> None:
    waiting = Team(team.store, wait=60)

    async def approve() -> None:
        change = (await waiting.gate.changes(1))[0]
        await waiting.gate.approve(change.id, BOB)

    waiting.after_sleeps = [anyio.lowlevel.checkpoint, approve]
    call = Call()
    outcome = await waiting.calls(ALICE, call=call)
    assert isinstance(outcome, Outcome)
    assert outcome.change.state is State.SUCCEEDED
    assert call.reported == ["Waiting for somebody to approve it"]
    assert waiting.after_sleeps == []


async def test_another_persons_call_is_told_who_asked_and_where_it_waits(team: Team) -> None:
    change = await team.proposes(ALICE)
    with pytest.raises(NotAllowed) as refusal:
        await team.calls(CAROL)
    assert "Alice proposed the same at 2026-06-15 12:00 UTC" in str(refusal.value)
    assert f"{ADDRESS}/changes/{change.id}" in str(refusal.value)
    assert await team.proposes(ALICE) == change


async def test_a_question_names_what_others_wait_for(team: Team) -> None:
    await team.proposes(ALICE)
    await team.proposes(CAROL, "30.00", reference="invoice 7")
    notes = (await team.gate.changes(2))[1].question.notes
    assert notes == (
        "Alice asked at 2026-06-15 12:00 UTC to pay 20.00, which waits for approval too.",
    )


async def test_who_may_not_propose_is_told_who_can(team: Team) -> None:
    for who in (DAN, BOB, person("eve")):
        why = await refused(team.calls(who))
        assert why == (
            "Nothing was proposed: none of this user's roles may propose changes. Roles that may: "
            "buyer, lead, owner."
        )


async def test_a_program_proposes_within_its_role_and_a_person_approves(team: Team) -> None:
    change = await team.proposes(ROBOT, "120.00")
    await refused(team.gate.approve(change.id, ROBOT))
    assert (await team.gate.approve(change.id, BOB)).state is State.SUCCEEDED
    with pytest.raises(NotAllowed, match=r"roles allow for one payment: 300\.00"):
        await team.calls(ROBOT, "300.01")


async def test_the_account_is_identified_once(team: Team) -> None:
    with sqlite() as url, closing(Store(url)) as store:
        fresh = Team(store)
        fresh.ledger._identified.clear()
        await fresh.proposes(ALICE)
        await fresh.proposes(CAROL, "30.00")
        assert fresh.identified == 1


async def test_the_largest_sum_that_auto_recharge_charges_at_once_counts(team: Team) -> None:
    change = await team.proposes_setting(ALICE, recharge_amount="210.00")
    assert (change.charge, change.approvers_needed) == (Decimal("210.00"), 2)
    assert "this could charge 210.00" in await refused(team.gate.approve(change.id, LEO))
    await team.gate.approve(change.id, BOB)
    assert (await team.gate.approve(change.id, CAROL)).state is State.SUCCEEDED
    with pytest.raises(NotAllowed, match=r"300\.00"):
        await team.proposes_setting(ROBOT, recharge_amount="300.01")


async def test_a_setting_that_charges_nothing_takes_an_approver_or_a_role_that_approves_its_own(
    team: Team,
) -> None:
    change = await team.proposes_setting(CAROL, enabled=False)
    assert change.charge is None
    assert "somebody else has to approve it" in await refused(team.gate.approve(change.id, CAROL))
    assert (await team.gate.approve(change.id, LEO)).state is State.SUCCEEDED
    own = await team.proposes_setting(ALICE, enabled=True)
    assert (await team.gate.approve(own.id, ALICE)).state is State.SUCCEEDED
