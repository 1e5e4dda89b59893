"""A server killed at every step of a payment, and what the next one makes of what it left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.ledger import SENDER_ENDED, Ledger
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.build import build_server
from tests.support.client import connected
from tests.support.fault_matrix import ASKS_AND_SENDS, BLOCKED, TOLD_AGAIN, Trial
from tests.support.person import PAY, UPDATE, Person, agrees
from tests.support.polling import until
from tests.support.sandbox_requests import arrives, posts, requests_of, sent
from tests.support.server_process import ServerProcess, environment_for, started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's"),
]

POST = "create_stored_payment_transaction"
SAME = {"amount": "120.00"}
OTHER = {"amount": "80.00"}


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return environment_for(sandbox, tmp_path)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """The same ledger, seen from outside the server."""
    opened = open_ledger(settings)
    yield opened
    opened.close()


def newest(ledger: Ledger) -> list[Change]:
    """The newest two changes as they stand."""
    return ledger.newest(2, datetime.now(UTC))


async def becomes(ledger: Ledger, state: State) -> Change:
    """The only change, once it is in this state."""
    await until(lambda: [each.state for each in newest(ledger)] == [state])
    return newest(ledger)[0]


async def kill(server: ServerProcess) -> None:
    server.process.kill()
    assert await server.process.wait() == -signal.SIGKILL


@asynccontextmanager
async def restarted(settings: Settings, sandbox: Sandbox) -> AsyncIterator[Trial]:
    """A client of the next server on the same state, and a person who approves everything."""
    sandbox.faults.clear()
    person = Person(agrees)
    async with connected(build_server(settings), elicitation=person) as client:
        yield Trial(client, sandbox, person)


async def lost_for_good(settings: Settings, sandbox: Sandbox, ledger: Ledger) -> None:
    """Holds the next server to this: the payment that was sent is unknown, is never sent again, and
    blocks every other until a person resolves it."""
    sent = posts(sandbox)
    (before,) = newest(ledger)
    assert (before.state, before.outcome_text) == (State.UNKNOWN, SENDER_ENDED)
    async with restarted(settings, sandbox) as trial:
        assert await trial.next("POST", PAY, SAME) == TOLD_AGAIN
        (after,) = newest(ledger)
        assert (after.id, after.state) == (before.id, State.UNKNOWN)
        assert await trial.next("POST", PAY, OTHER) == BLOCKED
        assert await trial.next("POST", PAY, SAME | {"reference": "another"}) == BLOCKED
        assert posts(sandbox) == sent
        assert ledger.resolve(after.id, paid=True, note="looked", now=after.updated_at)
        assert await trial.next("POST", PAY, OTHER) == ASKS_AND_SENDS
    assert posts(sandbox) == sent + 1


# --- before it is sent ---------------------------------------------------------------------------


async def question(server: ServerProcess, tool: str, arguments: Mapping[str, Any]) -> int:
    """The id of the question that this call has brought to the person."""
    await server.initialize()
    await server.request("tools/call", {"name": tool, "arguments": dict(arguments)})
    asked = await server.receive()
    assert asked["method"] == "elicitation/create"
    return int(asked["id"])


async def accept(server: ServerProcess, question: int, content: Mapping[str, Any]) -> None:
    result = {"action": "accept", "content": dict(content)}
    await server.send({"jsonrpc": "2.0", "id": question, "result": result})


async def test_killed_while_the_question_is_open_it_is_asked_again_and_paid_once(
    environment: dict[str, str], settings: Settings, sandbox: Sandbox, ledger: Ledger
) -> None:
    async with started(environment=environment) as server:
        await question(server, PAY, SAME)
        await kill(server)
    (before,) = newest(ledger)
    assert before.state is State.PROPOSED
    async with restarted(settings, sandbox) as trial:
        assert await trial.next("POST", PAY, SAME) == ASKS_AND_SENDS
        assert await trial.next("POST", PAY, SAME) == TOLD_AGAIN
    (after,) = newest(ledger)
    assert (after.id, after.state) == (before.id, State.SUCCEEDED)
    assert len(sandbox.payments) == 1


async def test_killed_when_it_was_approved_and_not_claimed_it_is_paid_once_without_asking_again(
    environment: dict[str, str], settings: Settings, sandbox: Sandbox, ledger: Ledger
) -> None:
    async with started(environment=environment) as server:
        await question(server, PAY, SAME)
        (change,) = newest(ledger)
        ledger.approve(change.id, "terminal", change.updated_at)
        await kill(server)
    async with restarted(settings, sandbox) as trial:
        result = await trial.client.call_tool(PAY, SAME)
        assert (result.structured_content or {})["state"] == "succeeded"
        assert await trial.next("POST", PAY, SAME) == TOLD_AGAIN
        assert trial.person.questions == []
    assert len(sandbox.payments) == 1


async def test_killed_while_the_answered_question_is_checked_auto_recharge_is_asked_again_and_set_once(
    environment: dict[str, str], settings: Settings, sandbox: Sandbox, ledger: Ledger
) -> None:
    """The answer is recorded with the claim, so nothing was approved yet."""
    preferences = "get_auto_recharge_preferences"
    sandbox.fault(preferences, "slow", seconds=30, skip=1)
    wanted = {"threshold_amount": "50.00"}
    async with started(environment=environment) as server:
        await accept(server, await question(server, UPDATE, wanted), {"amount": "500.00"})
        await until(lambda: requests_of(sandbox, preferences) == 2)
        await kill(server)
    (before,) = newest(ledger)
    assert before.state is State.PROPOSED
    async with restarted(settings, sandbox) as trial:
        assert await trial.next("PATCH", UPDATE, wanted) == ASKS_AND_SENDS
        assert await trial.next("PATCH", UPDATE, wanted) == TOLD_AGAIN
    assert [each.id for each in newest(ledger)] == [before.id]
    assert sent(sandbox, "PATCH") == 1


# --- while it is sent ----------------------------------------------------------------------------


class Gatehouse:
    """A port in front of the sandbox; once `shut`, a POST is taken in and goes no further."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.shut = False
        self._port = int(sandbox.base_url.split(":")[2].split("/")[0])
        self._streams: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._streams.append(writer)
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._streams.append(back)
        await asyncio.gather(self._carry(reader, back), self._carry(there, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lost = False
        while data := await reader.read(65536):
            lost = lost or (self.shut and data.startswith(b"POST "))
            if not lost:
                writer.write(data)
                await writer.drain()
        writer.close()

    def close(self) -> None:
        for stream in self._streams:
            stream.close()


@asynccontextmanager
async def gatehouse(sandbox: Sandbox) -> AsyncIterator[tuple[Gatehouse, str]]:
    """The gatehouse, and its address."""
    made = Gatehouse(sandbox)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v2"
    made.close()
    listening.close()


async def test_killed_after_it_was_recorded_and_before_it_arrived_it_is_unknown(
    environment: dict[str, str], settings: Settings, sandbox: Sandbox
) -> None:
    async with gatehouse(sandbox) as (between, address):
        settings = settings.model_copy(update={"base_url": address})
        ledger = open_ledger(settings)
        async with started(environment=environment | {"TELNYX_BASE_URL": address}) as server:
            asked = await question(server, PAY, SAME)
            between.shut = True
            await accept(server, asked, SAME)
            await becomes(ledger, State.SENDING)
            await kill(server)
        assert posts(sandbox) == 0
        between.shut = False
        await lost_for_good(settings, sandbox, ledger)
        ledger.close()


@pytest.mark.parametrize("applied", [False, True], ids=["before Telnyx did it", "after it did"])
async def test_killed_while_it_is_in_flight_it_is_unknown_and_never_sent_again(
    environment: dict[str, str],
    settings: Settings,
    sandbox: Sandbox,
    ledger: Ledger,
    *,
    applied: bool,
) -> None:
    sandbox.fault(POST, "slow", seconds=30, applied=applied)
    async with started(environment=environment) as server:
        await server.initialize()
        await server.start_payment("120.00")
        await arrives(sandbox, "POST")
        assert newest(ledger)[0].state is State.SENDING
        await kill(server)
    assert (posts(sandbox), len(sandbox.payments)) == (1, int(applied))
    await lost_for_good(settings, sandbox, ledger)


@contextmanager
def locked(state_file: Path) -> Iterator[None]:
    """Nobody else can write to the store meanwhile."""
    connection = sqlite3.connect(state_file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.close()


async def test_killed_after_the_answer_and_before_it_is_recorded_it_is_unknown(
    environment: dict[str, str],
    settings: Settings,
    sandbox: Sandbox,
    ledger: Ledger,
    state_file: Path,
) -> None:
    sandbox.fault(POST, "slow", seconds=0.3)
    async with started(environment=environment) as server:
        await server.initialize()
        await server.start_payment("120.00")
        await arrives(sandbox, "POST")
        with locked(state_file):
            await until(lambda: sandbox.counts.get("200", 0) == len(sandbox.requests))
            await server.ask("tools/list")  # it has gone on since the answer came
            assert newest(ledger)[0].state is State.SENDING
            await kill(server)
    assert len(sandbox.payments) == 1
    await lost_for_good(settings, sandbox, ledger)


async def test_killed_after_the_outcome_is_recorded_it_is_reported_and_not_paid_again(
    environment: dict[str, str], settings: Settings, sandbox: Sandbox, ledger: Ledger
) -> None:
    sandbox.fault("get_balance", "slow", seconds=30, skip=2)
    async with started(environment=environment) as server:
        await server.initialize()
        await server.start_payment("120.00")
        await becomes(ledger, State.SUCCEEDED)
        await kill(server)
    async with restarted(settings, sandbox) as trial:
        assert await trial.next("POST", PAY, SAME) == TOLD_AGAIN
    assert len(sandbox.payments) == posts(sandbox) == 1


# --- asked to leave ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_in_flight_lets_the_outcome_be_recorded(
    environment: dict[str, str],
    settings: Settings,
    sandbox: Sandbox,
    ledger: Ledger,
    number: int,
) -> None:
    sandbox.fault(POST, "slow", seconds=0.3)
    async with started(environment=environment) as server:
        await server.initialize()
        await server.start_payment("120.00")
        await arrives(sandbox, "POST")
        server.process.send_signal(number)
        assert await server.process.wait() == 0
    (change,) = newest(ledger)
    assert change.state is State.SUCCEEDED
    assert change.evidence["transaction_id"] == sandbox.payments[0]["id"]


async def test_a_host_that_does_not_wait_for_it_after_the_signal_leaves_it_unknown(
    environment: dict[str, str], settings: Settings, sandbox: Sandbox, ledger: Ledger
) -> None:
    sandbox.fault(POST, "slow", seconds=30)
    async with started(environment=environment) as server:
        await server.initialize()
        await server.start_payment("120.00")
        await arrives(sandbox, "POST")
        sandbox.fault("get_balance", "slow", seconds=30)
        before = len(sandbox.requests)
        await server.request("tools/call", {"name": "telnyx_get_balance", "arguments": {}})
        await until(lambda: len(sandbox.requests) > before)
        server.process.terminate()
        await until(lambda: sandbox.counts.get("unanswered"))  # it gave up what only reads
        assert server.process.returncode is None
        await kill(server)
    await lost_for_good(settings, sandbox, ledger)


# --- who is dead ---------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="told by /proc")
def test_a_killed_process_that_its_host_has_not_reaped_is_dead() -> None:
    code = (
        "from telnyx_mcp.approval.process_identity import ProcessIdentity\n"
        "print(ProcessIdentity.this_process(), flush=True)\n"
        "input()"
    )
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdout
        its = child.stdout.readline().strip()
        assert ProcessIdentity.this_process().is_running(its)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert ProcessIdentity.this_process().is_running(its) is False
