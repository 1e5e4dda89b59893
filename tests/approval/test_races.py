"""Many processes at once on one proposal, one reference, one cap: each is claimed as if alone.

With SQLite, and with PostgreSQL where `TEST_POSTGRES_URL` names a server to try it on.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import sqlalchemy as sa

from telnyx_mcp.approval.change import PAYMENT, STANDING, Change, State
from telnyx_mcp.approval.ledger import Decision, Ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.reasons import Blocked
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.storage.schema import keys
from telnyx_mcp.storage.store import Store
from tests.support import ledgers
from tests.support.clock import NOW
from tests.support.ledgers import QUESTION, opened
from tests.support.sandbox_requests import posts
from tests.support.server_process import ServerProcess, environment_for, started

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a fork server")

SECONDS = 60
PROCESSES = 20
POLICY = Policy(
    standing_per_payment=Decimal(100), standing_per_day=Decimal(300), one_question=False
)


# --- what each process does ----------------------------------------------------------------------


@dataclass(frozen=True)
class Racer:
    """One of the processes, with the ledger opened by itself."""

    ledger: Ledger
    number: int
    url: str
    meet: Callable[[], object]
    """Waits until all are here."""

    def propose(self, amount: str, reference: str | None) -> Change:
        return proposed(self.ledger, amount, reference)


def proposed(ledger: Ledger, amount: str, reference: str | None = None) -> Change:
    arguments = {"amount": amount} | ({"reference": reference} if reference else {})
    return ledger.propose(
        PAYMENT,
        arguments,
        reference=reference,
        amount=Decimal(amount),
        question=QUESTION,
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


def pays(racer: Racer, change: Change, decision: Decision | None = None) -> bool:
    """Whether this process sent the change."""
    try:
        claimed = racer.ledger.claim(change.id, NOW, decision)
    except Blocked:
        return False
    assert claimed
    return racer.ledger.record(change.id, State.SUCCEEDED, "", {}, NOW) is not None


def pays_by_its_own_reference(racer: Racer, _: None) -> bool:
    change = racer.propose("100.00", f"invoice {racer.number}")
    racer.ledger.approve(change.id, "terminal", NOW)
    racer.meet()
    return pays(racer, change)


def pays_from_the_standing_budget(racer: Racer, _: None) -> bool:
    change = racer.propose("100.00", f"invoice {racer.number}")
    racer.meet()
    return pays(racer, change, Decision(STANDING, "standing budget"))


def decides(racer: Racer, id: str) -> State | None:
    decide = racer.ledger.approve if racer.number % 2 else racer.ledger.decline
    decided = decide(id, "terminal", NOW)
    return decided.state if decided else None


def resolves(racer: Racer, id: str) -> State | None:
    resolved = racer.ledger.resolve(id, paid=racer.number % 2 == 0, note="", now=NOW)
    return resolved.state if resolved else None


def asks_one_question(racer: Racer, _: None) -> bool:
    one = opened(Store(racer.url), Policy())
    try:
        return proposed(one, f"{100 + racer.number}.00").state is State.PROPOSED
    except Blocked:
        return False
    finally:
        one.close()


def opens(racer: Racer, _: None) -> bool:
    return racer.ledger.is_linked()


def _race(
    work: Callable[[Racer, Any], Any], given: Any, url: str, number: int, start: Any, told: Any
) -> None:
    """The body of a process: opens the ledger, as all do at once, and tells what came of the work."""
    start.wait(SECONDS)
    ledger = opened(Store(url), POLICY)
    try:
        told.put((True, work(Racer(ledger, number, url, partial(start.wait, SECONDS)), given)))
    except Exception as error:  # noqa: BLE001 - it is told to the test
        told.put((False, f"{type(error).__name__}: {error}"))
    finally:
        ledger.close()
    start.wait(SECONDS)  # one that ends leaves its payment unknown, which blocks the others'


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


@pytest.fixture
def ledger(store_url: str) -> Iterator[Ledger]:
    made = opened(Store(store_url), POLICY)
    yield made
    made.close()


def states(url: str) -> Counter[State]:
    ledger = opened(Store(url), POLICY)
    found = Counter(each.state for each in ledger.newest(1000, NOW))
    ledger.close()
    return found


def test_one_of_many_claims_an_approved_proposal(
    processes: ForkServerContext, ledger: Ledger, store_url: str
) -> None:
    change = proposed(ledger, "100.00")
    ledger.approve(change.id, "terminal", NOW)
    winners = [each for each in race(processes, store_url, claims, change.id) if each]
    after = ledger.get(change.id, NOW)
    assert after is not None
    assert winners == [after.owner]
    assert after.state is State.UNKNOWN, "its process ended"


def test_the_same_call_in_many_processes_is_one_proposal(
    processes: ForkServerContext, store_url: str
) -> None:
    """They also make the store together: none of them finds it half made."""
    assert len(set(race(processes, store_url, proposes_the_same))) == 1
    assert states(store_url) == {State.PROPOSED: 1}


def test_a_reference_names_one_payment_in_many_processes(
    processes: ForkServerContext, store_url: str
) -> None:
    ids = [each for each in race(processes, store_url, names_another_amount) if each]
    assert len(ids) == 1
    assert states(store_url) == {State.PROPOSED: 1}


def test_a_reference_is_paid_once_by_many_processes(
    processes: ForkServerContext, store_url: str
) -> None:
    assert (
        sum(each is not None for each in race(processes, store_url, pays_by_the_same_reference))
        == 1
    )
    assert states(store_url) == {State.UNKNOWN: 1}, "its process ended"


def test_many_processes_together_stay_within_the_cap_of_the_day(
    processes: ForkServerContext, store_url: str
) -> None:
    """Twenty pay 100.00 each under a cap of 1000.00."""
    assert sum(race(processes, store_url, pays_by_its_own_reference)) == 10
    assert states(store_url) == {State.SUCCEEDED: 10, State.VOID: 10}


@pytest.mark.slow
def test_many_processes_together_stay_within_the_standing_budget(
    processes: ForkServerContext, store_url: str
) -> None:
    assert sum(race(processes, store_url, pays_from_the_standing_budget)) == 3
    assert states(store_url) == {State.SUCCEEDED: 3, State.VOID: 17}


@pytest.mark.skipif("TEST_POSTGRES_URL" not in os.environ, reason="needs TEST_POSTGRES_URL")
@pytest.mark.parametrize("default", ["read committed", "repeatable read", "serializable"])
def test_the_cap_holds_on_postgresql_whatever_isolation_is_its_default(
    processes: ForkServerContext, default: str
) -> None:
    with ledgers.postgresql() as url:
        there = sa.make_url(url)
        given = there.normalized_query["options"][0]
        escaped = default.replace(" ", "\\ ")
        options = f"{given} -cdefault_transaction_isolation={escaped}"
        address = there.update_query_dict({"options": options})
        store_url = address.render_as_string(hide_password=False)
        assert sum(race(processes, store_url, pays_by_its_own_reference)) == 10


def test_one_of_many_answers_to_a_question_counts(
    processes: ForkServerContext, ledger: Ledger, store_url: str
) -> None:
    change = proposed(ledger, "100.00")
    decided = [each for each in race(processes, store_url, decides, change.id) if each]
    after = ledger.get(change.id, NOW)
    assert after is not None
    assert decided == [after.state]


def test_one_of_many_resolves_a_dead_owners_payment(
    processes: ForkServerContext, ledger: Ledger, store_url: str
) -> None:
    change = proposed(ledger, "100.00")
    ledger.approve(change.id, "terminal", NOW)
    race(processes, store_url, claims, change.id)
    assert states(store_url) == {State.UNKNOWN: 1}
    resolved = [each for each in race(processes, store_url, resolves, change.id) if each]
    assert states(store_url) == {resolved[0]: 1}
    assert len(resolved) == 1
    assert ledger.record(change.id, State.UNKNOWN, "", {}, NOW) is None


def test_one_of_many_has_the_open_question(processes: ForkServerContext, store_url: str) -> None:
    assert sum(race(processes, store_url, asks_one_question)) == 1
    assert states(store_url) == {State.PROPOSED: 1}


def test_a_key_that_many_processes_use_first_opens_one_account(
    processes: ForkServerContext, store_url: str
) -> None:
    assert all(race(processes, store_url, opens))
    store = Store(store_url)
    with store.read() as connection:
        assert len(connection.execute(keys.select()).all()) == 1
    store.close()


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
    assert posts(sandbox) == 1
    assert len({each["change_id"] for each in results}) == 1
    assert sorted({each["state"] for each in results} - {"approved"}) in (
        ["sending", "succeeded"],
        ["succeeded"],
    )
