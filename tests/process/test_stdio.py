"""The server as a host starts it: a process, its stdin and stdout, and signals."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.tools import TOOLS
from tests.support.sandbox_requests import arrives
from tests.support.server_process import environment_for, newly_started, started

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return environment_for(sandbox, tmp_path)


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_it_answers_on_stdout_and_ends_with_stdin(environment: dict[str, str]) -> None:
    async with newly_started(environment=environment) as server:
        assert (await server.initialize())["serverInfo"]["name"] == "telnyx-account-mcp"
        result = await server.ask("tools/call", {"name": "telnyx_get_balance", "arguments": {}})
        assert result["structuredContent"]["currency"] == "USD"
        assert await server.ended() == (0, b"", b"")


async def test_without_a_key_it_lists_its_tools_and_each_call_says_how_to_set_one() -> None:
    async with newly_started(environment={}) as server:
        await server.initialize()
        assert len((await server.ask("tools/list"))["tools"]) == len(TOOLS)
        result = await server.ask("tools/call", {"name": "telnyx_get_balance", "arguments": {}})
        assert result["isError"]
        assert "TELNYX_API_KEY" in result["content"][0]["text"]


async def test_a_probe_start_has_no_side_effects(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    async with newly_started(
        environment=environment | {"HOME": str(tmp_path)}, cwd=str(tmp_path)
    ) as server:
        await server.initialize()
        await server.ask("tools/list")
        status, _, _ = await server.ended()
    assert status == 0
    assert sandbox.requests == []
    assert files_in(tmp_path) == []


async def test_a_folder_called_tools_where_it_is_started_is_not_imported(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "__init__.py").write_text("raise SystemExit(9)", encoding="utf-8")
    async with newly_started(environment=environment, cwd=str(tmp_path)) as server:
        await server.initialize()
        assert (await server.ended())[0] == 0


SIGNALS = pytest.mark.parametrize(
    "numbers",
    [
        [signal.SIGTERM],
        [signal.SIGINT],
        [signal.SIGHUP],
        [signal.SIGHUP, signal.SIGHUP],
        [signal.SIGHUP, signal.SIGTERM, signal.SIGINT],
    ],
    ids=lambda numbers: " ".join(each.name for each in numbers),
)


@SIGNALS
@pytest.mark.usefixtures("hears_hang_ups")
async def test_a_signal_ends_it_cleanly_while_stdin_stays_open(
    environment: dict[str, str], numbers: list[signal.Signals]
) -> None:
    async with newly_started(environment=environment) as server:
        await server.initialize()
        server.signal(*numbers)
        assert await server.process.wait() == 0
        assert server.process.stderr
        assert await server.process.stderr.read() == b""


@SIGNALS
@pytest.mark.usefixtures("hears_hang_ups")
async def test_a_signal_lets_a_payment_in_flight_finish(
    environment: dict[str, str], sandbox: Sandbox, numbers: list[signal.Signals]
) -> None:
    sandbox.fault("create_stored_payment_transaction", "slow", seconds=0.5)
    async with newly_started(environment=environment) as server:
        await server.initialize()
        await server.start_payment("120.00")
        await arrives(sandbox, "POST")
        server.signal(*numbers)
        assert await server.process.wait() == 0
    assert [each.status for each in sandbox.requests if each.method == "POST"] == [200]
    assert len(sandbox.payments) == 1


async def test_the_end_of_stdin_lets_a_payment_in_flight_finish(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    sandbox.fault("create_stored_payment_transaction", "slow", seconds=0.5)
    async with newly_started(environment=environment) as server:
        await server.initialize()
        await server.start_payment("120.00")
        await arrives(sandbox, "POST")
        assert (await server.ended())[0] == 0
    assert [each.status for each in sandbox.requests if each.method == "POST"] == [200]


async def test_a_signal_while_the_person_is_asked_pays_nothing(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    async with started(environment=environment) as server:
        await server.initialize()
        await server.request(
            "tools/call",
            {
                "name": "telnyx_create_stored_payment_transaction",
                "arguments": {"amount": "120.00"},
            },
        )
        assert (await server.receive())["method"] == "elicitation/create"
        server.signal(signal.SIGTERM)
        assert await server.process.wait() == 0
    assert sandbox.payments == []


async def test_garbage_on_stdin_does_not_end_it(environment: dict[str, str]) -> None:
    async with started(environment=environment) as server:
        for line in (b"", b"not json", b"[]", b"{", b'{"jsonrpc":"2.0"}', b"\xff\xfe", b"[" * 5000):
            await server.send(line)
        await server.initialize()
        assert len((await server.ask("tools/list"))["tools"]) == len(TOOLS)


async def test_the_key_is_nowhere_in_what_it_writes(environment: dict[str, str]) -> None:
    secret = "KEY0123456789ABCDEF_never_shown"
    async with started(environment=environment | {"TELNYX_API_KEY": secret}) as server:
        await server.initialize()
        result = await server.ask("tools/call", {"name": "telnyx_get_balance", "arguments": {}})
        assert "did not accept the API key" in result["content"][0]["text"]
        _, out, err = await server.ended()
    assert secret not in str(result) + out.decode() + err.decode()


@pytest.mark.parametrize(
    ("environment_", "says"),
    [
        ({"TELNYX_BASE_URL": "http://api.example.com/v2"}, "must begin with https://"),
        ({"TELNYX_BASE_URL": "ftp://127.0.0.1/v2"}, "must begin with https://"),
        ({"TELNYX_BASE_URL": "https://user:pw@api.telnyx.com/v2"}, "must look like"),
        ({"TELNYX_API_KEY": "KEY with spaces"}, "TELNYX_API_KEY"),
        ({"TELNYX_MCP_READ_ONLY": "perhaps"}, "TELNYX_MCP_READ_ONLY"),
        ({"TELNYX_MCP_TIMEZONE": "Mars/Crater"}, "TELNYX_MCP_TIMEZONE must be an IANA name"),
        ({"TELNYX_MCP_TIMEZONE": "../../etc/passwd"}, "TELNYX_MCP_TIMEZONE must be an IANA name"),
        ({"TELNYX_MCP_EXPORT_DIR": "exports"}, "TELNYX_MCP_EXPORT_DIR must be an absolute path"),
    ],
)
async def test_a_setting_that_cannot_be_used_is_named_on_stderr_and_does_not_end_it(
    environment_: dict[str, str], says: str
) -> None:
    async with started(environment=environment_) as server:
        await server.initialize()
        await server.ask("tools/call", {"name": "telnyx_get_balance", "arguments": {}})
        status, out, err = await server.ended()
    assert (status, out) == (0, b"")
    assert says in err.decode()
    assert "Traceback" not in err.decode()
    assert "KEY with spaces" not in err.decode()
