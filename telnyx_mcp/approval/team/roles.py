"""Roles: what people may read, propose and approve. A person without a role may do nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.approval.team.requester import approvers_needed
from telnyx_mcp.config.typed_values import typed_amount

_NOTHING = Decimal("0.00")


def _amount(value: object) -> object:
    """TOML's own numbers are binary fractions: 0.1 is not 0.10."""
    if isinstance(value, bool | float):
        raise ValueError('must be written in quotes, such as "500.00"')
    return typed_amount(value) if isinstance(value, str) else value


Amount = Annotated[Decimal, BeforeValidator(_amount), Field(ge=0, decimal_places=2)]


class Role(BaseModel):
    """What its members may do. Amounts are in the account's currency."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    groups: tuple[str, ...] = ()
    """Members: everybody whom the identity provider lists in one of these groups."""
    people: tuple[str, ...] = ()
    """Members by their subject (`sub`), people and programs."""
    read: bool = True
    """Whether members may read the account."""
    propose: bool = False
    """Whether members may propose changes."""
    max_payment: Amount | None = None
    """The most that a member's one payment may be. None: the cap of the account."""
    max_per_day: Amount | None = None
    """The most that a member's payments of 24 hours may be. None: the cap of the account."""
    approve_up_to: Amount = _NOTHING
    """The largest amount whose payment by somebody else a member may approve."""
    self_approve_up_to: Amount = _NOTHING
    """The largest amount that a member may approve for themselves."""

    def has(self, person: Person) -> bool:
        """Whether the person is a member."""
        return person.subject in self.people or not person.groups.isdisjoint(self.groups)


class Permissions(BaseModel):
    """What one person may do: the most that any of their roles allows."""

    model_config = ConfigDict(frozen=True)

    roles: tuple[str, ...] = ()
    """The names of their roles."""
    read: bool = False
    propose: bool = False
    max_payment: Decimal | None = None
    max_per_day: Decimal | None = None
    approve_up_to: Decimal = _NOTHING
    self_approve_up_to: Decimal = _NOTHING

    @property
    def approves(self) -> bool:
        """Whether they may approve anything that somebody else proposed."""
        return self.approve_up_to > 0


class Roles(BaseModel):
    """All roles, and the amount above which two people approve."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: Mapping[str, Role] = Field(default_factory=dict)
    two_approvers_above: Amount | None = None
    """Payments above it need the approval of two people. None: one approver is always enough."""

    def permissions_of(self, person: Person) -> Permissions:
        """What this person may do; nothing for one without a role."""
        held = {name: role for name, role in self.roles.items() if role.has(person)}
        proposing = [role for role in held.values() if role.propose]
        return Permissions(
            roles=tuple(sorted(held)),
            read=any(role.read for role in held.values()),
            propose=bool(proposing),
            max_payment=_most([role.max_payment for role in proposing]),
            max_per_day=_most([role.max_per_day for role in proposing]),
            approve_up_to=max((role.approve_up_to for role in held.values()), default=_NOTHING),
            self_approve_up_to=max(
                (role.self_approve_up_to for role in proposing), default=_NOTHING
            ),
        )

    def approvers_needed(self, amount: Decimal | None) -> int:
        """How many people have to approve a change of this amount."""
        return approvers_needed(amount, self.two_approvers_above)

    def who_reads(self) -> str:
        """The roles that may read, for the texts that name who can."""
        return _named(name for name, role in self.roles.items() if role.read)

    def who_proposes(self) -> str:
        """The roles that may propose changes."""
        return _named(name for name, role in self.roles.items() if role.propose)

    def who_approves(self, amount: Decimal | None) -> str:
        """The roles that may approve a change of this amount."""
        least = amount or Decimal("0.01")
        return _named(name for name, role in self.roles.items() if role.approve_up_to >= least)


def _most(caps: Sequence[Decimal | None]) -> Decimal | None:
    """The largest of the caps; None if one role has none."""
    return None if None in caps else max((cap for cap in caps if cap is not None), default=None)


def _named(names: Iterator[str]) -> str:
    return ", ".join(sorted(names)) or "nobody"
