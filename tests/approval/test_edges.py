"""Clocks that are wrong, stores that fail late, two channels at once, and receipts that surprise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from mcp_types import (
    CallToolResult,
    ClientCapabilities,
    ElicitationCapability,
    ElicitResult,
    FormElicitationCapability,
    UrlElicitationCapability,
)

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.channels import AskOutcome, Channels
from telnyx_mcp.approval.channels.elicitation import can_ask
from telnyx_mcp.approval.ledger import SENDING_LEASE, Ledger
from telnyx_mcp.approval.question import Question
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.storage.store import StoreError
from tests.support.client import Mode, connected, text_of
from tests.support.clock import Clock
from tests.support.ledgers import opened_elsewhere
from tests.support.person import DECLINES, PAY, TICKS, UPDATE, Person, ask, state_of, types
from tests.support.scripted_telnyx import Scripted, answer

PAYS = Person(types("120.00"))
CALL = {"amount": "120.00"}


@pytest.fixture
def other(settings: Settings) -> Iterator[Ledger]:
    """The same ledger, as another machine sees it."""
    ledger = opened_elsewhere(settings)
    yield ledger
    ledger.close()


async def test_a_refusal_dated_later_does_not_hide_a_payment_that_was_made(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    sandbox.fault("create_stored_payment_transaction", "status", status=403)
    assert state_of(await ask(server, PAYS, PAY, CALL)) == "refused"
    now.passes(minutes=-5)
    for _ in range(4):
        assert state_of(await ask(server, PAYS, PAY, CALL)) == "succeeded"
    assert len(sandbox.payments) == 1


def sending(ledger: Ledger, at: datetime) -> Change:
    """A payment that another process is sending."""
    change = ledger.propose(
        "create_stored_payment_transaction",
        CALL,
        reference=None,
        amount=Decimal("120.00"),
        question=Question("?"),
        basis={},
        now=at,
    )
    ledger.approve(change.id, "terminal", at)
    ledger.claim(change.id, at)
    return change


async def test_a_payment_lost_on_monday_is_looked_for_on_monday(
    server: AccountServer, settings: Settings, other: Ledger, now: Clock
) -> None:
    sent = now.moment
    lost = sending(other, sent)
    other.landed(lost.id)  # as if the process that sent it had ended
    now.passes(days=3)
    refused = await ask(server, PAYS, PAY, {"amount": "50.00"})
    assert f"at {sent:%Y-%m-%d %H:%M} UTC" in text_of(refused)
    other.resolve(lost.id, paid=True, note="", now=now.moment)
    assert other.spent(now.moment).day == 0


def change_of(result: CallToolResult) -> str:
    return str((result.structured_content or {})["change_id"])


def refuses(_self: Ledger, *_arguments: Any) -> Change | None:
    raise StoreError("The disk is full.")


async def test_a_payment_that_cannot_be_recorded_is_reported_as_made(
    server: AccountServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "record", refuses)
    result = await ask(server, PAYS, PAY, CALL)
    assert len(sandbox.payments) == 1
    assert state_of(result) == "succeeded"
    assert (
        "This is not in the ledger yet. It is written as soon as the store accepts it"
        in text_of(result)
    )
    assert "Nothing was sent" not in text_of(result)


async def test_an_outcome_that_fails_to_be_written_once_is_written_again(
    server: AccountServer, other: Ledger, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    record: Callable[..., Change | None] = Ledger.record

    def fails_once(self: Ledger, *told: Any) -> Change | None:
        monkeypatch.setattr(Ledger, "record", record)
        raise StoreError("The disk is full.")

    monkeypatch.setattr(Ledger, "record", fails_once)
    result = await ask(server, PAYS, PAY, CALL)
    assert "not in the ledger yet" not in text_of(result)
    (change,) = other.newest(1, now.moment)
    assert change.state is State.SUCCEEDED


async def test_the_smallest_payment_that_telnyx_takes_is_made(
    server: AccountServer, sandbox: Sandbox
) -> None:
    result = await ask(server, Person(types("10.00")), PAY, {"amount": "10.00"})
    assert state_of(result) == "succeeded"
    assert len(sandbox.payments) == 1


async def test_no_payment_is_made_until_the_outcome_of_the_last_is_written_and_then_it_is(
    server: AccountServer, sandbox: Sandbox, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"amount": "50.00"}
    async with connected(server, "legacy", PAYS) as client:
        with monkeypatch.context() as full:
            full.setattr(Ledger, "record", refuses)
            lost = await client.call_tool(PAY, CALL)
            now.passes(minutes=2)
            blocked = await client.call_tool(PAY, other)
        assert blocked.is_error
        assert f"Nothing new was sent: change {change_of(lost)} was sent earlier" in text_of(
            blocked
        )
        assert len(sandbox.payments) == 1
        again = await client.call_tool(PAY, CALL)
    assert state_of(again) == "succeeded"
    assert change_of(again) == change_of(lost)
    assert len(sandbox.payments) == 1


async def test_an_outcome_that_was_never_written_is_unknown_once_the_server_ended(
    server: AccountServer, other: Ledger, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(Ledger, "record", refuses)
        await ask(server, PAYS, PAY, CALL)
    (change,) = other.newest(1, now.moment + SENDING_LEASE)
    assert change.state is State.UNKNOWN


def test_an_answer_that_is_recorded_twice_after_a_person_resolved_it_says_the_same_twice(
    other: Ledger, now: Clock
) -> None:
    at = now.moment
    lost = sending(other, at)
    other.record(lost.id, State.UNKNOWN, "No answer came.", {}, at)
    other.resolve(lost.id, paid=False, note="", now=at)
    answers = [other.record(lost.id, State.SUCCEEDED, "It came.", {}, at) for _ in range(2)]
    for change in answers:
        assert change
        assert change.outcome_text == "It came. You had resolved it as not paid before."


# --- the store fails at the claim -----------------------------------------------------------------


async def test_a_claim_whose_answer_was_lost_is_found_in_the_store_and_sent(
    server: AccountServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim: Callable[..., Change | None] = Ledger.claim

    def loses_the_answer(self: Ledger, *told: Any) -> Change | None:
        claim(self, *told)
        raise StoreError("The connection was closed.")

    monkeypatch.setattr(Ledger, "claim", loses_the_answer)
    assert state_of(await ask(server, PAYS, PAY, CALL)) == "succeeded"
    assert len(sandbox.payments) == 1


async def test_a_claim_that_was_not_written_sends_nothing_and_keeps_the_proposal(
    server: AccountServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(server, "legacy", PAYS) as client:
        with monkeypatch.context() as full:
            full.setattr(Ledger, "claim", refuses)
            failed = await client.call_tool(PAY, CALL)
        assert "Nothing was sent" in text_of(failed)
        assert sandbox.payments == []
        assert state_of(await client.call_tool(PAY, CALL)) == "succeeded"


async def test_a_claim_that_cannot_be_confirmed_is_not_sent_and_never_unknown(
    server: AccountServer,
    sandbox: Sandbox,
    other: Ledger,
    now: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim: Callable[..., Change | None] = Ledger.claim

    def loses_the_answer(self: Ledger, *told: Any) -> Change | None:
        claim(self, *told)
        raise StoreError("The connection was closed.")

    async with connected(server, "legacy", PAYS) as client:
        with monkeypatch.context() as away:
            away.setattr(Ledger, "claim", loses_the_answer)
            away.setattr(Ledger, "claimed", refuses)
            failed = await client.call_tool(PAY, CALL)
        assert "Nothing was sent" in text_of(failed)
        assert "UNKNOWN" not in text_of(failed)
        other_one = {**CALL, "reference": "another"}
        assert state_of(await client.call_tool(PAY, other_one)) == "succeeded"
    assert len(sandbox.payments) == 1
    states = [each.state for each in other.newest(2, now.moment)]
    assert sorted(states) == [State.NOT_SENT, State.SUCCEEDED]


async def test_evidence_that_cannot_be_had_changes_no_outcome(
    server: AccountServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "add_evidence", refuses)
    result = await ask(server, PAYS, PAY, CALL)
    assert (state_of(result), result.is_error) == ("succeeded", False)
    assert "written down" not in text_of(result)


async def test_an_answer_that_comes_after_the_user_resolved_it_is_reported_and_recorded(
    server: AccountServer, other: Ledger, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    record: Callable[..., Change | None] = Ledger.record

    def late(self: Ledger, id: str, *told: Any) -> Change | None:
        assert other.resolve(id, paid=False, note="", now=now.moment + SENDING_LEASE)
        return record(self, id, *told)

    monkeypatch.setattr(Ledger, "record", late)
    result = await ask(server, PAYS, PAY, CALL)
    assert state_of(result) == "succeeded"
    assert "Telnyx confirmed it. You had resolved it as not paid before." in text_of(result)
    (change,) = other.newest(1, now.moment)
    assert change.state is State.SUCCEEDED
    assert change.evidence["transaction_id"]
    assert other.spent(now.moment).day == 120


async def test_an_uncertain_answer_after_a_person_resolved_it_changes_nothing(
    server: AccountServer,
    sandbox: Sandbox,
    other: Ledger,
    now: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record: Callable[..., Change | None] = Ledger.record

    def late(self: Ledger, id: str, *told: Any) -> Change | None:
        assert other.resolve(id, paid=True, note="", now=now.moment + SENDING_LEASE)
        return record(self, id, *told)

    monkeypatch.setattr(Ledger, "record", late)
    sandbox.fault("create_stored_payment_transaction", "drop_after")
    result = await ask(server, PAYS, PAY, CALL)
    assert state_of(result) == "succeeded"
    (change,) = other.newest(1, now.moment)
    assert change.evidence["late_answer"].startswith("unknown: ")


async def test_a_setting_that_was_set_otherwise_since_is_asked_again(
    server: AccountServer, sandbox: Sandbox
) -> None:
    person = Person(TICKS, types("430.00"), TICKS)
    for enabled in (False, True, False):
        sums = {"threshold_amount": "80.00", "recharge_amount": "100.00"} if enabled else {}
        result = await ask(server, person, UPDATE, {"enabled": enabled, **sums})
        assert state_of(result) == "succeeded"
        assert (result.structured_content or {})["after"]["enabled"] is enabled
    assert len(person.questions) == 3


async def test_a_setting_that_is_already_as_requested_is_reported_and_not_set_again(
    server: AccountServer, sandbox: Sandbox
) -> None:
    person = Person(TICKS)
    for _ in range(2):
        await ask(server, person, UPDATE, {"enabled": False})
    assert len(person.questions) == 1


async def test_declining_in_the_client_counts_although_it_was_approved_elsewhere(
    server: AccountServer, sandbox: Sandbox, other: Ledger, now: Clock, mode: Mode
) -> None:
    def approved_at_the_terminal(_question: str) -> ElicitResult:
        (waiting,) = other.newest(1, now.moment)
        assert other.approve(waiting.id, "terminal", now.moment)
        return DECLINES

    result = await ask(server, Person(approved_at_the_terminal), PAY, CALL, mode)
    assert state_of(result) == "declined"
    assert sandbox.payments == []


async def test_a_payment_that_another_process_sent_while_the_person_answered_is_called_a_repeat(
    server: AccountServer, sandbox: Sandbox, other: Ledger, now: Clock
) -> None:
    def meanwhile(_question: str) -> ElicitResult:
        (change,) = other.newest(1, now.moment)
        assert other.approve(change.id, "terminal", now.moment)
        assert other.claim(change.id, now.moment)
        assert other.record(change.id, State.SUCCEEDED, "Telnyx confirmed it.", {}, now.moment)
        return types("120.00")

    result = await ask(server, Person(meanwhile), PAY, CALL, "legacy")
    assert state_of(result) == "succeeded"
    assert "Nothing new was done by this call" in text_of(result)
    assert sandbox.payments == []


async def test_preferences_somebody_else_changed_meanwhile_are_asked_about_again(
    server: AccountServer, sandbox: Sandbox, mode: Mode
) -> None:
    def changed_elsewhere(_question: str) -> ElicitResult:
        sandbox.account.preferences["recharge_amount"] = "999.00"
        return TICKS

    person = Person(changed_elsewhere)
    result = await ask(server, person, UPDATE, {"enabled": False}, mode)
    assert state_of(result) == "succeeded"
    assert len(person.questions) == 2
    assert (
        "NOTE: This question replaces an earlier one. The preferences changed"
        in person.questions[1]
    )
    assert len([request for request in sandbox.requests if request.method == "PATCH"]) == 1


async def test_other_fields_of_the_preferences_have_no_part_in_a_change(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.account.preferences["seen_at"] = "2026-06-15T11:59:59Z"

    def seen_again(_question: str) -> ElicitResult:
        sandbox.account.preferences["seen_at"] = "2026-06-15T12:00:01Z"
        return TICKS

    person = Person(seen_again)
    result = await ask(server, person, UPDATE, {"enabled": False})
    assert state_of(result) == "succeeded"
    assert "seen_at" not in person.questions[0] + text_of(result)


async def test_a_question_does_not_call_auto_recharge_off_where_telnyx_does_not_say(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_auto_recharge_preferences", "absent_fields", times=None)
    person = Person(DECLINES)
    await ask(server, person, UPDATE, {"recharge_amount": "90.00", "threshold_amount": "10.00"})
    assert "does not say whether auto-recharge is on" in person.questions[0]
    assert "nothing is charged" not in person.questions[0]


@pytest.mark.parametrize(
    ("receipt", "state", "says"),
    [
        ({}, "unknown", "the receipt has no id"),
        ({"id": "t1", "amount_cents": 1_200_000}, "succeeded", "1200000 cents, not 120.00"),
        ({"id": "t1", "amount_cents": 12000}, "succeeded", "Done: paying 120.00."),
        ({"id": "t1"}, "succeeded", "Done: paying 120.00."),
    ],
)
async def test_a_receipt_is_read_before_it_is_believed(
    scripted: Scripted,
    scripted_server: AccountServer,
    receipt: dict[str, Any],
    state: str,
    says: str,
) -> None:
    balance = answer(200, {"data": {"balance": "10.00", "currency": "USD"}})
    account = answer(200, {"data": {"user_email": "a@example.com"}})
    scripted.will(account, balance, account, balance, answer(200, {"data": receipt}), balance)
    result = await ask(scripted_server, PAYS, PAY, CALL)
    assert state_of(result) == state
    assert says in text_of(result)


@pytest.mark.parametrize(
    "typed", ["1.2E2", "1_20", "1$20", "\uff11\uff12\uff10", "120.00 EUR", "+120", "120.000"]
)
async def test_malformed_text_is_not_taken_for_an_amount(
    server: AccountServer, sandbox: Sandbox, typed: str
) -> None:
    await ask(server, Person(types(typed)), PAY, CALL)
    assert sandbox.payments == []


async def test_a_reference_is_the_same_in_any_case(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    for reference in ("Invoice  7", " invoice \uff17"):
        await ask(server, PAYS, PAY, CALL | {"reference": reference})
        now.passes(days=1)
    assert len(sandbox.payments) == 1


async def test_changes_that_cannot_be_read_are_not_called_unsent(
    server: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "newest", refuses)
    result = await ask(server, None, "telnyx_list_changes", {})
    assert result.is_error
    assert "so it is not known what was sent" in text_of(result)
    assert "Nothing was sent" not in text_of(result)


async def test_a_machine_that_slept_between_claim_and_sending_sends_nothing(
    server: AccountServer, sandbox: Sandbox, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim: Callable[..., Change | None] = Ledger.claim

    def then_sleep(self: Ledger, *told: Any) -> Change | None:
        claimed = claim(self, *told)
        now.passes(seconds=20)
        return claimed

    monkeypatch.setattr(Ledger, "claim", then_sleep)
    result = await ask(server, PAYS, PAY, CALL)
    assert state_of(result) == "not_sent"
    assert "This machine slept" in text_of(result)
    assert sandbox.payments == []


# --- what a broken gate, ledger or question could still do ----------------------------------------


async def test_the_ledger_says_which_client_asked_and_which_decided(
    server: AccountServer, other: Ledger, now: Clock
) -> None:
    await ask(server, PAYS, PAY, CALL)
    (change,) = other.newest(1, now.moment)
    assert change.requested_via
    assert change.decided_by == change.requested_via


async def test_an_approval_whose_figures_moved_before_it_was_used_is_asked_again(
    server: AccountServer, sandbox: Sandbox, other: Ledger, now: Clock
) -> None:
    await ask(server, None, PAY, CALL)
    (proposed,) = other.newest(1, now.moment)
    assert other.approve(proposed.id, "terminal", now.moment)
    sandbox.account.balance += 50
    person = Person(DECLINES)
    assert state_of(await ask(server, person, PAY, CALL)) == "declined"
    assert "NOTE: This question replaces an earlier one. The balance moved" in person.questions[0]
    assert sandbox.payments == []
    stale = other.get(proposed.id, now.moment)
    assert stale
    assert stale.state is State.VOID


async def test_a_reference_whose_question_ran_out_can_name_another_payment(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    await ask(server, None, PAY, {"amount": "50.00", "reference": "invoice 7"})
    now.passes(minutes=11)
    result = await ask(server, PAYS, PAY, {**CALL, "reference": "invoice 7"})
    assert state_of(result) == "succeeded"


async def test_a_fixed_channel_that_reaches_nobody_is_an_error(
    settings: Settings, sandbox: Sandbox, now: Clock
) -> None:
    server = build_server(settings.model_copy(update={"approval": "elicitation"}), now=now)
    result = await ask(server, None, PAY, CALL)
    assert result.is_error
    assert "can't be used here. Calling again will not help." in text_of(result)
    assert sandbox.payments == []


async def test_a_payment_that_was_approved_elsewhere_meanwhile_is_not_an_error(
    settings: Settings,
    sandbox: Sandbox,
    other: Ledger,
    now: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def approved_at_the_terminal(_self: Channels, change: Change, *_: object) -> AskOutcome:
        assert other.approve(change.id, "terminal", now.moment)
        return AskOutcome.CANNOT_ASK

    monkeypatch.setattr(Channels, "ask", approved_at_the_terminal)
    server = build_server(settings.model_copy(update={"approval": "elicitation"}), now=now)
    result = await ask(server, None, PAY, CALL)
    assert (state_of(result), result.is_error) == ("succeeded", False)
    assert len(sandbox.payments) == 1


async def test_a_question_about_preferences_names_what_changes_and_nothing_else(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.account.preferences["recharge_amount"] = "150.00"
    wish = {"threshold_amount": "60.00", "recharge_amount": "150.00"}
    person = Person(DECLINES)
    assert state_of(await ask(server, person, UPDATE, wish)) == "declined"
    changes = [line for line in person.questions[0].splitlines() if " -> " in line]
    assert len(changes) == 1
    assert "60.00" in changes[0]


@pytest.mark.parametrize("limit", [None, "", "much"])
async def test_a_recharge_whose_largest_charge_is_not_known_is_not_proposed(
    settings: Settings, scripted: Scripted, now: Clock, limit: str | None
) -> None:
    """Without a credit limit nobody knows how far below zero a recharge starts."""
    balance = {"balance": "10.00", "currency": "USD"} | (
        {} if limit is None else {"credit_limit": limit}
    )
    preferences = {"enabled": True, "threshold_amount": "20.00", "recharge_amount": "50.00"}
    scripted.will(answer(200, {"data": preferences}), answer(200, {"data": balance}))
    server = build_server(settings.model_copy(update={"base_url": scripted.base_url}), now=now)
    result = await ask(server, Person(TICKS), UPDATE, {"threshold_amount": "30.00"})
    assert result.is_error
    assert "the largest charge can't be computed" in text_of(result)
    assert {each.method for each in scripted.requests} == {"GET"}


@pytest.mark.parametrize(
    ("declared", "can"),
    [
        (None, False),
        (ElicitationCapability(), True),
        (ElicitationCapability(form=FormElicitationCapability()), True),
        (ElicitationCapability(url=UrlElicitationCapability()), False),
        (
            ElicitationCapability(form=FormElicitationCapability(), url=UrlElicitationCapability()),
            True,
        ),
    ],
)
def test_only_a_client_that_shows_forms_is_asked(
    declared: ElicitationCapability | None, *, can: bool
) -> None:
    capabilities = ClientCapabilities(elicitation=declared)
    context: Any = SimpleNamespace(client_capabilities=capabilities)
    assert can_ask(context) is can
