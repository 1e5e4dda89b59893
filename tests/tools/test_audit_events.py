"""Who changed what: people by their addresses, events by what they are about, payments with their sum."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from tests.support import raw_api
from tests.support.client import call, content_of, text_of
from tests.support.scripted_telnyx import Scripted, answer, complaint

AUDIT = "telnyx_list_audit_events"
PAYMENT = "stored_payment_transaction"


async def asked(server: AccountServer, **arguments: Any) -> dict[str, Any]:
    return content_of(await call(server, AUDIT, arguments))


async def refused(server: AccountServer, **arguments: Any) -> str:
    result = await call(server, AUDIT, arguments)
    assert result.is_error
    return text_of(result)


def events_of(sandbox: Sandbox, **asked: str) -> list[dict[str, Any]]:
    """All events, the newest first."""
    return raw_api.everything(sandbox, "audit_events", {"sort": "desc", **asked}, 250)


def users_of(sandbox: Sandbox) -> dict[str, str]:
    users = raw_api.everything(sandbox, "organizations/users", {}, 250)
    return {each["id"]: each["email"] for each in users}


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in rows]


# --- e-mail addresses ----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{}, {"change_type": "update"}], ids=["a page", "a search"])
async def test_a_row_has_the_address_of_its_user(
    server: AccountServer, sandbox: Sandbox, arguments: dict[str, Any]
) -> None:
    users = users_of(sandbox)
    rows = (await asked(server, **arguments, page_size=40))["items"]
    assert all(each.get("user_email") == users.get(each["user_id"]) for each in rows)
    assert len({each.get("user_email") for each in rows}) > 2


@pytest.mark.parametrize("status", [403, 500])
async def test_without_the_list_of_users_ids_stay(
    server: AccountServer, sandbox: Sandbox, status: int
) -> None:
    sandbox.fault("list_organization_users", "status", status=status, times=None)
    told = await asked(server, page_size=5)
    assert all(each["user_id"] and "user_email" not in each for each in told["items"])
    assert "note" not in told


async def test_events_are_found_by_the_address_of_their_user(
    server: AccountServer, sandbox: Sandbox
) -> None:
    user_id, email = next(iter(users_of(sandbox).items()))
    told = await asked(server, contains=[email], page_size=3)
    assert told["total"] == sum(each["user_id"] == user_id for each in events_of(sandbox))


# --- changed_by ----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["telnyx", "account_owner", "organization_member"])
async def test_the_changes_of_a_role(server: AccountServer, sandbox: Sandbox, role: str) -> None:
    told = await asked(server, changed_by=role, page_size=250)
    own = [each for each in events_of(sandbox) if each["change_made_by"] == role]
    assert told["total"] == len(own) > 0
    assert ids(told["items"]) == ids(own)[: told["returned"]]
    assert told["changed_by"] == role


@pytest.mark.parametrize("spelling", ["{}", "{upper}", "{local}", "{id}"])
async def test_the_changes_of_a_user(
    server: AccountServer, sandbox: Sandbox, spelling: str
) -> None:
    user_id, email = next(
        (user_id, each) for user_id, each in users_of(sandbox).items() if "marco" in each
    )
    by = spelling.format(email, upper=email.upper(), local=email.split("@")[0], id=user_id)
    told = await asked(server, changed_by=by, page_size=2)
    own = [each for each in events_of(sandbox) if each["user_id"] == user_id]
    assert told["total"] == len(own) > 2
    assert ids(told["items"]) == ids(own)[:2]


@pytest.mark.parametrize("spelling", ["owner", "Account Owner", "account-owner"])
async def test_a_role_may_be_written_in_everyday_words(
    server: AccountServer, spelling: str
) -> None:
    assert (await asked(server, changed_by=spelling))["changed_by"] == "account_owner"


async def test_an_unknown_address_is_an_error_that_names_near_ones(
    server: AccountServer, sandbox: Sandbox
) -> None:
    text = await refused(server, changed_by="marko.silva@northwind-parcels.example")
    assert "Similar: marco.silva@northwind-parcels.example" in text
    assert "telnyx" in text
    assert not any("audit_events" in each.path for each in sandbox.requests)


async def test_a_part_of_several_addresses_is_an_error_that_lists_them(
    server: AccountServer,
) -> None:
    text = await refused(server, changed_by="northwind")
    assert "means several users" in text
    assert "priya.nair@northwind-parcels.example" in text


async def test_an_address_cannot_be_resolved_without_the_list_of_users(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("list_organization_users", "status", status=403, times=None)
    text = await refused(server, changed_by="marco.silva@northwind-parcels.example")
    assert "users can't be listed" in text
    assert "user id" in text


# --- contains, change_type, record_type ----------------------------------------------------------


async def test_any_of_several_texts_finds_an_event(server: AccountServer, sandbox: Sandbox) -> None:
    events = events_of(sandbox)
    first, second = events[0]["resource_id"], events[-1]["resource_id"]
    told = await asked(server, contains=[first, second], page_size=50)
    wanted = {each["id"] for each in events if {first, second} & {each["resource_id"]}}
    assert set(ids(told["items"])) == wanted
    assert told["total"] == len(wanted) >= 2


async def test_whole_values_come_first_and_the_answer_says_so(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [
        {"id": "1", "alternate_resource_id": "Support line"},
        {"id": "2", "alternate_resource_id": "support"},
        {"id": "3", "changes": [{"field": "tags", "from": [], "to": ["SUPPORT"]}]},
        {"id": "4", "alternate_resource_id": "unsupported"},
        {"id": "5", "alternate_resource_id": "sales"},
    ]
    scripted.will_answer({"data": rows, "meta": {"total_pages": 1, "total_results": 5}})
    told = await asked(scripted_server, contains=["support"])
    assert ids(told["items"]) == ["2", "3", "1", "4"]
    assert "The first 2 hold a text as a whole value" in told["note"]


async def test_pages_of_a_search_leave_nothing_out(server: AccountServer, sandbox: Sandbox) -> None:
    pages: list[str] = []
    number: int | None = 1
    while number:
        told = await asked(
            server, change_type="update", changed_by="organization_member", page=number, page_size=9
        )
        pages += ids(told["items"])
        number = told.get("next_page")
    assert pages == [
        each["id"]
        for each in events_of(sandbox)
        if each["change_type"] == "update" and each["change_made_by"] == "organization_member"
    ]


@pytest.mark.parametrize("spelling", ["862-555-0038", "(862) 555-0038", "+1 862 555 0038"])
async def test_a_number_is_found_in_any_spelling(server: AccountServer, spelling: str) -> None:
    told = await asked(server, contains=[spelling])
    assert {each["alternate_resource_id"] for each in told["items"]} == {"+18625550038"}


@pytest.mark.parametrize("spelling", ["phone_number", "phone number", "Phone-Numbers", "number"])
async def test_a_type_of_thing_in_any_spelling(
    server: AccountServer, sandbox: Sandbox, spelling: str
) -> None:
    told = await asked(server, record_type=spelling, page_size=1)
    own = [each for each in events_of(sandbox) if each["record_type"] == "phone_number"]
    assert told["total"] == len(own) > 0


async def test_a_type_that_is_exactly_what_was_asked_for_excludes_longer_ones(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    types = ("connection", "fqdn_connection", "connection")
    rows = [{"id": str(each), "record_type": name} for each, name in enumerate(types)]
    scripted.will_answer({"data": rows, "meta": {"total_pages": 1, "total_results": 3}})
    told = await asked(scripted_server, record_type="connection")
    assert ids(told["items"]) == ["0", "2"]


async def test_a_search_that_finds_nothing_names_the_types_that_there_are(
    server: AccountServer,
) -> None:
    told = await asked(server, record_type="fax_application")
    assert (told["items"], told["total"]) == ([], 0)
    assert "stored_payment_transaction" in told["note"]


# --- payments ------------------------------------------------------------------------------------


def paid(events: list[dict[str, Any]]) -> tuple[int, Decimal]:
    amounts = [
        Decimal(change["to"])
        for each in events
        if each["record_type"] == PAYMENT
        for change in each["changes"]
        if change["field"] == "amount"
    ]
    return len(amounts), sum(amounts, Decimal(0))


@pytest.mark.parametrize(
    "arguments", [{"record_type": PAYMENT}, {"contains": [PAYMENT]}], ids=["type", "text"]
)
async def test_payments_are_added_up_over_all_pages(
    server: AccountServer, sandbox: Sandbox, arguments: dict[str, Any]
) -> None:
    since = "2026-01-01T00:00:00Z"
    told = await asked(server, **arguments, created_after=since, page_size=2)
    count, total = paid(events_of(sandbox, **{"filter[created_after]": since}))
    assert told["payments"]["count"] == count > 2
    assert {each: Decimal(amount) for each, amount in told["payments"]["sum"].items()} == {
        "USD": total
    }


async def test_a_page_of_more_events_states_a_part_of_the_payments(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await asked(server, page_size=30)
    count, total = paid(events_of(sandbox)[:30])
    assert told["part_payments"]["count"] == count > 0
    assert Decimal(told["part_payments"]["sum"]["USD"]) == total
    assert "payments" not in told


async def test_a_page_with_all_events_states_all_payments(
    server: AccountServer, sandbox: Sandbox
) -> None:
    since = "2026-05-15T00:00:00Z"
    told = await asked(server, created_after=since, page_size=100)
    assert told["has_more"] is False
    assert (
        told["payments"]["count"] == paid(events_of(sandbox, **{"filter[created_after]": since}))[0]
    )


def payment(number: int, amount: Any, currency: str | None = "USD") -> dict[str, Any]:
    changes = [{"field": "amount", "to": amount}, {"field": "currency", "to": currency}]
    return {
        "id": str(number),
        "record_type": PAYMENT,
        "change_type": "create",
        "changes": changes,
    }


async def test_currencies_are_not_added_and_unreadable_amounts_are_counted(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [payment(1, "10.00"), payment(2, "5.5", "EUR"), payment(3, 20), payment(4, "much")]
    scripted.will_answer({"data": rows, "meta": {"total_pages": 1, "total_results": 4}})
    told = await asked(scripted_server, record_type=PAYMENT)
    assert told["part_payments"] == {
        "count": 4,
        "sum": {"USD": "30.00", "EUR": "5.50"},
        "unreadable": 1,
    }


async def test_payments_of_a_list_that_broke_off_are_a_part(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [payment(each, "1.00") for each in range(250)]
    meta = {"total_pages": 2, "total_results": 400}
    scripted.will(answer(200, {"data": rows, "meta": meta}), complaint(500))
    told = await asked(scripted_server, record_type=PAYMENT)
    assert told["part_payments"]["sum"] == {"USD": "250.00"}
    assert "payments" not in told
    assert told["note"].startswith("INCOMPLETE")


async def test_no_payments_are_not_mentioned(server: AccountServer) -> None:
    told = await asked(server, record_type="phone_number")
    assert {"payments", "part_payments"}.isdisjoint(told)
