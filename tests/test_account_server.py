"""What the server answers where no tool can."""

from __future__ import annotations

import pytest
from mcp import Client

from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools.framework.accounts import Account, AccountRegistry
from telnyx_mcp.tools.framework.services import Services
from tests.support.client import text_of


async def test_a_fault_of_the_server_itself_is_named_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails() -> Services:
        raise KeyError("what no user should see")

    server = AccountServer(AccountRegistry(Account(None, fails), []), read_only=False)
    async with Client(server) as client:
        read = await client.call_tool("telnyx_get_balance", {})
        pay = await client.call_tool("telnyx_create_stored_payment_transaction", {"amount": "20"})
    assert read.is_error
    assert pay.is_error
    assert text_of(read) == (
        "telnyx_get_balance failed by a fault of this server (KeyError), not of the arguments. Calling "
        "again will not help. Tell the user; the log of the server (stderr) has the details."
    )
    assert "See telnyx_list_changes for what was changed." in text_of(pay)
    assert "what no user should see" in caplog.text
