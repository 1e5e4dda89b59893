"""Opens the ledger for given settings.

Apart from `ledger.py`, which imports SQLAlchemy: the server starts without it and loads it with the
first change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telnyx_mcp.approval.policy import Policy
from telnyx_mcp.approval.process_identity import ProcessIdentity
from telnyx_mcp.approval.store_memory import StoreMemory
from telnyx_mcp.storage.url import database_at

if TYPE_CHECKING:
    from telnyx_mcp.approval.ledger import Ledger
    from telnyx_mcp.config.settings import Settings
    from telnyx_mcp.storage.store import Store


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of the account of these settings. Blocks; raises `StoreError`."""
    from telnyx_mcp.storage.store import Store

    url = settings.state_url.get_secret_value() if settings.state_url else None
    memory = StoreMemory.of(database_at(url) if url else None)
    return ledger_in(Store(url), settings, memory)


def ledger_in(store: Store, settings: Settings, memory: StoreMemory | None = None) -> Ledger:
    """The ledger of the account of these settings, in this store. Blocks; raises `StoreError`."""
    from telnyx_mcp.approval.ledger import Ledger

    key = settings.api_key.get_secret_value() if settings.api_key else ""
    owner, policy = ProcessIdentity.this_process(), policy_of(settings)
    return Ledger.of(store, key, settings.base_url, owner, policy, settings.profile, memory)


def policy_of(settings: Settings) -> Policy:
    """The caps and the standing budget as set."""
    return Policy(
        max_payment=settings.max_payment,
        max_per_day=settings.max_per_day,
        max_per_30_days=settings.max_per_30_days,
        standing_per_payment=settings.standing_budget_per_payment,
        standing_per_day=settings.standing_budget_per_day,
    )
