"""A change by itself: until when it can be answered or used, what it could charge, and who approved it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from telnyx_mcp.approval.change import (
    MAY_HAVE_HAPPENED,
    PENDING,
    RECHARGE,
    REMEMBERED,
    WAITING,
    Signatory,
    State,
)
from tests.support.changes import change
from tests.support.clock import NOW
from tests.support.team import ISSUER

MINUTE, MOMENT = timedelta(minutes=1), timedelta(microseconds=1)
LATER = NOW + 3 * MINUTE
APPROVED: dict[str, Any] = {"state": State.APPROVED, "decided_at": LATER, "updated_at": LATER}


@pytest.mark.parametrize(
    ("told", "begins", "ends"),
    [
        ({}, NOW, NOW + 10 * MINUTE),
        ({"answer_by": NOW + 60 * MINUTE}, NOW, NOW + 60 * MINUTE),
        ({"updated_at": LATER}, NOW, NOW + 10 * MINUTE),
        (APPROVED, LATER, LATER + 10 * MINUTE),
        ({**APPROVED, "updated_at": NOW + 5 * MINUTE}, LATER, LATER + 10 * MINUTE),
        ({**APPROVED, "answer_by": NOW + 60 * MINUTE}, LATER, LATER + 10 * MINUTE),
        ({**APPROVED, "decided_at": None}, LATER, LATER + 10 * MINUTE),
    ],
)
def test_a_change_that_waits_expires_and_so_it_does_where_a_clock_was_set_back(
    told: dict[str, Any], begins: Any, ends: Any
) -> None:
    waiting = change(**told)
    assert waiting.expires_at == ends
    assert not waiting.is_expired(begins - MINUTE)
    assert not waiting.is_expired(ends - MOMENT)
    assert waiting.is_expired(begins - MINUTE - MOMENT)
    assert waiting.is_expired(ends)


@pytest.mark.parametrize("state", sorted(set(State) - WAITING))
def test_what_no_longer_waits_does_not_expire(state: State) -> None:
    assert not change(state=state).is_expired(NOW + timedelta(days=400))


@pytest.mark.parametrize(
    ("told", "until"),
    [({}, NOW + 10 * MINUTE), ({"answer_by": NOW + 60 * MINUTE}, NOW + 60 * MINUTE)],
)
def test_a_fresh_question_takes_the_place_of_one_that_could_still_be_answered(
    told: dict[str, Any], until: Any
) -> None:
    old = change(state=State.VOID, updated_at=LATER, **told)
    assert old.may_be_asked_again(until - MOMENT)
    assert not old.may_be_asked_again(until)


@pytest.mark.parametrize(
    ("told", "charge"),
    [
        ({}, "120.00"),
        ({"basis": {"at_once": "150.00"}}, "150.00"),
        ({"amount": None, "operation": RECHARGE}, None),
        ({"amount": None, "operation": RECHARGE, "basis": {"at_once": "0.00"}}, "0.00"),
        ({"amount": None, "operation": RECHARGE, "basis": {"at_once": 0.1}}, "0.1"),
    ],
)
def test_a_change_counts_as_the_largest_sum_that_it_could_charge_at_once(
    told: dict[str, Any], charge: str | None
) -> None:
    assert change(**told).charge == (None if charge is None else Decimal(charge))


def test_only_what_was_approved_names_the_channel_that_approved_it() -> None:
    named = {state: change(state=state, channel="browser").approved_by for state in State}
    assert {state for state, channel in named.items() if not channel} == {"proposed", "declined"}
    assert set(named.values()) == {"", "browser"}


def test_what_may_have_happened_counts_and_what_is_remembered_is_repeated() -> None:
    assert {"proposed", "approved"} == WAITING
    assert {"proposed", "approved", "sending"} == PENDING
    assert {"sending", "succeeded", "unknown"} == MAY_HAVE_HAPPENED
    assert {"succeeded", "unknown", "declined"} == REMEMBERED


def test_a_signatory_is_known_by_issuer_and_subject_and_called_by_their_name() -> None:
    ann = Signatory(ISSUER, "ann", "Ann")
    assert (ann.label, Signatory(ISSUER, "ann").label) == ("Ann", "ann")
    assert ann.is_same(Signatory(ISSUER, "ann", "Another name"))
    for other in (None, Signatory(ISSUER, "bob", "Ann"), Signatory(f"{ISSUER}/2", "ann", "Ann")):
        assert not ann.is_same(other)
