"""Finds the change that a call is about, and writes questions: the first one, and its replacements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.ledger_async import in_thread, reread
from telnyx_mcp.approval.reasons import Blocked, NotAllowed, UnknownPayment, title_of
from telnyx_mcp.approval.request import CannotCheck, ChangeRequest
from telnyx_mcp.request_context import RequestContext

if TYPE_CHECKING:
    from telnyx_mcp.approval.ledger import Ledger

MAX_ROUNDS = 3
"""How many questions one call may write, if each of them stops being true."""


class Proposals:
    """Proposes changes. `show_page` opens the page of a change in the user's browser."""

    def __init__(
        self, now: Callable[[], datetime], show_page: Callable[[Change], Awaitable[bool]]
    ) -> None:
        self._now = now
        self._show_page = show_page

    async def find(
        self, ledger: Ledger, request: ChangeRequest, context: RequestContext
    ) -> Change | None:
        """The change that this call is about, or None. It is `void` if another change was sent since its
        question was written."""
        if not ledger.is_identified:
            await in_thread(ledger.identify, await request.identity(), self._now())
        answering = context.request_state  # the id that a client returns with the user's answer
        if answering and (change := await in_thread(ledger.get, answering, self._now())):
            is_this = change.is_for(request.operation, request.arguments)
            if not is_this or not ledger.is_own(change):
                raise NotAllowed(
                    "Nothing was sent: the answer belongs to another change. Call again."
                )
            return change
        found = await in_thread(
            ledger.find, request.operation, request.arguments, request.reference, self._now()
        )
        return found and await self._void_if_moved(ledger, found)

    async def propose(
        self, ledger: Ledger, request: ChangeRequest, via: str, replaces: Change | None = None
    ) -> Change:
        """A new proposal if the policy allows it, or the one that another call made in the meantime."""
        from telnyx_mcp.approval.ledger import AT_ONCE, MARK, HistoryMoved

        await self._refuse_early(ledger, request)
        for _ in range(MAX_ROUNDS):
            history = await in_thread(ledger.history, self._now())
            draft = await request.draft(history.payments)
            again = [_why_again(replaces)] if replaces else []
            notes = (*again, *await self._others(ledger), *draft.question.notes)
            question = replace(draft.question, notes=notes)
            basis = {**draft.basis, MARK: history.mark}
            if draft.at_once is not None:
                basis[AT_ONCE] = str(draft.at_once)
            with suppress(HistoryMoved):
                return await in_thread(
                    ledger.propose,
                    request.operation,
                    request.arguments,
                    reference=request.reference,
                    amount=request.amount,
                    question=question,
                    basis=basis,
                    now=self._now(),
                    requested_via=via,
                    replaces=replaces.id if replaces else None,
                )
        raise NotAllowed("Nothing was sent: other payments are being made now. Call again.")

    async def _others(self, ledger: Ledger) -> list[str]:
        """Notes on what other people proposed that waits as well, where people sign in."""
        if ledger.requester is None:
            return []
        me = ledger.requester.signatory
        return [
            f"{each.requester.label} asked at {each.proposed_at:%Y-%m-%d %H:%M} UTC to "
            f"{title_of(each)}, which waits for approval too."
            for each in await in_thread(ledger.waiting, self._now())
            if each.requester and not me.is_same(each.requester)
        ]

    async def _refuse_early(self, ledger: Ledger, request: ChangeRequest) -> None:
        """Raises `NotAllowed` if the policy forbids the change, before any request to Telnyx. If a payment
        of unknown outcome blocks it, the page that resolves that payment opens."""
        reason = await in_thread(
            ledger.refusal, request.operation, request.amount, None, self._now()
        )
        if reason is None:
            return
        if isinstance(reason, UnknownPayment):
            await self._show_page(reason.change)
        raise NotAllowed(f"Nothing was sent: {Blocked(reason, ledger.directions)}")

    async def replacement(
        self, ledger: Ledger, void: Change, request: ChangeRequest, via: str
    ) -> Change:
        """The change that replaces a void one, with a new question."""
        latest = await self.latest(ledger, void)
        if latest.state is not State.VOID:
            return latest
        return await self.propose(ledger, request, via, replaces=latest)

    async def latest(self, ledger: Ledger, change: Change) -> Change:
        """The change, or the last one in its chain of replacements. The links are not signed, so a link to
        another payment, or back into the chain, is not followed."""
        seen = {change.id}
        while change.replaced_by and change.replaced_by not in seen:
            found = await in_thread(ledger.get, change.replaced_by, self._now())
            if found is None or not found.is_for(change.operation, change.arguments):
                break
            change = found
            seen.add(change.id)
        return change

    async def _void_if_moved(self, ledger: Ledger, change: Change) -> Change:
        """The change; void if another one was sent since its question was written."""
        why = await in_thread(ledger.why_untrue, change, self._now())
        if why is None:
            return change
        return await in_thread(ledger.void, change.id, why, self._now()) or change

    async def void_if_untrue(
        self, ledger: Ledger, change: Change, request: ChangeRequest
    ) -> Change:
        """The change; void if its question is no longer true. If Telnyx does not answer, it stays as it is
        and is checked again before sending."""
        change = await self._void_if_moved(ledger, change)
        if change.state is State.PROPOSED:
            with suppress(CannotCheck):
                if why := await request.void_reason(change):
                    await in_thread(ledger.void, change.id, why, self._now())
        return await reread(ledger, change, self._now())


def _why_again(void: Change) -> str:
    return f"This question replaces an earlier one. {void.outcome_text}"
