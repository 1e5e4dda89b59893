"""Arguments that hosts add, leave empty or wrap, which a model can't change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools import TOOLS
from telnyx_mcp.tools.framework.host_arguments import (
    ADDED_BY_HOSTS,
    is_empty,
    meant_arguments,
)
from telnyx_mcp.tools.framework.parsing import parse
from tests.support.client import Mode, call, content_of, text_of
from tests.support.server_process import environment_for, started

BALANCE = "telnyx_get_balance"
AUDIT = "telnyx_list_audit_events"
INVOICES = "telnyx_list_invoices"
DELIVERIES = "telnyx_list_webhook_deliveries"
NUMBERS = "telnyx_list_phone_numbers"
PREFERENCES = "telnyx_get_auto_recharge_preferences"
PAY = "telnyx_create_stored_payment_transaction"
UPDATE = "telnyx_update_auto_recharge_preferences"
SESSION = "telnyx_get_session_cost"
USAGE = "telnyx_summarize_usage"
ID = "48eff763-ea80-4345-b688-78249eb165a8"

SPECS = {each.name: each for each in TOOLS}
OPTIONAL = [
    (tool.name, name)
    for tool in TOOLS
    for name, field in tool.params.model_fields.items()
    if not field.is_required()
]
REQUIRED = [
    (tool.name, name)
    for tool in TOOLS
    for name, field in tool.params.model_fields.items()
    if field.is_required()
]
COUNTS = [
    (tool, name)
    for tool, name in OPTIONAL
    if name in ("page", "page_size", "top", "limit", "unused_days")
]

EMPTY: list[object] = [
    "",
    "  \t",
    "\u3000",
    None,
    [],
    [""],
    [None, " "],
    {},
    {"a": None},
    "[]",
    '[""]',
    "{}",
    "[null]",
    '""',
    "''",
    "null",
    " NULL ",
    "None",
    "undefined",
    '"null"',
]
FROM_N8N = {
    "sessionId": "f00d",
    "action": "sendMessage",
    "chatInput": "which invoices are unpaid?",
    "toolCallId": "call_0BCIShth4lxZuYr4coSp4E5E",
    "tool": "Invoices",
}


def meant(tool_name: str, **sent: Any) -> dict[str, Any]:
    return meant_arguments(SPECS[tool_name].params, sent)


# --- added ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "added",
    [
        FROM_N8N,
        {"wait_for_previous": True},
        {"waitForPreviousTools": False, "toolAction": "Listing", "toolSummary": "Invoices"},
        {"task_progress": "- [x] list invoices"},
        {"_meta": {"progressToken": 1}, "__user__": {"id": "1"}, "metadata": {"run": "7"}},
        {"tool_call_id": "x", "request-id": "y", "TraceId": "z"},
    ],
    ids=["n8n", "Gemini CLI", "Antigravity", "Cline", "underscores", "spellings"],
)
async def test_what_a_host_adds_is_ignored(
    server: AccountServer, mode: Mode, added: dict[str, Any]
) -> None:
    plain = content_of(await call(server, INVOICES, {"page_size": 2}, mode))
    assert content_of(await call(server, INVOICES, {"page_size": 2, **added}, mode)) == plain


@pytest.mark.parametrize("tool", SPECS)
def test_every_tool_ignores_what_hosts_are_known_to_add(tool: str) -> None:
    sent = {
        name: "sendMessage" if name == "action" else "x"
        for name in ADDED_BY_HOSTS
        if tool != SESSION or name != "sessionid"
    }
    assert meant(tool, **sent) == {}


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        (SESSION, {"sessionId": ID}, "did you mean `session_id`?"),
        (SESSION, {"SESSION_ID": ID}, "did you mean `session_id`?"),
        (AUDIT, {"action": "delete"}, "Use change_type."),
        (INVOICES, {"_page_size": 5}, "did you mean `page_size`?"),
        (INVOICES, {"unpaid_onli": True}, "did you mean `unpaid_only`?"),
    ],
)
async def test_one_that_looks_like_a_real_argument_is_an_error_that_names_it(
    server: AccountServer, sandbox: Sandbox, tool: str, arguments: dict[str, Any], named: str
) -> None:
    result = await call(server, tool, arguments)
    assert result.is_error
    assert named in text_of(result)
    assert sandbox.requests == []


def test_beside_the_real_one_it_is_the_hosts() -> None:
    assert meant(SESSION, session_id=ID, sessionId="n8n's") == {"session_id": ID}


@pytest.mark.parametrize(
    "dummy",
    [
        {"random_string": "x"},
        {"dummy": "x"},
        {"noop": True},
        {"input": "go"},
        {"params": {}},
        {"query": "preferences"},
        {"__arg1": "go"},
        {"kwargs": {"random_string": "x"}},
    ],
    ids=str,
)
async def test_a_tool_without_parameters_ignores_what_stands_in_for_one(
    server: AccountServer, dummy: dict[str, Any]
) -> None:
    assert "enabled" in content_of(await call(server, PREFERENCES, dummy))


# --- empty ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tool", "name"), OPTIONAL)
def test_an_optional_argument_that_is_empty_is_absent(tool: str, name: str) -> None:
    for each in EMPTY:
        if str(each).strip() in SPECS[tool].params.words.get(name, ()):
            continue
        assert meant(tool, **{name: each}) == {}, each


@pytest.mark.parametrize(("tool", "name"), REQUIRED)
@pytest.mark.parametrize("value", ["", "null", "None", [], [""], {}], ids=str)
async def test_a_required_argument_that_is_empty_is_asked_for(
    server: AccountServer, sandbox: Sandbox, tool: str, name: str, value: object
) -> None:
    result = await call(server, tool, {name: value})
    assert result.is_error
    assert f"`{name}` is required: " in text_of(result)
    assert sandbox.requests == []


@pytest.mark.parametrize(("tool", "name"), COUNTS)
@pytest.mark.parametrize("zero", [0, "0", 0.0, " 00 ", "-0"], ids=str)
def test_0_is_absent_where_a_number_begins_at_1(tool: str, name: str, zero: object) -> None:
    assert meant(tool, **{name: zero}) == {}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (UPDATE, {"threshold_amount": "0"}),
        (UPDATE, {"recharge_amount": 0}),
        (PAY, {"amount": 0}),
        (UPDATE, {"enabled": False}),
        (BALANCE, {"include_runway": 0}),
        (INVOICES, {"page": False}),
        (INVOICES, {"page": -1}),
        (NUMBERS, {"tag": "none", "connection": "none"}),
        (PAY, {"reference": "null"}),
        (AUDIT, {"contains": ["null"]}),
        (AUDIT, {"contains": ["", "x"]}),
    ],
    ids=str,
)
def test_a_value_that_means_something_stays(tool: str, arguments: dict[str, Any]) -> None:
    assert meant(tool, **arguments) == arguments


def test_the_empty_entries_of_a_list_are_left_out() -> None:
    params = parse(SPECS[AUDIT].params, AUDIT, {"contains": ["", " x ", None]})
    assert params.model_dump()["contains"] == ["x"]


async def test_an_emptied_preference_is_not_changed(
    server: AccountServer, sandbox: Sandbox
) -> None:
    """Nothing is asked of the person, and nothing is sent."""
    emptied: dict[str, Any] = {
        "threshold_amount": "",
        "recharge_amount": "null",
        "enabled": None,
        "preference": [],
    }
    result = await call(server, UPDATE, emptied)
    assert result.is_error
    assert "there is nothing to change" in text_of(result)
    assert sandbox.requests == []


@pytest.mark.parametrize("amount", [0, "0", "0.00"])
async def test_an_amount_of_0_is_an_error(
    server: AccountServer, sandbox: Sandbox, amount: object
) -> None:
    for tool, name in ((PAY, "amount"), (UPDATE, "recharge_amount")):
        result = await call(server, tool, {name: amount})
        assert result.is_error
        assert f"`{name}` must be more than 0" in text_of(result)
    assert sandbox.requests == []


@pytest.mark.parametrize("word", ["null", "None", "undefined", "NULL", "nil"])
async def test_a_payment_whose_reference_got_lost_is_not_made_without_one(
    server: AccountServer, sandbox: Sandbox, word: str
) -> None:
    result = await call(server, PAY, {"amount": "20.00", "reference": word})
    assert result.is_error
    assert "`reference` must be a name" in text_of(result)
    assert sandbox.requests == []


NOTHING: st.SearchStrategy[Any] = st.sampled_from(["", " ", None])


@given(st.recursive(NOTHING, st.lists, max_leaves=5))
def test_lists_of_nothing_are_empty_as_values_and_as_json(value: object) -> None:
    shallow = json.dumps(value).count("[") <= 3
    assert not shallow or is_empty(value)
    assert not shallow or is_empty(json.dumps(value))


@given(st.text(min_size=1).filter(lambda text: text.strip().isalnum() and len(text) > 9))
def test_a_text_is_not_empty(text: str) -> None:
    assert not is_empty(text)


# --- wrapped -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["arguments", "args", "input", "kwargs", "params", "toolInput"])
@pytest.mark.parametrize("as_text", [False, True], ids=["an object", "its JSON"])
def test_arguments_wrapped_into_one_are_taken_out(name: str, as_text: bool) -> None:
    inner = {"page_size": 2, "sort": "", "toolCallId": "x"}
    value = json.dumps(inner) if as_text else inner
    assert meant(INVOICES, **{name: value, **FROM_N8N}) == {"page_size": 2}


async def test_what_is_wrapped_is_checked_like_any_argument(server: AccountServer) -> None:
    result = await call(server, INVOICES, {"input": {"paid": True}})
    assert result.is_error
    assert "there is no argument `paid`" in text_of(result)


@pytest.mark.parametrize("sent", [{"input": "unpaid"}, {"args": "{broken"}, {"params": [1]}])
async def test_an_argument_that_wraps_nothing_is_an_error(
    server: AccountServer, sent: dict[str, Any]
) -> None:
    result = await call(server, INVOICES, sent)
    assert result.is_error
    assert f"there is no argument `{next(iter(sent))}`" in text_of(result)


SENT: list[tuple[object, str]] = [
    ('{"page_size": 2}', '"returned":2'),
    ('{"page_size": "2", "sort": null}', '"returned":2'),
    ('  {"toolCallId": "x"}', '"returned":18'),
    ("", '"returned":18'),
    ("null", '"returned":18'),
    ([], '"returned":18'),
    (None, '"returned":18'),
    ("page_size=2", "It takes: unpaid_only, sort"),
    ([1], "It takes: unpaid_only, sort"),
    (5, "It takes: unpaid_only, sort"),
    ('{"page', "It takes: unpaid_only, sort"),
]
"""Arguments that are no object, and what the answer holds."""


GIVEN: list[object] = [{"month": None}, {"month": 2026}, "", [], None]


async def test_arguments_that_are_no_object_are_read_or_explained(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The client of the SDK can't send them, and the server of the SDK would not say what is wrong."""
    async with started("serve", environment=environment_for(sandbox, tmp_path)) as server:
        await server.initialize()
        for sent, holds in SENT:
            result = await server.ask("tools/call", {"name": INVOICES, "arguments": sent})
            assert holds in result["content"][0]["text"], sent
        for given in GIVEN:
            prompt = {"name": "monthly-review", "arguments": given}
            assert (await server.ask("prompts/get", prompt))["messages"], given


# --- what was meant ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "guessed", "meant"),
    [
        (DELIVERIES, "since", "started_after"),
        (DELIVERIES, "until", "started_before"),
        (DELIVERIES, "start_date", "started_after"),
        (AUDIT, "since", "created_after"),
        (AUDIT, "from", "created_after"),
        (AUDIT, "end_date", "created_before"),
        (USAGE, "since", "start_date"),
        ("telnyx_search_detail_records", "period", "date_range"),
        ("telnyx_summarize_usage", "dates", "period"),
        ("telnyx_list_changes", "page_size", "limit"),
        ("telnyx_list_changes", "per_page", "limit"),
        (NUMBERS, "limit", "page_size"),
    ],
)
async def test_another_word_for_a_time_or_a_count_is_answered_with_the_tools_own(
    server: AccountServer, tool: str, guessed: str, meant: str
) -> None:
    result = await call(server, tool, {guessed: "2026-05-01"})
    assert result.is_error
    assert f"there is no argument `{guessed}`; did you mean `{meant}`?" in text_of(result)
