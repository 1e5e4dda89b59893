"""What one call cost, all in: a tree whose costs are those of the detail records."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from telnyx_mcp.sandbox.records import KINDS

DAY = "2026-06-16"
NOBODY = str(uuid.UUID(int=7, version=4))


def of_day(client: httpx.Client, kind: str) -> list[dict[str, Any]]:
    time = f"filter[{KINDS[kind].time_field}]"
    params = {"filter[record_type]": kind, f"{time}[gte]": DAY, f"{time}[lt]": "2026-06-17"}
    answer = client.get("/detail_records", params={**params, "page[size]": "50"}).json()
    return list(answer["data"])


def assisted(client: httpx.Client) -> str:
    """The session of a call that an assistant with a voice took part in."""
    spoken = {each["call_session_id"] for each in of_day(client, "tts")}
    sessions = [each["call_session_id"] for each in of_day(client, "ai-voice-assistant")]
    return str(next(each for each in sessions if each in spoken))


def analysis(client: httpx.Client, kind: str, event: str, **query: str) -> dict[str, Any]:
    answer = client.get(f"/session_analysis/{kind}/{event}", params={"date_time": DAY, **query})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def events(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node["children"]:
        yield from events(child)


def test_a_session_is_a_tree_that_adds_up(client: httpx.Client) -> None:
    answer = analysis(client, "call-session", assisted(client), max_depth="5")
    assert "data" not in answer
    every = list(events(answer["root"]))
    assert len(every) == answer["meta"]["event_count"] > 3
    assert {each["product"] for each in every} == set(answer["meta"]["products"])
    assert "callcontrol-cdrs" in answer["meta"]["products"]
    for each in every:
        own, children = each["cost"]["event_cost"], each["children"]
        below = sum((Decimal(child["cost"]["cumulative_cost"]) for child in children), Decimal(0))
        assert isinstance(own, str)
        assert Decimal(each["cost"]["cumulative_cost"]) == Decimal(own) + below
        assert Decimal(own) == Decimal(each["record"].get("cost", "0"))
    assert answer["cost"]["total"] == answer["root"]["cost"]["cumulative_cost"]


def test_every_record_that_names_the_session_is_in_it(client: httpx.Client) -> None:
    session = assisted(client)
    every = events(analysis(client, "call-session", session, max_depth="5")["root"])
    ids = {each["id"] for each in every}
    for kind in ("ai-voice-assistant", "tts", "stt", "recording", "amd", "webrtc"):
        named = {each["id"] for each in of_day(client, kind) if each["call_session_id"] == session}
        assert named <= ids


def test_a_tree_is_two_deep_unless_asked_otherwise_and_costs_the_same(client: httpx.Client) -> None:
    session = assisted(client)
    whole = analysis(client, "call-session", session, max_depth="5")
    usual = analysis(client, "call-session", session)
    alone = analysis(client, "call-session", session, include_children="false")
    assert len(list(events(usual["root"]))) == 2
    assert alone["root"]["children"] == []
    assert whole["cost"] == usual["cost"] == alone["cost"]
    assert whole["meta"] == usual["meta"]


def test_records_are_left_out_on_request(client: httpx.Client) -> None:
    bare = analysis(client, "call-session", assisted(client), expand="none", max_depth="5")
    assert {str(each["record"]) for each in events(bare["root"])} == {"{}"}


@pytest.mark.parametrize("kind", ["messaging", "verify", "wireless", "recording", "sip-trunking"])
def test_an_event_of_any_type_is_found_by_its_id(client: httpx.Client, kind: str) -> None:
    record = of_day(client, kind)[0]
    event = record.get("uuid") or record["id"]
    answer = analysis(client, kind, event)
    cost = record.get("cost") or record.get("verify_usage_fee") or record.get("data_cost")
    assert answer["root"]["record"] == record
    assert Decimal(answer["root"]["cost"]["event_cost"]) == Decimal(str(cost))


def test_an_event_is_found_without_its_day_and_not_on_another(client: httpx.Client) -> None:
    event = of_day(client, "fax")[0]["id"]
    path = f"/session_analysis/fax/{event}"
    assert client.get(path).status_code == 200
    assert client.get(f"{path}?date_time={DAY}T10:00:00Z").status_code == 200
    assert client.get(f"{path}?date_time=2026-06-15").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"call-session/{NOBODY}", 404),
        (f"tts/{NOBODY}", 404),
        ("tts/not-an-id", 400),
        (f"parcels/{NOBODY}", 400),
        (f"tts/{NOBODY}?max_depth=6", 400),
        (f"tts/{NOBODY}?expand=all", 400),
        (f"tts/{NOBODY}?date_time=soon", 400),
    ],
)
def test_errors_have_a_message_and_no_title(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(f"/session_analysis/{path}")
    assert answer.status_code == status
    (error,) = answer.json()["errors"]
    assert error.keys() == {"code", "message", "detail"}
