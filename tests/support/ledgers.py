"""Stores and ledgers for the tests of the ledger."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from telnyx_mcp.approval.accounts import Identity
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.opening import policy_of
from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.approval.question import Question
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.storage.store import Store
from tests.support.clock import NOW

ADDRESS = "https://api.telnyx.com/v2"
QUESTION = Question("Pay?")
OWNER = Identity("user-1", "owner@example.com")


def opened(
    store: Store,
    policy: Policy,
    *,
    key: str = "KEY1",
    owner: ProcessIdentity | None = None,
    identity: Identity = OWNER,
    address: str = ADDRESS,
    profile: str | None = None,
    kind: type[Ledger] = Ledger,
) -> Ledger:
    """The ledger of this key, linked to its account."""
    ledger = kind.of(store, key, address, owner or ProcessIdentity.this_process(), policy, profile)
    ledger.identify(identity, NOW)
    return ledger


def opened_elsewhere(settings: Settings) -> Ledger:
    """The ledger of these settings, as a process on another machine has it."""
    assert settings.state_url
    assert settings.api_key
    store, key = Store(settings.state_url.get_secret_value()), settings.api_key.get_secret_value()
    return Ledger.of(store, key, settings.base_url, ELSEWHERE, policy_of(settings))


@contextmanager
def sqlite() -> Iterator[str]:
    """The address of a SQLite file that is not there yet."""
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/store/state.sqlite3"


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of an empty schema on the server at `TEST_POSTGRES_URL`."""
    server = os.environ["TEST_POSTGRES_URL"]
    schema = f"t{secrets.token_hex(8)}"
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    there = sa.make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield there.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))
    engine.dispose()


ELSEWHERE = ProcessIdentity("another machine", 1, "1")


def dead_owner() -> ProcessIdentity:
    return ProcessIdentity(ProcessIdentity.this_process().host, 2**22 + 1, "1")
