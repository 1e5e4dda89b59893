"""What the tests of the ledger may ask for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.storage.store import Store
from tests.support import ledgers
from tests.support.clock import Clock
from tests.support.team import Team


@pytest.fixture
def now() -> Clock:
    """The clock of `server`."""
    return Clock()


@pytest.fixture
async def server(settings: Settings, now: Clock) -> AsyncIterator[AccountServer]:
    """A server for the sandbox whose clock tests turn."""
    built = build_server(settings, now=now)
    yield built
    await built.accounts.aclose()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty store of each kind; PostgreSQL where `TEST_POSTGRES_URL` names a server."""
    if request.param == "sqlite":
        with ledgers.sqlite() as url:
            yield url
        return
    if "TEST_POSTGRES_URL" not in os.environ:
        pytest.skip("TEST_POSTGRES_URL is not set: no PostgreSQL to try this on")
    with ledgers.postgresql() as url:
        yield url


@pytest.fixture
def team() -> Iterator[Team]:
    """A service of a team with an empty ledger."""
    with ledgers.sqlite() as url, closing(Store(url)) as store:
        yield Team(store)
