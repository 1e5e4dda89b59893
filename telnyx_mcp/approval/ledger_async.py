"""Runs the ledger's blocking methods in a thread. Refusals are raised as text for the model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from telnyx_mcp.approval.reasons import GONE, Blocked, NotAllowed

if TYPE_CHECKING:
    from datetime import datetime

    from telnyx_mcp.approval.change import Change
    from telnyx_mcp.approval.ledger import Ledger

T = TypeVar("T")


async def in_thread(
    work: Callable[..., T], *arguments: Any, abandon_on_cancel: bool = False, **named: Any
) -> T:
    """What `work` returns. Raises `NotAllowed` for the ledger's refusals and the store's failures."""
    from telnyx_mcp.storage.store import StoreError  # imports SQLAlchemy

    try:
        return await anyio.to_thread.run_sync(
            partial(work, *arguments, **named), abandon_on_cancel=abandon_on_cancel
        )
    except Blocked as blocked:
        raise NotAllowed(f"Nothing was sent: {blocked}", str(blocked)) from blocked
    except StoreError as error:
        raise NotAllowed(
            "Nothing was sent: the ledger can't be used, and nothing is sent without it. "
            f"{error} Ask the user to fix that, then call again.",
            str(error),
        ) from None


async def reread(ledger: Ledger, change: Change, now: datetime) -> Change:
    """The change as it stands now. Raises `NotAllowed` if the ledger no longer has it."""
    found = await in_thread(ledger.get, change.id, now)
    if found is None:
        raise NotAllowed(f"Nothing was sent by this call: {GONE.format(id=change.id)}")
    return found
