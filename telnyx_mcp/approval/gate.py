"""The one way to change something: propose, ask, claim, send once, record.

A call with the same arguments resumes a pending change, or repeats its outcome within `LIFETIME`. It
does not ask or send again. The caller that wins the claim writes the change to disk as `sending`, then
sends it. If no certain answer comes, the change is `unknown`: it is never sent again, and a person has
to find out what happened.

A question must be true when it is answered. If another change was sent after it was written, or the
account's figures moved, the change is void and a new question replaces it.

`proposals.py` writes the questions; `sender.py` claims, sends and records.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import anyio
from mcp_types import InputRequiredResult

from telnyx_mcp.approval.change import STANDING, WAITING, Change, State
from telnyx_mcp.approval.channels import AskOutcome, Channels
from telnyx_mcp.approval.channels.elicitation import client_name
from telnyx_mcp.approval.directions import Directions, TerminalDirections
from telnyx_mcp.approval.ledger_async import in_thread, reread
from telnyx_mcp.approval.proposals import MAX_ROUNDS, Proposals
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.approval.request import ChangeRequest, RequestFactory
from telnyx_mcp.approval.sender import Sender
from telnyx_mcp.request_context import RequestContext

if TYPE_CHECKING:
    from telnyx_mcp.approval.ledger import Decision, Ledger


@dataclass(frozen=True, slots=True)
class Outcome:
    """The change after a call. `is_repeat`: this call only reports an earlier outcome."""

    change: Change
    ask_outcome: AskOutcome | None = None
    is_repeat: bool = False


class Gate(Sender):
    """Carries out approved changes. The ledger is opened with the first change."""

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        channels: Channels,
        now: Callable[[], datetime],
        request_for: RequestFactory,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        directions: Directions | None = None,
    ) -> None:
        super().__init__(now, sleep)
        self._open_ledger = open_ledger
        self._channels = channels
        self._proposals = Proposals(now, self.show_page)
        self._request_for = request_for
        self.directions = directions or TerminalDirections()
        self._ledger: Ledger | None = None
        self._unwritten_ledger: Ledger | None = None
        """A ledger that was closed before an outcome was written. Writing it opens the store again."""
        self._opening = anyio.Lock()

    async def ledger(self) -> Ledger:
        """The ledger, open. Raises `NotAllowed`."""
        async with self._opening:
            if self._ledger is None:
                self._ledger = await in_thread(self._open_ledger)
        return self._ledger

    async def carry_out(
        self, request: ChangeRequest, context: RequestContext
    ) -> Outcome | InputRequiredResult:
        """The outcome of the change, or the question that the client shows to the user.

        Raises `NotAllowed`, and any error of writing the question. Nothing was sent in these cases.
        """
        ledger = await self._callers_ledger()
        await self._write_outcomes()
        via = self._via(context)
        change = await self._proposals.find(ledger, request, context)
        if change is None:
            change = await self._proposals.propose(ledger, request, via)
        # An answer to a void question still counts if it declines the change.
        if change.state is State.VOID and context.request_state != change.id:
            change = await self._proposals.replacement(ledger, change, request, via)
        if change.state not in WAITING | {State.VOID}:
            return Outcome(change, is_repeat=True)
        for _ in range(MAX_ROUNDS):
            outcome = await self._ask_and_send(ledger, change, request, context)
            if isinstance(outcome, InputRequiredResult) or outcome.change.state is not State.VOID:
                return outcome
            change = await self._proposals.replacement(ledger, outcome.change, request, via)
        raise NotAllowed(
            "Nothing was sent: the account's figures keep changing while the question waits. Call "
            "again in a minute to ask again."
        )

    async def _ask_and_send(
        self, ledger: Ledger, change: Change, request: ChangeRequest, context: RequestContext
    ) -> Outcome | InputRequiredResult:
        """The outcome of one question: sent, not approved, or `void` if it was no longer true."""
        ask_outcome: AskOutcome | None = None
        decision: Decision | None = None
        if change.state is State.PROPOSED or context.request_state == change.id:
            answer, decision = await self._ask(ledger, change, context)
            if isinstance(answer, InputRequiredResult):
                return answer
            ask_outcome = answer
            if decision is None:
                change = await reread(ledger, change, self._now())
                if change.state is not State.APPROVED:
                    return Outcome(change, ask_outcome)
        sent = await self._claim_and_send(ledger, change, request, decision)
        if sent is None:
            return Outcome(await reread(ledger, change, self._now()), ask_outcome, is_repeat=True)
        if sent.state is State.UNKNOWN:
            with suppress(NotAllowed):
                await self.show_page(sent)
        return Outcome(sent, ask_outcome)

    async def check(self, id: str) -> Change:
        """The change as it is now, or the change that replaces it if its question is no longer true. For
        the channels outside of a call: the page and the terminal.

        Raises `NotAllowed` if there is no such change, or no new question may be asked.
        """
        ledger, change = await self.ledger(), await self._latest(id)
        if change.state not in (State.PROPOSED, State.VOID):
            return change
        ledger, request = self._ledger_of(ledger, change), self._request_of(change)
        if change.state is State.PROPOSED:
            change = await self._proposals.void_if_untrue(ledger, change, request)
        if change.state is State.VOID and change.may_be_asked_again(self._now()):
            return await self._proposals.replacement(ledger, change, request, change.requested_via)
        return change

    async def _latest(self, id: str) -> Change:
        """The change, or the last one that replaced it, as it is in the ledger. Raises `NotAllowed`."""
        ledger = await self.ledger()
        change = await in_thread(ledger.get, id, self._now())
        if change is None:
            raise NotAllowed("Nothing was sent: the ledger has no change with this id.")
        return await self._proposals.latest(ledger, change)

    async def _callers_ledger(self) -> Ledger:
        """The ledger, for the caller."""
        return await self.ledger()

    def _via(self, context: RequestContext) -> str:
        """What the ledger calls the client."""
        return client_name(context)

    def _ledger_of(self, ledger: Ledger, _change: Change) -> Ledger:
        """The ledger, for the requester of this change."""
        return ledger

    def _request_of(self, change: Change) -> ChangeRequest:
        """The request that this change was proposed from. Raises `NotAllowed`."""
        try:
            return self._request_for(change.operation, change.arguments)
        except (LookupError, TypeError, ArithmeticError):
            raise NotAllowed(
                f"Nothing was sent: change {change.id} can't be asked about, as its record is damaged."
            ) from None

    async def show_page(self, change: Change) -> bool:
        """Whether a page of this change is open in the user's browser."""
        return await self._channels.show(change, await self.ledger(), self.check)

    def close(self) -> None:
        """Closes the pages and the ledger. A later change opens them again."""
        self._channels.close()
        self._outcomes.close()
        for each in filter(None, (self._ledger, self._unwritten_ledger)):
            each.close()
        self._unwritten_ledger = (
            (self._ledger or self._unwritten_ledger) if self._outcomes.unwritten else None
        )
        self._ledger = None

    async def _ask(
        self, ledger: Ledger, change: Change, context: RequestContext
    ) -> tuple[AskOutcome | InputRequiredResult | None, Decision | None]:
        """The outcome of asking, and the decision to claim the change with. A decision made on the page
        or at the terminal is in the ledger instead."""
        from telnyx_mcp.approval.ledger import Decision

        now = self._now()
        if await in_thread(ledger.stands_for, change, now):
            return None, Decision(STANDING, "standing budget")
        ask_outcome = await self._channels.ask(change, ledger, context, self.check, self._now)
        via = client_name(context)
        if ask_outcome is AskOutcome.APPROVED:
            return ask_outcome, Decision("elicitation", via)
        if ask_outcome is AskOutcome.DECLINED:
            decline = (change.id, "elicitation", self._now(), via)
            await in_thread(ledger.decline, *decline, approved_too=True)
        elif ask_outcome is AskOutcome.CANCELLED:
            await in_thread(ledger.close_question, change.id, self._now())
        return ask_outcome, None
