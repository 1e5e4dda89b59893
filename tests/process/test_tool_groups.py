"""Groups of tools, as a client starts the server and as a user types commands."""

from __future__ import annotations

from tests.support.command import Run
from tests.support.server_process import started


async def test_the_option_wins_over_the_environment(environment: dict[str, str]) -> None:
    environment |= {"TELNYX_MCP_TOOLS": "webhooks"}
    async with started("serve", "--tools", "audit", environment=environment) as server:
        await server.initialize()
        listed = (await server.ask("tools/list"))["tools"]
    assert [each["name"] for each in listed] == ["telnyx_list_audit_events"]


def test_an_unknown_group_is_a_wrong_call_of_a_command(run: Run) -> None:
    done = run("call", "--tools", "billing,biling")
    assert done.returncode == 2
    assert "must name tool groups, and 'biling' is not one. Did you mean 'billing'?" in done.stderr
    assert "Nothing was started." in done.stderr
    done = run("call", TELNYX_MCP_TOOLS="invoices")
    assert done.returncode == 2
    assert "TELNYX_MCP_TOOLS must name tool groups, and 'invoices' is not one." in done.stderr


def test_a_call_of_a_tool_that_is_not_loaded_fails_and_says_what_to_add(run: Run) -> None:
    done = run("call", "--tools", "audit", "telnyx_get_balance")
    assert done.returncode == 1
    assert "in the group billing" in done.stderr


def test_call_without_a_tool_lists_those_that_are_loaded(run: Run) -> None:
    done = run("call", TELNYX_MCP_TOOLS="numbers")
    assert done.returncode == 0
    assert "telnyx_list_user_tags" in done.stdout
    assert "telnyx_get_balance" not in done.stdout
