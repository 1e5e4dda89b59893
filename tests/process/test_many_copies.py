"""Many copies of the server on one API key, as hosts start them: real processes, a real port."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from telnyx_mcp.sandbox import Sandbox, running_sandbox
from tests.support.clock import TODAY
from tests.support.server_process import SECONDS, ServerProcess, environment_for, started

BALANCE = {"name": "telnyx_get_balance", "arguments": {}}
LIMIT, WINDOW = 30, 2.0
COPIES = 3


@pytest.fixture
def limited() -> Iterator[Sandbox]:
    """A sandbox account that allows few requests."""
    with running_sandbox(today=TODAY, rate_limit=(LIMIT, WINDOW)) as sandbox:
        yield sandbox


@asynccontextmanager
async def copies(sandbox: Sandbox, folder: Path, **more: str) -> AsyncIterator[list[ServerProcess]]:
    environment = environment_for(sandbox, folder) | more
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(started(environment=environment)) for _ in range(COPIES)
        ]
        async with anyio.create_task_group() as tasks:
            for server in servers:
                tasks.start_soon(server.initialize)
        yield servers


@pytest.mark.slow
async def test_copies_share_one_limit_fairly_and_none_is_refused(
    limited: Sandbox, tmp_path: Path
) -> None:
    served: Counter[int] = Counter()
    windows = 3

    async def ask_on(number: int, server: ServerProcess) -> None:
        while served.total() < windows * LIMIT:
            result = await server.ask("tools/call", BALANCE)
            assert not result["isError"], result
            served[number] += 1

    async with copies(limited, tmp_path) as servers:
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as tasks:
                for number, server in enumerate(servers):
                    tasks.start_soon(ask_on, number, server)
    counts = limited.counts
    assert counts["total"] - counts["200"] <= 1, "the limit was met, not run into"
    taken = limited.requests[-1].time - limited.requests[0].time
    assert taken < (windows + 1) * WINDOW, "and made use of"
    assert min(served.values()) > 0.4 * max(served.values())


async def waits(server: ServerProcess) -> bool:
    """Whether a copy knows that the limit is closed, as all of them then do."""
    told = await server.ask("resources/read", {"uri": "telnyx://rate-limits"})
    endpoints = json.loads(told["contents"][0]["text"])["endpoints"]
    balance = next(each for each in endpoints if each["endpoint"] == "/balance")
    return float(balance["waiting_s"]) > 1


@pytest.mark.slow
async def test_a_429_met_by_one_copy_holds_all_of_them(limited: Sandbox, tmp_path: Path) -> None:
    closed = 2.0
    async with copies(limited, tmp_path) as servers:
        one, *others = servers
        for server in servers:
            await server.ask("tools/call", BALANCE)
        limited.fault(
            "get_balance", "status", status=429, code="10011", headers={"retry-after": "2"}
        )
        seen = len(limited.requests)
        await one.request("tools/call", BALANCE)
        with anyio.fail_after(SECONDS):
            while not await waits(others[0]):
                pass
        refused_at = limited.requests[seen].time
        async with anyio.create_task_group() as tasks:
            for server in others:
                tasks.start_soon(server.ask, "tools/call", BALANCE)
        while (await one.receive()).get("id") is None:
            pass
    after = limited.requests[seen + 1 :]
    assert len(after) == COPIES
    assert all(each.time >= refused_at + closed - 0.05 for each in after)
    assert [each.status for each in after] == [200] * COPIES


@pytest.mark.slow
async def test_a_longer_wait_is_reported_to_a_caller_that_asked_for_progress(
    limited: Sandbox, tmp_path: Path
) -> None:
    limited.fault("get_balance", "status", status=429, code="10011", headers={"retry-after": "3"})
    async with copies(limited, tmp_path) as (server, *_):
        await server.request("tools/call", BALANCE | {"_meta": {"progressToken": "p"}})
        heard: list[dict[str, Any]] = []
        while (message := await server.receive()).get("id") is None:
            heard.append(message["params"])
        assert not message["result"]["isError"]
    assert heard[0]["message"] == "waiting 3 s for Telnyx's rate limit"
    progress = [each["progress"] for each in heard]
    assert progress == sorted(set(progress))


@pytest.mark.slow
async def test_a_turn_too_far_away_fails_at_once_with_the_seconds_to_wait(
    limited: Sandbox, tmp_path: Path
) -> None:
    limited.fault("get_balance", "status", status=429, code="10011", headers={"retry-after": "40"})
    async with copies(limited, tmp_path) as (one, other, *_):
        for server in (one, other):
            result = await server.ask("tools/call", BALANCE)
            assert result["isError"]
            assert "40 s" in result["content"][0]["text"] or "39 s" in result["content"][0]["text"]
    asked = [each for each in limited.requests if each.operation == "get_balance"]
    assert len(asked) == 1, "the other copy knew it and asked nothing"


async def test_a_place_that_cannot_be_used_costs_one_line_on_stderr(
    limited: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "state.pace.sqlite3").write_text(
        "no database at all, not even a small one " * 9, encoding="utf-8"
    )
    async with started(environment=environment_for(limited, tmp_path)) as server:
        await server.initialize()
        for _ in range(3):
            assert not (await server.ask("tools/call", BALANCE))["isError"]
        _, _, errors = await server.ended()
    lines = errors.decode().splitlines()
    assert len(lines) == 1, lines
    assert "state.pace.sqlite3" in lines[0]
    assert limited.key not in lines[0]


def check_private(folder: Path, key: str) -> None:
    files = list(folder.glob("state.pace.sqlite3*"))
    assert files
    assert all(key.encode() not in file.read_bytes() for file in files)
    if os.name == "posix":
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


async def test_the_shared_place_holds_no_key_and_is_its_owners_only(
    limited: Sandbox, tmp_path: Path
) -> None:
    async with started(environment=environment_for(limited, tmp_path)) as server:
        await server.initialize()
        await server.ask("tools/call", BALANCE)
    check_private(tmp_path, limited.key)


async def test_without_a_key_no_store_is_created(tmp_path: Path) -> None:
    environment = {"TELNYX_MCP_STATE_URL": f"sqlite:///{tmp_path}/state.sqlite3"}
    async with started(environment=environment) as server:
        await server.initialize()
        assert (await server.ask("tools/call", BALANCE))["isError"]
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - which ruff takes for blocking
