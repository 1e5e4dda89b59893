"""Every way a change can go wrong on the wire or in the store, row by row."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
)
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult

from telnyx_mcp.approval.change import State
from telnyx_mcp.approval.channels import Channels
from telnyx_mcp.approval.gate import Gate
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.storage.store import Store
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.transport import Transport
from telnyx_mcp.tools import requests_for
from telnyx_mcp.tools.framework.accounts import Account, AccountRegistry
from telnyx_mcp.tools.framework.services import Services
from telnyx_mcp.tools.support.change_requests import Surroundings
from tests.support.client import connected, text_of
from tests.support.clock import NOW
from tests.support.fault_matrix import PAYMENT, ROWS, SUBJECTS, Row, Subject, Trial, check
from tests.support.person import PAY, Person, agrees
from tests.support.polling import until
from tests.support.sandbox_requests import arrives, posts
from tests.support.scripted_telnyx import KEY
from tests.support.server_process import environment_for, started


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.method)
async def test_a_change_in_this_fault_ends_as_the_table_says(
    settings: Settings, sandbox: Sandbox, subject: Subject, row: Row
) -> None:
    await check(settings, sandbox, subject, row)


# --- a store that can't be used ------------------------------------------------------------------


Broken = Callable[[Path], AbstractContextManager[None]]


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process writes to it, for longer than anybody waits."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@contextmanager
def read_only(file: Path) -> Iterator[None]:
    files = [file, *file.parent.glob(f"{file.name}-*")]
    for each in files:
        each.chmod(0o400)
    yield
    for each in files:
        each.chmod(0o600)


@contextmanager
def damaged(file: Path) -> Iterator[None]:
    file.write_bytes(b"This was a database once. " * 1000)
    yield


class Breaks(Person):
    """A person who approves; but meanwhile something happens to the store."""

    def __init__(self, file: Path, how: Broken, broken: ExitStack) -> None:
        super().__init__(agrees)
        self.file, self.how, self.broken = file, how, broken

    async def __call__(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        self.broken.enter_context(self.how(self.file))
        return await super().__call__(context, params)


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def impatient(settings: Settings, state_file: Path) -> AccountServer:
    """A server that waits for a locked store as long as a test may."""

    def open_it() -> Ledger:
        store = Store(f"sqlite:///{state_file}", busy_seconds=0.2)
        return Ledger.of(store, KEY, settings.base_url, ProcessIdentity.this_process(), Policy())

    transport = Transport(settings.api_key, settings.base_url)
    requests = requests_for(Surroundings(TelnyxClient(transport), lambda: NOW))
    gate = Gate(open_it, Channels(), lambda: NOW, requests)
    return AccountServer(
        AccountRegistry(Account.ready(Services(transport, gate, lambda: NOW))), read_only=False
    )


AS_ROOT = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may write to every file"
)


async def nothing_went(client: Client, sandbox: Sandbox, says: str) -> None:
    result = await client.call_tool(PAY, dict(PAYMENT.arguments))
    assert result.is_error
    assert "Nothing was sent: the ledger can't be used" in text_of(result)
    assert says in text_of(result)
    assert posts(sandbox) == 0
    assert not (await client.call_tool("telnyx_get_balance", {})).is_error


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (locked, "Another process holds it"),
        (damaged, "The file is damaged"),
        pytest.param(read_only, "Make the file and its directory writable", marks=AS_ROOT),
    ],
)
async def test_nothing_is_sent_without_a_store_and_what_only_reads_goes_on(
    impatient: AccountServer, sandbox: Sandbox, state_file: Path, how: Broken, says: str
) -> None:
    if how is not damaged:
        (await (await impatient.accounts.main.services()).gate.ledger()).close()
    with how(state_file):
        async with connected(impatient, elicitation=Person(agrees)) as client:
            await nothing_went(client, sandbox, says)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (locked, "Another process holds it"),
        pytest.param(read_only, "Make the file and its directory writable", marks=AS_ROOT),
    ],
)
async def test_nothing_is_sent_when_the_store_breaks_while_the_user_is_asked(
    impatient: AccountServer, sandbox: Sandbox, state_file: Path, how: Broken, says: str
) -> None:
    with ExitStack() as broken:
        person = Breaks(state_file, how, broken)
        async with connected(impatient, elicitation=person) as client:
            await nothing_went(client, sandbox, says)
    assert len(person.questions) == 1


async def test_an_outcome_that_cannot_be_recorded_is_reported_and_recorded_later(
    impatient: AccountServer, sandbox: Sandbox, state_file: Path
) -> None:
    """It was sent: nobody may be told that it was not."""
    sandbox.fault(PAYMENT.operation, "slow", seconds=0.3)
    results: list[CallToolResult] = []

    async def pay(client: Client) -> None:
        results.append(await client.call_tool(PAY, dict(PAYMENT.arguments)))

    async with connected(impatient, elicitation=Person(agrees)) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pay, client)
            await arrives(sandbox, "POST")
            with locked(state_file):
                await until(lambda: results)
        assert len(sandbox.payments) == 1
        assert "Nothing was sent" not in text_of(results[0])
        assert "This is not in the ledger yet." in text_of(results[0])
        again = Trial(client, sandbox, Person(agrees))
        assert "nothing is sent" in await again.next("POST", PAY, PAYMENT.arguments)
    ledger = await (await impatient.accounts.main.services()).gate.ledger()
    assert [each.state for each in ledger.newest(2, NOW)] == [State.SUCCEEDED]
    ledger.close()


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")
async def test_nothing_is_sent_when_the_disk_is_full(sandbox: Sandbox, tmp_path: Path) -> None:
    """A real process that may write no byte more once the person is asked."""
    import resource

    async with started(environment=environment_for(sandbox, tmp_path)) as server:
        await server.initialize()
        call = {"name": PAY, "arguments": PAYMENT.arguments}
        called = await server.request("tools/call", call)
        asked = await server.receive()
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, 0))
        answer = {"action": "accept", "content": PAYMENT.arguments}
        await server.send({"jsonrpc": "2.0", "id": asked["id"], "result": answer})
        while (message := await server.receive()).get("id") != called:
            pass
        assert "Nothing was sent: the ledger" in message["result"]["content"][0]["text"]
        balance = await server.ask("tools/call", {"name": "telnyx_get_balance", "arguments": {}})
        assert not balance.get("isError")
    assert posts(sandbox) == 0


# --- the words -----------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.method)
async def test_only_an_unknown_payment_claims_to_block_payments(
    settings: Settings, sandbox: Sandbox, subject: Subject
) -> None:
    sandbox.fault(subject.operation, "drop_after")
    async with connected(build_server(settings), elicitation=Person(agrees)) as client:
        result = await client.call_tool(subject.tool, dict(subject.arguments))
    assert ("no other payment is made" in text_of(result)) == subject.blocks


def test_no_payment_is_sent_twice_in_any_row() -> None:
    assert {row.payment.requests for row in ROWS} == {0, 1}
