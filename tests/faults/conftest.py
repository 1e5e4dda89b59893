"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.postgresql_cluster import Cluster, running_cluster
from tests.support.proxy import Proxy, proxy_to, to_port
from tests.support.server_process import environment_for


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The environment of a server for the sandbox, with a SQLite file."""
    return environment_for(sandbox, tmp_path)


@pytest.fixture
async def between(sandbox: Sandbox) -> AsyncIterator[Proxy]:
    """A proxy in front of the sandbox."""
    async with proxy_to(to_port(int(sandbox.base_url.split(":")[2].split("/")[0]))) as proxy:
        yield proxy


@pytest.fixture
def through(environment: dict[str, str], between: Proxy) -> dict[str, str]:
    """The environment of a server that reaches the sandbox through `between`."""
    return environment | {"TELNYX_BASE_URL": f"http://127.0.0.1:{between.port}/v2"}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL cluster of our own; skips the test where PostgreSQL is not installed."""
    with running_cluster() as cluster:
        yield cluster
