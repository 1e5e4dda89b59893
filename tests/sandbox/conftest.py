"""One sandbox for each file of tests, on a fixed day, and a plain HTTP client for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import httpx
import pytest

from telnyx_mcp.sandbox import Sandbox, running_sandbox

TODAY = date(2026, 6, 17)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox(today=TODAY, rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """The file's sandbox, as at its start."""
    running.reset()
    return running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {sandbox.key}"}
    with httpx.Client(
        verify=False, base_url=sandbox.base_url, headers=headers, trust_env=False, timeout=10
    ) as client:
        yield client
