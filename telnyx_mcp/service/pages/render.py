"""Renders the pages of the service, on the templates of the approval page. They need no scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from telnyx_mcp.approval.change import PAYMENT, Change, State
from telnyx_mcp.approval.page import render
from telnyx_mcp.approval.reasons import title_of
from telnyx_mcp.approval.replies import BLOCKS, REPLIES
from telnyx_mcp.approval.team.person import Person

_PACKAGE = "telnyx_mcp.service.pages"
_FOOT = "telnyx-account-mcp, the service of your team."
_NOT_DECIDED = "That is not the amount, so nothing was decided. Type {typed}, then choose."
_NOT_TICKED = "The box was not ticked, so nothing was decided. Tick it, then choose."
_TEXTS: Mapping[State, str] = {
    State.PROPOSED: "It waits for an approval until {until}.",
    State.APPROVED: "It is about to be sent.",
    State.SENDING: "It was approved and sent, and the answer has not come yet. This page looks again.",
    State.UNKNOWN: "{happened} It was sent once and will not be sent again. {blocks} Look into the Mission "
    "Control Portal, then somebody who may approve it answers here.",
}
"""The text under the heading, where it is not simply what happened."""


def change_page(
    change: Change,
    person: Person,
    csrf: str,
    *,
    why_not: str | None,
    can_withdraw: bool,
    mistaken: bool = False,
    refusal: str = "",
) -> str:
    """The page of a change: its question and a form for those who may answer, else where it stands."""
    forms = {State.PROPOSED: "ask", State.UNKNOWN: "resolve"}
    form = forms.get(change.state, "") if why_not is None else ""
    if change.state is State.PROPOSED and can_withdraw and why_not is not None:
        form = "withdraw"
    asks = form == "ask"
    reply = REPLIES[change.state]
    text = "" if asks else _TEXTS.get(change.state, change.outcome_text)
    if why_not and change.state in (State.PROPOSED, State.UNKNOWN):
        text = f"{text} {why_not}"
    typed = change.question.typed
    error = _NOT_DECIDED.format(typed=typed) if typed else _NOT_TICKED
    heading = change.question.title if asks else reply.heading
    return render.fill(
        render.template(_PACKAGE, "change.html"),
        title=change.question.action if asks else heading,
        heading=heading,
        tone="" if asks else reply.tone,
        text=" ".join(
            text.format(
                until=when(change.expires_at),
                happened=change.outcome_text,
                blocks=BLOCKS if change.operation == PAYMENT else "",
            ).split()
        ),
        change=change,
        form=form,
        error=refusal or (error if mistaken else ""),
        until=when(change.expires_at),
        left="",
        people=_people(change),
        receipt=[] if asks else render.receipt(change, when)[1:],
        withdraw="Withdraw your approval" if _approved(change, person) else "Withdraw the proposal",
        refresh=render.WATCH_SECONDS if change.state in (State.APPROVED, State.SENDING) else None,
        csrf=csrf,
        person=person,
        foot=f"{_FOOT} Change {change.id}.",
    )


def list_page(changes: Sequence[Change], person: Person, csrf: str) -> str:
    """The changes, those that wait first."""
    rows = [
        {
            "id": each.id,
            "title": title_of(each),
            "requester": each.requester.label if each.requester else "",
            "state": REPLIES[each.state].heading,
            "when": when(each.proposed_at),
        }
        for each in changes
    ]
    return render.fill(
        render.template(_PACKAGE, "list.html"),
        title="Changes",
        heading="Changes",
        rows=rows,
        person=person,
        csrf=csrf,
        foot=_FOOT,
        wide=True,
    )


def notice(heading: str, text: str, link: tuple[str, str] | None = None) -> str:
    """A page without a change: what is wrong, and where to go on, as an address and its words."""
    page = render.template(_PACKAGE, "notice.html")
    return render.fill(page, title=heading, heading=heading, text=text, link=link, foot=_FOOT)


def when(moment: datetime | None) -> str:
    """A time, in UTC as the people of a team may be anywhere; "" for none."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def _people(change: Change) -> list[tuple[str, str]]:
    """Who asked, and who approved so far."""
    missing = change.approvers_needed - len(change.approvals)
    waits = change.state is State.PROPOSED and change.approvers_needed > 1
    rows = [
        ("Asked for by", change.requester.label if change.requester else ""),
        ("Through", change.requested_via),
        *(("Approved by", f"{each.by.label}, {when(each.at)}") for each in change.approvals),
        ("Approvals still needed", str(missing) if waits else ""),
        ("Decided by", change.decided_by if change.state is not State.PROPOSED else ""),
    ]
    return [(name, value) for name, value in rows if value]


def _approved(change: Change, person: Person) -> bool:
    return any(person.is_same(each.by.issuer, each.by.subject) for each in change.approvals)
