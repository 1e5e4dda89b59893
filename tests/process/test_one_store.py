"""One file, opened more than once by one process, while other processes come and go."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from telnyx_mcp.storage.schema import schema_version
from telnyx_mcp.storage.store import Store
from tests.support.server_process import ServerProcess, started

PAY = "telnyx_create_stored_payment_transaction"


def stored(store: Store) -> str:
    return store.salt()


def write(store: Store, word: str) -> None:
    with store.write() as connection:
        connection.execute(schema_version.update().values(salt=word))


def in_another_process(url: str, statement: str) -> str:
    """What a process prints that opens the store for this, and ends."""
    code = (
        "from telnyx_mcp.storage.store import Store\n"
        "from tests.process.test_one_store import stored, write\n"
        f"store = Store({url!r})\n{statement}\nstore.close()"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_what_other_processes_write_is_seen_though_the_file_was_opened_again_meanwhile(
    tmp_path: Path,
) -> None:
    """Closing any descriptor of a file drops all of the process's locks on it, SQLite's with them;
    another process then takes itself for the last one, and deletes the log that this one reads."""
    url = f"sqlite:///{tmp_path}/state.sqlite3"
    first = Store(url)
    write(first, "first")
    again = Store(url)
    assert stored(again) == "first"
    again.close()
    in_another_process(url, "write(store, 'theirs')")
    assert stored(first) == "theirs"
    write(first, "ours")
    assert in_another_process(url, "print(stored(store))") == "ours"
    first.close()


def test_a_file_that_is_there_keeps_what_is_in_it_and_becomes_private(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite3"
    with closing(Store(f"sqlite:///{file}")) as store:
        write(store, "kept")
    file.chmod(0o644)
    with closing(Store(f"sqlite:///{file}")) as store:
        assert stored(store) == "kept"
    if sys.platform != "win32":
        assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="making a link needs a privilege there")
def test_a_link_to_a_file_that_is_not_there_yet_is_followed(tmp_path: Path) -> None:
    link, target = tmp_path / "state.sqlite3", tmp_path / "elsewhere.sqlite3"
    link.symlink_to(target)
    with closing(Store(f"sqlite:///{link}")) as store:
        write(store, "there")
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX's")
async def test_a_server_of_two_accounts_sees_what_was_approved_at_the_terminal(
    environment: dict[str, str], tmp_path: Path
) -> None:
    from tests.support.terminal import at_terminal, piped

    file = tmp_path / "profiles.toml"
    file.write_text("".join(f'[profiles.{name}]\nkey_from = "env:KEY"\n' for name in ("eu", "us")))
    environment |= {
        "KEY": environment["TELNYX_API_KEY"],
        "TELNYX_MCP_PROFILES": str(file),
        "TELNYX_MCP_APPROVAL": "terminal",
    }

    async def pays(server: ServerProcess) -> str:
        arguments = {"amount": "12.00"}
        result = await server.ask("tools/call", {"name": PAY, "arguments": arguments})
        return str(result["structuredContent"]["state"])

    def approve() -> None:
        assert "proposed" in piped("ledger", "--profile", "eu", environment=environment).stdout
        with at_terminal("approve", "--profile", "eu", environment=environment) as terminal:
            terminal.shows("type the amount, 12.00")
            terminal.types("12.00")
            assert terminal.ends() == 0

    async with started("serve", "--profile", "eu", environment=environment) as server:
        await server.initialize()
        assert await pays(server) == "proposed"
        await server.ask(
            "tools/call", {"name": "telnyx_list_changes", "arguments": {"account": "us"}}
        )
        await anyio.to_thread.run_sync(approve)
        assert await pays(server) == "succeeded"
