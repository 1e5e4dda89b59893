"""Roles: a person may do what any of their roles allows, and nothing without one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.approval.team.roles import Permissions, Role, Roles
from tests.support.team import ISSUER, person, roles

D = Decimal


def test_nobody_may_do_anything_without_a_role() -> None:
    assert roles().permissions_of(person("eve", "guests")) == Permissions()
    assert not Permissions().approves


def test_a_person_may_do_what_any_of_their_roles_allows() -> None:
    held = roles().permissions_of(person("bob", "lead", "treasurer", "reader"))
    assert held.roles == ("lead", "reader", "treasurer")
    assert (held.read, held.propose, held.approves) == (True, True, True)
    assert held.approve_up_to == D("500.00")


@pytest.mark.parametrize(
    ("groups", "caps"),
    [
        (("buyer",), (D("300.00"), D("400.00"))),
        (("buyer", "small"), (D("300.00"), D("400.00"))),
        (("buyer", "owner"), (None, None)),
        (("buyer", "reader"), (D("300.00"), D("400.00"))),
        (("small", "treasurer"), (D("20.00"), D("30.00"))),
    ],
)
def test_the_largest_cap_of_the_roles_that_propose_counts(
    groups: tuple[str, ...], caps: tuple[Decimal | None, ...]
) -> None:
    small = Role(groups=("small",), propose=True, max_payment=D("20.00"), max_per_day=D("30.00"))
    held = roles(small=small).permissions_of(person("alice", *groups))
    assert (held.max_payment, held.max_per_day) == caps


def test_approving_for_oneself_takes_a_role_that_proposes() -> None:
    own = Role(groups=("own",), self_approve_up_to=D("90.00"))
    assert roles(own=own).permissions_of(person("eve", "own")).self_approve_up_to == 0
    assert roles(own=own).permissions_of(person("eve", "own", "buyer")).self_approve_up_to == 0
    both = roles(own=own).permissions_of(person("eve", "own", "owner"))
    assert both.self_approve_up_to == D("50.00")


@pytest.mark.parametrize(
    ("who", "is_member"),
    [
        (Person(ISSUER, "deploy-bot"), True),
        (Person(ISSUER, "eve", "deploy-bot"), False),
        (Person(ISSUER, "eve", groups=frozenset({"deploy-bot"})), False),
        (Person(ISSUER, "eve", groups=frozenset({"ops", "all"})), True),
        (Person(ISSUER, "ops"), False),
        (Person(ISSUER, "Deploy-Bot"), False),
    ],
)
def test_members_are_named_by_subject_or_by_group(who: Person, is_member: bool) -> None:
    assert Role(groups=("ops",), people=("deploy-bot",)).has(who) is is_member


@pytest.mark.parametrize(
    ("issuer", "subject", "is_same"),
    [
        (ISSUER, "alice", True),
        (ISSUER, "bob", False),
        ("https://other.example.com", "alice", False),
        (None, None, False),
    ],
)
def test_a_person_is_known_by_issuer_and_subject_and_called_by_their_name(
    issuer: str | None, subject: str | None, *, is_same: bool
) -> None:
    assert Person(ISSUER, "alice", "Alice").is_same(issuer, subject) is is_same
    assert Person(ISSUER, "alice", "Alice").label == "Alice"
    assert Person(ISSUER, "alice").label == "alice"


@pytest.mark.parametrize(
    "amount",
    [0.1, 500.0, True, -1, "-1", "1.005", "1.000", "5e2", "NaN", "inf", "a lot", [], {}],
)
@pytest.mark.parametrize("name", ["max_payment", "approve_up_to", "self_approve_up_to"])
def test_what_is_no_amount_in_quotes_is_refused(name: str, amount: Any) -> None:
    with pytest.raises(ValidationError):
        Role.model_validate({name: amount})


@pytest.mark.parametrize(
    ("typed", "amount"), [(500, "500"), ("500", "500"), ("$500", "500"), ("1,000.00", "1000.00")]
)
def test_an_amount_is_understood_as_in_the_settings(typed: Any, amount: str) -> None:
    assert Role.model_validate({"approve_up_to": typed}).approve_up_to == D(amount)


def test_who_approves_the_smallest_amount_approves() -> None:
    small = Role(groups=("small",), approve_up_to=D("0.01"))
    assert roles(small=small).permissions_of(person("sam", "small")).approves


def test_an_amount_without_quotes_is_refused_in_words() -> None:
    for made in ({"max_payment": 500.5}, {"approve_up_to": True}):
        with pytest.raises(ValidationError) as refusal:
            Role.model_validate(made)
        (problem,) = refusal.value.errors()
        assert problem["msg"] == 'Value error, must be written in quotes, such as "500.00"'
    with pytest.raises(ValidationError, match="quotes"):
        Roles.model_validate({"two_approvers_above": 200.5})
    with pytest.raises(ValidationError, match="approve_upto"):
        Role.model_validate({"approve_upto": "5.00"})
    with pytest.raises(ValidationError, match="two_approvers_over"):
        Roles.model_validate({"two_approvers_over": "5.00"})


@pytest.mark.parametrize(
    ("amount", "who"),
    [
        (None, "lead, treasurer"),
        (D("0.00"), "lead, treasurer"),
        (D("100.00"), "lead, treasurer"),
        (D("100.01"), "treasurer"),
        (D("500.01"), "nobody"),
    ],
)
def test_who_approves_an_amount_is_named(amount: Decimal | None, who: str) -> None:
    assert roles().who_approves(amount) == who


def test_who_reads_and_who_proposes_is_named() -> None:
    assert roles().who_proposes() == "buyer, lead, owner"
    blind = Role(read=False, propose=True)
    assert roles(blind=blind).who_reads() == "buyer, lead, owner, reader, treasurer"
    assert Roles().who_reads() == Roles().who_proposes() == "nobody"


@pytest.mark.parametrize(
    ("above", "amount", "needed"),
    [
        ("200.00", D("200.00"), 1),
        ("200.00", D("200.01"), 2),
        ("200.00", None, 1),
        ("0.00", D("0.01"), 2),
        (None, D("10000.00"), 1),
    ],
)
def test_two_people_approve_above_the_limit(
    above: str | None, amount: Decimal | None, needed: int
) -> None:
    assert roles(above).approvers_needed(amount) == needed


Amounts = st.decimals(0, 1000, places=2)
MadeRoles = st.builds(
    Role,
    groups=st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
    people=st.sampled_from([(), ("alice",)]),
    read=st.booleans(),
    propose=st.booleans(),
    max_payment=st.none() | Amounts,
    max_per_day=st.none() | Amounts,
    approve_up_to=Amounts,
    self_approve_up_to=Amounts,
)


@given(
    made=st.dictionaries(st.sampled_from("uvwxyz"), MadeRoles, max_size=4),
    more=MadeRoles,
    groups=st.frozensets(st.sampled_from("abc")),
)
def test_another_role_takes_nothing_away(
    made: dict[str, Role], more: Role, groups: frozenset[str]
) -> None:
    alice = Person(ISSUER, "alice", groups=groups)
    before = Roles(roles=made).permissions_of(alice)
    after = Roles(roles={**made, "more": more}).permissions_of(alice)
    assert set(before.roles) <= set(after.roles)
    for flag in ("read", "propose", "approves"):
        assert getattr(after, flag) >= getattr(before, flag)
    for limit in ("approve_up_to", "self_approve_up_to"):
        assert getattr(after, limit) >= getattr(before, limit)
    for cap in ("max_payment", "max_per_day"):
        mine, now = getattr(before, cap), getattr(after, cap)
        assert not before.propose or now is None or (mine is not None and now >= mine)
