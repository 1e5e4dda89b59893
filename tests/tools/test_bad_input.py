"""Arguments that can't be used: each is answered with what is wrong and what to do instead."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from tests.support.client import Mode, call, connected, content_of, text_of

BALANCE = "telnyx_get_balance"
AUDIT = "telnyx_list_audit_events"
BREAKDOWN = "telnyx_get_charges_breakdown"
SUMMARY = "telnyx_get_charges_summary"
RECORDS = "telnyx_search_detail_records"
INVOICES = "telnyx_list_invoices"
INVOICE = "telnyx_get_invoice"
PREFERENCES = "telnyx_get_auto_recharge_preferences"
UPDATE = "telnyx_update_auto_recharge_preferences"
TAGS = "telnyx_list_user_tags"
PAY = "telnyx_create_stored_payment_transaction"
DELIVERIES = "telnyx_list_webhook_deliveries"
DELIVERY = "telnyx_get_webhook_delivery"

ID = "48eff763-ea80-4345-b688-78249eb165a8"
NEEDED: dict[str, dict[str, Any]] = {
    BALANCE: {},
    AUDIT: {},
    BREAKDOWN: {"start_date": "2026-05-01"},
    SUMMARY: {"start_date": "2026-05-01", "end_date": "2026-06-01"},
    RECORDS: {"record_type": "messaging"},
    INVOICES: {},
    INVOICE: {"invoice_id": ID},
    PREFERENCES: {},
    UPDATE: {},
    TAGS: {},
    PAY: {"amount": "120.00"},
    DELIVERIES: {},
    DELIVERY: {"delivery_id": ID},
}
"""What each tool can't do without."""

TEXT_PARAMETERS = [
    (AUDIT, "created_after"),
    (AUDIT, "created_before"),
    (AUDIT, "sort"),
    (BREAKDOWN, "start_date"),
    (BREAKDOWN, "end_date"),
    (SUMMARY, "start_date"),
    (SUMMARY, "end_date"),
    (RECORDS, "record_type"),
    (RECORDS, "date_range"),
    (RECORDS, "filters"),
    (RECORDS, "sort"),
    (INVOICES, "sort"),
    (INVOICE, "invoice_id"),
    (UPDATE, "threshold_amount"),
    (UPDATE, "recharge_amount"),
    (UPDATE, "preference"),
    (TAGS, "starts_with"),
    (PAY, "amount"),
    (PAY, "reference"),
    (DELIVERIES, "status"),
    (DELIVERIES, "event_types"),
    (DELIVERIES, "webhook_contains"),
    (DELIVERIES, "attempts_contains"),
    (DELIVERIES, "started_after"),
    (DELIVERIES, "started_before"),
    (DELIVERIES, "finished_after"),
    (DELIVERIES, "finished_before"),
    (DELIVERY, "delivery_id"),
]
NO_WORDS_OF_A_PROGRAM = (
    "input_value",
    "validation error",
    "pydantic",
    "Traceback",
    "Error executing tool",
    'File "',
)


def check_refusal(sandbox: Sandbox, result: CallToolResult, *named: str) -> str:
    """The text of an error that helps, given without a word to Telnyx."""
    text = text_of(result)
    assert result.is_error, text
    assert 40 < len(text) < 1500
    for each in named:
        assert each in text
    for each in NO_WORDS_OF_A_PROGRAM:
        assert each.lower() not in text.lower()
    assert "again" in text or "call once for each" in text
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert sandbox.requests == []
    return text


