"""What the tests of the ledger may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support import ledgers


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
