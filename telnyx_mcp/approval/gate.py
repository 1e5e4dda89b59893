"""The one way to change something: propose, ask, claim, send once, record.

The gate owns the identity of a change. Calling again with the same arguments resumes what is
pending, or repeats its outcome within `LIFETIME`, instead of asking or sending again. A change is on
the disk as `sending` before it is sent, by the one caller that wins the claim. What then fails without
a certain answer is `unknown`: it is never sent again, and a person has to find out.

A question is true when it is answered. If another payment was sent since it was written, or the
account's figures moved, the change is void, and a fresh question takes its place.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.mcpserver import Context
from mcp_types import InputRequiredResult

from telnyx_mcp.approval.change import STANDING, WAITING, Change, State
from telnyx_mcp.approval.channels import AskOutcome, Channels
from telnyx_mcp.approval.channels.elicitation import client_name
from telnyx_mcp.approval.ledger_async import NotAllowed, in_thread
from telnyx_mcp.approval.outcomes import OutcomeWriter
from telnyx_mcp.approval.reasons import GONE, Blocked, UnknownPayment
from telnyx_mcp.approval.request import CannotCheck, ChangeRequest, RequestFactory, SendFailed

if TYPE_CHECKING:
    from telnyx_mcp.approval.ledger import Decision, Ledger

MOST_ROUNDS = 3
"""How often a call asks again because the question stopped being true."""
SEND_WITHIN = timedelta(seconds=20)
"""A change is sent this soon after its claim, or not at all."""
SLEPT = "This machine slept between the approval and the sending, so it was not sent. Call again."
CONFIRMED = "Telnyx confirmed it."
CLAIM_LOST = "The ledger did not confirm the claim, so it was not sent."
RENEW_SECONDS = 15
CUT_OFF = "It was cut off before an answer came."
ANOTHER = "The approval in the ledger is for another change."


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a change stands after a call, and whether this call only repeats what was so before."""

    change: Change
    asked: AskOutcome | None = None
    is_repeat: bool = False


