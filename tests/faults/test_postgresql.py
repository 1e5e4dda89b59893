"""PostgreSQL that is cut off, restarted, hung, read-only, far away, or behind PgBouncer."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.storage.store import Store, StoreError
from telnyx_mcp.telnyx.rate_limit.stores import PostgresStore, StoreUnavailable, pace_store
from tests.support.mcp_host import PAY, POST, Ended, hosted, state_of, text_of, told_truly
from tests.support.polling import until, wait_until
from tests.support.ports import free_port, listens
from tests.support.postgresql_cluster import Cluster
from tests.support.proxy import Proxy, proxy_to
from tests.support.sandbox_requests import posts
from tests.support.server_process import environment_for

pytestmark = pytest.mark.faults

T = TypeVar("T")

IN_TIME = 45.0
"""Seconds that any call may take, and a server to leave, whatever the database does."""


@dataclass(frozen=True)
class Place:
    """A database of its own, the proxy on the way there, and the environment of a server that uses it."""

    cluster: Cluster
    database: str
    way: Proxy
    environment: dict[str, str]
    direct: dict[str, str]
    """The environment of a server that goes there without the proxy."""


@pytest.fixture
async def place(cluster: Cluster, sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Place]:
    name = cluster.new_database()
    plain = environment_for(sandbox, tmp_path)
    async with proxy_to(cluster.connect) as way:
        yield Place(
            cluster,
            name,
            way,
            plain | {"TELNYX_MCP_STATE_URL": cluster.url(name, way.port)},
            plain | {"TELNYX_MCP_STATE_URL": cluster.url(name)},
        )


async def in_time(call: Awaitable[T]) -> T:
    async with asyncio.timeout(IN_TIME):
        return await call


async def ledger_has(place: Place, state: str) -> None:
    """Returns once the newest change is in this state."""

    def found() -> bool:
        rows = place.cluster.sql(
            "SELECT state FROM telnyx_mcp_changes ORDER BY proposed_at DESC LIMIT 1", place.database
        )
        return bool(rows) and rows[0][0] == state

    async with asyncio.timeout(IN_TIME):
        while not await asyncio.to_thread(found):
            await asyncio.sleep(0.05)


# --- cut -----------------------------------------------------------------------------------------


def cut_off(place: Place) -> None:
    place.way.cut()


def terminated_by_an_administrator(place: Place) -> None:
    place.cluster.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{place.database}' AND pid <> pg_backend_pid()"
    )


CUTS = pytest.mark.parametrize("cut", [cut_off, terminated_by_an_administrator])


@CUTS
@pytest.mark.fault(
    "PostgreSQL's connections are cut between two calls",
    "the next call makes new ones; it succeeds",
)
async def test_connections_that_were_cut_are_made_again(
    place: Place, sandbox: Sandbox, cut: Callable[[Place], None]
) -> None:
    async with hosted(place.environment) as host:
        assert state_of(await host.pay("120.00")) == "succeeded"
        cut(place)
        assert len(await host.changes()) == 1
        cut(place)
        assert state_of(await host.pay("80.00")) == "succeeded"
    assert len(sandbox.payments) == 2


@CUTS
@pytest.mark.fault(
    "PostgreSQL's connections are cut while a payment is in flight",
    "the outcome is reported and recorded",
)
async def test_connections_cut_in_flight_do_not_lose_the_outcome(
    place: Place, sandbox: Sandbox, cut: Callable[[Place], None]
) -> None:
    sandbox.fault(POST, "slow", seconds=1)
    async with hosted(place.environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        cut(place)
        assert state_of(await in_time(pays)) == "succeeded"
    assert await told_truly(place.direct, sandbox) == "succeeded"


PIECES = range(1, 80, 6)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.fault(
    "PostgreSQL's connections are cut at any message of a payment, COMMIT and its reply among them",
    "the payment is made at most once, and its outcome is reported correctly",
)
async def test_a_cut_at_any_message_makes_no_payment_twice(
    place: Place, sandbox: Sandbox, piece: int
) -> None:
    async with hosted(place.environment) as host:
        await host.changes()
        place.way.at_piece(piece, place.way.cut)
        told = await in_time(host.begins(PAY, amount="120.00"))
        if "Nothing was sent" in text_of(told) or state_of(told) == "not_sent":
            assert posts(sandbox) == 0
        elif state_of(told) == "succeeded":
            assert len(sandbox.payments) == 1
    await told_truly(place.direct, sandbox)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.fault(
    "the server is killed (-9) at any message between it and PostgreSQL",
    "after the restart, the payment was made at most once, and its outcome is reported correctly",
)
async def test_a_kill_at_any_message_to_the_database_makes_no_payment_twice(
    place: Place, sandbox: Sandbox, piece: int
) -> None:
    async with hosted(place.environment) as host:
        await host.changes()
        place.way.at_piece(piece, host.process.kill)
        with suppress(Ended, ConnectionError):
            await in_time(host.begins(PAY, amount="120.00"))
    await told_truly(place.direct, sandbox)


# --- restarted -----------------------------------------------------------------------------------


async def restart(cluster: Cluster, seconds: float) -> None:
    await asyncio.to_thread(cluster.stop)
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(cluster.start)


@pytest.mark.parametrize("seconds", [0.5, 3.0, 8.0])
@pytest.mark.fault(
    "PostgreSQL crashes while a payment is in flight, and is back after 0.5 to 8 s",
    "the outcome is reported, and written to the ledger when the database is back",
)
async def test_an_outcome_is_written_down_after_a_restart(
    place: Place, sandbox: Sandbox, seconds: float
) -> None:
    sandbox.fault(POST, "slow", seconds=0.5)
    async with hosted(place.environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        await restart(place.cluster, seconds)
        told = await in_time(pays)
        assert "Nothing was sent" not in text_of(told)
        await ledger_has(place, "succeeded")
        assert await host.leaves() == 0
    assert await told_truly(place.direct, sandbox) == "succeeded"


@pytest.mark.fault(
    "PostgreSQL is away from before the payment",
    "nothing is sent, and the error says why; reads go on",
)
async def test_nothing_is_sent_while_the_database_is_away(place: Place, sandbox: Sandbox) -> None:
    async with hosted(place.environment) as host:
        await host.changes()
        place.way.refuses = True
        place.way.cut()
        told = await in_time(host.begins(PAY, amount="120.00"))
        assert "Nothing was sent" in text_of(told)
        assert not (await in_time(host.begins("telnyx_get_balance")))["isError"]
        place.way.refuses = False
        assert state_of(await in_time(host.begins(PAY, amount="120.00"))) == "succeeded"
    assert posts(sandbox) == len(sandbox.payments) == 1


# --- hung ----------------------------------------------------------------------------------------


@pytest.mark.fault(
    "PostgreSQL hangs with its connections open, before a payment",
    "each call is answered in time; nothing is sent, and the error says why",
)
async def test_a_database_that_hangs_before_a_payment_hangs_no_call(
    place: Place, sandbox: Sandbox
) -> None:
    async with hosted(place.environment) as host:
        await host.changes()
        place.way.hang()
        told = await in_time(host.begins(PAY, amount="120.00"))
        assert told["isError"]
        assert posts(sandbox) == 0
        listed = await in_time(host.begins("telnyx_list_changes"))
        assert listed["isError"]
        assert not (await in_time(host.begins("telnyx_get_balance")))["isError"]
    assert sandbox.payments == []


@pytest.mark.fault(
    "PostgreSQL hangs with its connections open while a payment is in flight",
    "the model gets the outcome in time, and it is written to the ledger when the database answers again",
)
async def test_a_database_that_hangs_in_flight_does_not_hang_the_answer(
    place: Place, sandbox: Sandbox
) -> None:
    sandbox.fault(POST, "slow", seconds=0.5)
    async with hosted(place.environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        place.way.hang()
        told = await in_time(pays)
        assert "Nothing was sent" not in text_of(told)
        place.way.cut()
        place.way.flow()
        await ledger_has(place, "succeeded")
    assert await told_truly(place.direct, sandbox) == "succeeded"


@pytest.mark.parametrize("in_flight", [False, True])
@pytest.mark.fault("PostgreSQL hangs, and then stdin ends", "the server leaves within its time")
async def test_a_database_that_hangs_does_not_hold_up_the_end(
    place: Place, sandbox: Sandbox, *, in_flight: bool
) -> None:
    sandbox.fault(POST, "slow", seconds=0.5)
    async with hosted(place.environment) as host:
        await host.changes()
        if in_flight:
            pays = host.begins(PAY, amount="120.00")
            await until(lambda: posts(sandbox))
            pays.cancel()
        place.way.hang()
        async with asyncio.timeout(IN_TIME):
            await host.leaves()
    assert posts(sandbox) == int(in_flight)


@pytest.mark.fault(
    "a copy is asleep inside a transaction, holding the writers' lock",
    "the others can pay again after a while",
)
async def test_a_copy_asleep_in_a_transaction_does_not_hold_the_others_for_good(
    place: Place, sandbox: Sandbox
) -> None:
    asleep = Store(place.cluster.url(place.database))
    async with hosted(place.direct) as other:
        with suppress(StoreError), asleep.write():  # the server ends it
            for _ in range(3):
                told = await in_time(other.begins(PAY, amount="80.00"))
                if state_of(told) == "succeeded":
                    break
        assert state_of(told) == "succeeded", text_of(told)
    asleep.close()


# --- read-only -----------------------------------------------------------------------------------


@pytest.mark.fault(
    "PostgreSQL is read-only (`default_transaction_read_only`)",
    "the ledger is read; nothing is sent, and the error says why",
)
async def test_a_read_only_database_is_read_and_nothing_is_sent(
    place: Place, sandbox: Sandbox
) -> None:
    async with hosted(place.environment) as host:
        assert state_of(await host.pay("120.00")) == "succeeded"
    place.cluster.sql(f"ALTER DATABASE {place.database} SET default_transaction_read_only = on")
    async with hosted(place.environment) as host:
        assert [each["state"] for each in await host.changes()] == ["succeeded"]
        told = await in_time(host.begins(PAY, amount="80.00"))
        assert "Nothing was sent" in text_of(told)
        assert "read-only" in text_of(told)
        assert not (await host.call("telnyx_get_balance"))["isError"]
    assert len(sandbox.payments) == 1


@pytest.mark.fault(
    "PostgreSQL becomes read-only while a payment is in flight",
    "the outcome is reported, and written to the ledger when the database can be written again",
)
async def test_a_database_that_becomes_read_only_in_flight_does_not_lose_the_outcome(
    place: Place, sandbox: Sandbox
) -> None:
    sandbox.fault(POST, "slow", seconds=1)
    read_only = f"ALTER DATABASE {place.database} SET default_transaction_read_only ="
    async with hosted(place.environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        place.cluster.sql(f"{read_only} on")
        place.way.cut()
        told = await in_time(pays)
        assert "Nothing was sent" not in text_of(told)
        place.cluster.sql(f"{read_only} off")
        place.way.cut()
        await ledger_has(place, "succeeded")
    assert await told_truly(place.direct, sandbox) == "succeeded"


# --- isolation -----------------------------------------------------------------------------------

LEVELS = ("read uncommitted", "read committed", "repeatable read", "serializable")
CAP = {"TELNYX_MCP_MAX_PER_DAY": "300"}
STANDING = {
    "TELNYX_MCP_STANDING_BUDGET_PER_PAYMENT": "100",
    "TELNYX_MCP_STANDING_BUDGET_PER_DAY": "300",
}


@pytest.mark.parametrize(
    "limit", [CAP, STANDING], ids=["the cap of the day", "the standing budget"]
)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.fault(
    "any isolation level as PostgreSQL's default, and servers that pay in parallel at the limit",
    "the cap of the day and the standing budget hold",
)
async def test_limits_hold_whatever_isolation_is_the_default(
    place: Place, sandbox: Sandbox, level: str, limit: Mapping[str, str]
) -> None:
    place.cluster.sql(
        f"ALTER DATABASE {place.database} SET default_transaction_isolation = '{level}'"
    )
    sandbox.fault(POST, "slow", seconds=0.2, times=None)
    environment = {**place.direct, **limit}
    async with AsyncExitStack() as stack:
        hosts = [await stack.enter_async_context(hosted(environment)) for _ in range(4)]
        for host in hosts:
            host.declines = limit is not CAP  # only what the budget covers is paid
        for round_ in range(3):
            amounts = (f"{100 - number - 4 * round_}.00" for number in range(4))
            calls = [
                host.begins(PAY, amount=each) for host, each in zip(hosts, amounts, strict=True)
            ]
            for each in calls:
                await each
    paid = sum(int(each["amount_cents"]) for each in sandbox.payments) / 100
    assert 200 <= paid <= 300


# --- far away ------------------------------------------------------------------------------------


@pytest.mark.fault(
    "PostgreSQL is 600 ms away (there and back)", "a payment ends within its 45 s, made once"
)
async def test_a_payment_ends_in_time_though_the_database_is_far_away(
    place: Place, sandbox: Sandbox
) -> None:
    async with hosted(place.environment) as host:
        await host.changes()  # the tables are there
        place.way.delay = 0.3
        told = await in_time(host.begins(PAY, amount="120.00"))
        assert state_of(told) == "succeeded", text_of(told)
    assert await told_truly(place.direct, sandbox) == "succeeded"


# --- PgBouncer -----------------------------------------------------------------------------------


@contextmanager
def pgbouncer(cluster: Cluster, folder: Path, ignores: str = "") -> Iterator[int]:
    """The port of a PgBouncer in transaction mode; skips the test where it is not installed.
    `ignores` names the start-up parameters that it does not refuse."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("no PgBouncer here")
    port = free_port()
    configuration = cluster.folder / f"pgbouncer-{port}.ini"
    configuration.write_text(
        f"""\
[databases]
* = host={cluster.folder} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
ignore_startup_parameters = {ignores}
""",
        encoding="ascii",
    )
    with subprocess.Popen(
        [*cluster.unprivileged, program, "-q", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=cluster.folder,
    ) as process:
        try:
            wait_until(lambda: listens(port))
            yield port
        finally:
            process.terminate()


@pytest.mark.fault(
    "PgBouncer in transaction mode between the servers and PostgreSQL",
    "payments are made and recorded, and the cap of the day holds over all servers",
)
async def test_payments_are_made_and_capped_through_pgbouncer(
    cluster: Cluster, sandbox: Sandbox, tmp_path: Path
) -> None:
    name = cluster.new_database()
    with pgbouncer(cluster, tmp_path) as port:
        environment = {
            **environment_for(sandbox, tmp_path),
            **CAP,
            "TELNYX_MCP_STATE_URL": cluster.url(name, port),
        }
        async with AsyncExitStack() as stack:
            hosts = [await stack.enter_async_context(hosted(environment)) for _ in range(3)]
            for round_ in range(3):
                calls = [
                    host.begins(PAY, amount=f"{100 - number - 4 * round_}.00")
                    for number, host in enumerate(hosts)
                ]
                told = [await each for each in calls]
            assert any("Nothing was sent" in text_of(each) for each in told)
            states = [each["state"] for each in await hosts[0].changes() if "sent_at" in each]
    assert states == ["succeeded"] * len(sandbox.payments)
    assert 200 <= sum(int(each["amount_cents"]) for each in sandbox.payments) / 100 <= 300


@pytest.mark.fault(
    "PgBouncer that refuses the options of a connection",
    "the copies share one pace through it",
)
@pytest.mark.parametrize("ignores", ["", "extra_float_digits,options"])
async def test_a_pace_is_shared_through_pgbouncer(
    cluster: Cluster, tmp_path: Path, ignores: str
) -> None:
    name = cluster.new_database()
    with pgbouncer(cluster, tmp_path, ignores) as port:
        one, other = (pace_store(cluster.url(name, port), "KEY", "https://x") for _ in range(2))
        try:
            for _ in range(12):  # psycopg would prepare a statement that often used
                await one.change("/balance", lambda pace, now: (replace(pace, limit=7), None))
            assert (await other.all())["/balance"].limit == 7
        finally:
            one.close()
            other.close()


@pytest.mark.fault(
    "a lock on the pace that is held for good, behind PgBouncer",
    "the copy gives it up, and so does PostgreSQL: nothing goes on waiting for it",
)
async def test_nothing_waits_for_good_for_a_lock_on_the_pace(
    cluster: Cluster, tmp_path: Path
) -> None:
    name = cluster.new_database()
    waiting = (
        "SELECT 1 FROM pg_stat_activity "
        f"WHERE datname = '{name}' AND wait_event_type = 'Lock' AND state = 'active'"
    )
    with pgbouncer(cluster, tmp_path) as port:
        store = pace_store(cluster.url(name, port), "KEY", "https://x")
        await store.change("/balance", lambda pace, _: (replace(pace, limit=7), None))
        with cluster.connected(name) as holder:
            holder.execute("BEGIN; LOCK TABLE telnyx_mcp_pace")
            with pytest.raises(StoreUnavailable, match=r"lock timeout|no answer"):
                await in_time(store.change("/balance", lambda pace, _: (pace, None)))
            await until(lambda: not cluster.sql(waiting))
        assert (await store.all())["/balance"].limit == 7
        store.close()


@pytest.mark.fault(
    "PostgreSQL hangs with its connections open while the pace is read",
    "the copy gives it up, and ends the connection with the thread that waits for it",
)
async def test_a_hung_database_keeps_no_thread_of_the_pace(place: Place) -> None:
    store = pace_store(place.cluster.url(place.database, place.way.port), "KEY", "https://x")
    assert isinstance(store, PostgresStore)
    await store.change("/balance", lambda pace, _: (replace(pace, limit=7), None))
    place.way.hang()
    with pytest.raises(StoreUnavailable, match="no answer within 1 s"):
        await in_time(store.change("/balance", lambda pace, _: (pace, None)))
    await until(lambda: not store._one_at_a_time.locked())
    place.way.flow()
    assert (await store.all())["/balance"].limit == 7
    store.close()
