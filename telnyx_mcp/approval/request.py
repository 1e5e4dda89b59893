"""A requested change: the interface that each changing operation implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.question import Question

if TYPE_CHECKING:
    from telnyx_mcp.approval.accounts import Identity


@dataclass(frozen=True, slots=True)
class QuestionDraft:
    """A question, and the figures that it was written from."""

    question: Question
    basis: Mapping[str, Any] = field(default_factory=dict)
    at_once: Decimal | None = None
    """The largest sum that could be charged at once; None where nothing can be charged."""


class CannotCheck(Exception):
    """It could not be checked whether the question is still true. The text says why."""


class SendFailed(Exception):
    """A change that was not confirmed: `state` is `refused`, `not_sent` or `unknown`."""

    def __init__(self, state: State, outcome_text: str, evidence: Mapping[str, Any]) -> None:
        super().__init__(outcome_text)
        self.state = state
        self.evidence = evidence


class ChangeRequest(ABC):
    """A change that the user asks for. It is identified by `reference` if given, else by `arguments`, and
    can be built from a call or from a row of the ledger."""

    operation: ClassVar[str]
    arguments: Mapping[str, Any]
    reference: str | None = None
    amount: Decimal | None = None

    @property
    @abstractmethod
    def summary(self) -> str:
        """What it is, in a few words: "paying 120.00"."""

    @abstractmethod
    async def identity(self) -> Identity:
        """The user that Telnyx names for the account; empty if it names none."""

    @abstractmethod
    async def draft(self, payments: Sequence[Change]) -> QuestionDraft:
        """The question, written from the account's current figures. `payments` are those of the last 24
        hours in this ledger."""

    @abstractmethod
    async def void_reason(self, change: Change) -> str | None:
        """Why the question of the change is no longer true; None if it is. Raises `CannotCheck`."""

    @abstractmethod
    async def send(self) -> Mapping[str, Any]:
        """Sends it, once. Returns the evidence; raises `SendFailed`."""

    @abstractmethod
    async def evidence(self, change: Change) -> Mapping[str, Any]:
        """What can be read from Telnyx after the change was sent."""


RequestFactory = Callable[[str, Mapping[str, Any]], ChangeRequest]
"""Makes the request of an operation with these arguments."""
