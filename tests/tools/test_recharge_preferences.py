"""`telnyx_get_auto_recharge_preferences`: what would be charged, and who hears of low credit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.sandbox.neighbours.notifications import CHANNELS
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools.support.low_credit import masked
from tests.support.client import call, content_of, text_of
from tests.support.scripted_telnyx import Scripted, answer, complaint

TOOL = "telnyx_get_auto_recharge_preferences"
LISTS = ("channels", "event_conditions", "events", "profiles", "settings")
Json = dict[str, Any]


async def ask(server: AccountServer) -> Json:
    return content_of(await call(server, TOOL))


# --- what would be charged -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balance", "now", "at_once", "a_day"),
    [
        ("384.60", "nothing now", "550.00", "5500.00"),
        ("-150.00", "nothing now", "550.00", "5500.00"),  # available credit is the threshold
        ("-150.01", "450.01", "550.00", "5500.00"),
        ("-160.00", "460.00", "550.00", "5500.00"),
        ("-300.00", "600.00", "600.00", "6000.00"),  # below the credit limit
    ],
)
async def test_the_charge_follows_from_available_credit(
    server: AccountServer, sandbox: Sandbox, balance: str, now: str, at_once: str, a_day: str
) -> None:
    """Threshold 100.00, recharge amount 200.00, credit limit 250.00."""
    sandbox.account.balance = Decimal(balance)
    told = await ask(server)
    assert (told["balance"], told["currency"]) == (balance, "USD")
    assert Decimal(told["available_credit"]) == Decimal(balance) + 250
    assert told["charged_now"] == now
    assert told["charged_at_most"] == {"at_once": at_once, "in_24_hours": a_day}


async def test_nothing_is_charged_while_it_is_off(server: AccountServer, sandbox: Sandbox) -> None:
    sandbox.account.balance = Decimal(-200)
    sandbox.account.preferences = {**sandbox.account.preferences, "enabled": False}
    told = await ask(server)
    assert (told["enabled"], told["charged_now"]) == (False, "nothing now")
    assert "charged_at_most" not in told


async def test_payments_that_can_not_be_seen_here_are_named(server: AccountServer) -> None:
    assert "Scheduled payments" in (await ask(server))["note"]


@pytest.mark.parametrize("fault", [{"kind": "null_fields"}, {"kind": "absent_fields"}])
async def test_an_unknown_amount_makes_the_charge_unknown_not_zero(
    server: AccountServer, sandbox: Sandbox, fault: Json
) -> None:
    for operation in ("get_balance", "get_auto_recharge_preferences"):
        sandbox.reset()
        sandbox.fault(operation, times=None, **fault)
        told = await ask(server)
        assert "charged_now" not in told
        assert "charged_at_most" not in told
        assert "unknown" in told["note"]


async def test_the_preferences_are_shown_although_the_balance_is_not(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_balance", "status", status=403, times=None)
    told = await ask(server)
    assert told["threshold_amount"] == "100.00"
    assert "charged_now" not in told
    assert "may not do this" in told["note"]
    assert len(told["low_credit_notice"]["sent_to"]) == 2


async def test_refused_preferences_are_an_error(server: AccountServer, sandbox: Sandbox) -> None:
    sandbox.fault("get_auto_recharge_preferences", "status", status=403, times=None)
    assert (await call(server, TOOL)).is_error
    assert len(sandbox.requests) == 1


# --- who is notified -----------------------------------------------------------------------------


async def test_those_are_named_that_a_setting_in_force_names(server: AccountServer) -> None:
    """Not the former employee, whose setting was deleted, nor recipients of other events."""
    assert (await ask(server))["low_credit_notice"] == {
        "sent_to": [
            {
                "channel": "email",
                "to": "o…@northwind-parcels.example",
                "profile": "Billing alerts",
            },
            {"channel": "sms", "to": "+1…0142", "profile": "Billing alerts"},
        ]
    }


async def test_no_destination_is_shown_in_full(server: AccountServer) -> None:
    result = await call(server, TOOL)
    said = text_of(result) + json.dumps(result.structured_content, ensure_ascii=False)
    assert not [to for _, _, to in CHANNELS.values() if to in said]


@pytest.mark.parametrize("which", LISTS)
async def test_without_one_of_the_lists_it_is_unknown_and_all_else_is_shown(
    server: AccountServer, sandbox: Sandbox, which: str
) -> None:
    sandbox.fault(f"list_notification_{which}", "status", status=403, times=None)
    told = await ask(server)
    assert list(told["low_credit_notice"]) == ["unknown"]
    assert "may not do this" in told["low_credit_notice"]["unknown"]
    assert told["charged_now"] == "nothing now"


SETTING = {
    "id": "s",
    "notification_event_condition_id": "c",
    "notification_profile_id": "p",
    "notification_channel_id": "one",
    "status": "enabled",
}
ACCOUNT: Mapping[str, Any] = {
    "payment/auto_recharge_prefs": {"enabled": True, "threshold_amount": "10"},
    "balance": {"balance": "1.00"},
    "notification_events": [{"id": "e", "name": "Low Available Credit"}],
    "notification_event_conditions": [{"id": "c", "notification_event_id": "e"}],
    "notification_profiles": [{"id": "p", "name": "P"}],
    "notification_channels": [
        {"id": "one", "notification_profile_id": "p", "channel_destination": "a@x.example"},
        {"id": "two", "notification_profile_id": "p", "channel_destination": "b@x.example"},
        {"id": "three", "notification_profile_id": "q", "channel_destination": "c@x.example"},
    ],
    "notification_settings": [SETTING],
}


def serve(scripted: Scripted, **lists: Any) -> None:
    """The account with some of its lists replaced."""
    account = {**ACCOUNT, **lists}

    async def by_path(writer: asyncio.StreamWriter) -> None:
        path = urlsplit(scripted.requests[-1].target).path.removeprefix("/v2/")
        found = account[path]
        if isinstance(found, list):
            meta = {"total_pages": 1, "total_results": len(found)}
            await answer(200, {"data": found, "meta": meta})(writer)
        else:
            await answer(200, {"data": found})(writer)

    scripted.will(by_path)


CASES: list[tuple[Json, list[str]]] = [
    ({}, ["a…@x.example"]),
    # Without a channel, every channel of the profile.
    (
        {"notification_settings": [{**SETTING, "notification_channel_id": None}]},
        ["a…@x.example", "b…@x.example"],
    ),
    # The same recipient twice is one.
    ({"notification_settings": [SETTING, {**SETTING, "id": "t"}]}, ["a…@x.example"]),
    *(
        ({"notification_settings": [{**SETTING, "status": status}]}, [])
        for status in ("deleted", "delete-pending", "delete-received", "delete-submitted", None)
    ),
    *(
        ({"notification_settings": [{**SETTING, "status": status}]}, ["a…@x.example"])
        for status in ("enable-received", "enable-pending", "enable-submtited")
    ),
    ({"notification_settings": [{**SETTING, "notification_event_condition_id": "x"}]}, []),
    ({"notification_settings": []}, []),
    ({"notification_events": [{"id": "e", "name": "Low balance", "enabled": False}]}, []),
    (
        {
            "notification_event_conditions": [
                {"id": "c", "notification_event_id": "e", "enabled": False}
            ]
        },
        [],
    ),
]


@pytest.mark.parametrize(("lists", "to"), CASES)
async def test_a_setting_counts_with_its_condition_and_status(
    scripted: Scripted, scripted_server: AccountServer, lists: Json, to: list[str]
) -> None:
    serve(scripted, **lists)
    told = await ask(scripted_server)
    assert [each["to"] for each in told["low_credit_notice"]["sent_to"]] == to


async def test_an_account_without_that_event_makes_it_unknown(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    serve(scripted, notification_events=[{"id": "e", "name": "New Invoice"}])
    assert "unknown" in (await ask(scripted_server))["low_credit_notice"]


async def test_a_list_that_ends_too_early_makes_it_unknown(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    serve(scripted, notification_settings={"not": "a list"})
    assert "unknown" in (await ask(scripted_server))["low_credit_notice"]


@pytest.mark.parametrize(
    ("destination", "shown"),
    [
        ("anna@northwind.example", "a…@northwind.example"),
        ("a@b@c.example", "a…@c.example"),
        ("x@y/z?key=secret", "…"),
        ("@x.example", "…@x.example"),
        ("+13125550142", "+1…0142"),
        ("+44 20 7946 0018", "+44…0018"),
        ("3125550142", "…0142"),
        ("12345", "…"),
        ("https://ops:Pa55@hooks.x.example:8443/T0/secret?key=1", "https://hooks.x.example/…"),
        ("HTTPS://U:P@H.EXAMPLE/x", "https://h.example/…"),
        ("http://[::1/x", "…"),
        ("wss:///x", "…"),
        ("", "…"),
    ],
)
def test_a_destination_is_masked_in_part(destination: str, shown: str) -> None:
    assert masked(destination) == shown


async def test_a_balance_that_is_refused_needs_no_second_call(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(answer(200, {"data": {"enabled": True}}), complaint(403, "10010"))
    told = await ask(scripted_server)
    assert told["enabled"] is True
    assert "unknown" in told["low_credit_notice"]
