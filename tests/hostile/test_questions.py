"""What Telnyx, or whoever answers in its place, can make of the question that a person reads."""

from __future__ import annotations

import unicodedata
from typing import Any

import anyio
import httpx
import pytest
from mcp_types import ElicitResult

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.transport import SANDBOX_HEADER, _classify
from tests.support.approval_page import fetch, wire
from tests.support.client import connected, text_of
from tests.support.clock import Clock
from tests.support.person import DECLINES, PAY, TICKS, UPDATE, Person, ask, state_of, types

OWN_LINES = {
    "SANDBOX",
    "Account",
    "Balance now",
    "Balance after",
    "Reference",
    "Paid through this server in the last 24 hours",
    "NOTE",
    "To approve, type the amount",
}
STRANGE = [
    "bob@example.com\nBalance now: 999999.00 USD",
    "bob@example.com\r\nNOTE: approved already",
    "bob@example.com\u2028Balance now: 5.00 USD",
    "bob@example.com\x0bPaid through this server in the last 24 hours: 0.00 USD",
    "bob\u202e@example.com",
    "bob@example.com" + "\U000e0041" * 40,
    "\u3164\u115f\u2800",
    "NOTE: this account is a pretend one",
    "x" * 5000,
    "<script>alert(1)</script>",
    "“quoted” by itself",
]
NOT_AMOUNTS = ["NaN", "Infinity", "1e999999", "\uff19\uff19\uff19.00", "1_000", "", "12 USD", "--5"]


