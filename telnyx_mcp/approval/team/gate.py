"""The gate of a team: people propose from their assistants, and others approve on the service's pages.

Who approves a change carries it out: the process that took the last needed approval claims and sends it at
once, in one transaction with the approval, so that nobody has to call the assistant again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import anyio
from mcp_types import InputRequiredResult

from telnyx_mcp.approval.change import PENDING, Change, Signatory, State
from telnyx_mcp.approval.channels import (
    CLIENT_SECONDS,
    PAGE_SECONDS,
    AskOutcome,
    Channels,
    elicitation,
)
from telnyx_mcp.approval.gate import Gate
from telnyx_mcp.approval.ledger_async import in_thread, reread
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.approval.request import RequestFactory
from telnyx_mcp.approval.team.directions import TeamDirections
from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.approval.team.requester import Requester
from telnyx_mcp.approval.team.roles import Permissions, Roles
from telnyx_mcp.request_context import RequestContext
from telnyx_mcp.untrusted import one_line

if TYPE_CHECKING:
    from telnyx_mcp.approval.ledger import Decision, Ledger

PAGE = "page"
"""The channel of a decision on the service's pages."""
POLL_SECONDS = 0.5


class NotPermitted(NotAllowed):
    """This person may not do that. The text is for them."""


class TeamGate(Gate):
    """Carries out what people propose and others approve. `person` is who makes the present call, `roles`
    what people may do now, `lifetime` how long a proposal waits; a
    call waits `wait` seconds for its approval."""

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        now: Callable[[], datetime],
        request_for: RequestFactory,
        person: Callable[[], Person],
        roles: Callable[[], Roles],
        directions: TeamDirections,
        lifetime: timedelta,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        wait: float = PAGE_SECONDS,
    ) -> None:
        nobody_here = Channels("terminal")
        super().__init__(open_ledger, nobody_here, now, request_for, sleep, directions)
        self.directions: TeamDirections = directions
        self._person = person
        self._roles = roles
        self._lifetime = lifetime
        self._wait = wait

    # --- the assistant's side --------------------------------------------------------------------

    async def _callers_ledger(self) -> Ledger:
        """The ledger as the caller sees it. Raises `NotPermitted`."""
        person, roles = self._person(), self._roles()
        permissions = roles.permissions_of(person)
        if not permissions.propose:
            raise NotPermitted(
                "Nothing was proposed: none of this user's roles may propose changes. Roles that may: "
                f"{roles.who_proposes()}."
            )
        requester = Requester(
            signatory_of(person),
            permissions.max_payment,
            permissions.max_per_day,
            self._lifetime,
            roles.two_approvers_above,
        )
        return (await self.ledger()).seen_by(requester)

    def _via(self, context: RequestContext) -> str:
        """The client's own name, which anybody may claim, and the id that its token was issued to."""
        name, client_id = elicitation.client_name(context), one_line(self._person().client_id)
        return f"{name} ({client_id})" if name else client_id

    def _ledger_of(self, ledger: Ledger, change: Change) -> Ledger:
        """The ledger as the change's requester sees it, so that a fresh question is theirs as well."""
        above = self._roles().two_approvers_above
        return ledger.seen_by(Requester.of(change, self._lifetime, above))

    async def _ask(
        self, ledger: Ledger, change: Change, context: RequestContext
    ) -> tuple[AskOutcome | InputRequiredResult | None, Decision | None]:
        """What the caller answers, if they may approve it themselves; else the change waits for others,
        and this call for a while."""
        if self._asks_requester(change, context):
            if not elicitation.brings_answer(change, context):
                return elicitation.question(change), None
            return await self._answered(ledger, change, context)
        with anyio.move_on_after(self._wait):
            await context.report_progress(0, message="Waiting for somebody to approve it")
            while (await reread(ledger, change, self._now())).state in PENDING:
                await self._sleep(POLL_SECONDS)
        return AskOutcome.IN_TEAM, None

    def _asks_requester(self, change: Change, context: RequestContext) -> bool:
        """Whether the requester's own client asks them. Some clients accept by themselves, so this is an
        approval by the requester, which a role has to allow."""
        if not elicitation.is_modern(context) or not elicitation.can_ask(context):
            return False
        brings_answer = elicitation.brings_answer(change, context)
        if brings_answer and elicitation.answer(change, context) is AskOutcome.DECLINED:
            return True
        if not self._may_approve_own(change, self._person()):
            return False
        waited = (self._now() - change.proposed_at).total_seconds()
        return brings_answer or waited < CLIENT_SECONDS

    async def _answered(
        self, ledger: Ledger, change: Change, context: RequestContext
    ) -> tuple[AskOutcome, Decision | None]:
        from telnyx_mcp.approval.ledger import Decision

        by = signatory_of(self._person())
        outcome = elicitation.answer(change, context)
        if outcome is AskOutcome.APPROVED:
            return outcome, Decision("elicitation", by.label, by, may_be_requester=True)
        if outcome is AskOutcome.DECLINED:
            decline = (change.id, "elicitation", self._now(), by.label)
            await in_thread(ledger.decline, *decline, signatory=by)
        elif outcome is AskOutcome.CANCELLED:
            await in_thread(ledger.close_question, change.id, self._now())
        return outcome, None

    # --- the pages' side -------------------------------------------------------------------------

    async def changes(self, most: int) -> list[Change]:
        """The changes that wait, oldest first, then the newest of the others; `most` in all."""
        ledger = await self.ledger()
        waiting = await in_thread(ledger.waiting, self._now())
        newest = await in_thread(ledger.newest, most, self._now())
        others = [each for each in newest if each.state is not State.PROPOSED]
        return [*waiting, *others][:most]

    async def approve(self, id: str, person: Person) -> Change:
        """The change after this person approved it: with its outcome, or still proposed if another approval
        is needed. What changed meanwhile is returned as it is: another decision, or a fresh question.

        Raises `NotPermitted`, and `NotAllowed` where it can't be decided now.
        """
        from telnyx_mcp.approval.ledger import Decision

        change = await self.check(id)
        if change.id != id or change.state is not State.PROPOSED:
            return change
        if why := self.why_not(change, person):
            raise NotPermitted(why)
        by = signatory_of(person)
        decision = Decision(
            PAGE, by.label, by, may_be_requester=self._may_approve_own(change, person)
        )
        ledger = await self.ledger()
        after = await self._claim_and_send(ledger, change, self._request_of(change), decision)
        return await self.check(after.id if after else id)

    async def decline(self, id: str, person: Person) -> Change:
        """The change, declined; as it is if it no longer waits. Raises `NotPermitted`, `NotAllowed`."""
        # Not checked against Telnyx: a decline counts while nothing can be checked or proposed.
        ledger, change = await self.ledger(), await self._latest(id)
        by = signatory_of(person)
        if not (self.permissions(person).approves or by.is_same(change.requester)):
            raise NotPermitted(
                "Only the person who asked for it, or somebody who may approve changes, declines it. "
                f"Roles that may: {self._roles().who_approves(None)}."
            )
        decline = (change.id, PAGE, self._now(), by.label)
        return await in_thread(ledger.decline, *decline, signatory=by) or change

    async def withdraw(self, id: str, person: Person) -> Change:
        """The change without this person's approval, or declined if they asked for it; as it is if it no
        longer waits. Raises `NotPermitted`, `NotAllowed`."""
        ledger = await self.ledger()
        by = signatory_of(person)
        if await in_thread(ledger.take_back, id, by, self._now()):
            return await self._latest(id)
        change = await self._latest(id)
        if change.state not in (State.PROPOSED, State.VOID):
            return change
        if not by.is_same(change.requester):
            raise NotPermitted("You have not approved it, so there is nothing to withdraw.")
        return await self.decline(change.id, person)

    async def resolve(self, id: str, person: Person, *, happened: bool, note: str) -> Change:
        """An unknown change after this person found out what happened; as it is if it is not unknown.

        Raises `NotPermitted`, `NotAllowed`.
        """
        ledger = await self.ledger()
        change = await self.check(id)
        if change.state is not State.UNKNOWN:
            return change
        if self._why_no_approver(change, person):
            raise NotPermitted(
                "Only somebody who may approve it says whether it happened. Roles that may: "
                f"{self._roles().who_approves(change.charge)}."
            )
        resolved = await in_thread(
            ledger.resolve,
            id,
            paid=happened,
            note=note,
            now=self._now(),
            channel=PAGE,
            by=signatory_of(person).label,
        )
        return resolved or await self.check(id)

    async def announce_lost(self) -> None:
        """Announces the changes whose sender ended before it recorded an outcome. Raises `NotAllowed`."""
        await in_thread((await self.ledger()).announce_lost, self._now())

    def permissions(self, person: Person) -> Permissions:
        """What this person may do now."""
        return self._roles().permissions_of(person)

    def why_not(self, change: Change, person: Person) -> str | None:
        """Why this person may not approve the change, in sentences for them; None if they may."""
        mine = [each for each in change.approvals if each.by.is_same(signatory_of(person))]
        if mine:
            return f"You approved it at {mine[0].at:%H:%M} UTC. It needs the approval of another person."
        return self._why_no_approver(change, person)

    def _why_no_approver(self, change: Change, person: Person) -> str | None:
        roles, permissions = self._roles(), self.permissions(person)
        who = roles.who_approves(change.charge)
        if signatory_of(person).is_same(change.requester):
            if self._may_approve_own(change, person):
                return None
            return f"You asked for it, so somebody else has to approve it. Roles that may: {who}."
        if not permissions.approves:
            return f"None of your roles approves changes. Roles that approve this one: {who}."
        if change.charge is not None and change.charge > permissions.approve_up_to:
            return (
                f"Your roles approve up to {permissions.approve_up_to}, and this could charge "
                f"{change.charge}. Roles that approve it: {who}."
            )
        return None

    def _may_approve_own(self, change: Change, person: Person) -> bool:
        limit = self.permissions(person).self_approve_up_to
        return (
            signatory_of(person).is_same(change.requester)
            and change.approvers_needed == 1
            and limit > 0
            and (change.charge or limit) <= limit
        )


def signatory_of(person: Person) -> Signatory:
    """The person as the ledger keeps them, the name in one short line."""
    return Signatory(person.issuer, person.subject, one_line(person.name))
