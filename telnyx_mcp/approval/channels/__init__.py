"""How a person is asked: through the MCP client. The browser page and the terminal come next."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import Enum, auto


class Reply(Enum):
    """What came of asking."""

    APPROVED = auto()
    DECLINED = auto()
    CANCELLED = auto()
    """The question was closed without an answer."""
    MISTYPED = auto()
    """Approved, but what was typed is not the amount."""
    CANNOT_ASK = auto()
    """This channel reaches nobody."""


def typed_matches(typed: object, amount: Decimal) -> bool:
    """Whether a person typed this amount, `$` and `USD` allowed."""
    text = str(typed).upper().replace("$", "").replace("USD", "").strip()
    try:
        return not isinstance(typed, bool) and Decimal(text) == amount
    except InvalidOperation:
        return False