class Gate:
    """Sends the changes that a person approved. The ledger is opened with the first change."""

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        channels: Channels,
        now: Callable[[], datetime],
        request_for: RequestFactory,
    ) -> None:
        self._open_ledger = open_ledger
        self._channels = channels
        self._now = now
        self._request_for = request_for
        self._ledger: Ledger | None = None
        self._behind: Ledger | None = None
        """The ledger that was closed while it lacked an outcome: writing that opens its store again."""
        self._opening = anyio.Lock()
        self._outcomes = OutcomeWriter()
        self.has_sent = False
        """Whether a change was sent, or is about to be: what came of it has to be told."""
        self._in_flight = 0
        self._landed = anyio.Condition()

    async def ledger(self) -> Ledger:
        """The ledger, open. Raises `NotAllowed`."""
        async with self._opening:
            if self._ledger is None:
                self._ledger = await in_thread(self._open_ledger)
        return self._ledger

    async def carry_out(
        self, request: ChangeRequest, context: Context[Any, Any]
    ) -> Outcome | InputRequiredResult:
        """The outcome of the change, or the question for the client to bring to the user.

        Raises `NotAllowed`, and whatever writing the question raises; nothing was sent then.
        """
        ledger = await self.ledger()
        await self._write_outcomes()
        via = client_name(context)
        change = await self._find(ledger, request, context)
        if change is None:
            change = await self._propose(ledger, request, via)
        # An answer to a question that is void by now is heard all the same: it may be a no.
        if change.state is State.VOID and context.request_state != change.id:
            change = await self._replacement(ledger, change, request, via)
        if change.state not in WAITING | {State.VOID}:
            return Outcome(change, is_repeat=True)
        for _ in range(MOST_ROUNDS):
            outcome = await self._ask_and_send(ledger, change, request, context)
            if isinstance(outcome, InputRequiredResult) or outcome.change.state is not State.VOID:
                return outcome
            change = await self._replacement(ledger, outcome.change, request, via)
        raise NotAllowed(
            "Nothing was sent: the account's figures keep changing while the question waits. Call "
            "again in a minute to ask again."
        )

    async def _ask_and_send(
        self, ledger: Ledger, change: Change, request: ChangeRequest, context: Context[Any, Any]
    ) -> Outcome | InputRequiredResult:
        """What came of one question: sent, not approved, or `void` where it was no longer true."""
        asked: AskOutcome | None = None
        decision: Decision | None = None
        if change.state is State.PROPOSED or context.request_state == change.id:
            answer, decision = await self._ask(ledger, change, context)
            if isinstance(answer, InputRequiredResult):
                return answer
            asked = answer
            if decision is None:
                change = await self._reread(ledger, change)
                if change.state is not State.APPROVED:
                    return Outcome(change, asked)
        sent = await self._claim_and_send(ledger, change, request, decision)
        if sent is None:
            return Outcome(await self._reread(ledger, change), asked, is_repeat=True)
        return Outcome(sent, asked)

    async def check(self, id: str) -> Change:
        """The change as it stands; where its question is no longer true, the one with a fresh
        question that replaces it. For channels outside of a call: the page and the terminal.

        Raises `NotAllowed` if the change is not there, or no fresh question may be asked.
        """
        ledger = await self.ledger()
        change = await in_thread(ledger.get, id, self._now())
        if change is None:
            raise NotAllowed("Nothing was sent: there is no such change.")
        change = await self._latest(ledger, change)
        if change.state not in (State.PROPOSED, State.VOID):
            return change
        try:
            request = self._request_for(change.operation, change.arguments)
        except (LookupError, TypeError, ArithmeticError):
            raise NotAllowed(
                f"Nothing was sent: change {change.id} can't be asked about, as its record is damaged."
            ) from None
        if change.state is State.PROPOSED:
            change = await self._void_if_untrue(ledger, change, request)
        if change.state is State.VOID:
            return await self._replacement(ledger, change, request, change.requested_via)
        return change

    async def show_page(self, change: Change) -> bool:
        """Whether a page of this change is open in the user's browser."""
        return await self._channels.show(change, await self.ledger(), self.check)

    def close(self) -> None:
        """Closes the pages and the ledger. A later change opens them again."""
        self._channels.close()
        self._outcomes.close()
        for each in filter(None, (self._ledger, self._behind)):
            each.close()
        self._behind = (self._ledger or self._behind) if self._outcomes.unwritten else None
        self._ledger = None

    async def idle(self) -> None:
        """Returns when nothing that was sent is still waiting for its answer."""
        async with self._landed:
            while self._in_flight:
                await self._landed.wait()

    # --- propose

    async def _find(
        self, ledger: Ledger, request: ChangeRequest, context: Context[Any, Any]
    ) -> Change | None:
        """The change that this call is about, if there is one; `void` if its question was found to be
        untrue before it is asked again."""
        if not ledger.is_identified:
            await in_thread(ledger.identify, await request.identity(), self._now())
        answering = context.request_state  # the id that a client sends back with the user's answer
        if answering and (change := await in_thread(ledger.get, answering, self._now())):
            if not change.is_for(request.operation, request.arguments):
                raise NotAllowed(
                    "Nothing was sent: the answer belongs to another change. Call again."
                )
            return change
        found = await in_thread(
            ledger.find, request.operation, request.arguments, request.reference, self._now()
        )
        return found and await self._void_if_moved(ledger, found)

    async def _propose(
        self, ledger: Ledger, request: ChangeRequest, via: str, replaces: Change | None = None
    ) -> Change:
        """A new proposal, if the policy allows it; or one that another call made meanwhile."""
        from telnyx_mcp.approval.ledger import AT_ONCE, MARK, HistoryMoved

        await self._refuse_early(ledger, request)
        for _ in range(MOST_ROUNDS):
            history = await in_thread(ledger.history, self._now())
            draft = await request.draft(history.payments)
            question = draft.question
            if replaces:
                question = replace(question, notes=(_why_again(replaces), *question.notes))
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

    async def _refuse_early(self, ledger: Ledger, request: ChangeRequest) -> None:
        """Raises `NotAllowed` where the policy forbids the change, before Telnyx is asked anything. A
        payment that is blocked by one of unknown outcome opens the page that asks what came of it."""
        reason = await in_thread(
            ledger.refusal, request.operation, request.amount, None, self._now()
        )
        if reason is None:
            return
        if isinstance(reason, UnknownPayment):
            await self.show_page(reason.change)
        raise NotAllowed(f"Nothing was sent: {Blocked(reason, ledger.profile)}")

    async def _replacement(
        self, ledger: Ledger, void: Change, request: ChangeRequest, via: str
    ) -> Change:
        """The change with a fresh question in the place of a void one."""
        latest = await self._latest(ledger, void)
        if latest.state is not State.VOID:
            return latest
        return await self._propose(ledger, request, via, replaces=latest)

    async def _latest(self, ledger: Ledger, change: Change) -> Change:
        """The change, or the last of those that replaced it one after the other. The links are not
        signed: one to another payment, or in a circle, is not followed."""
        seen = {change.id}
        while change.replaced_by and change.replaced_by not in seen:
            found = await in_thread(ledger.get, change.replaced_by, self._now())
            if found is None or not found.is_for(change.operation, change.arguments):
                break
            change = found
            seen.add(change.id)
        return change

    async def _void_if_moved(self, ledger: Ledger, change: Change) -> Change:
        """The change, void if another one was sent since its question was written."""
        why = await in_thread(ledger.why_untrue, change, self._now())
        if why is None:
            return change
        return await in_thread(ledger.void, change.id, why, self._now()) or change

    async def _void_if_untrue(
        self, ledger: Ledger, change: Change, request: ChangeRequest
    ) -> Change:
        """The change, void if its question is no longer true. Where Telnyx can't be asked it stays as
        it is: it is checked again before it is sent."""
        change = await self._void_if_moved(ledger, change)
        if change.state is State.PROPOSED:
            with suppress(CannotCheck):
                if why := await request.void_reason(change):
                    await in_thread(ledger.void, change.id, why, self._now())
        return await self._reread(ledger, change)

    # --- ask

    async def _ask(
        self, ledger: Ledger, change: Change, context: Context[Any, Any]
    ) -> tuple[AskOutcome | InputRequiredResult | None, Decision | None]:
        """What came of asking, and the decision to claim the change with. A decision on the page or
        at the terminal is in the ledger instead."""
        from telnyx_mcp.approval.ledger import Decision

        now = self._now()
        if await in_thread(ledger.stands_for, change, now):
            return None, Decision(STANDING, "standing budget")
        asked = await self._channels.ask(change, ledger, context, self.check, self._now)
        via = client_name(context)
        if asked is AskOutcome.APPROVED:
            return asked, Decision("elicitation", via)
        if asked is AskOutcome.DECLINED:
            decline = (change.id, "elicitation", self._now(), via)
            await in_thread(ledger.decline, *decline, approved_too=True)
        elif asked is AskOutcome.CANCELLED:
            await in_thread(ledger.close_question, change.id, self._now())
        return asked, None

    # --- claim, send, record

    async def _claim_and_send(
        self,
        ledger: Ledger,
        change: Change,
        request: ChangeRequest,
        decision: Decision | None,
    ) -> Change | None:
        """The change after it was sent, or void; None if another caller decided or sent it."""
        await self._write_outcomes()  # one may have become known while the user read the question
        standing = (decision.channel if decision else change.channel) == STANDING
        if not standing and (why := await self._untrue(change, request)):
            return await in_thread(ledger.void, change.id, why, self._now())
        with anyio.CancelScope(shield=True):
            self._in_flight += 1
            self.has_sent = True
            try:
                claimed = await self._claim(ledger, change, decision)
                if claimed is None or claimed.state is State.VOID:
                    return claimed
                sent = await self._send(ledger, claimed, request)
            finally:
                self._in_flight -= 1
                async with self._landed:
                    self._landed.notify_all()
        if sent.state is State.UNKNOWN:
            with suppress(NotAllowed):
                await self.show_page(sent)
        return sent

    async def _claim(
        self, ledger: Ledger, change: Change, decision: Decision | None
    ) -> Change | None:
        """The change, claimed; `void`; or None if another caller was first. Where the store failed, its
        answer may have been lost after it wrote the claim: then the row is read again."""
        token = secrets.token_hex(8)
        try:
            return await in_thread(ledger.claim, change.id, self._now(), decision, token)
        except NotAllowed as error:
            if isinstance(error.__cause__, Blocked):
                raise
            try:
                claimed = await in_thread(ledger.claimed, change.id, token, self._now())
            except NotAllowed:
                # It may be `sending` in the store, and nobody will send it.
                void = partial(_never_sent, ledger, change, token, self._now())
                with suppress(NotAllowed):
                    await self._outcomes.write(change.id, void)
                raise error from None
            if claimed is None:
                ledger.landed(change.id)
                raise
            return claimed

    async def _untrue(self, change: Change, request: ChangeRequest) -> str | None:
        """Why the question is no longer true. Raises `NotAllowed` if that can't be found out."""
        try:
            return await request.void_reason(change)
        except CannotCheck as error:
            kept = (
                f"The approval stays good until {change.expires_at:%H:%M} UTC; call again with the "
            )
            lost = "The answer was not kept: the user is asked again when you call again with the "
            raise NotAllowed(
                "Nothing was sent: whether the question is still true could not be checked just "
                f"before sending. {error} {kept if change.state is State.APPROVED else lost}same "
                "arguments."
            ) from None

    async def _send(self, ledger: Ledger, change: Change, request: ChangeRequest) -> Change:
        """The change after sending it once and recording what came of it, whatever that is."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._renew, ledger, change)
            after = await self._outcome(change, request)
            tasks.cancel_scope.cancel()
        try:
            await self._outcomes.write(after.id, partial(_record, ledger, after, self._now()))
        except NotAllowed as error:
            lost = (
                f"{after.happened} This is not in the ledger yet. It is written as soon as the store "
                "takes it; until then no payment is made, and if this server ends first, the ledger "
                f"will call it unknown. Show the user this: {error.reason}"
            )
            return replace(after, happened=lost)
        with suppress(Exception):  # evidence helps, and its lack changes nothing that happened
            learnt = await request.evidence(change)
            return await in_thread(ledger.add_evidence, change.id, learnt, self._now())
        with suppress(NotAllowed):
            after = await self._reread(ledger, after)
        return after

    async def _outcome(self, change: Change, request: ChangeRequest) -> Change:
        """The change after sending it once, not recorded yet."""
        state, happened = State.UNKNOWN, CUT_OFF
        evidence: Mapping[str, Any] = {}
        try:
            if self._now() - change.updated_at >= SEND_WITHIN:
                raise SendFailed(State.NOT_SENT, SLEPT, {})
            if not change.is_for(request.operation, request.arguments):
                raise SendFailed(State.NOT_SENT, ANOTHER, {})
            evidence = await request.send()
            state, happened = State.SUCCEEDED, CONFIRMED
        except SendFailed as error:
            state, happened, evidence = error.state, str(error), error.evidence
        except Exception as error:  # noqa: BLE001 - whatever it is, it may have happened
            happened = f"The answer could not be understood ({type(error).__name__})."
        return replace(change, state=state, happened=happened, evidence=evidence)

    async def _renew(self, ledger: Ledger, change: Change) -> None:
        """Tells other machines that this process still waits for the answer."""
        while True:
            await anyio.sleep(RENEW_SECONDS)
            with suppress(NotAllowed):
                await in_thread(ledger.renew, change.id, self._now(), abandon_on_cancel=True)

    async def _write_outcomes(self) -> None:
        """Raises `NotAllowed` while an outcome of this process is not in the ledger: what is read there
        is not the truth."""
        if not self._outcomes.unwritten:
            return
        await in_thread(self._outcomes.try_again)
        if waiting := self._outcomes.unwritten:
            raise NotAllowed(
                f"Nothing new was sent: change {waiting[0]} was sent earlier, and its outcome is known and "
                "not in the ledger yet. Ask the user to look at the ledger's store (telnyx-account-mcp "
                "doctor shows it), then call again."
            )

    async def _reread(self, ledger: Ledger, change: Change) -> Change:
        """The change as it stands now. Raises `NotAllowed` where the ledger no longer has it."""
        found = await in_thread(ledger.get, change.id, self._now())
        if found is None:
            raise NotAllowed(f"Nothing was sent by this call: {GONE.format(id=change.id)}")
        return found


def _record(ledger: Ledger, after: Change, now: datetime) -> None:
    """Records the outcome. One that says nothing certain, and comes after a person resolved the change,
    is kept as evidence. To be called again if it failed: it may have been written then."""
    if ledger.record(after.id, after.state, after.happened, after.evidence, now) is None:
        stands = ledger.get(after.id, now)
        if stands is None or (stands.state, stands.happened) != (after.state, after.happened):
            late = {**after.evidence, "late_answer": f"{after.state}: {after.happened}"}
            ledger.add_evidence(after.id, late, now)
    ledger.landed(after.id)


def _never_sent(ledger: Ledger, change: Change, token: str, now: datetime) -> None:
    """Records that a change was not sent, if its claim got into the store."""
    if claimed := ledger.claimed(change.id, token, now):
        ledger.record(claimed.id, State.NOT_SENT, CLAIM_LOST, {}, now)
    ledger.landed(change.id)


def _why_again(void: Change) -> str:
    return f"This question replaces an earlier one. {void.happened}"
