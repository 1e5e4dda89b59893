"""No tool, resource, file or terminal shows a secret that a stranger's text holds, or its escapes."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from mcp_types import TextResourceContents
from pydantic import SecretStr
from rich.console import Console, Group

from telnyx_mcp.cli.tables import render, text_of
from telnyx_mcp.config.keys import with_key
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from tests.support.client import connected
from tests.support.client import text_of as told_in
from tests.support.clock import NOW
from tests.support.scripted_telnyx import Scripted, answer
from tests.support.tool_calls import CALLS, ID

PLANTED = "pl4ntedSecret"
LEAKS = [
    f"https://user:{PLANTED}1@h.example/?token={PLANTED}2",
    f"https://h.example/cb?code={PLANTED}3&key={PLANTED}4",
    f"https://hooks.slack.com/services/T0/B0/{PLANTED}5",
    f"https://discord.com/api/webhooks/123/{PLANTED}6",
    f"https://b.example/x?X-Amz-Signature={PLANTED}7",
    f"X-Functions-Key: {PLANTED}8",
    json.dumps({"client_secret": f"{PLANTED}9", "in": json.dumps({"password": f"{PLANTED}10"})}),
    f"grant_type=x&client_secret={PLANTED}11",
    f"sk_live_{PLANTED}12",
    f"whsec_{PLANTED}13",
    f"eyJhbGciOi.{PLANTED}14.{PLANTED}",
    f"-----BEGIN PRIVATE KEY-----\n{PLANTED}15\n-----END PRIVATE KEY-----",
    f"Bearer {PLANTED}16",
]
STEERS = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\U000e0041\ufe01\u3164"
KEPT = {"call_session_id": "cs-1", "author": "joe", "session_timeout_secs": "30"}
HEADERS = [["X-Functions-Key", f"{PLANTED}17"], ["Set-Cookie", f"a={PLANTED}18"], ["Host", "h"]]


def hostile_row() -> dict[str, Any]:
    """One object that reads as a row of every list, with a stranger's text in every field."""
    text = f" {STEERS} ".join(LEAKS)
    exchange = {
        "request": {"url": LEAKS[0], "headers": HEADERS},
        "response": {"status": 500, "headers": HEADERS, "body": text},
    }
    payload = {"text": text, "password": PLANTED, "headers": HEADERS, **KEPT}
    return {
        **dict.fromkeys(("id", "tn", "name", "status", "charge_type", "change_type"), text),
        **dict.fromkeys(("user_id", "resource_id", "invoice_id", "currency", "note2"), text),
        "record_type": "messaging",
        "created_at": "2026-06-14T10:00:00Z",
        "cost": "0.01",
        "period_start": text,
        "file_id": text,
        "paid": False,
        "preference": text,
        "tags": [text],
        "errors": [{"code": text, "title": text}],
        "carrier": text,
        **{f"x{number}": leak for number, leak in enumerate(LEAKS)},
        "changes": [{"field": "password", "from": PLANTED, "to": PLANTED}, payload],
        **KEPT,
        "number_tags": [text],
        "outbound_profile_tags": LEAKS,
        "services": [{"name": text}],
        "webhook": {"event_type": text, "payload": payload},
        "attempts": [{"status": "failed", "errors": [text], "http": exchange}],
        "secret": {"deep": [PLANTED]},
        STEERS + LEAKS[0]: text,
        "results": [{"tn": text, "charge_type": text, "services": [{"name": text, "cost": "1"}]}],
        "summary": {
            "lines": [{"name": text, "amount": "1"}],
            "adjustments": [{"description": text}],
        },
        "total": {"grand_total": "1.00", "new_mrc": "1.00", "x": text},
        "user_email": text,
    }


def check_clean(*shown: str) -> None:
    for text in shown:
        assert PLANTED not in text
        assert not set(STEERS) - set("]0;owned[2J31m") & set(text)


@pytest.fixture
def exporting(scripted: Scripted, tmp_path: Path) -> AccountServer:
    settings = Settings(
        api_key=SecretStr("KEYstrangers0123456789"),
        base_url=scripted.base_url,
        state_url=SecretStr(f"sqlite:///{tmp_path}/state.sqlite3"),
        export_dir=tmp_path / "exports",
    )
    return build_server(settings, now=lambda: NOW)


GROUPED = {
    "product": "messaging",
    "period": "yesterday",
    "group_by": ["carrier", "tag", "error"],
}
MORE = [
    *CALLS.items(),
    ("telnyx_search_detail_records", {"record_type": "messaging"}),
    ("telnyx_get_charges_breakdown", {"start_date": "2026-05-01"}),
    ("telnyx_list_audit_events", {}),
    ("telnyx_list_webhook_deliveries", {}),
    ("telnyx_summarize_usage", GROUPED),
]


