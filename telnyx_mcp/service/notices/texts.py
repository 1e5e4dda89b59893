"""What a notice says, in a form that Slack, Google Chat or Microsoft Teams takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from telnyx_mcp.approval.change import PAYMENT, RECHARGE, Change, State
from telnyx_mcp.approval.team.notices import NoticeKind

_KINDS: Mapping[str, str] = {
    PAYMENT: "a payment",
    RECHARGE: "a change of the auto-recharge preferences",
}
_TEXTS: Mapping[NoticeKind, str] = {
    NoticeKind.PROPOSED: "{who} asks for {what}. It waits for an approval until {until} UTC: {link}",
    NoticeKind.APPROVED: "{approver} approved {what} that {who} asked for. It needs the approval of one "
    "more person: {link}",
    NoticeKind.OUTCOME: "{what_first} that {who} asked for {outcome}: {link}",
    NoticeKind.UNKNOWN: "The outcome of {what} that {who} asked for is UNKNOWN. No other payment is made "
    "until somebody has found out: {link}",
}
_OUTCOMES: Mapping[State, str] = {
    State.SUCCEEDED: "was carried out",
    State.REFUSED: "was refused, and did not happen",
    State.NOT_SENT: "was not sent",
    State.DECLINED: "was declined",
    State.EXPIRED: "was not approved in time",
}


def text_of(kind: NoticeKind, change: Change, link: str, *, with_amounts: bool) -> str:
    """The sentence for this notice. Names come from the identity provider, and lose what a chat could read
    as a command or a link."""
    what = _KINDS.get(change.operation, "a change")
    if with_amounts and change.charge is not None:
        what = f"{what} of {change.charge}"
    approvers = [each.by.label for each in change.approvals]
    return _TEXTS[kind].format(
        who=plain(change.requester.label if change.requester else "Somebody"),
        what=what,
        what_first=what[0].upper() + what[1:],
        approver=plain(approvers[-1] if approvers else "Somebody"),
        until=f"{change.expires_at:%Y-%m-%d %H:%M}",
        outcome=_OUTCOMES.get(change.state, f"is {change.state}"),
        link=link,
    )


def plain(name: str) -> str:
    """A name without the signs that mean something in a chat: `<!channel>`, `@here`, `*`, `[a](b)`."""
    kept = "".join(each if each.isalnum() or each in " .,'-_" else " " for each in name)
    return " ".join(kept.split()) or "Somebody"


def _text(text: str, _link: str) -> dict[str, Any]:
    return {"text": text}


def _adaptive_card(text: str, link: str) -> dict[str, Any]:
    card = {
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "TextBlock", "text": text, "wrap": True}],
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": link}],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


MESSAGES: Mapping[str, Callable[[str, str], dict[str, Any]]] = {
    "text": _text,
    "adaptive_card": _adaptive_card,
}
"""The body of the request, by `format` of the configuration."""
