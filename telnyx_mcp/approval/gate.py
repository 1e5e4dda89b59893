"""The one way to change something: propose -> ask -> claim -> act once -> record.

The gate owns the identity of a change. Calling again with the same arguments resumes what is
pending, or tells what came of it within `LIFETIME`, instead of asking or acting again. A change is
on the disk as `sending` before it is sent, by the one caller that wins the claim; what then goes
wrong without a certain answer is `unknown`, never tried again, and left to a person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.mcpserver import Context
from mcp_types import InputRequiredResult

from telnyx_mcp.approval.changes import PAYMENT, Change, State
from telnyx_mcp.approval.channels import Channels, Reply
from telnyx_mcp.approval.thread import NotAllowed, in_thread

if TYPE_CHECKING:
    from telnyx_mcp.approval.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Draft:
    """The question for the person, and the account's figures that it was written from."""

    question: str
    basis: Mapping[str, Any] = field(default_factory=dict)


async def nothing_changed(_change: Change) -> str | None:
    return None


async def no_evidence(_change: Change) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the model asks for. `arguments` alone identify it, or `reference` where there is one."""

    operation: str
    arguments: Mapping[str, Any]
    summary: str
    """What it is, in a few words: "paying 120.00"."""
    draft: Callable[[], Awaitable[Draft]]
    """Writes the question; asked for once per proposal."""
    send: Callable[[], Awaitable[Mapping[str, Any]]]
    """Does it, once. Returns the evidence; raises `SendFailed`."""
    voided_by: Callable[[Change], Awaitable[str | None]] = nothing_changed
    """Why what was approved is no longer what would happen; None if it is."""
    evidence: Callable[[Change], Awaitable[Mapping[str, Any]]] = no_evidence
    """What can be learnt of the outcome afterwards."""
    reference: str | None = None
    amount: Decimal | None = None


class SendFailed(Exception):
    """A change that was not confirmed: `state` is `refused`, `not_sent` or `unknown`."""

    def __init__(self, state: State, happened: str, evidence: Mapping[str, Any]) -> None:
        super().__init__(happened)
        self.state = state
        self.evidence = evidence


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a change stands after a call, and whether this call only told what was already so."""

    change: Change
    reply: Reply | None = None
    told_again: bool = False


