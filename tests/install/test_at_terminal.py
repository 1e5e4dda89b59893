"""A person at a real terminal, and then a client that starts what was written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters

from telnyx_mcp.sandbox import Sandbox
from tests.support.client import content_of
from tests.support.server_process import SECONDS

terminals = pytest.importorskip(
    "tests.process.test_ledger_commands", reason="pseudo-terminals are POSIX's"
)


async def test_the_key_is_typed_unseen_and_a_client_starts_the_entry(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = {
        "HOME": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    state = f"sqlite:///{tmp_path}/state.sqlite3"
    pairs = (f"TELNYX_BASE_URL={sandbox.base_url}", f"TELNYX_MCP_STATE_URL={state}")
    arguments = ["install", "cursor", "--env", pairs[0], "--env", pairs[1]]
    with terminals.at_terminal(*arguments, environment=environment) as terminal:
        terminal.shows("nothing is shown): ")
        terminal.types(sandbox.key)
        terminal.shows("Write this? (yes/no) ")
        terminal.types("yes")
        assert terminal.ends() == 0
    assert sandbox.key not in terminal.shown
    written = json.loads((tmp_path / ".cursor" / "mcp.json").read_text("utf-8"))
    entry = written["mcpServers"]["telnyx-account"]
    server = StdioServerParameters(
        command=entry["command"], args=entry["args"], env=entry["env"], cwd=str(tmp_path)
    )
    with anyio.fail_after(SECONDS):
        async with Client(server) as client:
            told = content_of(await client.call_tool("telnyx_get_balance", {}))
    assert told["balance"] == str(sandbox.balance)


def test_ctrl_c_at_the_key_changes_nothing(tmp_path: Path) -> None:
    environment = {
        "HOME": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    with terminals.at_terminal("install", "cursor", environment=environment) as terminal:
        terminal.shows("nothing is shown): ")
        terminal.interrupts()
        assert terminal.ends() == 130
    assert not (tmp_path / ".cursor").exists()


def test_the_command_of_the_entry_is_this_installation() -> None:
    from telnyx_mcp.clients.entry import own_command

    assert Path(own_command()[0]).parent == Path(sys.executable).parent
