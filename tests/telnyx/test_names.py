"""Ids get names, lists are read once, and no list that can't be read fails a call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.names import KEPT, MAX_PAGES, NameCache, Named, Names
from tests.support.scripted_telnyx import Scripted, answer, complaint
from tests.support.simulated_time import Time

OPERATIONS = {
    Named.USERS: "list_organization_users",
    Named.CONNECTIONS: "list_connections",
    Named.MESSAGING_PROFILES: "list_messaging_profiles",
    Named.BILLING_GROUPS: "list_billing_groups",
}


@pytest.fixture
async def of_sandbox(server: AccountServer) -> TelnyxClient:
    return TelnyxClient((await server.accounts.main.services()).transport)


async def test_every_kind_of_id_gets_its_name(of_sandbox: TelnyxClient, sandbox: Sandbox) -> None:
    names = Names(of_sandbox, NameCache())
    business = sandbox.account.business
    for kind, known, name in (
        (Named.USERS, business.developer.id, business.developer.email),
        (Named.CONNECTIONS, business.connections[1].id, "Warehouse SIP trunk"),
        (Named.MESSAGING_PROFILES, business.profiles[2].id, "Spring campaign"),
        (Named.BILLING_GROUPS, business.uuid("billing group"), "Customer care"),
    ):
        assert await names.name(kind, known) == name
        assert await names.name(kind, "nobody's") is None
        assert await names.name(kind, None) is None
    assert [each.operation for each in sandbox.requests] == list(OPERATIONS.values())
    assert names.missing == {}


async def test_a_list_is_read_once_though_many_ask_at_once(
    of_sandbox: TelnyxClient, sandbox: Sandbox
) -> None:
    names = Names(of_sandbox, NameCache())
    await asyncio.gather(*(names.all(kind) for kind in Named for _ in range(5)))
    assert len(sandbox.requests) == len(Named)


async def test_later_calls_use_what_was_read_for_ten_minutes(
    of_sandbox: TelnyxClient, sandbox: Sandbox, time: Time
) -> None:
    cache = NameCache(time.clock)
    first = await Names(of_sandbox, cache).all(Named.CONNECTIONS)
    time.at += KEPT - 1
    assert await Names(of_sandbox, cache).all(Named.CONNECTIONS) == first
    assert len(sandbox.requests) == 1
    time.at += 2
    assert await Names(of_sandbox, cache).all(Named.CONNECTIONS) == first
    assert len(sandbox.requests) == 2


async def test_the_lists_of_one_account_are_not_those_of_another(
    scripted: Scripted, client: TelnyxClient, time: Time
) -> None:
    scripted.will(
        answer(200, {"data": [{"id": "7", "connection_name": "of the first"}]}),
        answer(200, {"data": [{"id": "7", "connection_name": "of the second"}]}),
    )
    one, other = NameCache(time.clock), NameCache(time.clock)
    assert await Names(client, one).name(Named.CONNECTIONS, "7") == "of the first"
    assert await Names(client, other).name(Named.CONNECTIONS, "7") == "of the second"
    assert await Names(client, one).name(Named.CONNECTIONS, "7") == "of the first"


@pytest.mark.parametrize("kind", Named)
async def test_a_refusal_leaves_ids_without_names_and_is_asked_for_once(
    of_sandbox: TelnyxClient, sandbox: Sandbox, kind: Named
) -> None:
    sandbox.fault(OPERATIONS[kind], "status", status=403, times=None)
    cache = NameCache()
    for _ in range(2):
        names = Names(of_sandbox, cache)
        assert await names.all(kind) == {}
        assert set(names.missing) == {kind}
        assert "403" in names.missing[kind]
        others = [each for each in Named if each is not kind]
        assert all([await names.all(each) for each in others])
    assert len(sandbox.requests) == len(Named)


@pytest.mark.parametrize(
    "failing", [complaint(500), complaint(404), answer(200, b"<html>"), answer(200, {"data": {}})]
)
async def test_a_failure_that_may_pass_is_asked_for_again_by_the_next_call(
    scripted: Scripted, client: TelnyxClient, time: Time, failing: Any
) -> None:
    scripted.will(failing, answer(200, {"data": [{"id": "7", "email": "a@b.example"}]}))
    cache = NameCache(time.clock)
    names = Names(client, cache)
    for _ in range(3):
        assert await names.name(Named.USERS, "7") is None
    assert names.missing[Named.USERS]
    assert len(scripted.requests) == 1
    again = Names(client, cache)
    assert await again.name(Named.USERS, "7") == "a@b.example"
    assert again.missing == {}


async def test_all_pages_are_read_and_what_was_read_before_a_failure_counts(
    scripted: Scripted, client: TelnyxClient, time: Time
) -> None:
    meta = {"total_pages": 2, "total_results": 251}
    first = [{"id": str(number), "name": f"group {number}"} for number in range(250)]
    pages = [{"data": first, "meta": meta}, {"data": [{"id": "x", "name": "last"}], "meta": meta}]
    scripted.will(*(answer(200, each) for each in pages))
    whole = Names(client, NameCache(time.clock))
    assert len(await whole.all(Named.BILLING_GROUPS)) == 251
    assert whole.missing == {}
    scripted.requests.clear()
    scripted.will(answer(200, pages[0]), complaint(500))
    part = Names(client, NameCache(time.clock))
    assert await part.name(Named.BILLING_GROUPS, "9") == "group 9"
    assert await part.name(Named.BILLING_GROUPS, "x") is None
    assert set(part.missing) == {Named.BILLING_GROUPS}


async def test_an_endless_list_is_read_in_part_and_the_answer_says_so(
    scripted: Scripted, client: TelnyxClient, time: Time
) -> None:
    def page(number: int) -> Any:
        rows = [{"id": f"{number}-{row}", "name": "a"} for row in range(250)]
        return answer(200, {"data": rows, "meta": {"total_pages": 9000}})

    scripted.will(*map(page, range(MAX_PAGES + 5)))
    names = Names(client, NameCache(time.clock))
    assert len(await names.all(Named.BILLING_GROUPS)) == 250 * MAX_PAGES
    assert "first 5000" in names.missing[Named.BILLING_GROUPS]


async def test_a_list_without_totals_ends_with_an_empty_page(
    scripted: Scripted, client: TelnyxClient, time: Time
) -> None:
    rows = [{"id": str(number), "name": "a"} for number in range(250)]
    scripted.will(answer(200, {"data": rows}), answer(200, {"data": []}))
    names = Names(client, NameCache(time.clock))
    assert len(await names.all(Named.BILLING_GROUPS)) == 250
    assert names.missing == {}


async def test_rows_without_an_id_or_a_name_are_passed_over(
    scripted: Scripted, client: TelnyxClient, time: Time
) -> None:
    rows: list[dict[str, Any]] = [{}, {"id": "1"}, {"email": "a@b.example"}, {"id": None}]
    scripted.will_answer({"data": [*rows, {"id": 7, "email": "c@d.example"}]})
    names = Names(client, NameCache(time.clock))
    assert await names.all(Named.USERS) == {"7": "c@d.example"}