async def refused(
    sandbox: Sandbox, server: AccountServer, tool: str, arguments: Mapping[str, Any], *named: str
) -> str:
    result = await call(server, tool, {**NEEDED[tool], **arguments})
    return check_refusal(sandbox, result, *named)


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "misspelt", "meant"),
    [
        (AUDIT, "created_afer", "created_after"),
        (AUDIT, "createdBefore", "created_before"),
        (BREAKDOWN, "enddate", "end_date"),
        (SUMMARY, "Start_Date", "start_date"),
        (RECORDS, "filter", "filters"),
        (RECORDS, "recordType", "record_type"),
        (RECORDS, "daterange", "date_range"),
        (INVOICES, "pagesize", "page_size"),
        (INVOICES, "page[size]", "page_size"),
        (INVOICE, "include_download_links", "include_download_link"),
        (UPDATE, "treshold_amount", "threshold_amount"),
        (TAGS, "start_with", "starts_with"),
        (PAY, "referense", "reference"),
        (DELIVERIES, "event_type", "event_types"),
        (DELIVERIES, "started_befor", "started_before"),
        (DELIVERY, "include_payloads", "include_payload"),
    ],
)
async def test_a_misspelt_argument_is_answered_with_the_nearest_real_one(
    sandbox: Sandbox, server: AccountServer, tool: str, misspelt: str, meant: str
) -> None:
    arguments = {name: value for name, value in NEEDED[tool].items() if name != meant}
    result = await call(server, tool, {**arguments, misspelt: "x"})
    check_refusal(sandbox, result, f"`{misspelt}`", f"did you mean `{meant}`?")


@pytest.mark.parametrize("tool", NEEDED)
async def test_an_extra_argument_is_refused_with_the_ones_there_are(
    sandbox: Sandbox, server: AccountServer, mode: Mode, tool: str
) -> None:
    result = await call(server, tool, {**NEEDED[tool], "zzz": 1}, mode)
    text = check_refusal(sandbox, result, "`zzz`", tool)
    takes = text[text.index("It takes") :]
    assert all(name in takes for name in NEEDED[tool])


@pytest.mark.parametrize(
    ("tool", "name"), [(tool, name) for tool, needed in NEEDED.items() for name in needed]
)
@pytest.mark.parametrize("value", [{}, {"null": None}])
async def test_a_missing_argument_is_named_with_what_it_is(
    sandbox: Sandbox, server: AccountServer, tool: str, name: str, value: dict[str, Any]
) -> None:
    """A null counts as absent."""
    arguments = {key: each for key, each in NEEDED[tool].items() if key != name}
    result = await call(server, tool, arguments | dict.fromkeys([name] if value else []))
    check_refusal(sandbox, result, f"`{name}` is required: ")


async def test_all_mistakes_are_reported_at_once(sandbox: Sandbox, server: AccountServer) -> None:
    arguments = {"status": "lost", "page": -1, "page_size": 251, "started_after": "May"}
    await refused(sandbox, server, DELIVERIES, arguments, *arguments)


async def test_of_very_many_wrong_arguments_a_few_are_reported(
    sandbox: Sandbox, server: AccountServer
) -> None:
    wrong = {f"wrong_{number}_{'x' * 1000}": 1 for number in range(500)}
    await refused(sandbox, server, DELIVERIES, wrong, "And 495 more")


async def test_an_unknown_tool_is_answered_with_the_nearest_real_one(
    sandbox: Sandbox, server: AccountServer, mode: Mode
) -> None:
    async with connected(server, mode) as client:
        text = await text_or_error(client, "telnyx_get_balanse", {})
    assert "telnyx_get_balance" in text
    assert sandbox.requests == []


