"""Identical reads in flight share one request."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.rate_limit.pacer import LONGEST_WAIT
from telnyx_mcp.telnyx.transport import Transport
from tests.support.client import SECONDS
from tests.support.scripted_telnyx import Scripted, answer, complaint

BALANCE = {"data": {"balance": "384.60", "currency": "USD"}}


class Door:
    """Answers what waits behind it when it is opened."""

    def __init__(self, reply: Any = BALANCE) -> None:
        self.opened = asyncio.Event()
        self.came = asyncio.Event()
        self._answer = answer(200, reply)

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        self.came.set()
        await self.opened.wait()
        await self._answer(writer)


async def settled() -> None:
    """Lets every task run until it waits."""
    for _ in range(20):
        await checkpoint()


async def test_the_same_read_by_many_is_one_request(
    scripted: Scripted, client: TelnyxClient
) -> None:
    door = Door()
    scripted.will(door)
    balances: list[str | None] = []

    async def read() -> None:
        balances.append((await client.get_balance()).balance)

    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(read)
            await door.came.wait()
            await settled()
            door.opened.set()
    assert balances == ["384.60"] * 5
    assert len(scripted.requests) == 1


async def test_reads_that_differ_are_requests_of_their_own(
    scripted: Scripted, client: TelnyxClient
) -> None:
    scripted.will_answer({"data": []})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.list_invoices(page=1))
        tasks.start_soon(lambda: client.list_invoices(page=2))
        tasks.start_soon(lambda: client.list_invoices(page=1, sort="period_start"))
    assert len(scripted.requests) == 3


async def test_a_read_after_the_answer_is_a_new_request(
    scripted: Scripted, client: TelnyxClient
) -> None:
    scripted.will_answer(BALANCE)
    await client.get_balance()
    await client.get_balance()
    assert len(scripted.requests) == 2


@pytest.mark.parametrize("first", [True, False], ids=["who asked first", "who joined"])
async def test_a_cancelled_caller_leaves_the_others_their_answer(
    scripted: Scripted, client: TelnyxClient, first: bool
) -> None:
    door = Door()
    scripted.will(door)
    balances: list[str | None] = []
    cancelled = anyio.CancelScope()

    async def read() -> None:
        balances.append((await client.get_balance()).balance)

    async def leave() -> None:
        with cancelled:
            await read()

    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            for each in (leave, read) if first else (read, leave):
                tasks.start_soon(each)
                await settled()
            await door.came.wait()
            cancelled.cancel()
            await settled()
            door.opened.set()
    assert balances == ["384.60"]
    assert len(scripted.requests) == 1


async def test_when_the_last_one_leaves_the_request_is_given_up(
    scripted: Scripted, client: TelnyxClient
) -> None:
    door = Door()
    scripted.will(door, answer(200, BALANCE))
    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.get_balance)
            tasks.start_soon(client.get_balance)
            await door.came.wait()
            tasks.cancel_scope.cancel()
        assert (await client.get_balance()).balance == "384.60"
    assert len(scripted.requests) == 2


async def test_a_failure_is_everybodys(scripted: Scripted, client: TelnyxClient) -> None:
    scripted.will(complaint(403))
    failures: list[Failure] = []

    async def read() -> None:
        with pytest.raises(TelnyxError) as caught:
            await client.get_balance()
        failures.append(caught.value.failure)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(read)
    assert failures == [Failure.FORBIDDEN] * 2
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(("earlier", "later"), [(25, 4), (4, 25)])
async def test_a_caller_with_another_deadline_does_not_share(
    scripted: Scripted, transport: Transport, earlier: float, later: float
) -> None:
    scripted.will_answer(BALANCE)
    client = TelnyxClient(transport)
    async with anyio.create_task_group() as tasks:
        for seconds in (earlier, later):
            tasks.start_soon(client.within(seconds).get_balance)
    assert len(scripted.requests) == 2


async def test_a_caller_shares_a_read_that_has_long_waited_for_its_turn(
    scripted: Scripted, transport: Transport
) -> None:
    scripted.will_answer(BALANCE)
    client = TelnyxClient(transport)
    async with anyio.create_task_group() as tasks:
        for seconds in (25 - LONGEST_WAIT, 25):
            tasks.start_soon(client.within(seconds).get_balance)
    assert len(scripted.requests) == 1


async def test_an_answer_from_before_a_change_is_not_shared_after_it(
    scripted: Scripted, transport: Transport
) -> None:
    """Or the balance after a payment could be the one from before it."""
    client = TelnyxClient(transport)
    before = Door({"data": {"balance": "384.60"}})
    receipt = {"data": {"id": "1", "amount_cents": 12000}}
    scripted.will(before, answer(200, receipt), answer(200, {"data": {"balance": "504.60"}}))
    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.get_balance)
            await before.came.wait()
            await transport.request(op.CREATE_STORED_PAYMENT_TRANSACTION, body={"amount": "120.00"})
            assert (await client.get_balance()).balance == "504.60"
            before.opened.set()


async def test_every_caller_that_waits_for_the_limit_is_notified(
    scripted: Scripted, transport: Transport
) -> None:
    full = {"x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "6"}
    scripted.will(answer(200, BALANCE, full), answer(200, BALANCE))
    await TelnyxClient(transport).get_balance()
    heard: dict[str, list[float]] = {"one": [], "other": []}

    def client_of(name: str) -> TelnyxClient:
        async def waiting(left: float, _what_for: str) -> None:
            heard[name].append(left)

        return TelnyxClient(transport, waiting)

    async def fails(_left: float, _what_for: str) -> None:
        raise RuntimeError("its client is gone")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(TelnyxClient(transport, fails).get_balance)
        for name in heard:
            tasks.start_soon(client_of(name).get_balance)
    assert len(scripted.requests) == 2
    assert heard["one"] == heard["other"]
    assert heard["one"][0] == pytest.approx(6, abs=0.1)


async def test_closing_waits_until_cancelled_requests_have_ended(
    scripted: Scripted, client: TelnyxClient
) -> None:
    door = Door()
    scripted.will(door)
    reading = asyncio.create_task(client.get_balance())
    with anyio.fail_after(SECONDS):
        await door.came.wait()
        reading.cancel()
        await client.aclose()
    names = {each.get_coro().__qualname__ for each in asyncio.all_tasks()}  # type: ignore[union-attr]
    assert not {name for name in names if name.startswith("Transport.")}
    door.opened.set()
