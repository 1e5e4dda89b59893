"""The gate by itself: whose account it is, which question stands, and what it says when it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import anyio.lowlevel
import pytest
from mcp_types import ElicitResult

from telnyx_mcp.approval import sender as sending
from telnyx_mcp.approval.accounts import Identity
from telnyx_mcp.approval.change import PAYMENT, RECHARGE, Change, State
from telnyx_mcp.approval.channels.browser import BrowserPages
from telnyx_mcp.approval.gate import Gate
from telnyx_mcp.approval.ledger import Decision, HistoryMoved, Ledger
from telnyx_mcp.approval.question import Question
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.storage.schema import changes
from telnyx_mcp.storage.store import Store, StoreError
from tests.support.approval_page import Desk, wire
from tests.support.client import Mode, text_of
from tests.support.clock import NOW, Clock
from tests.support.person import DECLINES, PAY, Person, ask, state_of, types

CALL = {"amount": "120.00"}


@pytest.fixture
async def gate(server: AccountServer) -> Gate:
    return (await server.accounts.main.services()).gate


def proposed(ledger: Ledger, at: datetime, **told: Any) -> Change:
    arguments = told.pop("arguments", CALL)
    return ledger.propose(
        told.pop("operation", PAYMENT),
        arguments,
        reference=None,
        amount=Decimal(arguments["amount"]) if "amount" in arguments else None,
        question=Question("Pay?"),
        basis=told.pop("basis", {}),
        now=at,
        **told,
    )


async def test_the_first_change_records_the_user_that_telnyx_names(
    server: AccountServer, sandbox: Sandbox, ledger: Ledger
) -> None:
    await ask(server, Person(DECLINES), PAY, CALL)
    owner = sandbox.account.business.owner
    (account,) = ledger.known_accounts()
    assert account.identity == Identity(owner.id, owner.email)


async def test_a_user_without_an_id_or_an_address_is_not_noted_as_one(
    server: AccountServer, sandbox: Sandbox, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    charges = sandbox.account.charges
    real: Callable[..., dict[str, Any]] = charges.summary
    nobody = {"user_id": "", "user_email": ""}
    monkeypatch.setattr(charges, "summary", lambda *told: real(*told) | nobody)
    await ask(server, Person(DECLINES), PAY, CALL)
    (account,) = ledger.known_accounts()
    assert account.identity == Identity()


# --- which question stands ------------------------------------------------------------------------


async def test_a_check_of_what_cannot_be_asked_about_says_why(
    gate: Gate, ledger: Ledger, now: Clock
) -> None:
    with pytest.raises(
        NotAllowed, match=r"^Nothing was sent: the ledger has no change with this id\.$"
    ):
        await gate.check("0123456789abcdef")
    change = proposed(ledger, now(), operation="some_other_operation", arguments={})
    with pytest.raises(NotAllowed) as refused:
        await gate.check(change.id)
    assert str(refused.value) == (
        f"Nothing was sent: change {change.id} can't be asked about, as its record is damaged."
    )


@pytest.mark.parametrize("state", [State.APPROVED, State.DECLINED, State.SUCCEEDED, State.UNKNOWN])
async def test_a_check_of_what_was_answered_leaves_it_as_it_is(
    gate: Gate, ledger: Ledger, sandbox: Sandbox, now: Clock, state: State
) -> None:
    change = proposed(ledger, now(), basis={"balance": "another"})
    if state is State.APPROVED:
        ledger.approve(change.id, "terminal", now())
    elif state is State.DECLINED:
        ledger.decline(change.id, "terminal", now())
    else:
        ledger.claim(change.id, now(), Decision("terminal", ""))
        ledger.record(change.id, state, "", {}, now())
    before = len(sandbox.requests)
    checked = await gate.check(change.id)
    assert (checked.id, checked.state) == (change.id, state)
    assert len(sandbox.requests) == before


async def test_a_check_follows_the_questions_that_replaced_one_another_to_the_last(
    gate: Gate, ledger: Ledger, sandbox: Sandbox, now: Clock
) -> None:
    first = proposed(ledger, now(), basis={"balance": "another"}, requested_via="client 1")
    second = await gate.check(first.id)
    assert second.id != first.id
    assert second.requested_via == "client 1"
    sandbox.account.balance += 7
    third = await gate.check(second.id)
    for change in (first, second, third):
        assert (await gate.check(change.id)).id == third.id
    assert "NOTE: This question replaces an earlier one. The balance moved" in third.question.text


@pytest.mark.parametrize(
    "other",
    [
        {"arguments": {"amount": "450.00"}},
        {"operation": RECHARGE, "arguments": {"enabled": True}},
    ],
)
async def test_a_link_to_another_change_is_not_followed(
    gate: Gate, ledger: Ledger, store: Store, now: Clock, other: dict[str, Any]
) -> None:
    first = proposed(ledger, now())
    ledger.void(first.id, "The balance moved.", now())
    another = proposed(ledger, now(), **other)
    ledger.close_question(another.id, now())
    with store.write() as connection:
        row = changes.update().where(changes.c.id == first.id)
        connection.execute(row.values(replaced_by=another.id))
    fresh = await gate.check(first.id)
    assert fresh.id not in (first.id, another.id)
    assert fresh.is_for(PAYMENT, CALL)


async def test_a_link_to_a_change_that_is_not_there_is_not_followed(
    gate: Gate, ledger: Ledger, store: Store, now: Clock
) -> None:
    first = proposed(ledger, now())
    ledger.void(first.id, "The balance moved.", now())
    with store.write() as connection:
        row = changes.update().where(changes.c.id == first.id)
        connection.execute(row.values(replaced_by="0123456789abcdef"))
    fresh = await gate.check(first.id)
    assert fresh.id != first.id
    assert fresh.is_for(PAYMENT, CALL)


# --- where it stops -------------------------------------------------------------------------------


async def test_a_ledger_that_keeps_changing_is_reported_and_nothing_is_asked(
    server: AccountServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts = []

    def moves(*_: Any, **__: Any) -> Change:
        drafts.append(1)
        raise HistoryMoved

    monkeypatch.setattr(Ledger, "propose", moves)
    person = Person(types("120.00"))
    refused = await ask(server, person, PAY, CALL)
    assert refused.is_error
    assert text_of(refused) == "Nothing was sent: other payments are being made now. Call again."
    assert len(drafts) == 3
    assert not person.questions


async def test_a_change_that_disappeared_while_the_user_read_is_reported_as_gone(
    server: AccountServer, sandbox: Sandbox, store: Store
) -> None:
    def meanwhile(_question: str) -> ElicitResult:
        with store.write() as connection:
            connection.execute(changes.delete())
        return ElicitResult(action="cancel")

    refused = await ask(server, Person(meanwhile), PAY, CALL, "legacy")
    assert refused.is_error
    assert "Nothing was sent by this call: change " in text_of(refused)
    why = "is no longer in the ledger, which was emptied, or restored from an older copy."
    assert why in text_of(refused)
    assert sandbox.payments == []


async def test_a_question_that_became_void_while_the_user_read_is_asked_again_with_the_reason(
    server: AccountServer, sandbox: Sandbox, ledger: Ledger, now: Clock, mode: Mode
) -> None:
    """And the answer to the question that is void pays nothing."""

    def meanwhile(_question: str) -> ElicitResult:
        (waiting,) = ledger.newest(1, now(), state=State.PROPOSED)
        ledger.void(waiting.id, "Somebody text_of so.", now())
        return types("120.00")

    person = Person(meanwhile, DECLINES)
    assert state_of(await ask(server, person, PAY, CALL, mode)) == "declined"
    assert (
        "NOTE: This question replaces an earlier one. Somebody text_of so." in person.questions[1]
    )
    assert sandbox.payments == []


async def test_an_approval_of_the_page_is_used_by_the_next_call_without_asking_again(
    server: AccountServer, sandbox: Sandbox, ledger: Ledger, now: Clock, mode: Mode
) -> None:
    person = Person(ElicitResult(action="cancel"))
    assert state_of(await ask(server, person, PAY, CALL, mode)) == "proposed"
    (waiting,) = ledger.newest(1, now())
    ledger.approve(waiting.id, "terminal", now(), "ann")
    assert state_of(await ask(server, person, PAY, CALL, mode)) == "succeeded"
    assert len(person.questions) == 1
    (sent,) = ledger.newest(1, now())
    assert (sent.id, sent.channel, sent.decided_by) == (waiting.id, "terminal", "ann")


@pytest.mark.parametrize(
    "person", [Person(ElicitResult(action="cancel")), Person(types("1")), None]
)
async def test_a_question_that_still_waits_is_not_an_error(
    server: AccountServer, person: Person | None
) -> None:
    result = await ask(server, person, PAY, CALL)
    assert (state_of(result), result.is_error) == ("proposed", False)


# --- sending --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["none", "drop_after", "refused"])
async def test_only_a_payment_of_unknown_outcome_opens_a_page_after_the_client_answered(
    settings: Settings, sandbox: Sandbox, now: Clock, kind: str
) -> None:
    if kind == "drop_after":
        sandbox.fault("create_stored_payment_transaction", "drop_after")
    elif kind == "refused":
        sandbox.fault("create_stored_payment_transaction", "status", status=403)
    desk = Desk()
    server = build_server(settings, now=now, pages=BrowserPages(now, desk))
    await ask(server, Person(types("120.00")), PAY, CALL)
    assert len(desk.files) == (1 if kind == "drop_after" else 0)
    await server.accounts.aclose()


async def test_what_the_standing_budget_pays_asks_telnyx_for_the_balance_once_before_and_once_after(
    settings: Settings, sandbox: Sandbox, ledger: Ledger, now: Clock
) -> None:
    """Nobody reads its question, so nothing is checked again before it is sent."""
    budget = {"standing_budget_per_payment": 200, "standing_budget_per_day": 200}
    server = build_server(settings.model_copy(update=budget), now=now)
    assert state_of(await ask(server, None, PAY, CALL)) == "succeeded"
    await server.accounts.aclose()
    asked = [each.path for each in sandbox.requests]
    assert [each.rpartition("/")[2] for each in asked].count("balance") == 2
    (sent,) = ledger.newest(1, now())
    assert (sent.channel, sent.decided_by) == ("standing", "standing budget")


async def test_a_sender_renews_its_lease_again_and_again_while_it_waits(
    settings: Settings, sandbox: Sandbox, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[str] = []
    slept: list[float] = []

    def renew(_: Ledger, id: str, now: datetime) -> None:
        renewed.append(id)
        if len(renewed) == 1:
            raise StoreError("The disk is full.")

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(Ledger, "renew", renew)
    sandbox.fault("create_stored_payment_transaction", "slow", seconds=0.3)
    wired = wire(settings, Clock(), sleep=sleep)
    assert state_of(await ask(wired.server, Person(types("120.00")), PAY, CALL)) == "succeeded"
    await wired.server.accounts.aclose()
    (change,) = ledger.newest(2, NOW)
    assert len(renewed) > 1
    assert set(renewed) == {change.id}
    assert set(slept) == {15.0}


def test_an_outcome_that_was_written_already_is_not_a_late_answer(
    ledger: Ledger, now: Clock
) -> None:
    change = proposed(ledger, now())
    ledger.claim(change.id, now(), Decision("terminal", ""))
    after = replace(change, state=State.SUCCEEDED, outcome_text="It came.", evidence={"a": 1})
    for _ in range(2):
        sending._record(ledger, after, now())
        stored = ledger.get(change.id, now())
        assert stored
        assert (stored.state, stored.evidence) == (State.SUCCEEDED, {"a": 1})
    sending._record(ledger, replace(after, state=State.UNKNOWN, outcome_text="Lost."), now())
    stored = ledger.get(change.id, now())
    assert stored
    assert stored.state is State.SUCCEEDED
    assert stored.evidence == {"a": 1, "late_answer": "unknown: Lost."}
