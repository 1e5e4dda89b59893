"""What a payment and a look cost: transactions that wait for the disk, and locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from pydantic import SecretStr

from telnyx_mcp.approval.change import State
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.build import build_server
from telnyx_mcp.storage.store import Store
from tests.support.client import Mode, call, connected, content_of
from tests.support.clock import NOW
from tests.support.person import PAY, Person, types


@dataclass
class Counted:
    """Transactions that were committed, and how many of them wrote."""

    reads: int = 0
    writes: int = 0


@contextmanager
def counted() -> Iterator[Counted]:
    """Counts what every engine commits."""
    seen = Counted()

    def commits(connection: sa.Connection) -> None:
        if connection.get_execution_options()["writes"]:
            seen.writes += 1
        else:
            seen.reads += 1

    sa.event.listen(sa.Engine, "commit", commits)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "commit", commits)


async def pays(settings: Settings, amount: str, mode: Mode = "legacy") -> None:
    server = build_server(settings, now=lambda: NOW)
    async with connected(server, mode, elicitation=Person(types(amount))) as client:
        result = await client.call_tool(PAY, {"amount": amount})
        assert content_of(result)["state"] == "succeeded"


async def test_a_payment_is_four_transactions_that_wait_for_the_disk(
    settings: Settings, sandbox: Sandbox, store_url: str, mode: Mode
) -> None:
    """Proposed, claimed with its approval, its outcome, its evidence. The first one ever links the
    key to its account besides."""
    where = settings.model_copy(update={"state_url": SecretStr(store_url)})
    await pays(where, "50.00")
    with counted() as seen:
        await pays(where, "120.00", mode)
    assert seen.writes == 4
    assert seen.reads < 15


async def test_a_look_at_the_changes_writes_nothing_and_waits_for_no_writer(
    settings: Settings, sandbox: Sandbox, store_url: str
) -> None:
    where = settings.model_copy(update={"state_url": SecretStr(store_url)})
    await pays(where, "50.00")
    server = build_server(where, now=lambda: NOW)
    with closing(Store(store_url)) as another, another.write(), counted() as seen:
        result = await call(server, "telnyx_list_changes")
    assert content_of(result)["items"][0]["state"] == State.SUCCEEDED
    assert seen.writes == 0
