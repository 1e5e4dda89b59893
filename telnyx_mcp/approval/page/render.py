"""Renders the pages: the question with its form, and the receipt. They need no scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from telnyx_mcp.approval.change import PAYMENT, Change, State
from telnyx_mcp.approval.replies import BLOCKS, REPLIES
from telnyx_mcp.config.command_line import command_line

if TYPE_CHECKING:
    from jinja2 import Template

_PACKAGE = "telnyx_mcp.approval.page"
WATCH_SECONDS = 3
"""How often the page of an approved change looks for its outcome."""
_WATCHED = 60
"""For how many seconds it does: by then the assistant has continued, or waits for the user."""
_LOCAL = "This page comes from telnyx-account-mcp on this computer."
_ADDRESS = (
    "Its address opens nothing elsewhere and was not given to the assistant; keep it to yourself."
)
_NOT_TYPED = "That is not the amount, so nothing was approved. Type {typed} to approve, or decline."
_NOT_TICKED = "The box was not ticked, so nothing was approved. Tick it, or decline."
_NOT_TYPED_AGAIN = "That is not the amount, so nothing was resolved. Type {typed}, then choose."
_NOT_TICKED_AGAIN = "The box was not ticked, so nothing was resolved. Tick it, then choose."
_RECEIPT: Mapping[str, str] = {
    "amount": "Paid",
    "transaction_id": "Transaction",
    "processor_status": "Status at the processor",
    "created_at": "Charged at",
    "balance_before": "Balance before",
    "balance_after": "Balance after",
    "http_status": "HTTP status",
    "failure": "Failure",
    "late_answer": "Late answer",
    "note": "Note",
}
"""What the page shows of the evidence, in this order."""


@cache
def template(package: str, name: str) -> Template:
    """A template of this package, which may build on those of the approval page. Everything is escaped."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loaders = [PackageLoader(each, ".") for each in dict.fromkeys((package, _PACKAGE))]
    environment = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(name)


@cache
def style_hash() -> str:
    """What the content security policy allows: this style, and nothing else."""
    style = notice("", "").partition("<style>")[2].partition("</style>")[0]
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def question(change: Change, now: datetime, *, mistaken: bool) -> str:
    """The page that asks; again, if the last answer was mistaken."""
    content = change.question
    left = max(0, int((change.expires_at - now).total_seconds()))
    error = _NOT_TYPED.format(typed=content.typed) if content.typed else _NOT_TICKED
    return _page(
        title=("Not approved: " if mistaken else "") + content.action,
        heading=content.title,
        change=change,
        sender="asks for your approval",
        form="ask",
        error=error if mistaken else "",
        until=_clock(change.expires_at),
        left=_minutes(left),
        refresh=left + 1,
    )


def decided(change: Change, now: datetime, profile: str | None, *, mistaken: bool) -> str:
    """The receipt: the decision and the outcome. `profile` is the account's. An approved change can be
    withdrawn on it, an unknown one resolved."""
    reply = REPLIES[change.state]
    waits = change.state in (State.APPROVED, State.SENDING)
    watched = waits and (now - change.updated_at).total_seconds() < _WATCHED
    text = reply.page.format(
        happened=change.outcome_text,
        blocks=BLOCKS if change.operation == PAYMENT else "",
        until=_clock(change.expires_at),
        resolve=command_line(f"resolve {change.id}", profile),
    )
    typed = change.question.typed
    error = _NOT_TYPED_AGAIN.format(typed=typed) if typed else _NOT_TICKED_AGAIN
    forms = {State.APPROVED: "withdraw", State.UNKNOWN: "resolve"}
    return _page(
        title=reply.heading,
        heading=reply.heading,
        tone=reply.tone,
        text=" ".join(text.split()),
        change=change,
        sender="asked for your approval",
        form=forms.get(change.state, ""),
        error=error if mistaken else "",
        receipt=receipt(change, _local_time),
        refresh=WATCH_SECONDS if watched else None,
    )


def notice(heading: str, text: str) -> str:
    """A page without a change: what is wrong with the request."""
    return _page(title=heading, heading=heading, text=text)


def receipt(change: Change, when: Callable[[datetime | None], str]) -> list[tuple[str, str]]:
    """Who decided and when, and what is known of the outcome. `when` writes a time; "" for none."""
    values = dict(change.evidence)
    if "amount" in values:
        values["amount"] = f"{values['amount']} {values.get('currency') or ''}".strip()
    rows = [
        ("Asked for by", change.requested_via),
        ("Decided", when(change.decided_at)),
        ("Sent", when(change.sent_at)),
        *((label, str(values.get(name) or "")) for name, label in _RECEIPT.items()),
        ("Resolved", change.note),
    ]
    return [(label, value) for label, value in rows if value]


def _page(**content: Any) -> str:
    change: Change | None = content.get("change")
    foot = f"{_LOCAL} {_ADDRESS} Change {change.id}." if change else _LOCAL
    return fill(template(_PACKAGE, "page.html"), foot=foot, **content)


def fill(page: Template, **content: Any) -> str:
    """The page with this content. What is not given is left out."""
    texts = ("heading", "text", "tone", "sender", "form", "error", "until", "left", "csrf")
    blank: dict[str, Any] = dict.fromkeys(texts, "")
    blank |= {"change": None, "receipt": [], "people": [], "refresh": None, "wide": False}
    return str(page.render({**blank, "withdraw": "Withdraw the approval", **content}))


def _clock(moment: datetime) -> str:
    """The local time of day."""
    return f"{moment.astimezone():%H:%M %Z}"


def _local_time(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}" if moment else ""


def _minutes(seconds: int) -> str:
    if seconds < 60:
        return "less than a minute"
    return "1 minute" if seconds < 120 else f"{seconds // 60} minutes"
