"""`telnyx_search_detail_records`: types and filters as users say them, and rows as Telnyx has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import ge, gt, le, lt
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from tests.support import raw_api
from tests.support.client import call, content_of

SEARCH = "telnyx_search_detail_records"
DAY = ("2026-06-14T00:00:00Z", "2026-06-15T00:00:00Z")


async def found(server: AccountServer, **arguments: Any) -> dict[str, Any]:
    """The answer, with what all rows have in common put back into them."""
    told = content_of(await call(server, SEARCH, {"page_size": 50, **arguments}))
    same = told.get("same_in_all", {})
    return told | {"items": [same | row for row in told["items"]]}


@pytest.mark.parametrize(
    ("said", "record_type"),
    [
        ("sms", "messaging"),
        ("MESSAGING", "messaging"),
        ("calls", "sip-trunking"),
        ("speech-to-text", "stt"),
        ("stt", "stt"),
        ("text-to-speech", "tts"),
        ("media-storage", "media_storage"),
        ("verify", "verify"),
    ],
)
async def test_a_record_type_is_understood_in_any_spelling(
    server: AccountServer, sandbox: Sandbox, said: str, record_type: str
) -> None:
    told = await found(server, record_type=said, page_size=1)
    assert told["record_type"] == record_type
    assert told["returned"] == 1


@pytest.mark.parametrize(
    ("record_type", "filters", "field", "value"),
    [
        ("messaging", ["status=delivered"], "status", "delivered"),
        ("messaging", ["country=US"], "country_code", "US"),
        ("messaging", ["type=MMS"], "message_type", "MMS"),
        ("verify", ["status=expired"], "verification_status", "expired"),
        ("sip-trunking", ["status=user_busy"], "hangup_cause", "user_busy"),
        (
            "call-control",
            ["connection=International desk"],
            "connection_name",
            "International desk",
        ),
        ("wireless", ["profile=Depot scanners"], "sim_group_name", "Depot scanners"),
        ("recording", ["tag=marketing"], "tags", "marketing"),
    ],
)
async def test_filters_are_called_as_groups_are_on_every_type(
    server: AccountServer,
    sandbox: Sandbox,
    record_type: str,
    filters: list[str],
    field: str,
    value: str,
) -> None:
    told = await found(server, record_type=record_type, filters=filters)
    assert told["items"]
    assert {row[field] for row in told["items"]} == {value}


async def test_a_phone_number_may_be_spelled_as_people_do(
    server: AccountServer, sandbox: Sandbox
) -> None:
    number = raw_api.records(sandbox, "messaging", "created_at", *DAY)[0]["cld"]
    spelled = f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    exact = await found(server, record_type="messaging", filters=[f"cld={number}"])
    told = await found(server, record_type="messaging", filters=[f"to={spelled}"])
    assert told["total"] == exact["total"] > 0


@pytest.mark.parametrize("operator", [">=", ">", "<", "<="])
async def test_amounts_are_compared_in_all_four_ways(
    server: AccountServer, sandbox: Sandbox, operator: str
) -> None:
    records = raw_api.records(sandbox, "verify", "created_at", *DAY)
    bound = sorted(datetime.fromisoformat(each["created_at"]) for each in records)[5]
    compare: dict[str, Callable[[datetime, datetime], bool]] = {
        ">=": ge,
        ">": gt,
        "<": lt,
        "<=": le,
    }
    filters = [f"created_at{operator}{bound.isoformat()}"]
    told = await found(server, record_type="verify", filters=filters, date_range="yesterday")
    wanted = sum(
        compare[operator](datetime.fromisoformat(each["created_at"]), bound) for each in records
    )
    assert told["total"] == wanted


async def test_excluded_rows_are_left_out_of_the_page_and_counted(
    server: AccountServer, sandbox: Sandbox
) -> None:
    plain = await found(server, record_type="messaging", date_range="yesterday")
    told = await found(
        server, record_type="messaging", date_range="yesterday", filters=["direction!=inbound"]
    )
    outbound = [row for row in plain["items"] if row["direction"] != "inbound"]
    assert [row["uuid"] for row in told["items"]] == [row["uuid"] for row in outbound]
    assert told["returned"] == len(outbound) < plain["returned"]
    left_out = plain["returned"] - len(outbound)
    assert f"{left_out} rows of this page are left out" in told["note"]