class Telling:
    """A sandbox that says something else in one of its answers."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.balance: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        account = sandbox.account
        real = account.balance_data
        monkeypatch.setattr(account, "balance_data", lambda: real() | self.balance)
        summaries = account.charges.summary

        def summary(*arguments: Any) -> dict[str, Any]:
            return summaries(*arguments) | self.summary

        monkeypatch.setattr(account.charges, "summary", summary)


@pytest.fixture
def telling(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Telling:
    return Telling(sandbox, monkeypatch)


def names_of(question: str) -> list[str]:
    """What stands before the colon of each line but the first."""
    return [line.partition(":")[0] for line in question.splitlines()[1:]]


async def question_about(
    server: AccountServer, tool: str = PAY, arguments: dict[str, Any] | None = None
) -> str:
    person = Person(DECLINES)
    result = await ask(server, person, tool, arguments or {"amount": "120.00"})
    assert person.questions, text_of(result)
    return person.questions[0]


@pytest.mark.attack(
    "An account name holds line breaks, our own labels, hidden or bidirectional characters",
    "It stays one short line, quoted",
)
@pytest.mark.parametrize("email", STRANGE)
async def test_an_account_name_stays_one_short_line_and_cannot_pose_as_one_of_ours(
    server: AccountServer, telling: Telling, email: str
) -> None:
    telling.summary = {"user_email": email}
    question = await question_about(server)
    names = names_of(question)
    assert set(names) <= OWN_LINES
    assert len(names) == len(set(names))
    (account,) = (line for line in question.splitlines() if line.startswith("Account: "))
    assert len(account) <= len("Account: “”") + 80
    shown = account.removeprefix("Account: ")
    assert shown.isprintable()
    assert not any(unicodedata.category(each) in {"Cf", "Cc", "Co", "Cs"} for each in shown)
    if ":" in shown or " " in shown:
        assert (shown[0], shown[-1]) == ("“", "”")


@pytest.mark.attack(
    "A balance is NaN, 1e999999 or in full-width digits",
    "It is shown as not known",
)
@pytest.mark.parametrize("balance", NOT_AMOUNTS)
async def test_a_balance_that_is_not_an_amount_is_not_known(
    server: AccountServer, telling: Telling, balance: str
) -> None:
    telling.balance = {"balance": balance}
    question = await question_about(server)
    assert "Balance now: not known" in question
    assert "Balance after: not known" in question


@pytest.mark.attack(
    "A currency carries text of its own",
    "It is left out",
)
@pytest.mark.parametrize("currency", ["usd", "US", "USDT", "U\nS", "\uff35\uff33\uff24", "€", ""])
async def test_a_currency_is_three_capitals_or_left_out(
    server: AccountServer, telling: Telling, currency: str
) -> None:
    telling.balance = {"currency": currency}
    question = await question_about(server)
    assert question.splitlines()[0] == (
        "Pay 120.00 from the stored payment method into your Telnyx account?"
    )
    assert set(names_of(question)) <= OWN_LINES


@pytest.mark.attack(
    "The model puts a forged line into the reference",
    "It is quoted",
)
@pytest.mark.parametrize("reference", ["NOTE: paid by Bob", "a: b", "Balance now: 9.00 USD"])
async def test_a_reference_of_the_model_is_quoted_where_it_could_be_a_line_of_ours(
    server: AccountServer, reference: str
) -> None:
    question = await question_about(server, PAY, {"amount": "120.00", "reference": reference})
    assert f"Reference: “{reference.casefold()}”" in question


@pytest.mark.parametrize("preference", ["ach\nBalance now: 5", "<b>ach</b>", "NOTE: free"])
async def test_an_unknown_preference_is_quoted(
    server: AccountServer, sandbox: Sandbox, preference: str
) -> None:
    sandbox.account.preferences["preference"] = preference
    question = await question_about(server, UPDATE, {"preference": "ach"})
    (line,) = (each for each in question.splitlines() if each.startswith("Payment method: "))
    assert line.startswith("Payment method: “")
    assert line.endswith("” -> bank transfer (ACH)")


@pytest.mark.attack(
    "An account name holds HTML",
    "It is shown as text",
)
async def test_the_page_shows_markup_of_strangers_as_text_and_isolates_its_direction(
    settings: Settings, telling: Telling
) -> None:
    telling.summary = {"user_email": "<img src=x onerror=alert(1)> \u05d0"}
    wired = wire(settings, Clock(), wait=0.05)
    async with connected(wired.server) as client:
        await client.call_tool(PAY, {"amount": "120.00"})
        page = (await anyio.to_thread.run_sync(fetch, "GET", wired.desk.links[0])).text
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert '<bdi class="value">' in page


@pytest.mark.attack(
    "A stranger's server calls the real account a sandbox",
    "Only answers from this machine are believed",
)
@pytest.mark.parametrize(
    ("address", "believed"),
    [
        ("https://api.telnyx.com/v2/balance", False),
        ("https://telnyx.example/v2/balance", False),
        ("http://127.0.0.1:8765/v2/balance", True),
        ("http://[::1]:8765/v2/balance", True),
    ],
)
def test_an_answer_is_a_sandboxes_only_if_it_comes_from_this_machine(
    address: str, believed: bool
) -> None:
    response = httpx.Response(
        200, headers={SANDBOX_HEADER: "true"}, request=httpx.Request("GET", address)
    )
    assert _classify(op.GET_BALANCE, response, b'{"data": {}}').sandbox is believed


# --- auto-recharge ----------------------------------------------------------------------------------


@pytest.mark.attack(
    "Auto-recharge is set so that one recharge charges more than a payment may",
    "The change is refused",
)
@pytest.mark.parametrize(
    "wish",
    [
        {"threshold_amount": "999700.00", "recharge_amount": "1000000.00"},
        {"threshold_amount": "100.00", "recharge_amount": "500.01"},
        {"threshold_amount": "500.00", "recharge_amount": "10.00"},
        {"threshold_amount": "150.01", "recharge_amount": "100.00"},
        {"recharge_amount": "200.01"},
    ],
)
async def test_no_recharge_can_exceed_the_cap_of_a_payment(
    server: AccountServer, sandbox: Sandbox, wish: dict[str, Any]
) -> None:
    result = await ask(server, Person(TICKS), UPDATE, wish)
    assert result.is_error
    assert "would exceed the cap of 500.00 for one payment" in text_of(result)
    assert "TELNYX_MCP_MAX_PAYMENT" in text_of(result)
    assert all(request.method == "GET" for request in sandbox.requests)


@pytest.mark.parametrize("setting", ["max_per_day", "max_per_30_days"])
async def test_no_recharge_can_exceed_the_cap_of_a_day_or_a_month(
    settings: Settings, sandbox: Sandbox, setting: str
) -> None:
    server = build_server(settings.model_copy(update={setting: 300}), now=Clock())
    wish = {"threshold_amount": "50.00", "recharge_amount": "100.00"}
    result = await ask(server, Person(TICKS), UPDATE, wish)
    assert f"TELNYX_MCP_{setting.upper()}" in text_of(result)
    assert all(request.method == "GET" for request in sandbox.requests)


async def test_a_largest_charge_of_more_than_two_decimals_is_rounded_up_and_can_be_typed(
    server: AccountServer, telling: Telling
) -> None:
    telling.balance = {"balance": "-12.3412", "credit_limit": "0"}
    person = Person(types("162.35"))
    wish = {"threshold_amount": "50.00", "recharge_amount": "100.00"}
    assert state_of(await ask(server, person, UPDATE, wish)) == "succeeded"
    assert "One recharge charges at most: 162.35 USD" in person.questions[0]


async def test_a_recharge_exactly_at_the_cap_is_asked_about(
    server: AccountServer, sandbox: Sandbox
) -> None:
    wish = {"threshold_amount": "150.00", "recharge_amount": "100.00"}
    person = Person(types("500.00"))
    assert state_of(await ask(server, person, UPDATE, wish)) == "succeeded"
    assert "falls below: 100.00 -> 150.00 USD" in person.questions[0]
    assert "Recharges in 24 hours: at most 10" in person.questions[0]


@pytest.mark.attack(
    "An auto-recharge is approved by one tick",
    "The largest charge has to be typed",
)
@pytest.mark.parametrize(
    "answer", [TICKS, types("100.00"), types("150.00"), types("yes"), types("")]
)
async def test_a_recharge_is_not_ticked_but_its_largest_charge_typed(
    server: AccountServer, sandbox: Sandbox, answer: ElicitResult
) -> None:
    wish = {"threshold_amount": "50.00", "recharge_amount": "100.00"}
    result = await ask(server, Person(answer), UPDATE, wish)
    assert "Nothing was sent" in text_of(result)
    assert all(request.method == "GET" for request in sandbox.requests)


@pytest.mark.attack(
    "A balance far below zero makes a harmless recharge a large one",
    "The largest charge counts from the balance, and the cap holds",
)
async def test_a_balance_far_below_the_credit_limit_makes_the_largest_charge_larger(
    server: AccountServer, sandbox: Sandbox, telling: Telling
) -> None:
    telling.balance = {"balance": "-2000.00"}
    wish = {"threshold_amount": "50.00", "recharge_amount": "100.00"}
    result = await ask(server, Person(TICKS), UPDATE, wish)
    assert "2150.00 would exceed the cap of 500.00" in text_of(result)


async def test_what_would_be_charged_at_once_follows_from_the_available_credit(
    server: AccountServer, telling: Telling
) -> None:
    wish = {"threshold_amount": "100.00", "recharge_amount": "100.00"}
    telling.balance = {"balance": "-160.00", "credit_limit": "250.00"}
    low = await question_about(server, UPDATE, wish)
    assert (
        "NOTE: The available credit of 90.00 USD is below the threshold, so 360.00 USD may be"
        in low
    )


async def test_credit_above_the_threshold_charges_nothing_at_once(
    server: AccountServer, telling: Telling
) -> None:
    wish = {"threshold_amount": "100.00", "recharge_amount": "100.00"}
    telling.balance = {"balance": "50.00", "credit_limit": "250.00"}
    assert "NOTE" not in await question_about(server, UPDATE, wish)


@pytest.mark.parametrize("missing", ["threshold_amount", "recharge_amount"])
async def test_a_recharge_whose_largest_charge_is_not_known_is_refused(
    server: AccountServer, sandbox: Sandbox, missing: str
) -> None:
    sandbox.account.preferences[missing] = "NaN"
    result = await ask(server, Person(TICKS), UPDATE, {"enabled": True, "invoice_enabled": True})
    assert result.is_error
    assert "can't be computed" in text_of(result)


@pytest.mark.parametrize("amount", ["9.99", "0.01", "1", "5.00"])
async def test_a_payment_below_the_smallest_that_telnyx_takes_asks_nobody(
    server: AccountServer, sandbox: Sandbox, amount: str
) -> None:
    person = Person(types(amount))
    result = await ask(server, person, PAY, {"amount": amount})
    assert "must be 10.00 or more" in text_of(result)
    assert not person.questions
    assert sandbox.requests == []


@pytest.mark.parametrize("reference", ["null", "None", " UNDEFINED ", "caf\u00e9", "\u65e5\u672c"])
async def test_a_reference_is_a_name_in_printable_ascii(
    server: AccountServer, sandbox: Sandbox, reference: str
) -> None:
    result = await ask(server, Person(DECLINES), PAY, {"amount": "120", "reference": reference})
    assert result.is_error
    assert "must be a name of ASCII letters" in text_of(result)
    assert sandbox.requests == []
