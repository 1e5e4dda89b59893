"""Nothing is changed unasked, and one approval is used once."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolResult,
    ElicitResult,
    InputRequiredResult,
)

from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.tools import requests_for
from telnyx_mcp.tools.support.change_requests import Surroundings
from tests.support.client import Mode, connected, text_of
from tests.support.clock import Clock
from tests.support.person import (
    CANCELS,
    DECLINES,
    PAY,
    UPDATE,
    Person,
    answer_question,
    ask,
    pending_question,
    state_of,
    types,
)
from tests.support.sandbox_requests import arrives, posts

REVISIONS = ("legacy", "auto")


@pytest.mark.parametrize("mode", REVISIONS)
async def test_a_payment_is_made_when_the_person_types_its_amount(
    server: AccountServer, sandbox: Sandbox, mode: str
) -> None:
    person = Person(types("120.00"))
    result = await ask(server, person, PAY, {"amount": "120"}, mode)
    assert state_of(result) == "succeeded"
    assert (result.structured_content or {})["message"] == "Done: paying 120.00."
    assert [payment["amount_cents"] for payment in sandbox.payments] == [12000]
    assert len(person.questions) == 1


@pytest.mark.parametrize("typed", ["120", "$120.00", " 120.00 usd ", "120.0"])
async def test_the_amount_may_be_typed_as_people_write_it(
    server: AccountServer, sandbox: Sandbox, typed: str
) -> None:
    result = await ask(server, Person(types(typed)), PAY, {"amount": "120.00"})
    assert state_of(result) == "succeeded"
    assert len(sandbox.payments) == 1


@pytest.mark.parametrize("mode", REVISIONS)
@pytest.mark.parametrize(
    "answer",
    [
        types("12.00"),
        types(""),
        types("yes"),
        types("NaN"),
        ElicitResult(action="accept", content={}),
        ElicitResult(action="accept", content={"amount": True}),
        ElicitResult(action="accept", content={"approve": True}),
        ElicitResult(action="accept"),
        DECLINES,
        CANCELS,
    ],
)
async def test_nothing_is_paid_unless_the_amount_is_typed(
    server: AccountServer, sandbox: Sandbox, mode: str, answer: ElicitResult
) -> None:
    result = await ask(server, Person(answer), PAY, {"amount": "120.00"}, mode)
    assert text_of(result).find("Nothing was sent") >= 0
    assert sandbox.payments == []


@pytest.mark.parametrize("mode", REVISIONS)
@pytest.mark.parametrize(
    ("tool", "arguments"), [(PAY, {"amount": "120"}), (UPDATE, {"enabled": False})]
)
async def test_a_client_that_cannot_ask_gets_nothing_done_and_is_told_what_the_person_can_do(
    server: AccountServer, sandbox: Sandbox, mode: str, tool: str, arguments: dict[str, Any]
) -> None:
    result = await ask(server, None, tool, arguments, mode)
    assert state_of(result) == "proposed"
    assert "telnyx-account-mcp approve" in text_of(result)
    assert all(request.method == "GET" for request in sandbox.requests)


@pytest.mark.parametrize("mode", REVISIONS)
async def test_the_question_shows_amount_account_balance_and_what_was_paid_today(
    server: AccountServer, sandbox: Sandbox, mode: str
) -> None:
    person = Person(types("20.00"), types("30.00"))
    before = sandbox.balance
    await ask(server, person, PAY, {"amount": "20.00"}, mode)
    await ask(server, person, PAY, {"amount": "30.00", "reference": "march"}, mode)
    first, second = person.questions
    assert "20.00 USD" in first
    assert "@" in first
    assert f"{before}" in first
    assert "last 24 hours: 0.00" in first
    assert "last 24 hours: 20.00" in second
    assert "march" in second


async def test_the_same_payment_within_ten_minutes_is_reported_and_not_made_again(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    person = Person(types("120.00"))
    await ask(server, person, PAY, {"amount": "120.00"})
    now.passes(minutes=9)
    again = await ask(server, person, PAY, {"amount": "120"})
    assert "Nothing new was done" in text_of(again)
    assert len(sandbox.payments) == 1
    assert len(person.questions) == 1


async def test_the_same_payment_later_is_asked_again_and_the_question_warns_of_the_first(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    person = Person(types("120.00"))
    await ask(server, person, PAY, {"amount": "120.00"})
    now.passes(minutes=11)
    await ask(server, person, PAY, {"amount": "120.00"})
    assert len(sandbox.payments) == 2
    assert "NOTE: 120.00 was already paid" in person.questions[1]


async def test_a_reference_is_never_paid_twice(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    person = Person(types("120.00"))
    await ask(server, person, PAY, {"amount": "120.00", "reference": "may"})
    now.passes(days=3)
    again = await ask(server, person, PAY, {"amount": "120.00", "reference": "may"})
    assert state_of(again) == "succeeded"
    assert len(sandbox.payments) == 1


async def test_a_reference_with_another_amount_is_refused(
    server: AccountServer, sandbox: Sandbox
) -> None:
    person = Person(types("120.00"))
    await ask(server, person, PAY, {"amount": "120.00", "reference": "may"})
    other = await ask(server, person, PAY, {"amount": "50.00", "reference": "may"})
    assert other.is_error
    assert "already names another change" in text_of(other)
    assert len(sandbox.payments) == 1


async def test_after_a_decline_the_same_call_does_not_ask_again_for_ten_minutes(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    person = Person(DECLINES)
    first = await ask(server, person, PAY, {"amount": "120.00"})
    second = await ask(server, person, PAY, {"amount": "120.00"})
    assert state_of(first) == state_of(second) == "declined"
    assert len(person.questions) == 1
    now.passes(minutes=11)
    await ask(server, person, PAY, {"amount": "120.00"})
    assert len(person.questions) == 2
    assert sandbox.payments == []


async def test_a_mistyped_amount_can_be_typed_again(
    server: AccountServer, sandbox: Sandbox
) -> None:
    person = Person(types("12"), types("120"))
    first = await ask(server, person, PAY, {"amount": "120.00"})
    second = await ask(server, person, PAY, {"amount": "120.00"})
    assert (state_of(first), state_of(second)) == ("proposed", "succeeded")
    assert person.questions[0] == person.questions[1]
    assert len(sandbox.payments) == 1


async def test_an_approval_that_comes_too_late_pays_nothing(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    def late(_question: str) -> ElicitResult:
        now.passes(minutes=10)
        return types("120.00")

    result = await ask(server, Person(late), PAY, {"amount": "120.00"}, "legacy")
    assert state_of(result) == "expired"
    assert sandbox.payments == []


async def test_one_approval_replayed_in_parallel_pays_once(
    server: AccountServer, sandbox: Sandbox
) -> None:
    arguments = {"amount": "120.00"}
    results: list[CallToolResult] = []
    with anyio.fail_after(10):
        async with Client(server, elicitation_callback=Person(DECLINES)) as client:
            asked = await pending_question(client, arguments)

            async def replay() -> None:
                results.append(await answer_question(client, arguments, asked, types("120.00")))

            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    tasks.start_soon(replay)
    assert len(results) == 8
    assert len(sandbox.payments) == 1
    assert [state_of(each) for each in results].count("succeeded") >= 1


async def test_an_approval_replayed_after_the_payment_reports_its_outcome(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    arguments = {"amount": "120.00"}
    with anyio.fail_after(10):
        async with Client(server, elicitation_callback=Person(DECLINES)) as client:
            asked = await pending_question(client, arguments)
            await answer_question(client, arguments, asked, types("120.00"))
            now.passes(minutes=30)
            again = await answer_question(client, arguments, asked, types("120.00"))
    assert state_of(again) == "succeeded"
    assert "Nothing new was done" in text_of(again)
    assert len(sandbox.payments) == 1


async def test_an_approval_brought_with_another_amount_pays_nothing(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    services = await server.accounts.main.services()
    async with connected(server, "auto", Person(DECLINES)) as client:
        asked = await pending_question(client, {"amount": "12.00"})
        with pytest.raises(MCPError):  # the SDK's seal holds first
            await client.session.call_tool(
                PAY,
                {"amount": "120.00"},
                input_responses={"approval": types("12.00")},
                request_state=asked.request_state,
                allow_input_required=True,
            )
    (change,) = (await services.gate.ledger()).newest(1, now())
    requests = requests_for(Surroundings(TelnyxClient(services.transport), now))
    another = requests(change.operation, {"amount": "120.00"})
    session = SimpleNamespace(client_params=None)
    answering: Any = SimpleNamespace(request_state=change.id, session=session)
    with pytest.raises(NotAllowed, match="the answer belongs to another change"):
        await services.gate.carry_out(another, answering)
    assert sandbox.payments == []


async def test_a_late_answer_leads_to_a_question_that_replaces_the_newest_void_one(
    server: AccountServer, sandbox: Sandbox, now: Clock
) -> None:
    gate = (await server.accounts.main.services()).gate
    ledger = await gate.ledger()
    with anyio.fail_after(10):
        async with Client(server, elicitation_callback=Person(DECLINES)) as client:
            asked = await pending_question(client, {"amount": "120.00"})
            (first,) = ledger.newest(1, now())
            sandbox.account.balance += 50
            second = await gate.check(first.id)
            ledger.void(second.id, "It is void for a second reason.", now())
            fresh = await client.session.call_tool(
                PAY,
                {"amount": "120.00"},
                input_responses={"approval": types("120.00")},
                request_state=asked.request_state,
                allow_input_required=True,
            )
            assert isinstance(fresh, InputRequiredResult)
            third = await gate.check(second.id)
    assert third.id not in (first.id, second.id)
    assert "It is void for a second reason." in third.question.text
    assert sandbox.payments == []


async def test_an_approval_after_a_decline_pays_nothing(
    server: AccountServer, sandbox: Sandbox
) -> None:
    arguments = {"amount": "120.00"}
    with anyio.fail_after(10):
        async with Client(server, elicitation_callback=Person(DECLINES)) as client:
            asked = await pending_question(client, arguments)
            await answer_question(client, arguments, asked, DECLINES)
            replayed = await answer_question(client, arguments, asked, types("120.00"))
    assert state_of(replayed) == "declined"
    assert sandbox.payments == []


async def test_a_client_that_does_not_declare_elicitation_cannot_use_an_answer(
    server: AccountServer, sandbox: Sandbox
) -> None:
    arguments = {"amount": "120.00"}
    with anyio.fail_after(10):
        async with Client(server, elicitation_callback=Person(DECLINES)) as asking:
            asked = await pending_question(asking, arguments)
            async with Client(server) as mute:
                replayed = await answer_question(mute, arguments, asked, types("120.00"))
    assert state_of(replayed) == "proposed"
    assert sandbox.payments == []


async def _pay_elsewhere(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(
        verify=False, headers={"authorization": f"Bearer {sandbox.key}"}
    ) as other:
        address = f"{sandbox.base_url}/payment/stored_payment_transactions"
        (await other.post(address, json={"amount": "7.00"})).raise_for_status()


async def test_the_question_is_the_same_text_on_every_round(
    server: AccountServer, sandbox: Sandbox
) -> None:
    arguments = {"amount": "120.00"}
    with anyio.fail_after(10):
        async with Client(server, elicitation_callback=Person(DECLINES)) as client:
            first = await pending_question(client, arguments)
            await _pay_elsewhere(sandbox)
            second = await pending_question(client, arguments)
    assert first.input_requests == second.input_requests


@pytest.mark.parametrize("mode", REVISIONS)
async def test_two_calls_at_once_for_the_same_payment_pay_once(
    server: AccountServer, sandbox: Sandbox, mode: Mode
) -> None:
    results: list[CallToolResult] = []

    async with connected(server, mode, Person(types("120.00"))) as client:

        async def pay() -> None:
            results.append(await client.call_tool(PAY, {"amount": "120"}))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(pay)
    assert len(results) == 5
    assert len(sandbox.payments) == 1


@pytest.mark.parametrize("mode", REVISIONS)
async def test_auto_recharge_is_changed_when_the_person_types_the_largest_charge(
    server: AccountServer, sandbox: Sandbox, mode: str
) -> None:
    person = Person(types("475.00"))
    result = await ask(
        server,
        person,
        UPDATE,
        {"enabled": True, "threshold_amount": 75, "recharge_amount": "150"},
        mode,
    )
    assert state_of(result) == "succeeded"
    after = (result.structured_content or {})["after"]
    assert (after["threshold_amount"], after["recharge_amount"]) == ("75.00", "150.00")
    assert "falls below: 100.00 -> 75.00 USD" in person.questions[0]
    assert "One recharge charges at most: 475.00 USD" in person.questions[0]
    message = (result.structured_content or {})["message"]
    assert message == "Done: changing the auto-recharge preferences."
    assert [json.loads(r.body) for r in sandbox.requests if r.method == "PATCH"] == [
        {"enabled": True, "threshold_amount": "75.00", "recharge_amount": "150.00"}
    ]


@pytest.mark.parametrize(
    "answer",
    [
        DECLINES,
        CANCELS,
        ElicitResult(action="accept", content={"approve": False}),
        ElicitResult(action="accept", content={"approve": "yes"}),
        ElicitResult(action="accept", content={}),
    ],
)
@pytest.mark.parametrize("mode", REVISIONS)
async def test_auto_recharge_is_not_changed_without_a_tick(
    server: AccountServer, sandbox: Sandbox, mode: str, answer: ElicitResult
) -> None:
    result = await ask(server, Person(answer), UPDATE, {"enabled": False}, mode)
    assert "Nothing was sent" in text_of(result)
    assert all(request.method == "GET" for request in sandbox.requests)


@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "reset_before", "reset_after", "truncated", "nonsense"]
)
async def test_a_payment_whose_answer_is_lost_is_unknown_and_sent_once(
    server: AccountServer, sandbox: Sandbox, kind: str
) -> None:
    sandbox.fault("create_stored_payment_transaction", kind)
    person = Person(types("120.00"))
    lost = await ask(server, person, PAY, {"amount": "120.00"})
    again = await ask(server, person, PAY, {"amount": "120.00"})
    assert lost.is_error
    assert state_of(lost) == state_of(again) == "unknown"
    assert "Don't try again" in text_of(lost)
    assert "Trying again may help" not in text_of(lost)
    assert posts(sandbox) == 1


async def test_a_payment_that_telnyx_refuses_may_be_tried_again_with_a_new_approval(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("create_stored_payment_transaction", "status", status=403)
    person = Person(types("120.00"))
    refused = await ask(server, person, PAY, {"amount": "120.00"})
    paid = await ask(server, person, PAY, {"amount": "120.00"})
    assert (state_of(refused), state_of(paid)) == ("refused", "succeeded")
    assert "payment method is stored" in text_of(refused)
    assert len(person.questions) == 2


async def test_a_payment_in_flight_finishes_when_the_call_is_cancelled(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("create_stored_payment_transaction", "slow", seconds=0.3)
    with anyio.fail_after(10):
        async with Client(server, elicitation_callback=Person(types("120.00"))) as client:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(client.call_tool, PAY, {"amount": "120.00"})
                    await arrives(sandbox, "POST")
                    scope.cancel()
            await (await server.accounts.main.services()).gate.idle()
            again = await client.call_tool(PAY, {"amount": "120.00"})
    assert state_of(again) == "succeeded"
    assert len(sandbox.payments) == 1


@pytest.mark.parametrize("mode", REVISIONS)
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (DECLINES, "Nothing was sent: the user declined paying 120.00"),
        (types("12"), "Nothing was sent: what the user typed is not the amount."),
        (CANCELS, "Nothing was sent: the question was closed without an answer."),
    ],
)
async def test_the_first_call_never_says_that_it_only_repeats_an_outcome(
    server: AccountServer, mode: str, answer: ElicitResult, message: str
) -> None:
    result = await ask(server, Person(answer), PAY, {"amount": "120.00"}, mode)
    assert (result.structured_content or {})["message"].startswith(message)
    assert "Nothing new was done" not in text_of(result)


async def test_a_payment_from_the_standing_budget_is_not_called_a_repeat(
    settings: Settings, sandbox: Sandbox, now: Clock
) -> None:
    budget = {"standing_budget_per_payment": "50.00", "standing_budget_per_day": "50.00"}
    server = build_server(settings.model_copy(update=budget_of(budget)), now=now)
    result = await ask(server, None, PAY, {"amount": "50.00"})
    assert (result.structured_content or {})["message"] == "Done: paying 50.00."
    assert len(sandbox.payments) == 1


def budget_of(amounts: dict[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(amount) for name, amount in amounts.items()}
