"""`telnyx_get_session_cost`: what one call cost, all in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from tests.support import raw_api
from tests.support.client import call, content_of, text_of
from tests.support.scripted_telnyx import Scripted, complaint

TOOL = "telnyx_get_session_cost"
SOMETHING = "48eff763-ea80-4345-b688-78249eb165a8"
PARTS = (
    *("recording", "ai-voice-assistant", "stt", "tts", "amd", "media-streaming"),
    *("noise-suppression", "conference", "siprec-client", "webrtc"),
)
Json = dict[str, Any]


async def ask(server: AccountServer, **arguments: Any) -> Json:
    return content_of(await call(server, TOOL, arguments))


def latest(sandbox: Sandbox, record_type: str) -> Json:
    asked = {"filter[record_type]": record_type, "page[size]": 1}
    (record,) = raw_api.get(sandbox, "detail_records", asked)["data"]
    sandbox.log.clear()
    return dict(record)


def costs(sandbox: Sandbox, session: str) -> dict[str, Decimal]:
    """What the records that name a session cost, by record type."""
    found = {}
    for kind in ("call-control", *PARTS):
        field = "id" if kind == "call-control" else "call_session_id"
        asked = {"filter[record_type]": kind, f"filter[{field}]": session}
        records = raw_api.everything(sandbox, "detail_records", asked, 50)
        if records:
            found[kind] = sum((raw_api.cost(each) for each in records), Decimal(0))
    return found


# --- the sandbox's calls -------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["recording", "ai-voice-assistant"])
async def test_a_call_costs_what_its_records_do_together(
    server: AccountServer, sandbox: Sandbox, part: str
) -> None:
    session = latest(sandbox, part)["call_session_id"]
    told = await ask(server, session_id=session)
    truth = costs(sandbox, session)
    assert len(truth) > 1
    assert Decimal(told["total"]) == sum(truth.values())
    assert {each["product"]: Decimal(each["cost"]) for each in told["by_product"]} == truth
    assert (told["session_id"], told["currency"]) == (session, "USD")
    assert "note" not in told


@pytest.mark.parametrize("word", ["sip-trunking", "SIP trunking", "calls"])
async def test_one_record_is_asked_for_by_its_type_in_any_word(
    server: AccountServer, sandbox: Sandbox, word: str
) -> None:
    record = latest(sandbox, "sip-trunking")
    told = await ask(server, session_id=record["id"], record_type=word)
    assert Decimal(told["total"]) == raw_api.cost(record)
    assert told["events"][0]["id"] == record["id"]


async def test_everything_is_asked_for_in_one_request_without_records(
    server: AccountServer, sandbox: Sandbox
) -> None:
    session = latest(sandbox, "recording")["call_session_id"]
    await ask(server, session_id=session)
    (request,) = sandbox.requests
    assert dict(request.query) == {"max_depth": "5", "expand": "none"}
    assert request.path.endswith(f"/session_analysis/call-session/{session}")


async def test_a_right_day_needs_one_request_and_a_wrong_one_a_second(
    server: AccountServer, sandbox: Sandbox
) -> None:
    record = latest(sandbox, "call-control")
    asked = {"session_id": record["id"], "record_type": "call-control"}
    right = await ask(server, **asked, date=record["started_at"][:10])
    assert len(sandbox.requests) == 1
    assert await ask(server, **asked, date="2026-01-01") == right
    assert len(sandbox.requests) == 3


# --- refusals ------------------------------------------------------------------------------------


async def test_an_unknown_session_is_an_error_that_says_where_ids_are(
    server: AccountServer,
) -> None:
    result = await call(server, TOOL, {"session_id": SOMETHING})
    assert result.is_error
    assert "telnyx_search_detail_records" in text_of(result)
    assert "record_type" in text_of(result)


async def test_an_unknown_record_type_is_an_error_with_telnyxs_reason(
    server: AccountServer,
) -> None:
    result = await call(server, TOOL, {"session_id": SOMETHING, "record_type": "nope"})
    assert result.is_error
    assert "'nope' is not a known record type" in text_of(result)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"session_id": "1"},
        {"session_id": "../balance"},
        {"session_id": SOMETHING, "record_type": "../balance"},
        {"session_id": SOMETHING, "record_type": "a/b"},
        {"session_id": SOMETHING, "date": "yesterday"},
        {"call_session_id": SOMETHING},
    ],
)
async def test_arguments_that_mean_nothing_are_refused_before_anything_is_asked(
    server: AccountServer, sandbox: Sandbox, arguments: Json
) -> None:
    result = await call(server, TOOL, arguments)
    assert result.is_error
    assert "Nothing was asked of Telnyx" in text_of(result)
    assert sandbox.requests == []


async def test_a_refusal_is_an_error(scripted: Scripted, scripted_server: AccountServer) -> None:
    scripted.will(complaint(403, "10010"))
    result = await call(scripted_server, TOOL, {"session_id": SOMETHING, "date": "2026-06-01"})
    assert result.is_error
    assert len(scripted.requests) == 1


# --- figures -------------------------------------------------------------------------------------


def event(product: str, cost: object, *children: Json) -> Json:
    return {
        "product": product,
        "event_name": product,
        "id": product,
        "cost": {"event_cost": cost, "currency": "USD"},
        "children": list(children),
    }


def session(total: object, *children: Json) -> Json:
    root = event("call-session", "0.0000", *children)
    return {"session_id": "s", "cost": {"total": total, "currency": "USD"}, "root": root}


async def shown(scripted: Scripted, server: AccountServer, body: Json) -> Json:
    scripted.will_answer(body)
    return await ask(server, session_id=SOMETHING)


async def test_costs_are_added_up_exactly_at_every_depth(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    """The example of Telnyx's documentation."""
    inference = [event("inference", cost) for cost in (".0020", ".0025", ".0030", ".0021", ".0025")]
    assistant = event("ai-voice-assistant", ".1800", *inference)
    parts = [event("recording", ".0051"), event("webrtc", ".0052"), assistant]
    calls = [
        event("siptrunking-cdrs", ".0052"),
        event("callcontrol-cdrs", ".0052", *parts),
    ]
    told = await shown(scripted, scripted_server, session("0.2128", *calls))
    assert told["total"] == "0.2128"
    assert told["by_product"] == [
        {"product": "ai-voice-assistant", "events": 1, "cost": "0.18"},
        {"product": "inference", "events": 5, "cost": "0.0121"},
        {"product": "call-control", "events": 1, "cost": "0.0052"},
        {"product": "sip-trunking", "events": 1, "cost": "0.0052"},
        {"product": "webrtc", "events": 1, "cost": "0.0052"},
        {"product": "recording", "events": 1, "cost": "0.0051"},
    ]
    assert sum(Decimal(each["cost"]) for each in told["by_product"]) == Decimal(told["total"])
    assert told["event_count"] == 10


