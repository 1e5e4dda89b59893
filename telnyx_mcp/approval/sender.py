"""Claims an approved change, sends it once, and records the outcome.

`sending` is committed to the ledger before the first byte leaves, and one caller wins the claim. A
failure without a certain answer is recorded as `unknown`, and nothing sends the change again.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from telnyx_mcp.approval.change import STANDING, Change, State
from telnyx_mcp.approval.ledger_async import in_thread, reread
from telnyx_mcp.approval.outcomes import OutcomeWriter
from telnyx_mcp.approval.reasons import Blocked, NotAllowed
from telnyx_mcp.approval.request import CannotCheck, ChangeRequest, SendFailed

if TYPE_CHECKING:
    from telnyx_mcp.approval.ledger import Decision, Ledger

SEND_WITHIN = timedelta(seconds=20)
"""A claimed change is sent within this time, or not at all."""
SLEPT = "This machine slept between the approval and the sending, so it was not sent. Call again."
CONFIRMED = "Telnyx confirmed it."
CLAIM_LOST = "The ledger did not confirm the claim, so it was not sent."
RENEW_SECONDS = 15
CUT_OFF = "The request was interrupted before an answer came."
ANOTHER = "The approval in the ledger is for another change."


class Sender:
    """Sends changes, one request per approved change."""

    def __init__(
        self,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._outcomes = OutcomeWriter()
        self.has_sent = False
        """Whether a change was sent, or is about to be: its outcome must be reported."""
        self._in_flight = 0
        self._landed = anyio.Condition()

    async def _claim_and_send(
        self,
        ledger: Ledger,
        change: Change,
        request: ChangeRequest,
        decision: Decision | None,
    ) -> Change | None:
        """The change after sending, void, or still proposed if more people have to approve it. None if
        another caller decided or sent it."""
        await self._write_outcomes()  # one may have become known while the user read the question
        standing = (decision.channel if decision else change.channel) == STANDING
        if not standing and (why := await self._why_untrue(change, request)):
            return await in_thread(ledger.void, change.id, why, self._now())
        with anyio.CancelScope(shield=True):
            self._in_flight += 1
            self.has_sent = True
            try:
                claimed = await self._claim(ledger, change, decision)
                if claimed is None or claimed.state is not State.SENDING:
                    return claimed
                sent = await self._send(ledger, claimed, request)
            finally:
                self._in_flight -= 1
                async with self._landed:
                    self._landed.notify_all()
        return sent

    async def _claim(
        self, ledger: Ledger, change: Change, decision: Decision | None
    ) -> Change | None:
        """The claimed change; `void`; or None if another caller was first. If the store fails, the claim
        may still have been committed, so the row is read again."""
        token = secrets.token_hex(8)
        try:
            return await in_thread(ledger.claim, change.id, self._now(), decision, token)
        except NotAllowed as error:
            if isinstance(error.__cause__, Blocked):
                raise
            try:
                claimed = await in_thread(ledger.claimed, change.id, token, self._now())
            except NotAllowed:
                # The store may hold it as `sending`, although it will never be sent.
                void = partial(_never_sent, ledger, change, token, self._now())
                with suppress(NotAllowed):
                    await self._outcomes.write(change.id, void)
                raise error from None
            if claimed is None:
                ledger.landed(change.id)
                raise
            return claimed

    async def _why_untrue(self, change: Change, request: ChangeRequest) -> str | None:
        """Why the question is no longer true; None if it is. Raises `NotAllowed` if this can't be checked."""
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
        """Sends the change once and records the outcome. Returns the change with it."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._renew, ledger, change)
            after = await self._outcome(change, request)
            tasks.cancel_scope.cancel()
        try:
            await self._outcomes.write(after.id, partial(_record, ledger, after, self._now()))
        except NotAllowed as error:
            lost = (
                f"{after.outcome_text} This is not in the ledger yet. It is written as soon as the store "
                "accepts it; until then no payment is made, and if this server ends first, the ledger "
                f"will call it unknown. Show the user this: {error.reason}"
            )
            return replace(after, outcome_text=lost)
        with suppress(Exception):  # evidence is optional: the outcome stands without it
            evidence = await request.evidence(change)
            return await in_thread(ledger.add_evidence, change.id, evidence, self._now())
        with suppress(NotAllowed):
            after = await reread(ledger, after, self._now())
        return after

    async def _outcome(self, change: Change, request: ChangeRequest) -> Change:
        """The change after sending it once, not recorded yet."""
        state, outcome_text = State.UNKNOWN, CUT_OFF
        evidence: Mapping[str, Any] = {}
        try:
            if self._now() - change.updated_at >= SEND_WITHIN:
                raise SendFailed(State.NOT_SENT, SLEPT, {})
            if not change.is_for(request.operation, request.arguments):
                raise SendFailed(State.NOT_SENT, ANOTHER, {})
            evidence = await request.send()
            state, outcome_text = State.SUCCEEDED, CONFIRMED
        except SendFailed as error:
            state, outcome_text, evidence = error.state, str(error), error.evidence
        except Exception as error:  # noqa: BLE001 - after any error it may have happened
            outcome_text = f"The answer could not be understood ({type(error).__name__})."
        return replace(change, state=state, outcome_text=outcome_text, evidence=evidence)

    async def _renew(self, ledger: Ledger, change: Change) -> None:
        """Renews the row, so that other machines see that this process still waits."""
        while True:
            await self._sleep(RENEW_SECONDS)
            with suppress(NotAllowed):
                await in_thread(ledger.renew, change.id, self._now(), abandon_on_cancel=True)

    async def _write_outcomes(self) -> None:
        """Writes the outcomes that are not in the ledger yet. Raises `NotAllowed` while one is left:
        until then the ledger is out of date."""
        if not self._outcomes.unwritten:
            return
        await in_thread(self._outcomes.retry)
        if waiting := self._outcomes.unwritten:
            raise NotAllowed(
                f"Nothing new was sent: change {waiting[0]} was sent earlier, and its outcome is known and "
                "not in the ledger yet. Ask the user to look at the ledger's store (telnyx-account-mcp "
                "doctor shows it), then call again."
            )

    async def idle(self) -> None:
        """Returns when nothing that was sent is still waiting for its answer."""
        async with self._landed:
            while self._in_flight:
                await self._landed.wait()


def _record(ledger: Ledger, after: Change, now: datetime) -> None:
    """Records the outcome. An uncertain outcome that arrives after a person resolved the change is kept as
    evidence. May be repeated after a failure, even if that failure came after the commit."""
    if ledger.record(after.id, after.state, after.outcome_text, after.evidence, now) is None:
        stands = ledger.get(after.id, now)
        if stands is None or (stands.state, stands.outcome_text) != (
            after.state,
            after.outcome_text,
        ):
            late = {**after.evidence, "late_answer": f"{after.state}: {after.outcome_text}"}
            ledger.add_evidence(after.id, late, now)
    ledger.landed(after.id)


def _never_sent(ledger: Ledger, change: Change, token: str, now: datetime) -> None:
    """Records that a change was not sent, if its claim got into the store."""
    if claimed := ledger.claimed(change.id, token, now):
        ledger.record(claimed.id, State.NOT_SENT, CLAIM_LOST, {}, now)
    ledger.landed(change.id)
