"""kill -9 and broken connections at every message between the server and Telnyx.

`tests/process/test_killed.py` kills at each transition of the ledger; here it is the wire that says when,
and in `test_postgresql.py` the database.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.mcp_host import (
    BUDGET,
    PAY,
    Ended,
    command,
    hosted,
    state_of,
    text_of,
    told_truly,
)
from tests.support.proxy import Proxy
from tests.support.sandbox_requests import posts, sent

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's"),
]

PIECES = pytest.mark.parametrize("piece", range(1, 13))
"""A payment is about ten messages: the balance for the question and again for the claim, the payment, the
balance after it."""


@PIECES
@pytest.mark.fault(
    "kill -9 at any message between the server and Telnyx",
    "after the restart, the payment was made at most once, and its outcome is reported correctly",
)
async def test_a_kill_at_any_message_makes_no_payment_twice(
    through: dict[str, str], sandbox: Sandbox, between: Proxy, piece: int
) -> None:
    async with hosted(through) as host:
        between.at_piece(piece, host.process.kill)
        with suppress(Ended, ConnectionError):
            await host.pay()
    await told_truly(through, sandbox)


@PIECES
@pytest.mark.fault(
    "kill -9 of `call` at any message between it and Telnyx",
    "afterwards, the payment was made at most once, and its outcome is reported correctly",
)
async def test_a_kill_of_call_at_any_message_makes_no_payment_twice(
    through: dict[str, str], sandbox: Sandbox, between: Proxy, piece: int
) -> None:
    async with command(through | BUDGET, "call", PAY, "amount=120") as process:
        between.at_piece(piece, process.kill)
        await process.communicate()
    await told_truly(through, sandbox)


@PIECES
@pytest.mark.fault(
    "kill -9 at any message to Telnyx while auto-recharge is changed",
    "after the restart, it was set at most once, and its outcome is reported correctly",
)
async def test_a_kill_at_any_message_sets_auto_recharge_at_most_once(
    through: dict[str, str], sandbox: Sandbox, between: Proxy, piece: int
) -> None:
    update = "telnyx_update_auto_recharge_preferences"
    async with hosted(through) as host:
        between.at_piece(piece, host.process.kill)
        with suppress(Ended, ConnectionError):
            await host.call(update, threshold_amount="50.00")
    patches = sent(sandbox, "PATCH")
    assert patches <= 1
    async with hosted(through) as host:
        changes = await host.changes()
        state = changes[0]["state"] if changes else None
        assert patches or state in (None, "proposed", "approved", "unknown")
        assert not patches or state in ("succeeded", "unknown")


@PIECES
@pytest.mark.fault(
    "every connection to Telnyx breaks at any message",
    "the payment is made at most once, and reported correctly",
)
async def test_a_cut_at_any_message_makes_no_payment_twice(
    through: dict[str, str], sandbox: Sandbox, between: Proxy, piece: int
) -> None:
    async with hosted(through) as host:
        between.at_piece(piece, between.cut)
        told = await host.pay()
        if state_of(told) == "succeeded":
            assert len(sandbox.payments) == 1
        elif state_of(told) != "unknown":
            assert posts(sandbox) == 0, text_of(told)
    later = await told_truly(through, sandbox)
    if state_of(told) in ("succeeded", "unknown"):
        assert later == state_of(told)