async def test_costs_that_are_not_itemised_are_a_row_of_their_own(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    told = await shown(scripted, scripted_server, session("1.50", event("recording", "0.40")))
    assert told["total"] == "1.50"
    assert told["by_product"][-1] == {"product": "(not itemised)", "cost": "1.10"}


@pytest.mark.parametrize("cost", [None, "free", "NaN", ""])
async def test_a_cost_that_can_not_be_read_is_counted_and_not_zero(
    scripted: Scripted, scripted_server: AccountServer, cost: object
) -> None:
    body = session("0.50", event("recording", "0.40"), event("tts", cost))
    told = await shown(scripted, scripted_server, body)
    assert told["total"] == "0.50"
    assert "1 of 2 events have no readable cost" in told["note"]
    assert "cost" not in next(each for each in told["events"] if each["product"] == "tts")


@pytest.mark.parametrize("total", [None, "much"])
async def test_without_telnyxs_total_the_sum_is_called_a_part(
    scripted: Scripted, scripted_server: AccountServer, total: object
) -> None:
    told = await shown(scripted, scripted_server, session(total, event("recording", "0.40")))
    assert told["part_total"] == "0.40"
    assert "total" not in told


async def test_currencies_are_never_added_up(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    euros = event("recording", "0.30")
    euros["cost"]["currency"] = "EUR"
    body = session("0.40", event("recording", "0.40"), euros)
    told = await shown(scripted, scripted_server, body)
    assert told["by_product"] == [
        {"product": "recording", "events": 1, "cost": "0.40"},
        {"product": "recording", "events": 1, "cost": "0.30", "currency": "EUR"},
    ]


async def test_of_many_events_the_dearest_are_named_and_all_are_counted(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    parts = [event("inference", f"0.{number:03}") for number in range(1, 101)]
    told = await shown(scripted, scripted_server, session("5.05", *parts))
    assert [each["cost"] for each in told["events"][:2]] == ["0.10", "0.099"]
    assert len(told["events"]) == 20
    assert told["by_product"] == [{"product": "inference", "events": 100, "cost": "5.05"}]
    assert "the 20 dearest of 100" in told["note"]


@pytest.mark.parametrize(
    "root", [{}, {"children": None, "cost": None}, {"product": 5, "children": [{}, {"cost": {}}]}]
)
async def test_odd_events_fail_nothing(
    scripted: Scripted, scripted_server: AccountServer, root: Json
) -> None:
    told = await shown(scripted, scripted_server, {"root": root})
    assert told["part_total"] == "0.00"
    assert "no readable cost" in told["note"]
