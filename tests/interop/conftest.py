"""What the clients of other makers need: a Node.js, and the environment of a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.interop.processes import NODE_MODULES, OLDEST_NODE, find_node
from tests.support.server_process import TOKEN, environment_for


@pytest.fixture(scope="session")
def node() -> Path:
    """A Node.js that runs all of them."""
    if not (NODE_MODULES / ".ready").exists():
        pytest.skip("the clients are not installed: make interop")
    found = find_node()
    if found is None:
        wanted = ".".join(map(str, OLDEST_NODE))
        pytest.skip(f"there is no Node.js {wanted} or newer on PATH, nor one from npm")
    return found


@pytest.fixture
def environment(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """That of a server for the sandbox, and of a user without anything."""
    return {
        **environment_for(sandbox, tmp_path),
        "HOME": str(tmp_path),
        "TELNYX_MCP_HTTP_TOKEN": TOKEN,
    }
