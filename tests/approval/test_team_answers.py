"""A requester whose role allows it approves in their own client; an answer counts for nothing more."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from mcp_types import ElicitResult, InputRequiredResult

from telnyx_mcp.approval.change import State
from telnyx_mcp.approval.channels import AskOutcome
from telnyx_mcp.approval.gate import Outcome
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.approval.team.person import Person
from tests.support.team import ALICE, CAROL, Call, Team, person

TYPES = ElicitResult(action="accept", content={"amount": "20.00"})
DECLINES = ElicitResult(action="decline")
CANCELS = ElicitResult(action="cancel")
MISTYPES = ElicitResult(action="accept", content={"amount": "2.00"})


@pytest.mark.parametrize(
    ("answer", "state", "asked"),
    [
        (TYPES, State.SUCCEEDED, AskOutcome.APPROVED),
        (DECLINES, State.DECLINED, AskOutcome.DECLINED),
        (CANCELS, State.PROPOSED, AskOutcome.CANCELLED),
        (MISTYPES, State.PROPOSED, AskOutcome.MISTYPED),
    ],
    ids=["typed", "declined", "cancelled", "mistyped"],
)
async def test_a_requester_whose_role_allows_it_answers_in_their_client(
    team: Team, answer: ElicitResult, state: State, asked: AskOutcome
) -> None:
    outcome = await team.answers(ALICE, answer)
    assert (outcome.change.state, outcome.ask_outcome) == (state, asked)
    assert len(team.sent) == (state is State.SUCCEEDED)
    if state is not State.PROPOSED:
        assert outcome.change.decider == outcome.change.requester
        assert (outcome.change.channel, outcome.change.decided_by) == ("elicitation", "Alice")


async def test_a_question_that_was_closed_makes_room_for_another_and_a_mistyped_one_does_not(
    team: Team,
) -> None:
    await team.answers(ALICE, MISTYPES)
    with pytest.raises(NotAllowed, match="one open question at a time"):
        await team.calls(ALICE, "30.00")
    await team.answers(ALICE, CANCELS)
    await team.proposes(ALICE, "30.00", reference="invoice 7")


async def test_a_client_of_an_earlier_revision_is_not_asked(team: Team) -> None:
    call = Call(asks=True)
    call.protocol_version = "2025-11-25"
    outcome = await team.calls(ALICE, call=call)
    assert isinstance(outcome, Outcome)
    assert outcome.ask_outcome is AskOutcome.IN_TEAM


async def test_an_answer_counts_however_long_the_client_took(team: Team) -> None:
    asked = await team.calls(ALICE, call=Call(asks=True))
    assert isinstance(asked, InputRequiredResult)
    team.clock.passes(minutes=5)
    call = Call(asks=True, state=asked.request_state, answer=TYPES)
    outcome = await team.calls(ALICE, call=call)
    assert isinstance(outcome, Outcome)
    assert outcome.change.state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("named", "client_id", "via"),
    [
        (None, "client-1", "client-1"),
        (("claude", "1.2"), "client-1", "claude 1.2 (client-1)"),
        (("claude", "1.2"), "a\nb", "claude 1.2 (a b)"),
    ],
)
async def test_a_change_names_the_client_and_the_id_of_its_token(
    team: Team, named: tuple[str, str] | None, client_id: str, via: str
) -> None:
    call = Call()
    if named:
        name, version = named
        info = SimpleNamespace(name=name, version=version)
        call.session = SimpleNamespace(client_params=SimpleNamespace(client_info=info))
    outcome = await team.calls(person("alice", "buyer", client_id=client_id), call=call)
    assert isinstance(outcome, Outcome)
    assert outcome.change.requested_via == via


@pytest.mark.parametrize(
    ("who", "amount"), [(CAROL, "20.00"), (ALICE, "50.01")], ids=["no role", "too much"]
)
async def test_a_requester_whose_role_does_not_allow_it_is_not_asked(
    team: Team, who: Person, amount: str
) -> None:
    outcome = await team.calls(who, amount, Call(asks=True))
    assert isinstance(outcome, Outcome)
    assert outcome.ask_outcome is AskOutcome.IN_TEAM


async def test_an_answer_that_comes_after_the_role_was_taken_away_sends_nothing(team: Team) -> None:
    asked = await team.calls(ALICE, call=Call(asks=True))
    assert isinstance(asked, InputRequiredResult)
    call = Call(asks=True, state=asked.request_state, answer=TYPES)
    outcome = await team.calls(person("alice", "buyer"), call=call)
    assert isinstance(outcome, Outcome)
    assert (outcome.change.state, outcome.ask_outcome) == (State.PROPOSED, AskOutcome.IN_TEAM)
    assert team.sent == []


async def test_a_decline_that_comes_after_the_role_was_taken_away_counts(team: Team) -> None:
    asked = await team.calls(ALICE, call=Call(asks=True))
    assert isinstance(asked, InputRequiredResult)
    call = Call(asks=True, state=asked.request_state, answer=DECLINES)
    outcome = await team.calls(person("alice", "buyer"), call=call)
    assert isinstance(outcome, Outcome)
    assert outcome.change.state is State.DECLINED


async def test_an_answer_to_another_persons_question_is_refused(team: Team) -> None:
    asked = await team.calls(ALICE, call=Call(asks=True))
    assert isinstance(asked, InputRequiredResult)
    call = Call(asks=True, state=asked.request_state, answer=TYPES)
    with pytest.raises(NotAllowed, match="belongs to another change"):
        await team.calls(person("oscar", "owner"), call=call)
    assert team.sent == []


async def test_a_client_that_did_not_answer_in_time_leaves_it_to_others(team: Team) -> None:
    await team.calls(ALICE, call=Call(asks=True))
    team.clock.passes(seconds=46)
    outcome = await team.calls(ALICE, call=Call(asks=True))
    assert isinstance(outcome, Outcome)
    assert outcome.ask_outcome is AskOutcome.IN_TEAM
