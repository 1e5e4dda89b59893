"""What the page says in each state, to the word, and which answers it then takes."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest

from telnyx_mcp.approval.change import RECHARGE, Change, State
from telnyx_mcp.approval.page import render
from telnyx_mcp.approval.question import Fact, Question
from tests.support.changes import change
from tests.support.clock import NOW

QUESTION = Question(
    "Pay 120.00 USD?",
    (Fact("Balance now", "5.00 USD"),),
    ("120.00 was already paid.",),
    "To approve, type the amount: 120.00",
    "120.00",
    "Pay 120.00 USD",
)
LATER = NOW + timedelta(minutes=1)


def asked(**told: Any) -> Change:
    return change(question=QUESTION, requested_via="client 1", **told)


def text_of(page: str) -> str:
    """The text of the body, without its markup."""
    body = page.partition("</head>")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def title_of(page: str) -> str:
    return page.partition("<title>")[2].partition(" ·")[0]


def errors(page: str) -> list[str]:
    """What the page says was mistaken."""
    return re.findall(r'<p class="error" id="error" role="alert">(.*?)</p>', page)


def decisions(page: str) -> list[str]:
    """The answers that the page takes."""
    return re.findall(r'name="decision" value="(\w+)"', page)


def refreshes(page: str) -> int | None:
    """After how many seconds the page loads itself again."""
    found = re.search(r'http-equiv="refresh" content="(\d+)"', page)
    return int(found[1]) if found else None


def clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M %Z}"


def stamp(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"


# --- the question ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mistaken", [False, True])
def test_a_page_that_asks_says_so_and_says_what_was_mistaken(*, mistaken: bool) -> None:
    page = render.question(asked(), NOW, mistaken=mistaken)
    assert title_of(page) == ("Not approved: " if mistaken else "") + "Pay 120.00 USD"
    error = "That is not the amount, so nothing was approved. Type 120.00 to approve, or decline."
    assert errors(page) == [error] * mistaken
    assert text_of(page).startswith("telnyx-account-mcp asks for your approval Pay 120.00 USD?")
    assert sorted(decisions(page)) == ["approve", "decline"]
    ticked = render.question(change(question=Question("Off?")), NOW, mistaken=mistaken)
    tick = "The box was not ticked, so nothing was approved. Tick it, or decline."
    assert errors(ticked) == [tick] * mistaken


@pytest.mark.parametrize(
    ("passed", "left", "refresh"),
    [
        (0, "10 minutes", 601),
        (479, "2 minutes", 122),
        (480, "2 minutes", 121),
        (481, "1 minute", 120),
        (540, "1 minute", 61),
        (541, "less than a minute", 60),
        (600, "less than a minute", 1),
        (700, "less than a minute", 1),
    ],
)
def test_a_page_that_asks_says_how_long_it_can_be_answered(
    passed: int, left: str, refresh: int
) -> None:
    page = render.question(asked(), NOW + timedelta(seconds=passed), mistaken=False)
    until = clock(NOW + timedelta(minutes=10))
    assert f"Answer before {until} ({left} left" in text_of(page)
    assert refreshes(page) == refresh


# --- what came of it ------------------------------------------------------------------------------


def decided(made: Change, at: datetime = LATER, *, mistaken: bool = False) -> str:
    return render.decided(made, at, "work", mistaken=mistaken)


@pytest.mark.parametrize(
    ("state", "heading", "words", "forms"),
    [
        (
            State.APPROVED,
            "Approved",
            "Go back to the assistant. If it does not go on by itself, tell it to. Nothing is sent "
            "after {until}.",
            ["withdraw"],
        ),
        (State.SENDING, "Approved, and being sent", "Go back to the assistant.", []),
        (State.SUCCEEDED, "Done", "It came to this. Go back to the assistant.", []),
        (State.REFUSED, "Not done", "It came to this.", []),
        (State.NOT_SENT, "Not sent", "It came to this.", []),
        (
            State.UNKNOWN,
            "Outcome unknown",
            "It came to this. It was sent once and will not be sent again. No other payment is made "
            "until you say whether it happened. Look into the Mission Control Portal, then answer here, or "
            "run telnyx-account-mcp resolve 0123456789abcdef --profile work in a terminal.",
            ["not_paid", "paid"],
        ),
        (
            State.DECLINED,
            "Declined",
            "Nothing was sent. It came to this. Go back to the assistant.",
            [],
        ),
        (State.EXPIRED, "Expired", "Nothing was sent. It came to this.", []),
        (State.VOID, "No longer valid", "Nothing was sent. It came to this.", []),
    ],
)
def test_a_page_says_what_came_of_the_change_and_takes_only_what_can_still_be_decided(
    state: State, heading: str, words: str, forms: list[str]
) -> None:
    made = asked(state=state, outcome_text="It came to this.", decided_at=NOW, updated_at=NOW)
    page = decided(made)
    assert title_of(page) == heading
    said = words.format(until=clock(NOW + timedelta(minutes=10)))
    assert f"{heading} {said} " in text_of(page)
    assert text_of(page).startswith(f"telnyx-account-mcp asked for your approval {heading} ")
    assert sorted(decisions(page)) == forms
    assert (">Withdraw the approval<" in page) is (state is State.APPROVED)
    waits = state in (State.APPROVED, State.SENDING)
    assert refreshes(decided(made, NOW + timedelta(seconds=59))) == (3 if waits else None)
    assert refreshes(decided(made, NOW + timedelta(seconds=60))) is None


def test_the_heading_is_coloured_by_what_came_of_the_change() -> None:
    good, bad = {"approved", "sending", "succeeded"}, {"refused", "not_sent", "unknown"}
    for state in set(State) - {State.PROPOSED}:
        tone = "good" if state in good else "bad" if state in bad else ""
        page = decided(asked(state=state))
        assert re.findall(r'<h1(?: class="(.*?)")?>', page) == [tone], state


def test_a_setting_of_unknown_outcome_blocks_no_payment_and_is_resolved_by_its_box() -> None:
    made = change(
        operation=RECHARGE,
        amount=None,
        question=Question("Off?"),
        state=State.UNKNOWN,
        outcome_text="No answer.",
    )
    page = decided(made, mistaken=True)
    assert "No answer. It was sent once and will not be sent again. Look into" in text_of(page)
    assert errors(page) == [
        "The box was not ticked, so nothing was resolved. Tick it, then choose."
    ]
    payment = decided(asked(state=State.UNKNOWN), mistaken=True)
    assert errors(payment) == [
        "That is not the amount, so nothing was resolved. Type 120.00, then choose."
    ]
    assert errors(decided(asked(state=State.UNKNOWN))) == []


def test_the_policy_allows_the_style_of_every_page_and_no_other() -> None:
    for page in (decided(asked(state=State.DECLINED)), render.notice("Not here", "Nothing.")):
        (style,) = re.findall(r"<style>(.+?)</style>", page, re.DOTALL)
        digest = hashlib.sha256(style.encode()).digest()
        assert render.style_hash() == base64.b64encode(digest).decode()


LOCAL = render._local_time


def test_a_receipt_shows_who_decided_when_and_what_telnyx_answered() -> None:
    evidence = {
        "amount": "120.00",
        "currency": "USD",
        "transaction_id": "t1",
        "processor_status": "settled",
        "created_at": "2026-06-15T12:01:00Z",
        "balance_before": "5.00",
        "balance_after": "125.00",
        "http_status": 201,
        "failure": "timeout",
        "late_answer": "unknown: Lost.",
        "note": "A note.",
        "something_else": "hidden",
    }
    made = asked(
        state=State.SUCCEEDED,
        decided_at=NOW,
        sent_at=LATER,
        evidence=evidence,
        note="Found to have happened.",
    )
    assert render.receipt(made, LOCAL) == [
        ("Asked for by", "client 1"),
        ("Decided", stamp(NOW)),
        ("Sent", stamp(LATER)),
        ("Paid", "120.00 USD"),
        ("Transaction", "t1"),
        ("Status at the processor", "settled"),
        ("Charged at", "2026-06-15T12:01:00Z"),
        ("Balance before", "5.00"),
        ("Balance after", "125.00"),
        ("HTTP status", "201"),
        ("Failure", "timeout"),
        ("Late answer", "unknown: Lost."),
        ("Note", "A note."),
        ("Resolved", "Found to have happened."),
    ]
    page = text_of(decided(made))
    for label, value in render.receipt(made, LOCAL):
        assert f"{label}: {value}" in page
    assert "hidden" not in page
    assert render.receipt(change(), LOCAL) == []
    assert ("Paid", "1.00") in render.receipt(
        change(evidence={"amount": "1.00", "currency": None}), LOCAL
    )


def test_every_page_of_a_change_names_it_and_a_notice_names_none() -> None:
    foot = (
        "This page comes from telnyx-account-mcp on this computer. Its address opens nothing elsewhere "
        "and was not given to the assistant; keep it to yourself. Change 0123456789abcdef."
    )
    for page in (render.question(asked(), NOW, mistaken=False), decided(asked(state=State.VOID))):
        assert text_of(page).endswith(foot)
    notice = render.notice("Wrong address", "This page has another address.")
    assert title_of(notice) == "Wrong address"
    assert text_of(notice).endswith(
        "Wrong address This page has another address. This page comes from telnyx-account-mcp on this "
        "computer."
    )
    assert decisions(notice) == []
