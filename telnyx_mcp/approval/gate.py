"""The one way to change something: propose -> ask -> claim -> act once -> record.

The gate owns the identity of a change. Calling again with the same arguments resumes what is
pending, or tells what came of it within `LIFETIME`, instead of asking or acting again. A change is
recorded as `sending` before it is sent, by the one caller that wins the claim; what then goes wrong
without a certain answer is `unknown`, and never tried again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import anyio
from mcp.server.mcpserver import Context
from mcp_types import InputRequiredResult

from telnyx_mcp.approval.channels import Reply, client
from telnyx_mcp.approval.ledger import LIFETIME, REMEMBERED, Change, Ledger, State

Ask = Callable[[Change, Context[Any, Any]], Awaitable[Reply | InputRequiredResult]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the model asks for. `arguments` alone identify it, or `reference` where there is one."""

    operation: str
    arguments: Mapping[str, Any]
    summary: str
    """What it is, in a few words: "paying 120.00"."""
    question: Callable[[], Awaitable[str]]
    """Writes the question for the person; asked for once per proposal."""
    send: Callable[[], Awaitable[Mapping[str, Any]]]
    """Does it, once. Returns the evidence; raises `SendFailed`."""
    reference: str | None = None
    amount: Decimal | None = None


class SendFailed(Exception):
    """A change that was not confirmed: `state` is `refused`, `not_sent` or `unknown`."""

    def __init__(self, state: State, happened: str) -> None:
        super().__init__(happened)
        self.state = state


class Conflict(Exception):
    """What is wanted contradicts what the ledger holds. Its text is for the model."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a change stands after a call, and whether this call only told what was already so."""

    change: Change
    reply: Reply | None = None
    told_again: bool = False


class Gate:
    """Lets changes happen that a person approved. `now` and the way to ask are injected."""

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], datetime],
        ask: Ask = client.ask,
    ) -> None:
        self.ledger = ledger
        self._now = now
        self._ask = ask
        self._in_flight = 0
        self._landed = anyio.Condition()

    async def carry_out(
        self, wanted: Wanted, context: Context[Any, Any]
    ) -> Outcome | InputRequiredResult:
        """The outcome of the change, or the question for the client to bring to the person.

        Raises `Conflict`, and whatever writing the question raises; nothing was sent then.
        """
        change = self._known(wanted, context)
        if change is None:
            question = await wanted.question()
            # Another call may have proposed the same meanwhile.
            change = self._known(wanted, context) or self.ledger.propose(
                wanted.operation,
                wanted.arguments,
                reference=wanted.reference,
                amount=wanted.amount,
                question=question,
                now=self._now(),
            )
        if change.state is not State.PROPOSED:
            return Outcome(change, told_again=True)

        reply = await self._ask(change, context)
        if isinstance(reply, InputRequiredResult):
            return reply
        if reply is Reply.APPROVED:
            return await self._claim_and_send(change, wanted)
        if reply is Reply.DECLINED:
            self.ledger.move(
                change.id,
                State.PROPOSED,
                State.DECLINED,
                self._now(),
                happened="The person declined.",
            )
        return Outcome(self._current(change), reply)

    async def idle(self) -> None:
        """Returns when nothing that was sent is still waiting for its answer."""
        async with self._landed:
            while self._in_flight:
                await self._landed.wait()

    def _known(self, wanted: Wanted, context: Context[Any, Any]) -> Change | None:
        """The change that this call is about, if there is one."""
        now = self._now()
        answering = self.ledger.get(context.request_state or "")
        if answering and answering.arguments != wanted.arguments:
            raise Conflict("The answer belongs to another change. Nothing was sent. Call again.")
        if wanted.reference:
            named = self.ledger.named(wanted.operation, wanted.reference)
            if named and named.arguments != wanted.arguments:
                raise Conflict(
                    f"The reference `{wanted.reference}` already names another change "
                    f"({named.amount}, {named.state}). Nothing was sent. Use a new reference for a "
                    "new payment, or the same amount to see what came of that one."
                )
            if named and named.state not in (State.PROPOSED, State.APPROVED):
                return named
        change = answering or self.ledger.latest(wanted.operation, wanted.arguments)
        if change is None:
            return None
        if change.state is State.PROPOSED and now >= change.expires_at():
            change = self.ledger.move(
                change.id, State.PROPOSED, State.EXPIRED, now, happened="Nobody answered in time."
            )
            return change if answering else None
        if answering or change.state in (State.PROPOSED, State.APPROVED, State.SENDING):
            return change
        recent = now - change.updated_at < LIFETIME
        return change if change.state in REMEMBERED and recent else None

    async def _claim_and_send(self, change: Change, wanted: Wanted) -> Outcome:
        now = self._now()
        if now >= change.expires_at():
            self.ledger.move(
                change.id, State.PROPOSED, State.EXPIRED, now, happened="Approved too late."
            )
            return Outcome(self._current(change))
        approved = self.ledger.move(change.id, State.PROPOSED, State.APPROVED, now)
        if not approved or not self.ledger.move(change.id, State.APPROVED, State.SENDING, now):
            return Outcome(self._current(change), told_again=True)
        with anyio.CancelScope(shield=True):
            await self._send(change, wanted)
        return Outcome(self._current(change), Reply.APPROVED)

    async def _send(self, change: Change, wanted: Wanted) -> None:
        """Sends it once and records what came of it, whatever that is."""
        state, told = State.UNKNOWN, "It was cut off before Telnyx answered."
        evidence: Mapping[str, Any] = {}
        self._in_flight += 1
        try:
            evidence = await wanted.send()
            state, told = State.SUCCEEDED, "Telnyx confirmed it."
        except SendFailed as error:
            state, told = error.state, str(error)
        finally:
            self.ledger.move(
                change.id, State.SENDING, state, self._now(), happened=told, evidence=evidence
            )
            self._in_flight -= 1
            async with self._landed:
                self._landed.notify_all()

    def _current(self, change: Change) -> Change:
        return self.ledger.get(change.id) or change
