"""`--read-only` on the command line: nothing that changes something is offered, or sent."""

from __future__ import annotations

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.tools import TOOLS
from tests.support.command import Run
from tests.support.server_process import started

CHANGING = {each.name for each in TOOLS if each.changes}


async def test_a_read_only_server_lists_no_tool_that_changes_something(
    environment: dict[str, str],
) -> None:
    async with started("serve", "--read-only", environment=environment) as server:
        await server.initialize()
        listed = {each["name"] for each in (await server.ask("tools/list"))["tools"]}
    assert listed == {each.name for each in TOOLS} - CHANGING


def test_a_read_only_call_refuses_a_payment(run: Run, sandbox: Sandbox) -> None:
    done = run("call", "--read-only", "telnyx_create_stored_payment_transaction", "amount=20")
    assert done.returncode == 1
    assert "this server is read-only" in done.stderr
    assert sandbox.requests == []


def test_a_read_only_doctor_says_so_and_names_no_way_to_approve(run: Run) -> None:
    done = run("doctor", "--read-only")
    assert "settings  read-only" in done.stdout
    assert "approval" not in done.stdout


def test_the_variable_stays_in_force_without_the_option(run: Run, sandbox: Sandbox) -> None:
    pay = ("call", "telnyx_create_stored_payment_transaction", "amount=20")
    done = run(*pay, TELNYX_MCP_READ_ONLY="true")
    assert done.returncode == 1
    assert "this server is read-only" in done.stderr
    assert sandbox.requests == []
