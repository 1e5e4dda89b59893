"""What the page says: the stored question and its form, or what was decided. Needs no scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from html import escape
from importlib.resources import files
from string import Template
from typing import NamedTuple

from telnyx_mcp.approval.changes import LIFETIME, Change, State
from telnyx_mcp.commands import to_run

_TEXT = files("telnyx_mcp.approval.channels").joinpath("page.html").read_text(encoding="utf-8")
_TEMPLATE = Template(_TEXT)
_STYLE = _TEXT.partition("<style>")[2].partition("</style>")[0]
STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
"""What the content security policy allows: this style, and nothing else."""

WATCH_SECONDS = 3
"""How often the page of an approved change looks for its outcome."""
_WATCHED = 60
"""For how many seconds it does: the assistant goes on by then, or waits to be told to."""
_TO_TYPE = "To approve, type"
_NAME = re.compile(r"[^:.;]{1,48}: ")
"""The part of a line before its figures."""


class _Words(NamedTuple):
    heading: str
    text: str
    kind: str = ""


_DECIDED: Mapping[State, _Words] = {
    State.APPROVED: _Words(
        "Approved",
        "Go back to the assistant. If it does not go on by itself, tell it to. Nothing is sent after "
        "{until}.",
        "good",
    ),
    State.SENDING: _Words("Approved, and being sent", "Go back to the assistant.", "good"),
    State.SUCCEEDED: _Words("Done", "{happened} Go back to the assistant.", "good"),
    State.REFUSED: _Words("Not done", "{happened}", "bad"),
    State.NOT_SENT: _Words("Not sent", "{happened}", "bad"),
    State.UNKNOWN: _Words(
        "Nobody knows whether it happened",
        "{happened} It was sent once, will not be sent again, and blocks other payments. Look into the "
        "Mission Control Portal, then run <code>{resolve} --paid</code> or <code>--not-paid</code>.",
        "bad",
    ),
    State.DECLINED: _Words("Declined", "Nothing was sent. Go back to the assistant."),
    State.EXPIRED: _Words("Expired", "Nothing was sent. {happened}"),
}
_LOCAL = "This page comes from telnyx-account-mcp on this computer."
_ADDRESS = (
    "Its address opens nothing elsewhere and was not given to the assistant; keep it to yourself."
)
_NOT_THE_AMOUNT = (
    "That is not the amount, so nothing was approved. Type {amount} to pay, or decline."
)
_NOT_TICKED = "The box was not ticked, so nothing was approved. Tick it, or decline."


def question(change: Change, now: datetime, *, mistaken: bool) -> str:
    """The page that asks; again, if the last answer was mistaken."""
    first, *lines = change.question.splitlines() or [""]
    label = "Type the amount to approve"
    if change.amount is not None and lines and lines[-1].startswith(_TO_TYPE):
        label = lines.pop()
    deadline = change.proposed_at + LIFETIME
    left = max(0, int((deadline - now).total_seconds()))
    content = (
        f"<h1>{escape(first)}</h1>\n{_facts(lines)}\n{_error(change) if mistaken else ''}"
        f"{_form(change, label, mistaken)}\n"
        f'<p class="until">Answer before <b>{_clock(deadline)}</b> ({_minutes(left)} left when this '
        "page was loaded). After that nothing is sent.</p>"
    )
    title = ("Not approved: " if mistaken else "") + _button(change)
    return _page(title, content, change, "asks for your approval", left + 1)


def decided(change: Change, now: datetime, profile: str | None) -> str:
    """The page that tells what was decided, or what came of it. `profile` is the account's."""
    state = State.EXPIRED if _too_late(change, now) else change.state
    heading, text, kind = _DECIDED[state]
    happened = change.happened or ("Nobody answered in time." if state is State.EXPIRED else "")
    until = _clock(change.updated_at + LIFETIME)
    resolve = escape(to_run(f"resolve {change.id}", profile))
    text = text.format(happened=escape(happened), until=until, resolve=resolve)
    first, *lines = change.question.splitlines() or [""]
    if lines and lines[-1].startswith(_TO_TYPE):
        lines.pop()
    content = (
        f'<h1 class="{kind}">{heading}</h1>\n<p>{text}</p>\n'
        f'<div class="asked"><h2>This was the question</h2>\n<p>{escape(first)}</p>\n{_facts(lines)}</div>'
    )
    waits = state in (State.APPROVED, State.SENDING)
    watch = waits and (now - change.updated_at).total_seconds() < _WATCHED
    return _page(
        heading, content, change, "asked for your approval", WATCH_SECONDS if watch else None
    )


