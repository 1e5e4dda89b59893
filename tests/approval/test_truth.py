"""A question is true when it is answered: what moved since it was written voids it, and a fresh one
says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from telnyx_mcp.approval.change import PAYMENT, State
from telnyx_mcp.approval.channels.browser import BrowserPages
from telnyx_mcp.approval.gate import Gate
from telnyx_mcp.approval.ledger import Decision, History, Ledger
from telnyx_mcp.approval.ledger_queries import LedgerQueries
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.approval.question import Question
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from tests.support.approval_page import Desk, answers, fetch, visible, wire
from tests.support.client import Mode, connected, text_of
from tests.support.clock import Clock
from tests.support.person import (
    DECLINES,
    PAY,
    TICKS,
    UPDATE,
    Person,
    answer_question,
    ask,
    pending_question,
    state_of,
    types,
)

CALL = {"amount": "120.00"}


@pytest.fixture
async def other(settings: Settings, now: Clock) -> AsyncIterator[AccountServer]:
    """A second server on the same ledger, as another window of the same user has."""
    built = build_server(settings, now=now)
    yield built
    await built.accounts.aclose()


Move = Callable[[Sandbox], None]


def paid_in_the_portal(sandbox: Sandbox) -> None:
    sandbox.account.balance += 7


def a_day_of_usage(sandbox: Sandbox) -> None:
    sandbox.account.balance -= 40


# --- the account's figures moved --------------------------------------------------------------------


@pytest.mark.attack(
    "Money moves between the question and its answer",
    "The question is void; a fresh one says what moved",
)
@pytest.mark.parametrize("move", [paid_in_the_portal, a_day_of_usage])
async def test_a_balance_that_moved_while_the_user_reads_is_asked_about_again(
    server: AccountServer, sandbox: Sandbox, mode: Mode, move: Move
) -> None:
    moves = [move]

    def meanwhile(_question: str) -> ElicitResult:
        if moves:
            moves.pop()(sandbox)
        return types("120.00")

    person = Person(meanwhile)
    before = sandbox.account.balance
    result = await ask(server, person, PAY, CALL, mode)
    first, second = person.questions
    assert f"Balance now: {before} USD" in first
    assert "NOTE: This question replaces an earlier one. The balance moved from" in second
    assert f"Balance now: {sandbox.account.balance - 120} USD" in second
    assert state_of(result) == "succeeded"
    assert len(sandbox.payments) == 1


async def test_what_usage_takes_in_a_minute_does_not_void_a_question(
    server: AccountServer, sandbox: Sandbox, mode: Mode
) -> None:
    def meanwhile(_question: str) -> ElicitResult:
        sandbox.account.balance -= 3
        return types("120.00")

    person = Person(meanwhile)
    assert state_of(await ask(server, person, PAY, CALL, mode)) == "succeeded"
    assert len(person.questions) == 1


async def test_a_fresh_question_keeps_the_warning_of_an_earlier_payment(
    server: AccountServer, sandbox: Sandbox, mode: Mode
) -> None:
    def meanwhile(_question: str) -> ElicitResult:
        sandbox.account.balance += 7
        return types("120.00")

    await ask(server, Person(types("120.00")), PAY, {**CALL, "reference": "may"}, mode)
    person = Person(meanwhile, types("120.00"))
    await ask(server, person, PAY, {**CALL, "reference": "june"}, mode)
    assert "This question replaces an earlier one." in person.questions[1]
    for question in person.questions:
        assert "NOTE: 120.00 was already paid" in question


async def test_an_account_that_moves_all_the_time_is_not_asked_about_for_ever(
    server: AccountServer, sandbox: Sandbox
) -> None:
    def meanwhile(_question: str) -> ElicitResult:
        sandbox.account.balance += 1
        return types("120.00")

    person = Person(meanwhile)
    result = await ask(server, person, PAY, CALL, "legacy")
    assert result.is_error
    assert "keep changing while the question waits. Call again" in text_of(result)
    assert len(person.questions) == 3
    assert sandbox.payments == []


@pytest.mark.attack(
    "The check just before sending is made to fail",
    "Nothing is sent",
)
async def test_nothing_is_sent_while_the_balance_cannot_be_checked(
    server: AccountServer, sandbox: Sandbox
) -> None:
    def meanwhile(_question: str) -> ElicitResult:
        sandbox.fault("get_balance", "status", status=500, times=9)
        return types("120.00")

    refused = await ask(server, Person(meanwhile), PAY, CALL)
    assert "could not be checked just before sending" in text_of(refused)
    assert "call again with the same arguments" in text_of(refused)
    assert "stays good" not in text_of(refused), "the client's answer is not kept"
    assert "the user is asked again" in text_of(refused)
    assert sandbox.payments == []
    sandbox.faults.clear()
    again = Person(types("120.00"))
    assert state_of(await ask(server, again, PAY, CALL)) == "succeeded"
    assert len(again.questions) == 1
    assert len(sandbox.payments) == 1


async def test_an_approval_on_the_page_stays_good_while_the_balance_cannot_be_checked(
    settings: Settings, now: Clock, sandbox: Sandbox
) -> None:
    async with on_page(settings, now) as page:
        await page.answer(decision="approve", amount="120.00")
        sandbox.fault("get_balance", "status", status=500, times=9)
        refused = text_of(await page.pay())
        assert "The approval stays good until 12:10 UTC" in refused
        sandbox.faults.clear()
        assert state_of(await page.pay()) == "succeeded"


@pytest.mark.attack(
    "The auto-recharge preferences change while the user reads",
    "The change is void; a fresh question shows them as they are",
)
async def test_preferences_that_moved_are_shown_as_they_are_in_the_fresh_question(
    server: AccountServer, sandbox: Sandbox, mode: Mode
) -> None:
    def meanwhile(_question: str) -> ElicitResult:
        sandbox.account.preferences["threshold_amount"] = "90.00"
        return types("400.00")

    person = Person(meanwhile, types("400.00"))
    wish = {"threshold_amount": "50.00", "recharge_amount": "100.00"}
    result = await ask(server, person, UPDATE, wish, mode)
    assert "falls below: 100.00 -> 50.00 USD" in person.questions[0]
    assert "falls below: 90.00 -> 50.00 USD" in person.questions[1]
    assert "The preferences changed" in person.questions[1]
    assert state_of(result) == "succeeded"


# --- another payment was sent ------------------------------------------------------------------------


@pytest.mark.attack(
    "The same top-up is proposed twice, and both questions say that nothing was paid",
    "The second question is void once the first was sent, and the fresh one says so",
)
@pytest.mark.parametrize("outcome", ["succeeded", "unknown"])
async def test_a_payment_by_another_server_voids_the_question_that_waits(
    server: AccountServer,
    settings: Settings,
    sandbox: Sandbox,
    now: Clock,
    mode: Mode,
    outcome: str,
) -> None:
    steps: list[str] = []

    def meanwhile(question: str) -> ElicitResult:
        steps.append(question)
        if len(steps) == 1:
            _pay_at_once(settings, now, outcome)
        return types("120.00")

    person = Person(meanwhile)
    result = await ask(server, person, PAY, CALL, mode)
    if outcome == "unknown":
        assert "outcome of the payment of 50.00" in text_of(result)
        assert sandbox.payments == []
        return
    assert "last 24 hours: 0.00" in person.questions[0]
    assert "last 24 hours: 50.00" in person.questions[1]
    assert (
        "NOTE: This question replaces an earlier one. Another change was sent"
        in (person.questions[1])
    )
    assert state_of(result) == "succeeded"


async def test_a_question_that_another_payment_made_untrue_is_not_asked_again_by_the_next_call(
    server: AccountServer, settings: Settings, now: Clock
) -> None:
    async with connected(server, "auto", Person(DECLINES)) as client:
        await pending_question(client, CALL)
        _pay_at_once(settings, now, "succeeded")
        fresh = await pending_question(client, CALL)
    question = str(fresh.input_requests)
    assert "This question replaces an earlier one." in question
    assert "last 24 hours: 50.00" in question


async def test_a_payment_sent_while_the_question_is_written_is_in_the_question(
    server: AccountServer, settings: Settings, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[History] = []

    def history(self: Ledger, at: datetime) -> History:
        found = LedgerQueries.history(self, at)
        if not seen:
            _pay_at_once(settings, now, "succeeded")
        seen.append(found)
        return found

    monkeypatch.setattr(Ledger, "history", history)
    async with connected(server, "auto", Person(DECLINES)) as client:
        asked = await pending_question(client, CALL)
    assert "last 24 hours: 50.00" in str(asked.input_requests)
    assert len(seen) == 2


def _pay_at_once(settings: Settings, now: Clock, outcome: str) -> None:
    """A payment that another process makes while a question waits: the standing budget of that
    process covers it, so it asks nobody."""
    budget = {"standing_budget_per_payment": 60, "standing_budget_per_day": 60}
    with closing(open_ledger(settings.model_copy(update=budget))) as ledger:
        change = ledger.propose(
            PAYMENT,
            {"amount": "50.00"},
            reference=None,
            amount=Decimal("50.00"),
            question=Question("?"),
            basis={},
            now=now(),
        )
        assert ledger.claim(change.id, now(), Decision("standing", ""))
        assert ledger.record(change.id, State(outcome), "It was sent.", {}, now())


# --- one open question, and none soon after a decline -----------------------------------------------


@pytest.mark.attack(
    "Thirty calls at once flood the user with questions",
    "One page opens; the other calls name the question that waits",
)
async def test_thirty_calls_at_once_open_one_page(
    settings: Settings, sandbox: Sandbox, now: Clock
) -> None:
    wired = wire(settings, now, wait=0.05)
    results: list[str] = []

    async def pay(amount: int) -> None:
        results.append(text_of(await client.call_tool(PAY, {"amount": f"{amount}.00"})))

    async with connected(wired.server) as client, anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(pay, 20 + number)
    assert len(wired.desk.files) == 1
    told = [text for text in results if "another change waits for the user's answer" in text]
    assert len(told) == 29
    assert all("pay " in text and "telnyx-account-mcp approve" in text for text in told)
    assert sandbox.payments == []


async def test_a_further_call_names_the_question_that_waits(
    server: AccountServer, sandbox: Sandbox
) -> None:
    first = await ask(server, None, PAY, CALL)
    second = await ask(server, Person(TICKS), UPDATE, {"enabled": False})
    assert state_of(first) == "proposed"
    assert "another change waits for the user's answer: pay 120.00" in text_of(second)
    change_id = (first.structured_content or {})["change_id"]
    assert f"telnyx-account-mcp approve {change_id}" in text_of(second)


async def test_a_question_that_was_closed_makes_room_for_another(
    server: AccountServer, sandbox: Sandbox, mode: Mode
) -> None:
    closed = await ask(server, Person(ElicitResult(action="cancel")), PAY, CALL, mode)
    paid = await ask(server, Person(types("50.00")), PAY, {"amount": "50.00"}, mode)
    assert state_of(closed) == "proposed"
    assert state_of(paid) == "succeeded"
    assert [each["amount_cents"] for each in sandbox.payments] == [5000]


@pytest.mark.attack(
    "After a decline the model asks again with another amount or reference",
    "No payment is proposed for ten minutes",
)
@pytest.mark.parametrize("next_call", [{"amount": "50.00"}, CALL | {"reference": "other"}])
async def test_after_a_decline_no_payment_is_proposed_for_ten_minutes(
    server: AccountServer, sandbox: Sandbox, now: Clock, mode: Mode, next_call: dict[str, str]
) -> None:
    person = Person(DECLINES, types(next_call["amount"]))
    await ask(server, person, PAY, CALL, mode)
    now.passes(minutes=9)
    refused = await ask(server, person, PAY, next_call, mode)
    assert refused.is_error
    assert "the user declined a payment of 120.00" in text_of(refused)
    assert len(person.questions) == 1
    now.passes(minutes=2)
    assert state_of(await ask(server, person, PAY, next_call, mode)) == "succeeded"


async def test_a_no_to_a_question_that_stopped_being_true_meanwhile_is_a_no(
    server: AccountServer, other: AccountServer, sandbox: Sandbox, now: Clock, mode: Mode
) -> None:
    ledger = await (await other.accounts.main.services()).gate.ledger()

    def meanwhile(_question: str) -> ElicitResult:
        (waiting,) = ledger.newest(1, now())
        assert ledger.void(waiting.id, "The balance moved.", now())
        return DECLINES

    person = Person(meanwhile, types("120.00"))
    declined = await ask(server, person, PAY, CALL, mode)
    assert state_of(declined) == "declined"
    again = await ask(server, person, PAY, {"amount": "50.00"}, mode)
    assert "the user declined a payment of 120.00" in text_of(again)
    assert len(person.questions) == 1
    assert sandbox.payments == []


async def test_a_declined_setting_does_not_claim_to_pause_payments(
    server: AccountServer, sandbox: Sandbox
) -> None:
    declined = text_of(await ask(server, Person(DECLINES), UPDATE, {"enabled": False}))
    assert "the same call only repeats this" in declined
    assert "no payment" not in declined
    assert state_of(await ask(server, Person(types("120.00")), PAY, CALL)) == "succeeded"


async def test_a_declined_payment_does_not_forbid_to_turn_auto_recharge_off(
    server: AccountServer, sandbox: Sandbox
) -> None:
    await ask(server, Person(DECLINES), PAY, CALL)
    result = await ask(server, Person(TICKS), UPDATE, {"enabled": False})
    assert state_of(result) == "succeeded"


# --- the page ---------------------------------------------------------------------------------------


@dataclass
class OnPage:
    """A server whose question is open on a page, and its call has ended."""

    client: Client
    desk: Desk
    gate: Gate

    async def pay(self, amount: str = "120.00") -> CallToolResult:
        return await self.client.call_tool(PAY, {"amount": amount})

    @property
    def link(self) -> str:
        return self.desk.links[0]

    async def see(self) -> httpx.Response:
        return await anyio.to_thread.run_sync(fetch, "GET", self.link)

    async def answer(self, **form: str) -> httpx.Response:
        return await anyio.to_thread.run_sync(answers, self.link, form)


@asynccontextmanager
async def on_page(settings: Settings, now: Clock) -> AsyncIterator[OnPage]:
    wired = wire(settings, now, wait=0.05)
    gate = (await wired.server.accounts.main.services()).gate
    async with connected(wired.server) as client:
        assert state_of(await client.call_tool(PAY, CALL)) == "proposed"
        yield OnPage(client, wired.desk, gate)


async def test_a_page_that_is_loaded_again_shows_a_fresh_question_once_the_balance_moved(
    settings: Settings, now: Clock, sandbox: Sandbox
) -> None:
    async with on_page(settings, now) as page:
        assert "replaces" not in visible(await page.see())
        sandbox.account.balance += 50
        again = visible(await page.see())
        assert "NOTE: This question replaces an earlier one. The balance moved" in again
        assert f"Balance now: {sandbox.account.balance} USD" in again


async def test_an_old_link_leads_to_the_newest_question_and_each_one_names_who_asked(
    settings: Settings, now: Clock, sandbox: Sandbox
) -> None:
    async with on_page(settings, now) as page:
        gate = page.gate
        (first,) = (await gate.ledger()).newest(1, now())
        assert first.requested_via
        for step in (50, 70):
            sandbox.account.balance += step
            fresh = await gate.check(first.id)
            assert fresh.requested_via == first.requested_via
            assert f"Balance now: {sandbox.account.balance} USD" in fresh.question.text


async def test_a_question_stays_as_it_is_while_telnyx_cannot_be_asked_whether_it_is_true(
    settings: Settings, now: Clock, sandbox: Sandbox
) -> None:
    async with on_page(settings, now) as page:
        (asked,) = (await page.gate.ledger()).newest(1, now())
        sandbox.fault("get_balance", "status", status=500, times=99)
        assert await page.gate.check(asked.id) == asked


async def test_an_approval_on_the_page_is_void_once_the_balance_moved(
    settings: Settings, now: Clock, sandbox: Sandbox
) -> None:
    async with on_page(settings, now) as page:
        assert "Approved" in visible(await page.answer(decision="approve", amount="120.00"))
        sandbox.account.balance += 50
        assert state_of(await page.pay()) == "proposed"
        fresh = await anyio.to_thread.run_sync(fetch, "GET", page.desk.links[-1])
        assert "This question replaces an earlier one." in visible(fresh)
    assert sandbox.payments == []


@pytest.mark.attack(
    "The user clicks on a page whose question is no longer true",
    "Nothing is approved; the page shows a fresh question",
)
async def test_a_page_whose_question_is_void_does_not_ask_it_where_no_fresh_one_can_be_written(
    settings: Settings, now: Clock, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_page(settings, now) as page:
        await page.see()
        sandbox.account.balance += 50
        real, read = sandbox.account.balance_data, list[int]()

        def once() -> Any:
            read.append(1)
            return real() if len(read) == 1 else "nothing"

        monkeypatch.setattr(sandbox.account, "balance_data", once)
        shown = visible(await page.see())
        assert "No longer valid" in shown
        assert "To approve, type the amount" not in shown.partition("This was the question")[0]


async def test_a_click_on_a_page_whose_question_is_no_longer_true_approves_nothing(
    settings: Settings, now: Clock, sandbox: Sandbox
) -> None:
    async with on_page(settings, now) as page:
        await page.see()
        sandbox.account.balance += 50
        shown = await page.answer(decision="approve", amount="120.00")
        assert "NOTE: This question replaces an earlier one." in visible(shown)
        assert "Approved" not in visible(shown)
        fresh = str(shown.url)
        assert fresh != page.link
        approved = await anyio.to_thread.run_sync(
            answers, fresh, {"decision": "approve", "amount": "120.00"}
        )
        assert "Approved" in visible(approved)
        result = await page.pay()
        assert state_of(result) == "succeeded"
        assert len(sandbox.payments) == 1


async def test_an_approval_is_withdrawn_on_the_page_until_it_is_sent(
    settings: Settings, now: Clock, sandbox: Sandbox
) -> None:
    async with on_page(settings, now) as page:
        approved = await page.answer(decision="approve", amount="120.00")
        assert "Withdraw the approval" in approved.text
        withdrawn = await page.answer(decision="withdraw")
        assert "The user withdrew the approval." in visible(withdrawn)
        result = await page.pay()
        assert state_of(result) == "declined"
        assert sandbox.payments == []


async def test_a_payment_that_was_sent_is_not_withdrawn(
    settings: Settings, now: Clock, sandbox: Sandbox
) -> None:
    async with on_page(settings, now) as page:
        await page.answer(decision="approve", amount="120.00")
        await page.pay()
        told = await page.answer(decision="withdraw")
        assert "Done" in visible(told)
        assert len(sandbox.payments) == 1


async def test_the_page_of_a_payment_is_its_receipt(
    settings: Settings, now: Clock, sandbox: Sandbox
) -> None:
    async with on_page(settings, now) as page:
        await page.answer(decision="approve", amount="120.00")
        await page.pay()
        receipt = visible(await page.see())
        assert "Paid: 120.00 USD" in receipt
        assert f"Transaction: {sandbox.payments[0]['id']}" in receipt
        assert f"Balance after: {sandbox.account.balance}" in receipt
        assert "Sent: 2026-06-15" in receipt


async def test_an_unknown_payment_is_resolved_on_the_page(
    settings: Settings, now: Clock, sandbox: Sandbox
) -> None:
    async with on_page(settings, now) as page:
        sandbox.fault("create_stored_payment_transaction", "drop_after")
        await page.answer(decision="approve", amount="120.00")
        assert state_of(await page.pay()) == "unknown"
        asked = await page.see()
        assert "It happened" in asked.text
        mistyped = await page.answer(decision="paid", amount="12")
        assert "nothing was resolved" in visible(mistyped)
        resolved = await page.answer(decision="not_paid", amount="120.00")
        assert "Found not to have happened." in visible(resolved)
        told = await page.pay("30.00")
        assert state_of(told) == "proposed"


async def test_a_payment_blocked_by_an_unknown_one_opens_the_page_that_asks_what_came_of_it(
    settings: Settings, sandbox: Sandbox, now: Clock
) -> None:
    desk = Desk()
    server = build_server(settings, now=now, pages=BrowserPages(now, desk))
    sandbox.fault("create_stored_payment_transaction", "drop_after")
    async with connected(server, "auto", Person(types("120.00"))) as client:
        assert state_of(await client.call_tool(PAY, CALL)) == "unknown"
        assert len(desk.links) == 1
        asked = await anyio.to_thread.run_sync(fetch, "GET", desk.links[0])
        assert "It did not happen" in asked.text
        now.passes(minutes=30)
        blocked = await client.call_tool(PAY, {"amount": "50.00"})
        assert "no other payment is made until a person has found out" in text_of(blocked)
        assert len(desk.links) == 2
        again = await anyio.to_thread.run_sync(fetch, "GET", desk.links[1])
        assert "It did not happen" in again.text


# --- a client that does not answer ------------------------------------------------------------------


@pytest.mark.attack(
    "A client declares that it can ask, and never answers",
    "The next channel follows; a late answer counts for nothing",
)
async def test_a_client_that_declared_elicitation_and_is_silent_is_left_for_the_next_channel(
    settings: Settings, sandbox: Sandbox, now: Clock
) -> None:
    asked: list[str] = []
    answered = anyio.Event()

    async def silent(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        asked.append(params.message)
        await answered.wait()
        return types("120.00")

    wired = wire(settings, now, client_wait=0.1, wait_after_client=0.1)
    async with connected(wired.server, "legacy", silent) as client:
        with anyio.fail_after(10):  # the full wait for the page would be 20 s more
            first = await client.call_tool(PAY, CALL)
        assert state_of(first) == "proposed"
        assert "a page in the user's browser" in text_of(first)
        assert len(wired.desk.links) == len(asked) == 1
        answered.set()
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                approves = {"decision": "approve", "amount": "120.00"}
                tasks.start_soon(anyio.to_thread.run_sync, answers, wired.desk.links[0], approves)
                second = await client.call_tool(PAY, CALL)
        assert state_of(second) == "succeeded"
        assert len(asked) == 1
    assert len(sandbox.payments) == 1
    await wired.server.accounts.aclose()


async def test_a_modern_client_that_never_brings_an_answer_is_left_and_a_late_answer_is_too_late(
    settings: Settings, sandbox: Sandbox, now: Clock
) -> None:
    wired = wire(settings, now, wait=0.05)
    async with connected(wired.server, "auto", Person(DECLINES)) as client:
        asked = await pending_question(client, CALL)
        now.passes(seconds=46)
        moved_on = await client.session.call_tool(PAY, CALL)
        assert state_of(moved_on) == "proposed"
        assert len(wired.desk.links) == 1
        late = await answer_question(client, CALL, asked, types("120.00"))
        assert "the answer came too late" in text_of(late)
    assert sandbox.payments == []
    await wired.server.accounts.aclose()
