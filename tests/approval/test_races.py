"""Many processes at once on one proposal, one reference, one cap: each is claimed as if alone.

With SQLite, and with PostgreSQL where `TEST_POSTGRES_URL` names a server to try it on.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import sqlalchemy as sa

from telnyx_mcp.approval.change import PAYMENT, Change, State
from telnyx_mcp.approval.ledger import Blocked, Ledger
from telnyx_mcp.approval.owner import Owner
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.state import Store
from tests.process.harness import ServerProcess, environment_for, started

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a fork server")

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
SECONDS = 60
ACCOUNT = "account"
PROCESSES = 20
POLICY = Policy(standing_per_payment=Decimal(100), standing_per_day=Decimal(300))


# --- what each process does ----------------------------------------------------------------------


@dataclass(frozen=True)
class Racer:
    """One of the processes, with the ledger opened by itself."""

    ledger: Ledger
    number: int

    def propose(self, amount: str, reference: str | None) -> Change:
        return proposed(self.ledger, amount, reference)


def proposed(ledger: Ledger, amount: str, reference: str | None = None) -> Change:
    arguments = {"amount": amount} | ({"reference": reference} if reference else {})
    return ledger.propose(
        PAYMENT,
        arguments,
        reference=reference,
        amount=Decimal(amount),
        question="Pay?",
        basis={},
        now=NOW,
    )


def claims(racer: Racer, id: str) -> str | None:
    claimed = racer.ledger.claim(id, NOW)
    return claimed.owner if claimed else None


def proposes_the_same(racer: Racer, _: None) -> str:
    return racer.propose("100.00", None).id


def names_another_amount(racer: Racer, _: None) -> str | None:
    try:
        return racer.propose(f"{100 + racer.number}.00", "invoice 7").id
    except Blocked:
        return None


def pays_by_the_same_reference(racer: Racer, _: None) -> str | None:
    change = racer.propose("100.00", "invoice 7")
    racer.ledger.approve(change.id, "terminal", NOW)
    return claims(racer, change.id)


def pays_by_its_own_reference(racer: Racer, _: None) -> bool:
    change = racer.propose("100.00", f"invoice {racer.number}")
    racer.ledger.approve(change.id, "terminal", NOW)
    try:
        return racer.ledger.claim(change.id, NOW) is not None
    except Blocked:
        return False


def pays_from_the_standing_budget(racer: Racer, _: None) -> bool:
    change = racer.propose("100.00", f"invoice {racer.number}")
    if not racer.ledger.stands_for(change, NOW):
        return False
    racer.ledger.approve(change.id, "standing", NOW)
    try:
        return racer.ledger.claim(change.id, NOW) is not None
    except Blocked:
        return False


def decides(racer: Racer, id: str) -> State | None:
    decide = racer.ledger.approve if racer.number % 2 else racer.ledger.decline
    decided = decide(id, "terminal", NOW)
    return decided.state if decided else None


def sweeps(racer: Racer, _: None) -> None:
    racer.ledger.sweep(NOW)


def _race(
    work: Callable[[Racer, Any], Any], given: Any, url: str, number: int, start: Any, told: Any
) -> None:
    """The body of a process: opens the ledger, as all do at once, and tells what came of the work."""
    start.wait(SECONDS)
    ledger = Ledger(Store(url), ACCOUNT, Owner.this_process(), POLICY)
    try:
        told.put((True, work(Racer(ledger, number), given)))
    except Exception as error:  # noqa: BLE001 - it is told to the test
        told.put((False, f"{type(error).__name__}: {error}"))
    finally:
        ledger.close()


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "psycopg"])
    return context


def race(
    processes: ForkServerContext,
    url: str,
    work: Callable[[Racer, Any], Any],
    given: Any = None,
) -> list[Any]:
    """What the work gave in each of `PROCESSES` processes that start it at the same time."""
    start, told = processes.Barrier(PROCESSES), processes.Queue()
    racers = [
        processes.Process(target=_race, args=(work, given, url, number, start, told), daemon=True)
        for number in range(PROCESSES)
    ]
    for each in racers:
        each.start()
    answers = [told.get(timeout=SECONDS) for _ in racers]
    for each in racers:
        each.join(SECONDS)
        each.close()
    told.close()
    assert [answer for well, answer in answers if not well] == []
    return [answer for _, answer in answers]


# --- where they meet -----------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty store."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state.sqlite3"
        return
    server = os.environ.get("TEST_POSTGRES_URL")
    if not server:
        pytest.skip("TEST_POSTGRES_URL is not set")
    schema = f"t{secrets.token_hex(8)}"
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    there = sa.make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield there.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))
    engine.dispose()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(Store(url), ACCOUNT, Owner.this_process(), POLICY)
    yield opened
    opened.close()


def states(url: str) -> Counter[State]:
    ledger = Ledger(Store(url), ACCOUNT, Owner.this_process(), POLICY)
    found = Counter(each.state for each in ledger.newest(1000))
    ledger.close()
    return found


def test_one_of_many_claims_an_approved_proposal(
    processes: ForkServerContext, ledger: Ledger, url: str
) -> None:
    change = proposed(ledger, "100.00")
    ledger.approve(change.id, "terminal", NOW)
    winners = [each for each in race(processes, url, claims, change.id) if each]
    after = ledger.get(change.id)
    assert after is not None
    assert winners == [after.owner]
    assert after.state is State.SENDING


def test_the_same_call_in_many_processes_is_one_proposal(
    processes: ForkServerContext, url: str
) -> None:
    """They also make the store together: none of them finds it half made."""
    assert len(set(race(processes, url, proposes_the_same))) == 1
    assert states(url) == {State.PROPOSED: 1}


def test_a_reference_names_one_payment_in_many_processes(
    processes: ForkServerContext, url: str
) -> None:
    ids = [each for each in race(processes, url, names_another_amount) if each]
    assert len(ids) == 1
    assert states(url) == {State.PROPOSED: 1}


def test_a_reference_is_paid_once_by_many_processes(processes: ForkServerContext, url: str) -> None:
    assert sum(each is not None for each in race(processes, url, pays_by_the_same_reference)) == 1
    assert states(url) == {State.SENDING: 1}


def test_many_processes_together_stay_within_the_cap_of_the_day(
    processes: ForkServerContext, url: str
) -> None:
    """Twenty pay 100.00 each under a cap of 1000.00."""
    assert sum(race(processes, url, pays_by_its_own_reference)) == 10
    assert states(url) == {State.SENDING: 10, State.EXPIRED: 10}


def test_many_processes_together_stay_within_the_standing_budget(
    processes: ForkServerContext, url: str
) -> None:
    assert sum(race(processes, url, pays_from_the_standing_budget)) == 3
    assert states(url)[State.SENDING] == 3


def test_one_of_many_answers_to_a_question_counts(
    processes: ForkServerContext, ledger: Ledger, url: str
) -> None:
    change = proposed(ledger, "100.00")
    decided = [each for each in race(processes, url, decides, change.id) if each]
    after = ledger.get(change.id)
    assert after is not None
    assert decided == [after.state]


def test_one_of_many_finds_a_dead_owners_payment_and_it_stays_unknown(
    processes: ForkServerContext, ledger: Ledger, url: str
) -> None:
    change = proposed(ledger, "100.00")
    ledger.approve(change.id, "terminal", NOW)
    race(processes, url, claims, change.id)
    race(processes, url, sweeps)
    assert states(url) == {State.UNKNOWN: 1}
    assert ledger.record(change.id, State.SUCCEEDED, "", {}, NOW) is None


# --- whole servers -------------------------------------------------------------------------------

SERVERS = 4


async def test_servers_that_pay_the_same_at_once_send_it_once(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Each of their persons has the question before any of them answers it."""
    environment = environment_for(sandbox, tmp_path)
    sandbox.fault("create_stored_payment_transaction", "slow", seconds=0.5)
    results: list[dict[str, Any]] = []

    async def pay(server: ServerProcess, ready: anyio.Event, asked: list[int]) -> None:
        await server.initialize()
        call = {
            "name": "telnyx_create_stored_payment_transaction",
            "arguments": {"amount": "120.00"},
        }
        called = await server.request("tools/call", call)
        question = await server.receive()
        assert question["method"] == "elicitation/create"
        asked.append(question["id"])
        if len(asked) == SERVERS:
            ready.set()
        await ready.wait()
        answer = {"action": "accept", "content": {"amount": "120.00"}}
        await server.send({"jsonrpc": "2.0", "id": question["id"], "result": answer})
        while (message := await server.receive()).get("id") != called:
            pass
        results.append(message["result"]["structuredContent"])

    async with AsyncExitStack() as running:
        servers = [
            await running.enter_async_context(started(environment=environment))
            for _ in range(SERVERS)
        ]
        ready, asked = anyio.Event(), list[int]()
        async with anyio.create_task_group() as tasks:
            for server in servers:
                tasks.start_soon(pay, server, ready, asked)
    assert sum(each.method == "POST" for each in sandbox.requests) == 1
    assert len({each["change_id"] for each in results}) == 1
    assert sorted({each["state"] for each in results} - {"approved"}) in (
        ["sending", "succeeded"],
        ["succeeded"],
    )
