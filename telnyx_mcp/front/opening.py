"""What the real server continues with after the front has answered."""

from __future__ import annotations

from typing import NamedTuple


class Opening(NamedTuple):
    """The beginning of a conversation."""

    received: bytes
    """What the front has read from stdin and the real server has to read: the handshake, which the client
    sent already, and whatever is unanswered."""
    answered: int | str | None
    """The id of the request in the handshake. The client has its answer, so the real server's is dropped.
    None if nothing was answered."""