@pytest.mark.attack(
    "Passwords, tokens, hook addresses and keys in audit values, webhooks, records, tags",
    "Every tool masks them, also in files, groups and on the terminal",
)
async def test_no_tool_shows_a_secret_of_a_strangers_text(
    scripted: Scripted, exporting: AccountServer, tmp_path: Path
) -> None:
    row = hostile_row()
    async with connected(exporting) as client:
        for data in (row, [row, row | {"id": "2"}]):
            scripted.will_answer({"data": data, "meta": {"total_pages": 1, "total_results": 2}})
            for tool, arguments in MORE:
                result = await client.call_tool(tool, arguments)
                # The link to an invoice is asked for; a stranger can't write it.
                check_clean(
                    told_in(result), json.dumps(result.structured_content, ensure_ascii=False)
                )
                terminal = Console(file=StringIO(), width=200)
                terminal.print(Group(*render(result, 200)))
                assert isinstance(terminal.file, StringIO)
                check_clean(terminal.file.getvalue())
    written = [file.read_text(encoding="utf-8") for file in (tmp_path / "exports").glob("*.csv")]
    assert len(written) >= 2
    check_clean(*written)
    assert "cs-1" in "".join(written)


async def test_ordinary_fields_with_words_like_those_of_secrets_are_shown(
    scripted: Scripted, exporting: AccountServer
) -> None:
    scripted.will_answer({"data": [KEPT | {"authorized_user_ids": ["u1"], "id": "1"}]})
    async with connected(exporting) as client:
        result = await client.call_tool(
            "telnyx_search_detail_records", {"record_type": "messaging", "page_size": 1}
        )
        scripted.will_answer({"data": {"id": ID, "webhook": {"payload": KEPT}}})
        delivery = await client.call_tool(
            "telnyx_get_webhook_delivery", CALLS["telnyx_get_webhook_delivery"]
        )
    assert (result.structured_content or {})["items"] == [
        KEPT | {"authorized_user_ids": ["u1"], "id": "1"}
    ]
    assert (delivery.structured_content or {})["untrusted_payload"] == KEPT


@pytest.mark.attack(
    "An error text with secrets and escape sequences",
    "Both are removed",
)
async def test_an_error_of_telnyx_shows_no_secret_and_nothing_that_steers_a_terminal(
    scripted: Scripted, exporting: AccountServer
) -> None:
    async with connected(exporting) as client:
        for leak in LEAKS:
            text = f"{STEERS}{leak}"
            entry = {"code": text, "title": text, "detail": text, "source": {"pointer": text}}
            scripted.will(answer(422, {"errors": [entry]}))
            for tool in ("telnyx_get_balance", "telnyx_create_stored_payment_transaction"):
                result = await client.call_tool(tool, CALLS[tool])
                check_clean(told_in(result), text_of(result))


async def test_no_resource_shows_a_secret(scripted: Scripted, exporting: AccountServer) -> None:
    scripted.will_answer({"data": hostile_row()})
    async with connected(exporting) as client:
        for uri in (f"telnyx://invoices/{ID}", "telnyx://balance", "telnyx://spend/2026-05"):
            for content in (await client.read_resource(uri)).contents:
                assert isinstance(content, TextResourceContents)
                check_clean(content.text)


@pytest.mark.attack(
    "Telnyx echoes this or another profile's key, in JSON escapes",
    "It is masked",
)
async def test_no_answer_holds_the_key_of_another_profile_or_one_that_json_escapes(
    scripted: Scripted, exporting: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "KEYotherProfile9876543210abc"
    third = "KEYthirdProfile1234567890xyz"
    with_key(Settings(api_key=SecretStr(other), base_url=scripted.base_url))
    monkeypatch.setenv("THIRD_KEY", third)
    build_server(
        Settings(api_key=SecretStr(other), base_url=scripted.base_url),
        others={"third": Settings(key_from="env:THIRD_KEY", profile="third")},
    )
    body = json.dumps({"data": [{"id": "1", "a": other, "b": f"x{other}y", "c": third}]})
    escaped = "".join(f"\\u{ord(each):04x}" for each in other)
    async with connected(exporting) as client:
        for said in (body, body.replace(other, escaped), body.replace("K", "\\u004b")):
            scripted.will(answer(200, said.encode()))
            result = await client.call_tool(
                "telnyx_search_detail_records", {"record_type": "messaging"}
            )
            assert not result.is_error
            for key in (other, third):
                assert key not in f"{told_in(result)}{result.structured_content}"
            assert "***" in told_in(result)
