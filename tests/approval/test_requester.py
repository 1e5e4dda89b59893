"""What a requester's roles allow, as it is written to the ledger with what they ask for."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from telnyx_mcp.approval.change import Signatory
from telnyx_mcp.approval.reasons import OverOwnCap
from telnyx_mcp.approval.team.requester import Requester
from telnyx_mcp.storage.schema import ticks
from tests.support.changes import change
from tests.support.clock import NOW
from tests.support.team import ISSUER

D = Decimal
ALICE = Signatory(ISSUER, "alice", "Alice")
BOTH = {"requester_max_payment": "100.00", "requester_max_per_day": "200.00"}


@pytest.mark.parametrize(
    ("amount", "paid", "refusal"),
    [
        ("100.00", "100.00", None),
        ("100.01", "0.00", OverOwnCap(D("100.01"), D("100.00"), "one payment", D(0))),
        ("100.00", "100.01", OverOwnCap(D("100.00"), D("200.00"), "24 hours", D("100.01"))),
        ("100.01", "200.00", OverOwnCap(D("100.01"), D("100.00"), "one payment", D(0))),
    ],
)
def test_a_cap_may_be_reached_and_the_first_that_would_be_exceeded_is_named(
    amount: str, paid: str, refusal: OverOwnCap | None
) -> None:
    both = Requester(ALICE, D("100.00"), D("200.00"))
    assert both.refusal(D(amount), D(paid)) == refusal
    assert Requester(ALICE).refusal(D(amount), D(paid)) is None


@pytest.mark.parametrize(
    ("caps", "basis"),
    [
        ((D("100.00"), D("200.00")), BOTH),
        ((None, D("200.00")), {"requester_max_per_day": "200.00"}),
        ((D("0.00"), None), {"requester_max_payment": "0.00"}),
        ((None, None), {}),
    ],
)
def test_the_caps_are_kept_with_the_change_under_the_names_that_ledgers_have(
    caps: tuple[Decimal | None, Decimal | None], basis: dict[str, Any]
) -> None:
    asking = Requester(ALICE, *caps)
    assert asking.basis == basis
    again = Requester.of(change(requester=ALICE, basis=basis), timedelta(hours=1), D("5.00"))
    assert again == Requester(ALICE, *caps, timedelta(hours=1), D("5.00"))


def test_a_change_that_nobody_who_signed_in_asked_for_has_no_requester() -> None:
    assert Requester.of(change(basis=BOTH)) is None


@pytest.mark.parametrize(
    ("above", "charge", "needed"),
    [
        (None, "900.00", 1),
        ("100.00", None, 1),
        ("100.00", "100.00", 1),
        ("100.00", "100.01", 2),
        ("0.00", "0.01", 2),
    ],
)
def test_a_row_says_who_asked_how_many_approve_and_until_when(
    above: str | None, charge: str | None, needed: int
) -> None:
    asking = Requester(
        ALICE, lifetime=timedelta(hours=3), two_approvers_above=D(above) if above else None
    )
    assert asking.columns(D(charge) if charge else None, NOW) == {
        "requester_issuer": ISSUER,
        "requester_subject": "alice",
        "requester_name": "Alice",
        "approvers_needed": needed,
        "expires_at": ticks(NOW + timedelta(hours=3)),
    }
