"""What the balance tells of spend limits: which products they block, and which they soon will."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.telnyx.account_models import SpendLimit
from telnyx_mcp.tools.support.spend_limits import (
    KEPT,
    SECONDS,
    SpendLimitCache,
    blocked,
    close_to_limit,
)
from tests.support import raw_api
from tests.support.client import call, content_of
from tests.support.scripted_telnyx import Scripted, answer

TOOL = "telnyx_get_balance"
Json = dict[str, Any]


async def ask(server: AccountServer, **arguments: Any) -> Json:
    return content_of(await call(server, TOOL, arguments))


def asked(sandbox: Sandbox, operation: str) -> int:
    return sum(each.operation == operation for each in sandbox.requests)


@pytest.mark.parametrize("period", ["daily", "monthly"])
async def test_a_blocked_product_is_reported_with_its_limit_and_end(
    server: AccountServer, sandbox: Sandbox, period: str
) -> None:
    sandbox.block("inference", period)
    rows = raw_api.get(sandbox, "spend_limits", {})["data"]
    truth = next(each for each in rows if each["blocked"])
    assert (await ask(server))["blocked_by_spend_limit"] == [
        {
            "product": "inference",
            "period": period,
            "limit": truth["effective_limit_usd"],
            "spent": truth["spend_usd"],
            "currency": "USD",
            "until": {"daily": "2026-06-16", "monthly": "2026-07-01"}[period],
        }
    ]


async def test_every_blocked_product_is_reported(server: AccountServer, sandbox: Sandbox) -> None:
    sandbox.block("inference")
    sandbox.block("text-to-speech", "monthly")
    told = await ask(server)
    found = {(each["product"], each["period"]) for each in told["blocked_by_spend_limit"]}
    assert found == {("inference", "daily"), ("text-to-speech", "monthly")}


async def test_nothing_is_reported_if_nothing_is_blocked(server: AccountServer) -> None:
    assert not {"blocked_by_spend_limit", "close_to_spend_limit"} & (await ask(server)).keys()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 403},
        {"kind": "status", "status": 404},
        {"kind": "status", "status": 500},
        {"kind": "null_fields"},
        {"kind": "absent_fields"},
        {"kind": "unknown_values"},
    ],
)
async def test_limits_that_can_not_be_read_leave_the_balance_as_it_is(
    server: AccountServer, sandbox: Sandbox, fault: Json
) -> None:
    plain = await ask(server)
    sandbox.reset()
    sandbox.fault("list_spend_limits", times=None, **fault)
    assert await ask(server) == plain


async def test_they_are_read_once_for_many_balances(
    server: AccountServer, sandbox: Sandbox
) -> None:
    for _ in range(4):
        await ask(server)
    assert asked(sandbox, "list_spend_limits") == 1
    assert asked(sandbox, "get_balance") == 4


async def test_a_refusal_is_not_asked_for_again_either(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("list_spend_limits", "status", status=403, times=None)
    for _ in range(3):
        await ask(server)
    assert asked(sandbox, "list_spend_limits") == 1


async def test_a_balance_that_is_refused_is_an_error(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_balance", "status", status=403, times=None)
    assert (await call(server, TOOL)).is_error


class Reader:
    """A client that has only limits."""

    def __init__(self) -> None:
        self.reads = 0
        self.seconds: list[float] = []

    def within(self, seconds: float) -> Reader:
        self.seconds.append(seconds)
        return self

    async def list_spend_limits(self) -> list[SpendLimit]:
        self.reads += 1
        return [SpendLimit(product=str(self.reads))]


async def test_they_are_read_again_after_a_minute() -> None:
    at = 0.0
    cache, reader = SpendLimitCache(clock=lambda: at), Reader()
    products = []
    for at in (0.0, KEPT - 0.1, KEPT, KEPT + 1, 2 * KEPT):  # noqa: B007 - the clock reads it
        (limit,) = await cache.read(reader)  # type: ignore[arg-type]
        products.append(limit.product)
    assert products == ["1", "1", "2", "2", "3"]
    assert set(reader.seconds) == {SECONDS}


def limit(**fields: Any) -> SpendLimit:
    return SpendLimit.model_validate({"product": "p", "period": "daily", **fields})


@pytest.mark.parametrize(
    ("fields", "used"),
    [
        ({"effective_limit_usd": "10", "spend_usd": "8"}, "80%"),
        ({"effective_limit_usd": "10", "spend_usd": "7.99"}, None),
        ({"effective_limit_usd": "10.00", "spend_usd": "9.9999"}, "100%"),
        ({"effective_limit_usd": "10", "spend_usd": "12"}, "120%"),
        ({"effective_limit_usd": 10, "spend_usd": 9.5}, "95%"),
        ({"effective_limit_usd": "10", "spend_usd": "9", "blocked": True}, None),
        ({"effective_limit_usd": None, "spend_usd": "9"}, None),
        ({"effective_limit_usd": "10", "spend_usd": None}, None),
        ({"effective_limit_usd": "0", "spend_usd": "0"}, None),
        ({"effective_limit_usd": "-1", "spend_usd": "5"}, None),
        ({"effective_limit_usd": "much", "spend_usd": "5"}, None),
    ],
)
def test_a_limit_is_close_from_four_fifths_on(fields: Json, used: str | None) -> None:
    assert [each["used"] for each in close_to_limit((limit(**fields),))] == ([used] if used else [])


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        ({}, {}),
        ({"period_end": "2026-06-16"}, {"until": "2026-06-16"}),
        (
            {"block": {"blocked_until": "2026-07-01", "limit_usd": "2.5", "spend_usd": "3"}},
            {"until": "2026-07-01", "limit": "2.50", "spent": "3.00"},
        ),
        (
            {"spend_usd": "4", "effective_limit_usd": "0", "block": {"spend_usd": "3"}},
            {"limit": "0.00", "spent": "4.00"},
        ),
    ],
)
def test_a_block_is_reported_with_what_telnyx_states_about_it(fields: Json, row: Json) -> None:
    own = {"product": "p", "period": "daily", "currency": "USD"}
    assert blocked((limit(blocked=True, **fields), limit(blocked=None))) == [own | row]


async def test_the_runway_comes_with_the_limits_that_are_close(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [{"product": "inference", "effective_limit_usd": "10", "spend_usd": "9"}]

    async def by_path(writer: asyncio.StreamWriter) -> None:
        path = urlsplit(scripted.requests[-1].target).path.rpartition("/")[2]
        known = {"balance": {"balance": "5.00", "currency": "USD"}, "spend_limits": rows}
        await answer(200 if path in known else 403, {"data": known.get(path)})(writer)

    scripted.will(by_path)
    assert "close_to_spend_limit" not in await ask(scripted_server)
    told = await ask(scripted_server, include_runway=True)
    assert [each["used"] for each in told["close_to_spend_limit"]] == ["90%"]