async def text_or_error(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    return text_of(await client.call_tool(tool, arguments))


# --- values --------------------------------------------------------------------------------------

AMOUNTS = [
    "0",
    "0.00",
    "-5",
    "1e3",
    "NaN",
    "Infinity",
    "-Infinity",
    "1.234",
    "12,50",
    "1,200.00",
    "$120",
    "120.00 USD",
    "120 USD",
    "+120",
    "120.",
    ".50",
    "0x10",
    "1_000",
    "\uff11\uff12\uff10",
    "twelve",
    "9" * 30,
    "1000000.01",
    "9" * 100_000,
    "0" * 100_000 + "1.0001",
    -5,
    0,
    1.234,
    1e300,
    True,
    [120],
    {"amount": "120.00"},
]


@pytest.mark.parametrize("amount", AMOUNTS, ids=lambda amount: str(amount)[:12])
@pytest.mark.parametrize("parameter", [(PAY, "amount"), (UPDATE, "recharge_amount")])
async def test_a_malformed_amount_is_refused(
    sandbox: Sandbox, server: AccountServer, parameter: tuple[str, str], amount: object
) -> None:
    tool, name = parameter
    await refused(sandbox, server, tool, {name: amount}, f"`{name}`")


@pytest.mark.parametrize("amount", [math.nan, math.inf])
async def test_an_invalid_number_is_refused(
    sandbox: Sandbox, server: AccountServer, amount: float
) -> None:
    await refused(sandbox, server, PAY, {"amount": amount}, "`amount`")


@pytest.mark.parametrize("amount", [a for a in AMOUNTS if a not in ("0", "0.00", 0)][:18])
async def test_a_malformed_threshold_is_refused(
    sandbox: Sandbox, server: AccountServer, amount: object
) -> None:
    await refused(sandbox, server, UPDATE, {"threshold_amount": amount}, "`threshold_amount`")


NO_DAYS = [
    "May 2026",
    "01/05/2026",
    "2026-5-1",
    "20260501",
    "2026-05-01T00:00:00Z",
    "2026-02-30",
    "2026-13-01",
    "last_month",
    "\uff12026-05-01",
    20260501,
    ["2026-05-01"],
    True,
]


@pytest.mark.parametrize("day", NO_DAYS, ids=str)
@pytest.mark.parametrize("name", ["start_date", "end_date"])
async def test_a_day_in_another_format_is_answered_with_the_right_one(
    sandbox: Sandbox, server: AccountServer, name: str, day: object
) -> None:
    text = await refused(sandbox, server, SUMMARY, {name: day}, f"`{name}`")
    assert "YYYY-MM-DD" in text or "is not a calendar day" in text


@pytest.mark.parametrize("tool", [SUMMARY, BREAKDOWN])
@pytest.mark.parametrize(
    ("start", "end"), [("2026-05-10", "2026-05-01"), ("2026-05-10", "2026-05-10")]
)
async def test_a_range_that_holds_no_day_is_answered_with_one_that_does(
    sandbox: Sandbox, server: AccountServer, tool: str, start: str, end: str
) -> None:
    arguments = {"start_date": start, "end_date": end}
    await refused(
        sandbox, server, tool, arguments, "end_date", "start_date=2026-05-10 end_date=2026-05-11"
    )


@pytest.mark.parametrize("tool", [SUMMARY, BREAKDOWN])
async def test_a_range_of_more_than_31_days_is_answered_with_the_ranges_to_ask_for(
    sandbox: Sandbox, server: AccountServer, tool: str
) -> None:
    arguments = {"start_date": "2026-02-15", "end_date": "2026-05-02"}
    await refused(
        sandbox,
        server,
        tool,
        arguments,
        "start_date=2026-02-15 end_date=2026-03-01; start_date=2026-03-01 end_date=2026-04-01; "
        "start_date=2026-04-01 end_date=2026-05-01; start_date=2026-05-01 end_date=2026-05-02",
    )


async def test_a_range_of_centuries_gets_a_short_error(
    sandbox: Sandbox, server: AccountServer
) -> None:
    arguments = {"start_date": "0001-01-01", "end_date": "9999-12-31"}
    await refused(sandbox, server, SUMMARY, arguments, "31", "more")


@pytest.mark.parametrize("tool", [SUMMARY, BREAKDOWN])
async def test_a_range_in_the_future_is_answered_with_today(
    sandbox: Sandbox, server: AccountServer, tool: str
) -> None:
    arguments = {"start_date": "2026-06-16", "end_date": "2026-06-20"}
    await refused(sandbox, server, tool, arguments, "start_date", "2026-06-15")


NO_TIMES = ["yesterday", "May 2026", "01/05/2026", "2026-02-30", "0001-01-01T00:00:00+14:00"]


@pytest.mark.parametrize("moment", [*NO_TIMES, 1, True, ["2026-05-01"]], ids=str)
@pytest.mark.parametrize(
    "parameter",
    [
        (AUDIT, "created_after"),
        (AUDIT, "created_before"),
        (DELIVERIES, "started_after"),
        (DELIVERIES, "finished_before"),
    ],
)
async def test_a_time_in_another_format_is_answered_with_the_right_one(
    sandbox: Sandbox, server: AccountServer, parameter: tuple[str, str], moment: object
) -> None:
    tool, name = parameter
    await refused(sandbox, server, tool, {name: moment}, f"`{name}`", "2026-05-01T00:00:00Z")


@pytest.mark.parametrize(
    ("tool", "first", "last"),
    [
        (AUDIT, "created_after", "created_before"),
        (DELIVERIES, "started_after", "started_before"),
        (DELIVERIES, "finished_after", "finished_before"),
    ],
)
async def test_a_reversed_range_of_times_is_refused_instead_of_finding_nothing(
    sandbox: Sandbox, server: AccountServer, tool: str, first: str, last: str
) -> None:
    arguments = {first: "2026-05-02", last: "2026-05-01"}
    await refused(sandbox, server, tool, arguments, first, last)


@pytest.mark.parametrize(
    ("tool", "largest"), [(AUDIT, 250), (RECORDS, 50), (INVOICES, 250), (DELIVERIES, 250)]
)
async def test_a_page_larger_than_the_endpoint_allows_is_answered_with_the_largest(
    sandbox: Sandbox, server: AccountServer, tool: str, largest: int
) -> None:
    text = await refused(sandbox, server, tool, {"page_size": largest + 1}, "`page_size`")
    assert f"{largest} or less" in text


@pytest.mark.parametrize("name", ["page", "page_size"])
@pytest.mark.parametrize("number", [-1, "ten", 1.5, "1.5", [1], {"a": 1}, "1e2", "9" * 5000])
@pytest.mark.parametrize("tool", [INVOICES])
async def test_an_invalid_page_number_is_refused(
    sandbox: Sandbox, server: AccountServer, tool: str, name: str, number: object
) -> None:
    await refused(sandbox, server, tool, {name: number}, f"`{name}`")


NO_IDS = [
    "48eff763/ea80",
    "..",
    "../balance",
    f"{ID}/../balance",
    f"..%2f{ID[4:]}",
    f"%2e%2e%2f{ID[9:]}",
    f"{ID[:17]} {ID[18:]}",
    f"{ID}?action=link",
    "48eff763ea804345b68878249eb165a8",
    f"{{{ID[1:-1]}}}",
    "-" * 36,
    "inv_2026_05",
    5,
    True,
    [ID],
    "\uff14" + ID[1:],
]


@pytest.mark.parametrize("wrong", NO_IDS, ids=str)
@pytest.mark.parametrize("parameter", [(INVOICE, "invoice_id"), (DELIVERY, "delivery_id")])
async def test_a_malformed_id_is_refused(
    sandbox: Sandbox, server: AccountServer, parameter: tuple[str, str], wrong: object
) -> None:
    tool, name = parameter
    await refused(sandbox, server, tool, {name: wrong}, f"`{name}`", "UUID")


@pytest.mark.parametrize("kind", ["whatsapp", "weather", "", 5, None])
async def test_an_unknown_record_type_is_answered_with_those_there_are(
    sandbox: Sandbox, server: AccountServer, kind: object
) -> None:
    text = await refused(sandbox, server, RECORDS, {"record_type": kind}, "`record_type`")
    assert kind in (None, "") or ("messaging, call-control, sip-trunking" in text)


@pytest.mark.parametrize(
    "wrong",
    [
        "direction",
        "direction==outbound",
        "direction!==outbound",
        "direction<>inbound",
        "cost=>1",
        "cost><1",
        "=outbound",
        "direction=",
        "filter[direction]=outbound",
        "di rection=outbound",
        "direction: outbound",
    ],
)
async def test_a_filter_that_cannot_be_asked_is_answered_with_how_to_write_it(
    sandbox: Sandbox, server: AccountServer, wrong: str
) -> None:
    await refused(sandbox, server, RECORDS, {"filters": [wrong]}, "filter", wrong, "name=value")


@pytest.mark.parametrize("held", ["record_type=verify", "date_range=today"])
async def test_a_filter_that_is_an_argument_of_its_own_is_sent_there(
    sandbox: Sandbox, server: AccountServer, held: str
) -> None:
    await refused(sandbox, server, RECORDS, {"filters": [held]}, held.split("=")[0], "argument")


async def test_two_filters_that_say_the_same_are_refused(
    sandbox: Sandbox, server: AccountServer
) -> None:
    filters = ["direction=inbound", "direction=outbound"]
    await refused(sandbox, server, RECORDS, {"filters": filters}, "direction=")


async def test_a_filter_field_that_the_type_lacks_is_named(
    sandbox: Sandbox, server: AccountServer
) -> None:
    """Only Telnyx knows the fields of a type, so this one is asked."""
    arguments = {"record_type": "messaging", "filters": ["no_such_field=1"]}
    result = await call(server, RECORDS, arguments)
    assert result.is_error
    assert "no_such_field" in text_of(result)
    assert len(text_of(result)) < 1500


@pytest.mark.parametrize("wrong", ["may", "last_0000_days", "last_days", "2026-05", "tomorow", 5])
async def test_an_unknown_date_range_is_answered_with_those_there_are(
    sandbox: Sandbox, server: AccountServer, wrong: object
) -> None:
    await refused(sandbox, server, RECORDS, {"date_range": wrong}, "`date_range`", "last_month")


@pytest.mark.parametrize(
    "said",
    ["last week", "Last_Week", " last_7_days ", "last-7-days", "7d", "lastmonth", '"this-week"'],
)
async def test_a_date_range_may_be_written_as_users_write_it(
    sandbox: Sandbox, server: AccountServer, said: str
) -> None:
    asked = {"record_type": "messaging", "date_range": said}
    told = content_of(await call(server, RECORDS, asked))
    assert told["date_range"] in ("last_week", "last_7_days", "last_month", "this_week")
    assert dict(sandbox.requests[0].query)["filter[date_range]"] == told["date_range"]


@pytest.mark.parametrize(
    ("tool", "first", "last"),
    [
        (AUDIT, "created_after", "created_before"),
        (DELIVERIES, "started_after", "started_before"),
        (DELIVERIES, "finished_after", "finished_before"),
    ],
)
async def test_a_range_without_length_is_refused_as_nothing_lies_in_it(
    sandbox: Sandbox, server: AccountServer, tool: str, first: str, last: str
) -> None:
    arguments = {first: "2026-05-14", last: "2026-05-14"}
    await refused(sandbox, server, tool, arguments, first, "a day ends with the next")


@pytest.mark.parametrize("wrong", [["created at"], ["--cost"], ["cost desc"], ["-"], [["cost"]]])
async def test_sorting_by_an_unknown_field_is_refused(
    sandbox: Sandbox, server: AccountServer, wrong: list[Any]
) -> None:
    await refused(sandbox, server, RECORDS, {"sort": wrong}, "sort")


@pytest.mark.parametrize(
    ("tool", "name", "wrong", "allowed"),
    [
        (AUDIT, "sort", "newest", "desc"),
        (INVOICES, "sort", "-created_at", "-period_start"),
        (DELIVERIES, "status", "ok", "delivered"),
        (UPDATE, "preference", "visa", "credit_paypal"),
    ],
)
async def test_a_value_outside_a_closed_list_is_answered_with_the_list(
    sandbox: Sandbox, server: AccountServer, tool: str, name: str, wrong: str, allowed: str
) -> None:
    await refused(sandbox, server, tool, {name: wrong}, f"`{name}`", wrong, allowed)


@pytest.mark.parametrize("wrong", ["perhaps", 2, [True], "2"])
async def test_a_flag_that_is_neither_true_nor_false_is_refused(
    sandbox: Sandbox, server: AccountServer, wrong: object
) -> None:
    await refused(sandbox, server, UPDATE, {"enabled": wrong}, "`enabled`", "true or false")


@pytest.mark.parametrize("arguments", [{}, {"enabled": None, "preference": None}])
async def test_an_update_with_nothing_to_update_is_refused(
    sandbox: Sandbox, server: AccountServer, arguments: dict[str, Any]
) -> None:
    await refused(sandbox, server, UPDATE, arguments, "nothing to change", "threshold_amount")


@pytest.mark.parametrize(
    "wrong", ['["message.sent"', [["x"], ""], {"a": "b"}, 5, ["x"] * 21, [["x"]]], ids=str
)
async def test_an_invalid_list_is_refused(
    sandbox: Sandbox, server: AccountServer, wrong: object
) -> None:
    await refused(sandbox, server, DELIVERIES, {"event_types": wrong}, "`event_types`")


# --- hostile text --------------------------------------------------------------------------------


@pytest.mark.parametrize(("tool", "name"), TEXT_PARAMETERS)
async def test_control_characters_are_refused_and_not_repeated(
    sandbox: Sandbox, server: AccountServer, tool: str, name: str
) -> None:
    for text in ("a\x00b", "\x1b[2Jred=\x07", "a=\r\nX-Header: 1", "a=\u2028b"):
        result = await call(server, tool, {**NEEDED[tool], name: text})
        check_refusal(sandbox, result, name)


@pytest.mark.parametrize(("tool", "name"), TEXT_PARAMETERS)
async def test_100_kb_of_text_are_refused_with_a_short_error(
    sandbox: Sandbox, server: AccountServer, tool: str, name: str
) -> None:
    for text in ("x" * 100_000, "=" * 100_000, "a=" + "\U0001f600" * 25_000):
        result = await call(server, tool, {**NEEDED[tool], name: text})
        check_refusal(sandbox, result, name)


@pytest.mark.parametrize("tool", NEEDED)
async def test_a_name_of_control_characters_or_100_kb_is_refused(
    sandbox: Sandbox, server: AccountServer, tool: str
) -> None:
    for name in ("\x1b[2J\x00", "x" * 100_000, "page\nsize"):
        result = await call(server, tool, {**NEEDED[tool], name: 1})
        check_refusal(sandbox, result, "there is no argument")


# --- what is meant well --------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["120", "120.0", "120.00", " 120.00 ", 120, 120.0, 120.5])
async def test_a_plain_amount_gets_its_two_decimals(server: AccountServer, amount: object) -> None:
    asked: list[str] = []

    async def decline(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="decline")

    async with connected(server, "auto", decline) as client:
        await client.call_tool(PAY, {"amount": amount})
    shown = "120.50" if amount == 120.5 else "120.00"
    assert f"Pay {shown} USD" in asked[0]


@pytest.mark.parametrize("parameter", [(INVOICE, "invoice_id"), (DELIVERY, "delivery_id")])
async def test_an_id_in_upper_case_is_asked_for_in_lower_case(
    sandbox: Sandbox, server: AccountServer, parameter: tuple[str, str]
) -> None:
    tool, name = parameter
    await call(server, tool, {name: f" {ID.upper()} "})
    assert sandbox.requests[0].path.endswith(f"/{ID}")


@pytest.mark.parametrize(
    "listed",
    [
        ["direction=outbound", "cost>=0.001"],
        '["direction=outbound", "cost>=0.001"]',
        "direction=outbound,cost>=0.001",
        "direction=outbound, cost>=0.001",
    ],
)
async def test_a_list_may_come_as_json_text_or_with_commas(
    sandbox: Sandbox, server: AccountServer, listed: object
) -> None:
    result = await call(server, RECORDS, {"record_type": "messaging", "filters": listed})
    assert not result.is_error, text_of(result)
    query = dict(sandbox.requests[0].query)
    assert (query["filter[direction]"], query["filter[cost][gte]"]) == ("outbound", "0.001")


@pytest.mark.parametrize("tool", [AUDIT, INVOICES, DELIVERIES, TAGS, RECORDS])
async def test_nulls_count_as_absent(sandbox: Sandbox, server: AccountServer, tool: str) -> None:
    async with connected(server) as client:
        tools = {each.name: each for each in (await client.list_tools()).tools}
        names = tools[tool].input_schema["properties"]
        await client.call_tool(tool, NEEDED[tool])
        await client.call_tool(tool, dict.fromkeys(names) | NEEDED[tool])
    operation = sandbox.requests[0].operation
    plain, nulls = (each for each in sandbox.requests if each.operation == operation)
    assert plain.query == nulls.query


@pytest.mark.parametrize(("name", "number"), [("page", "2"), ("page_size", "7"), ("page", 2.0)])
async def test_a_whole_number_may_come_as_text(
    sandbox: Sandbox, server: AccountServer, name: str, number: object
) -> None:
    result = await call(server, INVOICES, {name: number})
    assert not result.is_error, text_of(result)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("2026-05-01", "2026-05-01T00:00:00Z"),
        ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00Z"),
        ("2026-05-01T10:00:00", "2026-05-01T10:00:00Z"),
        ("2026-05-01T10:00:00+02:00", "2026-05-01T08:00:00Z"),
    ],
)
async def test_a_time_is_asked_for_in_utc(
    sandbox: Sandbox, server: AccountServer, given: str, asked: str
) -> None:
    await call(server, AUDIT, {"created_after": given})
    assert dict(sandbox.requests[0].query)["filter[created_after]"] == asked
