"""What a call says came of a change, and how a change is listed, printed and kept as JSON."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from telnyx_mcp.approval.accounts import Identity
from telnyx_mcp.approval.change import PAYMENT, RECHARGE, Change, State
from telnyx_mcp.approval.channels import AskOutcome
from telnyx_mcp.approval.directions import TerminalDirections
from telnyx_mcp.approval.gate import Outcome
from telnyx_mcp.approval.ledger import Decision, Ledger
from telnyx_mcp.approval.question import Question
from telnyx_mcp.approval.reasons import StoreReplaced
from telnyx_mcp.approval.sender import CONFIRMED
from telnyx_mcp.approval.team.directions import TeamDirections
from telnyx_mcp.cli.change_texts import facts_of, record_of, sent_or_asked
from telnyx_mcp.cli.terminal import escape_controls
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.tools.catalog.list_changes import row_of
from telnyx_mcp.tools.support.changes import _message
from tests.support.changes import change
from tests.support.client import call, content_of
from tests.support.clock import NOW
from tests.support.team import ADDRESS, roles

LATER = NOW + timedelta(minutes=1)
SETTING: dict[str, Any] = {"operation": RECHARGE, "arguments": {"enabled": False}, "amount": None}
RESOLVE = "`telnyx-account-mcp resolve 0123456789abcdef --profile work` in a terminal"
APPROVE = "`telnyx-account-mcp approve --profile work` in a terminal"
AGAIN = "call again with the same arguments"
REPEATED = "Nothing new was done by this call; at 12:00:00 UTC the same call had this outcome"


def said(made: Change, asked: AskOutcome | None = None, *, is_repeat: bool = False) -> str:
    return _message(Outcome(made, asked, is_repeat), "paying 120.00", TerminalDirections("work"))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"state": State.SUCCEEDED, "outcome_text": CONFIRMED}, "Done: paying 120.00."),
        (
            {"state": State.SUCCEEDED, "outcome_text": "It came late."},
            "Done: paying 120.00. It came late.",
        ),
        (
            {"state": State.REFUSED, "outcome_text": "The card was declined."},
            "Not done. The card was declined.",
        ),
        ({"state": State.NOT_SENT, "outcome_text": "No DNS."}, "Nothing was sent. No DNS."),
        (
            {"state": State.APPROVED},
            "Approved, and about to be sent by another call. Call again to see the outcome.",
        ),
        (
            {"state": State.SENDING},
            "Sent, outcome not known yet. Don't repeat it in any way; telnyx_list_changes shows the "
            "outcome.",
        ),
        (
            {"state": State.UNKNOWN, "outcome_text": "No answer."},
            "UNKNOWN whether paying 120.00 happened: it was sent once and no clear answer came. No "
            "answer. It will not be sent again. Don't try again in any way. Tell the user to look into "
            f"the Mission Control Portal, then to run {RESOLVE}, or answer on the page in the browser "
            "where one opens; until then no other payment is made.",
        ),
        (
            {"state": State.UNKNOWN, "outcome_text": "No answer.", **SETTING},
            "UNKNOWN whether paying 120.00 happened: it was sent once and no clear answer came. No "
            "answer. It will not be sent again. Don't try again in any way. "
            "telnyx_get_auto_recharge_preferences shows how it is now.",
        ),
        (
            {"state": State.VOID, "outcome_text": "The balance moved."},
            "Nothing was sent: what the question said about paying 120.00 is no longer true. The "
            "balance moved. Call again to ask again.",
        ),
        (
            {"state": State.EXPIRED, "outcome_text": "No answer came in time."},
            "Nothing was sent: paying 120.00 was not approved in time. No answer came in time. Call "
            "again to ask again.",
        ),
    ],
)
def test_each_outcome_is_reported_with_what_happened_and_what_to_do(
    told: dict[str, Any], message: str
) -> None:
    assert said(change(**told)) == message


@pytest.mark.parametrize(("told", "pauses"), [({}, "no payment is proposed, and "), (SETTING, "")])
def test_only_a_declined_payment_claims_to_pause_payments(
    told: dict[str, Any], pauses: str
) -> None:
    assert said(change(state=State.DECLINED, **told)) == (
        "Nothing was sent: the user declined paying 120.00, or withdrew the approval. Don't ask again "
        f"unless the user says so; for 10 minutes {pauses}the same call only repeats this. If the client "
        "declined by itself, the user can start the server with TELNYX_MCP_APPROVAL=browser or =terminal."
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            None,
            "Nothing was sent yet: the user is being asked. Call again with the same arguments.",
        ),
        (
            AskOutcome.CANNOT_ASK,
            "Nothing was sent: paying 120.00 needs the user's approval, and the channel that the user "
            "fixed (TELNYX_MCP_APPROVAL) can't be used here. Calling again will not help. Tell the "
            f"user, who can also run {APPROVE} within 10 minutes; then {AGAIN}.",
        ),
        (
            AskOutcome.NO_ANSWER,
            "Nothing was sent yet: the client said that it can ask the user, and did not answer. Tell "
            f"the user to run {APPROVE} within 10 minutes, then {AGAIN}.",
        ),
        (
            AskOutcome.TOO_LATE,
            "Nothing was sent: the answer came too late, as the question has moved to another channel. "
            "The user can answer it on the page in the browser, where one is open, or run "
            f"{APPROVE}; then {AGAIN}.",
        ),
        (
            AskOutcome.CANCELLED,
            "Nothing was sent: the question was closed without an answer. Call again with the same "
            "arguments only if the user wants to be asked again. The user can also answer with "
            f"{APPROVE}.",
        ),
        (
            AskOutcome.MISTYPED,
            "Nothing was sent: what the user typed is not the amount. Call again with the same "
            "arguments to ask again, if the user wants to.",
        ),
        (
            AskOutcome.ON_PAGE,
            "Nothing was sent yet: a page in the user's browser asks to approve paying 120.00. Call "
            "again with the same arguments once the user has answered there. If no page shows up, the "
            f"user can run {APPROVE}.",
        ),
        (
            AskOutcome.AT_TERMINAL,
            "Nothing was sent yet: paying 120.00 needs the user's approval, and this client can't ask "
            f"for it. Tell the user to run {APPROVE} within 10 minutes, then {AGAIN}.",
        ),
    ],
)
def test_while_a_question_waits_the_reply_says_how_to_answer_it(
    asked: AskOutcome | None, words: str
) -> None:
    assert said(change(), asked) == words
    # A question that was answered meanwhile has an outcome, whatever came of asking here.
    sent = change(state=State.SUCCEEDED, outcome_text=CONFIRMED)
    assert said(sent, asked) == "Done: paying 120.00."


def test_a_team_is_given_the_address_where_others_approve() -> None:
    outcome = Outcome(change(), AskOutcome.IN_TEAM, is_repeat=False)
    assert _message(outcome, "paying 120.00", TeamDirections(ADDRESS, roles)) == (
        "Nothing was sent yet: paying 120.00 is proposed and waits for somebody else (role: treasurer) "
        f"to approve it on {ADDRESS}/changes/0123456789abcdef, until 2026-06-15 12:10 UTC. Give the user "
        "this link. It is sent as soon as it is approved, without another call; calling again with the "
        "same arguments shows the outcome, and so does telnyx_list_changes."
    )


@pytest.mark.parametrize(
    ("told", "prefix"),
    [
        (
            {"state": State.SUCCEEDED, "outcome_text": CONFIRMED},
            f"{REPEATED} (to pay again on purpose, wait 10 minutes or give a new reference): ",
        ),
        (
            {"state": State.SUCCEEDED, "outcome_text": CONFIRMED, **SETTING},
            f"{REPEATED} (to change it again on purpose, wait 10 minutes): ",
        ),
        ({"state": State.UNKNOWN}, f"{REPEATED}: "),
        ({"state": State.DECLINED}, f"{REPEATED}: "),
        ({"state": State.SENDING}, ""),
        ({"state": State.PROPOSED}, ""),
    ],
)
def test_a_repeated_outcome_says_that_this_call_did_nothing_and_when_it_came(
    told: dict[str, Any], prefix: str
) -> None:
    made = change(**told)
    assert said(made, is_repeat=True) == prefix + said(made)


# --- a change, listed and printed ------------------------------------------------------------------

WHOLE = change(
    state=State.SUCCEEDED,
    reference="may",
    channel="terminal",
    requested_via="client 1",
    decided_by="ann",
    owner="host/1/2",
    outcome_text=CONFIRMED,
    evidence={"transaction_id": "t1", "late": True, "before": {"enabled": False}},
    basis={"balance": "5.00"},
    note="Looked.",
    decided_at=LATER,
    sent_at=LATER,
    updated_at=LATER,
)
NOON, MINUTE = "2026-06-15T12:00:00", "2026-06-15T12:01:00"


def paid(ledger: Ledger, number: int) -> str:
    """The id of a payment that was sent `number` minutes after noon."""
    at = NOW + timedelta(minutes=number)
    made = ledger.propose(
        PAYMENT,
        {"amount": f"{number}.00"},
        reference=None,
        amount=Decimal(number),
        question=Question("Pay?"),
        basis={},
        now=at,
    )
    assert ledger.claim(made.id, at, Decision("elicitation", "client 1"))
    ledger.record(made.id, State.SUCCEEDED, CONFIRMED, {}, at)
    ledger.landed(made.id)
    return made.id


async def test_changes_are_listed_newest_first_and_the_answer_says_whether_there_are_more(
    server: AccountServer, ledger: Ledger
) -> None:
    ledger.identify(Identity("user-1"), NOW)
    ids = [paid(ledger, number) for number in (10, 20, 30)]
    for limit, has_more in ((2, True), (3, False), (4, False)):
        listed = content_of(await call(server, "telnyx_list_changes", {"limit": limit}))
        assert [each["id"] for each in listed["items"]] == ids[::-1][:limit]
        assert (listed["returned"], listed["has_more"]) == (min(limit, 3), has_more)
        assert "note" not in listed


async def test_a_list_that_hides_the_changes_of_an_earlier_key_says_so(
    settings: Settings, ledger: Ledger
) -> None:
    ledger.identify(Identity("user-1"), NOW)
    paid(ledger, 10)
    later_key = {"api_key": SecretStr("KEYlater"), "profile": "work"}
    server = build_server(settings.model_copy(update=later_key), now=lambda: NOW)
    listed = content_of(await call(server, "telnyx_list_changes"))
    await server.accounts.aclose()
    assert listed["items"] == []
    assert listed["note"].startswith("This API key is not linked to an account of the ledger yet")
    assert "`telnyx-account-mcp ledger link --profile work` in a terminal" in listed["note"]


async def test_a_list_of_a_ledger_that_was_replaced_says_that_changes_may_be_missing(
    server: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced = StoreReplaced("state.sqlite3", is_another=False)
    monkeypatch.setattr(Ledger, "replaced", lambda _: replaced)
    listed = content_of(await call(server, "telnyx_list_changes"))
    assert listed["note"] == f"{replaced.finding} Changes may be missing here."


def test_a_listed_change_carries_all_that_is_known_and_leaves_out_what_is_not() -> None:
    row = row_of(WHOLE).model_dump(exclude_none=True)
    assert row == {
        "id": "0123456789abcdef",
        "operation": "create_stored_payment_transaction",
        "arguments": {"amount": "120.00"},
        "state": "succeeded",
        "proposed_at": f"{NOON}+00:00",
        "sent_at": f"{MINUTE}+00:00",
        "updated_at": f"{MINUTE}+00:00",
        "requested_via": "client 1",
        "approved_by": "terminal",
        "decided_by": "ann",
        "decided_at": f"{MINUTE}+00:00",
        "happened": CONFIRMED,
        "evidence": WHOLE.evidence,
        "resolution": "Looked.",
    }
    bare = row_of(change()).model_dump(exclude_none=True)
    assert set(bare) == {"id", "operation", "arguments", "state", "proposed_at", "updated_at"}


def test_the_json_of_a_change_always_has_every_name() -> None:
    assert record_of(WHOLE) == {
        "id": "0123456789abcdef",
        "operation": "create_stored_payment_transaction",
        "arguments": {"amount": "120.00"},
        "amount": "120.00",
        "reference": "may",
        "state": "succeeded",
        "approved_by": "terminal",
        "declined_by": None,
        "decided_by": "ann",
        "requested_via": "client 1",
        "sent_by": "host/1/2",
        "happened": CONFIRMED,
        "note": "Looked.",
        "question": "Pay?",
        "basis": {"balance": "5.00"},
        "evidence": WHOLE.evidence,
        "proposed_at": f"{NOON}.000+00:00",
        "decided_at": f"{MINUTE}.000+00:00",
        "sent_at": f"{MINUTE}.000+00:00",
        "updated_at": f"{MINUTE}.000+00:00",
        "waits_until": None,
        "replaced_by": None,
    }
    bare = record_of(change(**SETTING))
    assert bare.keys() == record_of(WHOLE).keys()
    assert bare["waits_until"] == "2026-06-15T12:10:00.000+00:00"
    assert [name for name, value in bare.items() if value is None] == [
        *("amount", "reference", "approved_by", "declined_by", "decided_by", "requested_via"),
        *("sent_by", "happened", "note", "decided_at", "sent_at", "replaced_by"),
    ]
    declined = record_of(replace(WHOLE, state=State.DECLINED))
    assert (declined["approved_by"], declined["declined_by"]) == (None, "terminal")


def test_a_printed_change_names_each_fact_that_is_known() -> None:
    assert facts_of(replace(WHOLE, replaced_by="fedcba9876543210")) == [
        ("id", "0123456789abcdef"),
        ("change", "pay 120.00 (may)"),
        ("state", "succeeded, since 2026-06-15 12:01:00 UTC"),
        ("proposed", "2026-06-15 12:00:00 UTC"),
        ("requested via", "client 1"),
        ("approved by", "terminal by ann"),
        ("decided", "2026-06-15 12:01:00 UTC"),
        ("sent", "2026-06-15 12:01:00 UTC"),
        ("sent by", "host/1/2"),
        ("replaced by", "fedcba9876543210"),
        ("what happened", CONFIRMED),
        ("balance before", "5.00"),
        ("before", "enabled no"),
        ("late", "yes"),
        ("transaction id", "t1"),
        ("note", "Looked."),
    ]
    assert facts_of(change()) == [
        ("id", "0123456789abcdef"),
        ("change", "pay 120.00"),
        ("state", "proposed, since 2026-06-15 12:00:00 UTC"),
        ("proposed", "2026-06-15 12:00:00 UTC"),
    ]
    declined = dict(facts_of(change(state=State.DECLINED, channel="browser")))
    assert declined["declined by"] == "browser"
    measured = change(basis={"balance": "5.00"}, evidence={"balance_before": "6.00"})
    assert dict(facts_of(measured))["balance before"] == "6.00"


def test_a_table_says_when_a_change_was_sent_or_else_when_it_was_asked_about() -> None:
    assert sent_or_asked(WHOLE) == "sent 2026-06-15 12:01"
    assert sent_or_asked(change()) == "asked 2026-06-15 12:00"


def test_what_could_move_the_cursor_is_written_out() -> None:
    assert escape_controls("a\x1b[2J\rb\nc\u202e é") == "a\\x1b[2J\\rb\nc\\u202e é"
