"""Whatever arguments a call has, its answer is a result or an error in plain words, soon and short.

The arguments are drawn from the input schemas that the server itself publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp_types import ElicitResult
from pydantic import SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox, running_sandbox
from telnyx_mcp.tools import TOOLS
from tests.support.client import REVISIONS
from tests.support.clock import TODAY
from tests.support.hostile_arguments import Arguments, Schema, fitting, hostile, huge
from tests.support.hostile_caller import DECLINES, SECRET_KEY, Caller, calling, check_answer

PAY = "telnyx_create_stored_payment_transaction"
QUICK, LONG = 8, 150
"""Examples of each kind, for each tool and revision."""


@dataclass
class Account:
    """A sandbox account, and a caller of a server for it."""

    sandbox: Sandbox
    caller: Caller
    ids: Mapping[str, str]
    """Such as the account knows, which no one would draw."""


@pytest.fixture(scope="module", params=REVISIONS)
def account(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Account]:
    """One for the whole module, as what one call leaves behind is part of the next."""
    folder = tmp_path_factory.mktemp("hostile")
    with running_sandbox(
        today=TODAY, rate_limit=None, records_per_day=1, key=SECRET_KEY
    ) as sandbox:
        set_to = Settings(
            api_key=SecretStr(sandbox.key),
            base_url=sandbox.base_url,
            state_url=SecretStr(f"sqlite:///{folder}/state.sqlite3"),
            export_dir=folder,
            approval="elicitation",
        )
        with calling(set_to, request.param) as caller:
            ids = {
                "invoice_id": caller.first("telnyx_list_invoices")["invoice_id"],
                "delivery_id": caller.first("telnyx_list_webhook_deliveries")["id"],
            }
            yield Account(sandbox, caller, ids)


def check(account: Account, tool: str, arguments: Arguments) -> None:
    """Calls the tool: its answer is as any must be, and nothing was changed."""
    account.sandbox.requests.clear()
    balance, payments = account.sandbox.balance, len(account.sandbox.payments)
    check_answer(account.caller, tool, arguments)
    assert account.sandbox.balance == balance
    assert len(account.sandbox.payments) == payments
    assert [each for each in account.sandbox.requests if each.method != "GET"] == []


def fuzz(
    account: Account,
    tool: str,
    drawn_from: Callable[[Schema], st.SearchStrategy[Arguments]],
    most: int,
) -> None:
    """Calls the tool with that many different arguments."""
    schema = account.caller.tools[tool].input_schema

    @settings(max_examples=most, suppress_health_check=list(HealthCheck))
    @given(drawn_from(schema), st.booleans())
    def each(arguments: Arguments, known: bool) -> None:
        ids = {name: account.ids[name] for name in account.ids if known and name in arguments}
        check(account, tool, arguments | ids)

    each()


KINDS: Mapping[str, Callable[[Schema], st.SearchStrategy[Arguments]]] = {
    "fitting": fitting,
    "hostile": hostile,
    "huge": huge,
}
NAMES = [each.name for each in TOOLS]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tool", NAMES)
def test_any_arguments_get_a_readable_answer(account: Account, tool: str, kind: str) -> None:
    fuzz(account, tool, KINDS[kind], QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tool", NAMES)
def test_very_many_arguments_get_a_readable_answer(account: Account, tool: str, kind: str) -> None:
    fuzz(account, tool, KINDS[kind], LONG)


NO_APPROVALS = st.one_of(
    st.dictionaries(
        st.sampled_from(["amount", "approve", "Amount", "", "action", "__proto__"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.text(max_size=20),
            st.lists(st.text(max_size=5), max_size=2),
            st.sampled_from(["1.00", "10.00 0", "1e1", "10.001", "-10.00", "x" * 1_000_000]),
        ),
        max_size=3,
    ),
    st.none(),
)
"""Anything that a host may send as what a person typed, but the amount that was asked for."""


def test_no_answer_but_the_amount_pays(account: Account) -> None:
    numbers = iter(range(1_000))

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(NO_APPROVALS, st.sampled_from(["accept", "decline", "cancel"]))
    def each(
        content: dict[str, Any] | None, action: Literal["accept", "decline", "cancel"]
    ) -> None:
        account.caller.answer = ElicitResult(action=action, content=content)
        account.caller.passes(minutes=11)
        check(account, PAY, {"amount": "10.00", "reference": f"fuzz {next(numbers)}"})

    try:
        each()
    finally:
        account.caller.answer = DECLINES


def test_the_amount_pays(account: Account) -> None:
    """So that the test above is one of the answers, and not of a tool that never pays."""
    account.caller.answer = ElicitResult(action="accept", content={"amount": "10.00"})
    account.caller.passes(minutes=11)
    before = account.sandbox.balance
    try:
        account.caller.call(PAY, {"amount": "10.00", "reference": "in earnest"})
    finally:
        account.caller.answer = DECLINES
    assert account.sandbox.balance == before + 10
