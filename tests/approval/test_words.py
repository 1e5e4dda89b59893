"""What the user and the model read: the sentence of every reason, and the words of every outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from string import Formatter

import pytest

from telnyx_mcp.approval.change import RECHARGE, Change, Signatory, State
from telnyx_mcp.approval.channels import AskOutcome
from telnyx_mcp.approval.directions import TerminalDirections
from telnyx_mcp.approval.question import Fact, Question
from telnyx_mcp.approval.reasons import (
    Blocked,
    BudgetUsedUp,
    NeedsAnother,
    NotAllowed,
    OverCap,
    OverOwnCap,
    ProposedByAnother,
    QuestionOpen,
    Reason,
    RecentlyDeclined,
    ReferenceTaken,
    StoreReplaced,
    UnknownPayment,
    UnlinkedKey,
    title_of,
)
from telnyx_mcp.approval.replies import (
    ANSWERED,
    NOT_ANSWERED,
    NOT_UNKNOWN,
    NOT_WAITING,
    NOT_WITHDRAWN,
    REPLIES,
    WITHDRAWN,
)
from telnyx_mcp.cli.change_texts import standing
from tests.support.changes import change
from tests.support.clock import NOW

APPROVED = change(state=State.APPROVED, decided_at=NOW + timedelta(minutes=3))
ALICE = Signatory("https://id.example.com", "alice", "Alice")
WAITS = (
    "waits for the user, who can approve it with `telnyx-account-mcp approve 0123456789abcdef` in a "
    "terminal"
)
ANOTHER = " Only a payment with a reference of its own is another one: ask the user whether they want that."
OWN_CAP = "120.00 would exceed what this user's roles allow for"
LARGER = " Somebody with a larger limit can propose it."
SETTING = change(operation=RECHARGE, arguments={"enabled": False}, amount=None)
LOOK = (
    "is unknown, and no other payment is made until a person has found out. The user can look into "
    "the Mission Control Portal, then run `telnyx-account-mcp resolve 0123456789abcdef{profile}` in a "
    "terminal, or answer on the page in the browser where one opens."
)
OPEN = (
    "(id 0123456789abcdef, until {until} UTC), and an account has one open question at a time. Ask the "
    "user to answer that one first, where it was asked or with `telnyx-account-mcp approve "
    "0123456789abcdef{profile}` in a terminal; then call again."
)
REPLACED = (
    " Payments may be missing from it, so nothing is paid or changed until the user puts the right one "
    "back, or, after a look into the Mission Control Portal, runs `telnyx-account-mcp ledger "
    "accept{profile}` in a terminal. Calling again helps after that."
)


@pytest.mark.parametrize(
    ("reason", "profile", "words"),
    [
        (
            UnknownPayment(change(sent_at=NOW)),
            "work",
            "the outcome of the payment of 120.00 sent at 2026-06-15 12:00 UTC "
            + LOOK.format(profile=" --profile work"),
        ),
        (
            UnknownPayment(change()),
            None,
            "the outcome of the payment of 120.00 " + LOOK.format(profile=""),
        ),
        (
            UnknownPayment(change(damage="it has no amount")),
            None,
            "the outcome of change 0123456789abcdef, whose record can't be read (it has no amount), "
            + LOOK.format(profile=""),
        ),
        (
            ReferenceTaken(change(reference="may", state=State.SUCCEEDED)),
            None,
            "the reference `may` already names another change (120.00, succeeded). Use a new reference "
            "for a new payment, or the same amount to see the outcome of that one.",
        ),
        (
            QuestionOpen(change(reference="may")),
            None,
            "another change waits for the user's answer: pay 120.00 (may) "
            + OPEN.format(until="12:10", profile=""),
        ),
        (
            QuestionOpen(APPROVED),
            "work",
            "another change is approved and not sent yet: pay 120.00 "
            + OPEN.format(until="12:13", profile=" --profile work"),
        ),
        (
            RecentlyDeclined(change(state=State.DECLINED), NOW + timedelta(minutes=10)),
            None,
            "the user declined a payment of 120.00 at 12:00 UTC, so no payment is proposed until 12:10 "
            "UTC. Don't ask again unless the user wants to.",
        ),
        (BudgetUsedUp(), None, "the standing budget is used up."),
        (
            OverCap(Decimal("120.00"), Decimal("100.00"), "one payment", "max_payment", Decimal(0)),
            None,
            "120.00 would exceed the cap of 100.00 for one payment. Only the user can raise it, with "
            "TELNYX_MCP_MAX_PAYMENT, in a profile max_payment.",
        ),
        (
            OverCap(
                Decimal("120.00"), Decimal("200.00"), "24 hours", "max_per_day", Decimal("90.00")
            ),
            None,
            "120.00 would exceed the cap of 200.00 for 24 hours (90.00 already paid or possibly paid). "
            "Only the user can raise it, with TELNYX_MCP_MAX_PER_DAY, in a profile max_per_day.",
        ),
        (
            OverOwnCap(Decimal("120.00"), Decimal("100.00"), "one payment", Decimal(0)),
            None,
            f"{OWN_CAP} one payment: 100.00.{LARGER}",
        ),
        (
            OverOwnCap(Decimal("120.00"), Decimal("200.00"), "24 hours", Decimal("90.00")),
            None,
            f"{OWN_CAP} 24 hours: 200.00 (90.00 already paid or possibly paid).{LARGER}",
        ),
        (
            ProposedByAnother(change(requester=ALICE)),
            None,
            f"Alice proposed the same at 2026-06-15 12:00 UTC. It is proposed and {WAITS}.{ANOTHER}",
        ),
        (
            ProposedByAnother(change(state=State.SUCCEEDED)),
            None,
            "A user who is not signed in proposed the same at 2026-06-15 12:00 UTC. It is succeeded."
            + ANOTHER,
        ),
        (
            NeedsAnother(change(requester=ALICE)),
            None,
            "Alice asked for this change, and somebody else has to approve it, signed in. It "
            f"{WAITS}.",
        ),
        (
            UnlinkedKey(["owner@example.com", "account 01234567"]),
            "work",
            "this API key is new to the ledger, which holds the changes of: owner@example.com, account "
            "01234567. Telnyx does not confirm that the key belongs to one of them, so nothing is paid "
            "or changed until the user runs `telnyx-account-mcp ledger link --profile work` in a "
            "terminal. Calling again helps after that.",
        ),
        (
            StoreReplaced("state.sqlite3", is_another=True),
            "work",
            "The ledger in state.sqlite3 is not the one that this computer sent changes with: that was "
            "deleted, emptied or replaced." + REPLACED.format(profile=" --profile work"),
        ),
        (
            StoreReplaced("state.sqlite3", is_another=False),
            None,
            "The ledger in state.sqlite3 lacks the change that this computer sent last: it was restored "
            "from an older copy." + REPLACED.format(profile=""),
        ),
    ],
)
def test_each_reason_says_what_is_in_the_way_and_what_the_user_can_do(
    reason: Reason, profile: str | None, words: str
) -> None:
    assert str(Blocked(reason, TerminalDirections(profile))) == words


def test_what_sent_something_before_says_the_cause_alone() -> None:
    assert NotAllowed("Nothing was sent: it is late.").reason == "Nothing was sent: it is late."
    assert NotAllowed("Nothing was sent: it is late.", "it is late.").reason == "it is late."


@pytest.mark.parametrize(
    ("named", "title"),
    [
        (change(), "pay 120.00"),
        (change(reference="may"), "pay 120.00 (may)"),
        (SETTING, "update auto recharge preferences: enabled no"),
        (
            replace(SETTING, arguments={"enabled": True, "recharge_amount": "50.00"}),
            "update auto recharge preferences: enabled yes, recharge_amount 50.00",
        ),
    ],
)
def test_a_change_is_named_by_what_it_does(named: Change, title: str) -> None:
    assert title_of(named) == title


def test_a_question_is_one_line_for_each_thing_it_says() -> None:
    asked = Question(
        "Pay 120.00 USD?",
        (Fact("", "A sandbox account."), Fact("Balance now", "5.00 USD")),
        ("120.00 was already paid.", "Another note."),
        "To approve, type the amount: 120.00",
    )
    assert asked.text.splitlines() == [
        "Pay 120.00 USD?",
        "A sandbox account.",
        "Balance now: 5.00 USD",
        "NOTE: 120.00 was already paid.",
        "NOTE: Another note.",
        "To approve, type the amount: 120.00",
    ]
    assert replace(asked, facts=(), notes=(), prompt="").text == "Pay 120.00 USD?"
    assert (Question("Pay?").text, Question("Pay?").action) == ("Pay?", "Make this change")
    assert Question.from_json(asked.to_json()) == asked


@pytest.mark.parametrize("text", ["[]", "{}", '{"facts": [["a"]], "notes": []}', "1", "null", "{"])
def test_malformed_data_is_not_taken_for_a_stored_question(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the JSON decoder's own is one, too
        Question.from_json(text)


@pytest.mark.parametrize(
    ("text", "typed", "question"),
    [
        (
            "Pay?\nBalance: 5.00",
            "12.00",
            Question("Pay?", (Fact("", "Balance: 5.00"),), typed="12.00"),
        ),
        ("", None, Question("")),
    ],
)
def test_a_question_of_an_earlier_version_is_shown_line_by_line(
    text: str, typed: str | None, question: Question
) -> None:
    assert Question.from_text(text, typed) == question


@pytest.mark.parametrize("state", State)
def test_every_outcome_has_words_for_the_model_the_page_and_the_terminal(state: State) -> None:
    reply = REPLIES[state]
    for words in (reply.model, reply.heading, reply.page, reply.clause):
        assert words.strip()
        assert words[0] == "{" or words[0].isalpha()
    # What came of it is told wherever only the row knows it.
    told = {name for _, name, _, _ in Formatter().parse(reply.page) if name}
    assert ("happened" in told) == (state not in {State.PROPOSED, State.APPROVED, State.SENDING})


@pytest.mark.parametrize(
    ("state", "clause"),
    [
        (State.PROPOSED, "it still waits for an answer, and nothing was sent"),
        (State.APPROVED, "it is approved, and nothing was sent yet"),
        (
            State.SENDING,
            "it is being sent, and its answer may still come; look again in a minute",
        ),
        (State.SUCCEEDED, "Telnyx confirmed it, or a person did before"),
        (State.REFUSED, "it did not happen"),
        (State.NOT_SENT, "it was never sent"),
        (State.UNKNOWN, "its outcome is unknown"),
        (State.DECLINED, "a person declined it, and nothing was sent"),
        (State.EXPIRED, "its approval ran out, and nothing was sent"),
        (State.VOID, "its question was no longer true, and nothing was sent"),
    ],
)
def test_the_terminal_says_where_a_change_stands(state: State, clause: str) -> None:
    told = change(state=state, outcome_text="The balance moved.")
    for text, words in (
        (NOT_UNKNOWN, f"There is nothing to resolve: pay 120.00 is {state}: {clause}."),
        (
            NOT_WAITING,
            f"It no longer waits for an answer: it is {state}. The balance moved. Nothing was approved "
            "now.",
        ),
        (NOT_WITHDRAWN, f"It is too late to withdraw it: it is {state}. The balance moved."),
    ):
        assert standing(text, told) == words
    assert standing(NOT_WITHDRAWN, replace(told, outcome_text="")) == (
        f"It is too late to withdraw it: it is {state}."
    )


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (
            AskOutcome.APPROVED,
            "Approved. The assistant can call again; the approval is good until 12:10 UTC. Until it is sent "
            "you can withdraw it: telnyx-account-mcp approve 1",
        ),
        (AskOutcome.DECLINED, "Declined. The assistant will see it."),
        (AskOutcome.CANCELLED, "Nothing was approved or declined. It waits until 12:10 UTC."),
    ],
)
def test_the_terminal_says_what_an_answer_did(outcome: AskOutcome, words: str) -> None:
    said = ANSWERED[outcome].format(until="12:10", approve="telnyx-account-mcp approve 1")
    assert said == words
    assert WITHDRAWN == "Withdrawn. Nothing is sent."


@pytest.mark.parametrize("words", [*NOT_ANSWERED.values(), *ANSWERED.values()])
def test_every_answer_has_a_sentence(words: str) -> None:
    assert words[0].isupper()
    assert words.endswith((".", "}"))