def notice(heading: str, text: str) -> str:
    """A page without a change: what is wrong with the request."""
    return _page(heading, f"<h1>{heading}</h1>\n<p>{text}</p>", None, "", None)


def waits_for_answer(change: Change, now: datetime) -> bool:
    """Whether the page asks; if not, it tells what was decided."""
    return change.state is State.PROPOSED and not change.expired(now)


def _too_late(change: Change, now: datetime) -> bool:
    return change.state in (State.PROPOSED, State.APPROVED) and change.expired(now)


def _page(title: str, content: str, change: Change | None, sender: str, refresh: int | None) -> str:
    again = "" if refresh is None else f'\n<meta http-equiv="refresh" content="{refresh}">'
    return _TEMPLATE.substitute(
        title=escape(title),
        content=content,
        refresh=again,
        sender=sender,
        foot=f"{_LOCAL} {_ADDRESS} Change {escape(change.id)}." if change else _LOCAL,
    )


def _facts(lines: list[str]) -> str:
    """The lines of the question, word for word; what stands before a colon is set apart."""
    items = []
    for line in lines:
        name = _NAME.match(line)
        if name and name[0].isupper():
            items.append(f'<li class="note">{escape(line)}</li>')
        elif name:
            value = line[name.end() :]
            items.append(
                f'<li class="pair"><span class="name">{escape(name[0])}</span>'
                f'<span class="value">{escape(value)}</span></li>'
            )
        else:
            items.append(f"<li>{escape(line)}</li>")
    return f'<ul class="facts">{"".join(items)}</ul>' if items else ""


def _error(change: Change) -> str:
    words = _NOT_TICKED if change.amount is None else _NOT_THE_AMOUNT.format(amount=change.amount)
    return f'<p class="error" id="error" role="alert">{words}</p>\n'


def _form(change: Change, label: str, mistaken: bool) -> str:
    """Two forms, so that declining needs nothing typed or ticked."""
    marked = ' aria-invalid="true" aria-describedby="error" autofocus' if mistaken else ""
    if change.amount is not None:
        asks = (
            f'<label for="amount">{escape(label)}</label>\n'
            '<input type="text" id="amount" name="amount" inputmode="decimal" autocomplete="off" '
            f'spellcheck="false" maxlength="40" required{marked}>'
        )
    else:
        asks = (
            '<label class="tick"><input type="checkbox" name="approve" value="yes" '
            f'autocomplete="off" required{marked}><span>Yes, make this change</span></label>'
        )
    return (
        f'<form method="post" autocomplete="off">\n{asks}\n'
        f'<button class="go" name="decision" value="approve">{_button(change)}</button>\n</form>\n'
        '<form method="post">\n'
        '<button class="stop" name="decision" value="decline">Decline</button>\n</form>'
    )


def _button(change: Change) -> str:
    if change.amount is None:
        return "Make this change"
    return f"Pay {change.amount}"


def _clock(moment: datetime) -> str:
    """The time of day where the person is."""
    return escape(f"{moment.astimezone():%H:%M %Z}")


def _minutes(seconds: int) -> str:
    if seconds < 60:
        return "less than a minute"
    return "1 minute" if seconds < 120 else f"{seconds // 60} minutes"
