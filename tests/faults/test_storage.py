"""A disk that is full, and a folder that can't be written. A store that goes away is elsewhere."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.mcp_host import PAY, POST, hosted, state_of, text_of, told_truly
from tests.support.polling import until
from tests.support.sandbox_requests import posts
from tests.support.server_process import environment_for

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="tmpfs and prlimit are Linux's"),
]

NO_LIMIT = -1


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte; skips the test where none may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(("umount", "-l", str(folder)), check=True)


def fill(folder: Path) -> Callable[[], None]:
    """Takes the last byte that is free. What it returns gives all of it back."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"." * size):
                    pass
            except OSError:
                continue
    return ballast.unlink


@pytest.mark.fault(
    "the disk is full before a payment",
    "nothing is sent, and the error says why; it is when there is room",
)
async def test_on_a_full_disk_nothing_is_sent(small: Path, sandbox: Sandbox) -> None:
    environment = environment_for(sandbox, small)
    async with hosted(environment) as host:
        await host.changes()
        empty = fill(small)
        told = await host.pay()
        assert "Nothing was sent" in text_of(told)
        assert posts(sandbox) == 0
        assert not (await host.call("telnyx_get_balance"))["isError"]
        empty()
        assert state_of(await host.pay()) == "succeeded"
    assert len(sandbox.payments) == 1


@pytest.mark.fault(
    "the disk is full from the start", "reads are answered; nothing is sent, and the error says why"
)
async def test_a_server_that_starts_on_a_full_disk_reads_and_sends_nothing(
    small: Path, sandbox: Sandbox
) -> None:
    fill(small)
    async with hosted(environment_for(sandbox, small)) as host:
        assert not (await host.call("telnyx_get_balance"))["isError"]
        assert "Nothing was sent" in text_of(await host.pay())
        assert await host.leaves() == 0
    assert posts(sandbox) == 0


@pytest.mark.fault(
    "the disk fills up while a payment is in flight, and has room again later",
    "the outcome is reported, and written to the ledger when there is room",
)
async def test_an_outcome_is_written_down_when_the_disk_has_room_again(
    small: Path, sandbox: Sandbox
) -> None:
    environment = environment_for(sandbox, small)
    sandbox.fault(POST, "slow", seconds=1)
    async with hosted(environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        empty = fill(small)
        told = await pays
        assert "Nothing was sent" not in text_of(told)
        assert len(sandbox.payments) == 1
        empty()
        async with asyncio.timeout(45):
            while (await host.changes())[0]["state"] != "succeeded":
                await asyncio.sleep(0.1)
        assert await host.leaves() == 0
    assert await told_truly(environment, sandbox) == "succeeded"


@pytest.mark.fault(
    "no file may grow any more (RLIMIT_FSIZE) while a payment is in flight",
    "the outcome is reported, and nothing is sent again",
)
async def test_an_outcome_that_no_file_may_take_is_reported(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    import resource

    sandbox.fault(POST, "slow", seconds=1)
    async with hosted(environment) as host:
        pays = host.begins(PAY, amount="120.00")
        await until(lambda: posts(sandbox))
        resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (0, NO_LIMIT))
        told = await pays
        assert "Nothing was sent" not in text_of(told)
        resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (NO_LIMIT, NO_LIMIT))
        assert await host.leaves() == 0
    assert await told_truly(environment, sandbox) in ("succeeded", "unknown")


@pytest.fixture
def read_only(small: Path) -> Iterator[Callable[[bool], None]]:
    """Makes the small file system read-only, or writable again."""

    def remount(is_read_only: bool) -> None:
        option = "remount,ro" if is_read_only else "remount,rw"
        subprocess.run(("mount", "-o", option, str(small)), check=True)

    yield remount
    remount(False)


@pytest.mark.fault(
    "the ledger's folder is read-only from the start", "reads are answered; nothing is sent"
)
async def test_in_a_read_only_folder_nothing_is_sent(
    small: Path, read_only: Callable[[bool], None], sandbox: Sandbox
) -> None:
    read_only(True)
    async with hosted(environment_for(sandbox, small / "new")) as host:
        assert not (await host.call("telnyx_get_balance"))["isError"]
        assert "Nothing was sent" in text_of(await host.pay())
        assert await host.leaves() == 0
    assert posts(sandbox) == 0


@pytest.mark.fault(
    "the ledger's folder becomes read-only between two payments",
    "what was paid can be listed; nothing more is sent, and the error says why",
)
async def test_a_folder_that_becomes_read_only_is_read_and_nothing_is_sent(
    small: Path, read_only: Callable[[bool], None], sandbox: Sandbox
) -> None:
    environment = environment_for(sandbox, small)
    async with hosted(environment) as host:
        assert state_of(await host.pay()) == "succeeded"
        await host.leaves()
    read_only(True)
    async with hosted(environment) as host:
        assert "Nothing was sent" in text_of(await host.pay("80.00"))
        assert not (await host.call("telnyx_get_balance"))["isError"]
    assert len(sandbox.payments) == 1
