"""The ledger blocks, so it is used from a thread; what it refuses becomes a sentence for the model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


class NotAllowed(Exception):
    """The change is not proposed, or not sent. Its text is for the model; nothing was sent.

    `reason` is why, without a word on sending, for where something was sent already.
    """

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason or text


async def in_thread(
    work: Callable[..., T], *arguments: Any, abandon_on_cancel: bool = False, **named: Any
) -> T:
    """What `work` returns. Raises `NotAllowed` for the ledger's refusals and the store's failures."""
    from telnyx_mcp.approval.reasons import Blocked
    from telnyx_mcp.storage.store import StoreError

    try:
        return await anyio.to_thread.run_sync(
            partial(work, *arguments, **named), abandon_on_cancel=abandon_on_cancel
        )
    except Blocked as blocked:
        raise NotAllowed(f"Nothing was sent: {blocked}", str(blocked)) from blocked
    except StoreError as error:
        raise NotAllowed(
            "Nothing was sent: the ledger of changes can't be used, and nothing is sent without it. "
            f"{error} Ask the user to fix that, then call again.",
            str(error),
        ) from None
