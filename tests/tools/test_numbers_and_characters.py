"""Integers that JavaScript would round, and characters that are more than letters: in and out, unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.telnyx.transport import Transport
from telnyx_mcp.untrusted import redact
from tests.support.client import call, content_of, text_of
from tests.support.clock import NOW
from tests.support.scripted_telnyx import KEY, Scripted

RECORDS = "telnyx_search_detail_records"
AUDIT = "telnyx_list_audit_events"
TAGS = "telnyx_list_user_tags"
DELIVERY = "telnyx_get_webhook_delivery"
ID = "48eff763-ea80-4345-b688-78249eb165a8"
SAFE = 2**53 - 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (SAFE, SAFE),
        (-SAFE, -SAFE),
        (SAFE + 1, "9007199254740992"),
        (-(SAFE + 1), "-9007199254740992"),
        (10**30, "1" + "0" * 30),
        ([2**60, 1], ["1152921504606846976", 1]),
        ({"a": {"b": -(2**60)}}, {"a": {"b": "-1152921504606846976"}}),
        (True, True),
        (1.5, 1.5),
        ('{"id":9007199254740993}', '{"id":9007199254740993}'),
    ],
    ids=str,
)
async def test_an_integer_that_would_be_rounded_goes_out_as_text(
    scripted: Scripted, scripted_server: AccountServer, value: Any, shown: Any
) -> None:
    scripted.will_answer({"data": [{"record_type": "messaging", "mcc": value}]})
    result = await call(scripted_server, RECORDS, {"record_type": "messaging"})
    assert content_of(result)["items"][0]["mcc"] == shown
    assert json.loads(text_of(result))["items"][0]["mcc"] == shown


async def test_in_a_payload_and_in_a_change_too(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    large, text = 1311768467463790320, "1311768467463790320"
    scripted.will_answer({"data": {"id": ID, "webhook": {"payload": {"data": [{"id": large}]}}}})
    arguments = {"delivery_id": ID, "include_payload": True}
    told = content_of(await call(scripted_server, DELIVERY, arguments))
    assert told["untrusted_payload"] == {"data": [{"id": text}]}
    changes = [{"field": "external_id", "from": large, "to": -large}]
    scripted.requests.clear()
    scripted.will_answer({"data": [{"id": "a", "changes": changes}]})
    told = content_of(await call(scripted_server, AUDIT))
    change = told["items"][0]["untrusted_changes"][0]["external_id"]
    assert change == {"from": text, "to": f"-{text}"}


async def test_a_count_that_is_too_large_for_its_schema_is_in_the_note(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    meta = {"total_results": 10**20, "total_pages": 1}
    scripted.will_answer({"data": [{"id": "a"}], "meta": meta})
    told = content_of(await call(scripted_server, AUDIT))
    assert "total" not in told
    assert "total_results" in told["note"]
    assert str(10**20) in told["note"]


async def test_an_exported_integer_keeps_its_digits(scripted: Scripted, tmp_path: Path) -> None:
    scripted.will_answer({"data": [{"id": "a", "mcc": 2**60}]})
    settings = Settings(
        api_key=SecretStr(KEY),
        base_url=scripted.base_url,
        state_url=SecretStr(f"sqlite:///{tmp_path}/state.sqlite3"),
        export_dir=tmp_path,
    )
    transport = Transport(SecretStr(KEY), scripted.base_url)
    server = build_server(settings, transport=transport, now=lambda: NOW)
    told = content_of(await call(server, RECORDS, {"record_type": "messaging", "export": True}))
    await server.accounts.aclose()
    assert '"1152921504606846976"' in read(told["file"]["path"])


def read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        (1311768467463790320, "1311768467463790320"),
        (1e20, "100000000000000000000"),
        (13125550100.0, "13125550100"),
        ("1311768467463790320", "1311768467463790320"),
        (2.5, "2.5"),
    ],
    ids=str,
)
async def test_a_number_for_a_text_comes_in_with_all_its_digits(
    scripted: Scripted, scripted_server: AccountServer, sent: object, asked: str
) -> None:
    assert await asked_for(scripted, scripted_server, sent) == asked


async def asked_for(scripted: Scripted, server: AccountServer, text: object) -> str:
    """What Telnyx is asked for when a tag is to begin with this."""
    scripted.will_answer({"data": {}})
    content_of(await call(server, TAGS, {"starts_with": text}))
    return parse_qs(urlsplit(scripted.requests[-1].target).query)["filter[starts_with]"][0]


TEXTS = {
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "skin": "\U0001f469\U0001f3fd\u200d\U0001f4bb",
    "heart": "\u2764\ufe0f",
    "heart as text": "\u2764\ufe0e",
    "keycap": "1\ufe0f\u20e3",
    "flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Hindi": "\u0915\u094d\u200d\u0937",
    "Japanese": "\u6771\u4eac\u3000\u5927\u962a",
    "Japanese name": "\u845b\U000e0100\u57ce",
    "no-break": "10\u00a0km",
}


@pytest.mark.parametrize("name", TEXTS)
async def test_emoji_joiners_and_wide_spaces_survive_in_and_out(
    scripted: Scripted, scripted_server: AccountServer, name: str
) -> None:
    text = f"a{TEXTS[name]}b"
    assert await asked_for(scripted, scripted_server, text) == text
    scripted.will_answer({"data": {"number_tags": [text]}})
    told = content_of(await call(scripted_server, TAGS))
    assert told["number_tags"] == [text]
    assert redact({text: text}) == {text: text}


@pytest.mark.parametrize(
    "typed",
    [
        "\u202a+13125550100\u202c",
        "\u202d+13125550100\u202c",
        "+1312\u200b5550100",
        "\ufeff+13125550100",
        "\u2066+13125550100\u2069",
        "+1312555\u00ad0100",
    ],
    ids=ascii,
)
async def test_marks_that_are_pasted_with_a_text_are_left_out(
    scripted: Scripted, scripted_server: AccountServer, typed: str
) -> None:
    assert await asked_for(scripted, scripted_server, typed) == "+13125550100"


@pytest.mark.parametrize("hidden", ["\x00", "\x1b[2J", "\n", "\x7f", "\u2028", "\ue000"], ids=ascii)
async def test_a_control_character_is_refused(
    scripted: Scripted, scripted_server: AccountServer, hidden: str
) -> None:
    result = await call(scripted_server, TAGS, {"starts_with": f"a{hidden}b"})
    assert result.is_error
    assert "`starts_with` holds control characters" in text_of(result)
    assert scripted.requests == []


async def test_an_error_quotes_emoji_as_they_are(
    scripted_server: AccountServer,
) -> None:
    result = await call(scripted_server, AUDIT, {"sort": TEXTS["family"]})
    assert TEXTS["family"] in text_of(result)