class Gate:
    """Lets changes happen that a person approved. The ledger is opened with the first change."""

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        channels: Channels,
        now: Callable[[], datetime],
    ) -> None:
        self._open_ledger = open_ledger
        self._channels = channels
        self._now = now
        self._ledger: Ledger | None = None
        self._opening = anyio.Lock()
        self._in_flight = 0
        self._landed = anyio.Condition()

    async def ledger(self) -> Ledger:
        """The ledger, open and swept of what nobody will finish. Raises `NotAllowed`."""
        async with self._opening:
            if self._ledger is None:
                self._ledger = await in_thread(self._open_ledger)
        await in_thread(self._ledger.sweep, self._now())
        return self._ledger

    async def carry_out(
        self, wanted: Wanted, context: Context[Any, Any]
    ) -> Outcome | InputRequiredResult:
        """The outcome of the change, or the question for the client to bring to the person.

        Raises `NotAllowed`, and whatever writing the question raises; nothing was sent then.
        """
        ledger = await self.ledger()
        change = await self._known(ledger, wanted, context.request_state)
        if change is None:
            change = await self._proposed(ledger, wanted)
        answers = context.request_state == change.id
        if change.state is State.PROPOSED or (change.state is State.APPROVED and answers):
            reply = await self._asked(ledger, change, wanted, context)
            if isinstance(reply, InputRequiredResult):
                return reply
            await in_thread(ledger.sweep, self._now())
            change = await _reread(ledger, change)
            if change.state is not State.APPROVED:
                return Outcome(change, reply)
        elif change.state is not State.APPROVED:
            return Outcome(change, told_again=True)
        return await self._claimed_and_sent(ledger, change, wanted)

    def close(self) -> None:
        """Closes the pages and the ledger. A later change opens them again."""
        self._channels.close()
        ledger, self._ledger = self._ledger, None
        if ledger:
            ledger.close()

    async def idle(self) -> None:
        """Returns when nothing that was sent is still waiting for its answer."""
        async with self._landed:
            while self._in_flight:
                await self._landed.wait()

    async def _known(self, ledger: Ledger, wanted: Wanted, answering: str | None) -> Change | None:
        """The change that this call is about, if there is one. `answering` is the id that a client
        sent back with the person's answer."""
        if answering and (change := await in_thread(ledger.get, answering)):
            if (change.operation, change.arguments) != (wanted.operation, wanted.arguments):
                raise NotAllowed(
                    "Nothing was sent: the answer belongs to another change. Call again."
                )
            return change
        return await in_thread(
            ledger.find, wanted.operation, wanted.arguments, wanted.reference, self._now()
        )

    async def _proposed(self, ledger: Ledger, wanted: Wanted) -> Change:
        """A new proposal, if the policy lets it be made; or one that another call made meanwhile."""
        if wanted.operation == PAYMENT:
            refusal = await in_thread(ledger.refusal, wanted.amount or Decimal(0), self._now())
            if refusal:
                raise NotAllowed(f"Nothing was sent: {refusal}")
        draft = await wanted.draft()
        return await in_thread(
            ledger.propose,
            wanted.operation,
            wanted.arguments,
            reference=wanted.reference,
            amount=wanted.amount,
            question=draft.question,
            basis=draft.basis,
            now=self._now(),
        )

    async def _asked(
        self, ledger: Ledger, change: Change, wanted: Wanted, context: Context[Any, Any]
    ) -> Reply | InputRequiredResult | None:
        """What came of asking; the decision itself is in the ledger then."""
        if await in_thread(ledger.stands_for, change, self._now()):
            await in_thread(ledger.approve, change.id, "standing", self._now())
            return None
        reply = await self._channels.ask(change, ledger, context)
        if reply is Reply.APPROVED:
            await in_thread(ledger.approve, change.id, "elicitation", self._now())
        elif reply is Reply.DECLINED:
            await in_thread(
                ledger.decline, change.id, "elicitation", self._now(), approved_too=True
            )
        return reply

    async def _claimed_and_sent(self, ledger: Ledger, change: Change, wanted: Wanted) -> Outcome:
        if voided := await wanted.voided_by(change):
            await in_thread(ledger.void, change.id, voided, self._now())
            return Outcome(await _reread(ledger, change))
        with anyio.CancelScope(shield=True):
            self._in_flight += 1
            try:
                claimed = await in_thread(ledger.claim, change.id, self._now())
                sent = await self._sent(ledger, claimed, wanted) if claimed else None
            finally:
                self._in_flight -= 1
                async with self._landed:
                    self._landed.notify_all()
        if sent is None:
            return Outcome(await _reread(ledger, change), told_again=True)
        return Outcome(sent)

    async def _sent(self, ledger: Ledger, change: Change, wanted: Wanted) -> Change:
        """The change after sending it once and recording what came of it, whatever that is."""
        state, told = State.UNKNOWN, "It was cut off before an answer came."
        evidence: Mapping[str, Any] = {}
        try:
            evidence = await wanted.send()
            state, told = State.SUCCEEDED, "Telnyx confirmed it."
        except SendFailed as error:
            state, told, evidence = error.state, str(error), error.evidence
        except Exception as error:  # noqa: BLE001 - whatever it is, it may have happened
            told = f"The answer could not be understood ({type(error).__name__})."
        after = replace(change, state=state, happened=told, evidence=evidence)
        try:
            await self._record(ledger, after)
        except NotAllowed as error:
            lost = (
                f"{told} This could not be written down, so the record will call it unknown. Show "
                f"the user this: {error.reason}"
            )
            return replace(after, happened=lost, unrecorded=True)
        with suppress(Exception):  # evidence helps, and its lack changes nothing that happened
            await in_thread(ledger.add_evidence, change.id, await wanted.evidence(change))
            after = await _reread(ledger, after)
        return after

    async def _record(self, ledger: Ledger, after: Change) -> None:
        """Writes the outcome down. One that comes after the change was called unknown is kept as
        evidence for the person who resolves it."""
        told = (after.id, after.state, after.happened, after.evidence, self._now())
        try:
            recorded = await in_thread(ledger.record, *told)
        except NotAllowed:
            recorded = await in_thread(ledger.record, *told)
        if recorded is None:
            late = {**after.evidence, "late_answer": f"{after.state}: {after.happened}"}
            await in_thread(ledger.add_evidence, after.id, late)


async def _reread(ledger: Ledger, change: Change) -> Change:
    """The change as it stands now."""
    found = await in_thread(ledger.get, change.id)
    return change if found is None else found
