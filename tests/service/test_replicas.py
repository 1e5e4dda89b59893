"""Replicas behind HAProxy on one PostgreSQL: nothing is sticky, nothing fails, nothing is sent twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ElicitResult

from telnyx_mcp.sandbox import Sandbox
from tests.service.issuer import Issuer
from tests.service.people import approved, signed_in
from tests.service.signing_in import SignInIssuer, running_sign_in_issuer
from tests.support.polling import until
from tests.support.postgresql_cluster import Cluster
from tests.support.service_processes import Fleet, fleet, log_has

pytestmark = pytest.mark.faults

Era = Literal["legacy", "auto"]
ERAS: tuple[Era, Era] = ("legacy", "auto")
PAY = "telnyx_create_stored_payment_transaction"
POST = "create_stored_payment_transaction"
CALLS = 500
IN_TIME = 60.0


@pytest.fixture
async def issuer() -> AsyncIterator[SignInIssuer]:
    async with running_sign_in_issuer() as running:
        running.groups = {
            "alice": ["everybody", "finance"],
            "bob": ["everybody", "treasury"],
            "dave": ["treasury"],
        }
        yield running


@pytest.fixture
def state_url(cluster: Cluster) -> str:
    return cluster.url(cluster.new_database())


@asynccontextmanager
async def client(
    running: Fleet, issuer: Issuer, person: str = "alice", mode: Era = "auto", **more: Any
) -> AsyncIterator[Client]:
    """An assistant of this person."""
    groups = ["everybody", "finance"] if person == "alice" else ["everybody"]
    token = issuer.token(
        running.endpoint, sub=person, groups=groups, scope="telnyx:read telnyx:propose"
    )
    http = httpx2.AsyncClient(
        verify=False, headers={"authorization": f"Bearer {token}"}, timeout=IN_TIME
    )
    connected = streamable_http_client(running.endpoint, http_client=http)
    async with http, Client(connected, mode=mode, **more) as it:
        yield it


async def pay(running: Fleet, issuer: Issuer, amount: str, person: str = "alice") -> CallToolResult:
    async with client(running, issuer, person) as it:
        return await it.call_tool(PAY, {"amount": amount})


async def waiting(cluster: Cluster, url: str, state: str = "proposed") -> str:
    """The id of the change that is in this state, once there is one."""
    database = url.split("@/")[1].split("?")[0]
    found: list[tuple[object, ...]] = []

    def look() -> bool:
        found[:] = cluster.sql("SELECT id, state FROM telnyx_mcp_changes", database)
        return any(each[1] == state for each in found)

    async with asyncio.timeout(IN_TIME):
        while not await asyncio.to_thread(look):
            await asyncio.sleep(0.05)
    return next(str(each[0]) for each in found if each[1] == state)


def state_of(cluster: Cluster, url: str) -> str:
    database = url.split("@/")[1].split("?")[0]
    return str(cluster.sql("SELECT state FROM telnyx_mcp_changes", database)[0][0])


@pytest.mark.parametrize("mode", ERAS)
async def test_sessions_and_questions_work_whatever_replica_answers(
    sandbox: Sandbox, issuer: SignInIssuer, state_url: str, tmp_path: Path, mode: Era
) -> None:
    async def answer(_context: Any, _params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"amount": "30.00"})

    async with fleet(sandbox, state_url, issuer.url, tmp_path, size=3) as running:
        for _ in range(8):
            async with client(running, issuer, mode=mode) as it:
                assert len((await it.list_tools()).tools) > 10
                assert not (await it.call_tool("telnyx_get_balance", {})).is_error
        if mode == "auto":  # alice may approve 50.00 herself; the question and the answer part ways
            async with client(running, issuer, elicitation_callback=answer) as it:
                paid = await it.call_tool(PAY, {"amount": "30.00"})
            assert paid.structured_content
            assert paid.structured_content["state"] == "succeeded"
            assert len(sandbox.payments) == 1


async def test_two_replicas_are_rolled_twice_under_load_without_a_failed_call(
    sandbox: Sandbox, issuer: SignInIssuer, state_url: str, tmp_path: Path
) -> None:
    async with fleet(sandbox, state_url, issuer.url, tmp_path, drain=1.5) as running:
        done = 0
        failures: list[str] = []
        rolled = asyncio.Event()

        async def load(number: int) -> None:
            nonlocal done
            while not rolled.is_set() or done < CALLS:
                try:
                    async with client(running, issuer, mode=ERAS[(number + done) % 2]) as it:
                        for tool in ("telnyx_get_balance", "telnyx_list_user_tags"):
                            result = await it.call_tool(tool, {})
                            done += 1
                            if result.is_error:
                                failures.append(str(result.content[0]))
                except Exception as error:  # noqa: BLE001 - whatever fails is counted
                    failures.append(repr(error))

        async def roll() -> None:
            for _ in range(2):
                for each in running.replicas:
                    assert await each.stop() == 0
                    await each.start()
                    await asyncio.sleep(0.5)  # until HAProxy has seen it
            rolled.set()

        async with asyncio.timeout(180), asyncio.TaskGroup() as tasks:
            tasks.create_task(roll())
            for number in range(4):
                tasks.create_task(load(number))
        log = (tmp_path / "haproxy.log").read_text(encoding="utf-8")
        assert failures == [], log[-4000:]
        assert done >= CALLS


@pytest.mark.parametrize("which", [0, 1])
async def test_who_approves_on_one_replica_pays_for_a_call_that_waits_on_another(
    sandbox: Sandbox,
    issuer: SignInIssuer,
    cluster: Cluster,
    state_url: str,
    tmp_path: Path,
    which: int,
) -> None:
    async with fleet(sandbox, state_url, issuer.url, tmp_path) as running:
        call = asyncio.create_task(pay(running, issuer, "120.00"))
        change = await waiting(cluster, state_url)
        async with signed_in(running.public_url, issuer, "bob") as browser:
            page = await approved(browser, change, "120.00")
        assert "Done" in page.text
        told = await call
        assert told.structured_content
        assert told.structured_content["state"] == "succeeded"
        assert told.structured_content["decided_by"] == "Bob"
        assert len(sandbox.payments) == 1


async def test_a_replica_that_is_killed_before_the_claim_loses_nothing(
    sandbox: Sandbox, issuer: SignInIssuer, cluster: Cluster, state_url: str, tmp_path: Path
) -> None:
    async with fleet(sandbox, state_url, issuer.url, tmp_path) as running:
        call = asyncio.create_task(pay(running, issuer, "120.00"))
        change = await waiting(cluster, state_url)
        await running.replicas[0].kill()
        async with signed_in(running.public_url, issuer, "bob") as browser:
            page = await approved(browser, change, "120.00")
        assert "Done" in page.text
        await asyncio.gather(call, return_exceptions=True)
        again = await pay(running, issuer, "120.00")
        assert again.structured_content
        assert again.structured_content["state"] == "succeeded"
        assert len(sandbox.payments) == 1


async def test_a_replica_that_is_killed_while_it_sends_leaves_the_payment_unknown_and_unrepeated(
    sandbox: Sandbox, issuer: SignInIssuer, cluster: Cluster, state_url: str, tmp_path: Path
) -> None:
    async with fleet(sandbox, state_url, issuer.url, tmp_path) as running:
        sandbox.fault(POST, "slow", seconds=5)
        call = asyncio.create_task(pay(running, issuer, "120.00"))
        change = await waiting(cluster, state_url)
        async with signed_in(running.public_url, issuer, "bob") as browser:
            deciding = asyncio.create_task(approved(browser, change, "120.00"))
            await until(lambda: state_of(cluster, state_url) == "sending")
            for each in running.replicas:
                await each.kill()
            await asyncio.gather(call, deciding, return_exceptions=True)
            for each in running.replicas:
                await each.start()
            page = await browser.get(f"{running.public_url}/changes/{change}")
            assert "Outcome unknown" in page.text
        other = await pay(running, issuer, "20.00")
        assert other.is_error
        assert "unknown" in str(other.content)
        assert len(sandbox.payments) <= 1


async def test_a_database_that_restarts_costs_no_payment_and_is_found_again(
    sandbox: Sandbox, issuer: SignInIssuer, cluster: Cluster, state_url: str, tmp_path: Path
) -> None:
    # One replica without a proxy, which would take it out while the database is away.
    async with fleet(
        sandbox, state_url, issuer.url, tmp_path, size=1, behind_proxy=False
    ) as running:
        cluster.stop()
        try:
            lost = await pay(running, issuer, "120.00")
            assert lost.is_error
        finally:
            cluster.start()
        call = asyncio.create_task(pay(running, issuer, "120.00"))
        change = await waiting(cluster, state_url)
        async with signed_in(running.public_url, issuer, "bob") as browser:
            await approved(browser, change, "120.00")
        assert (await call).structured_content
        assert len(sandbox.payments) == 1


async def test_roles_are_read_again_on_sighup_and_a_mistake_leaves_the_old_ones(
    sandbox: Sandbox, issuer: SignInIssuer, state_url: str, tmp_path: Path
) -> None:
    async with fleet(
        sandbox, state_url, issuer.url, tmp_path, size=1, behind_proxy=False
    ) as running:
        [replica] = running.replicas
        good = replica.config.read_text(encoding="utf-8")
        mistaken = good.replace('approve_up_to = "500.00"', "approve_up_to = 500.0")
        stricter = good.replace('propose = true\nself_approve_up_to = "50.00"\n', "")
        for text, logged in ((mistaken, "not read again"), (stricter, "were read again")):
            replica.config.write_text(text, encoding="utf-8")
            replica.signal(signal.SIGHUP)
            await log_has(replica, logged)
            async with client(running, issuer) as it:
                names = {each.name for each in (await it.list_tools()).tools}
            assert (PAY in names) == (logged == "not read again")
