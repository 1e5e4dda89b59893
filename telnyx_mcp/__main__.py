"""The command `telnyx-account-mcp`, which is also `python -m telnyx_mcp`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telnyx_mcp.front.conversation import Conversation


def main() -> int:
    """Runs the command. A client that only lists what there is, is answered without the MCP SDK."""
    opening = None
    if _is_piped() and (conversation := _conversation()):
        from telnyx_mcp.front.stream import converse

        opening = converse(conversation)
        if opening is None:
            return 0
    from telnyx_mcp.cli.main import main as run

    return run(opening=opening)


def _is_piped() -> bool:
    """Whether a program is at the other end of stdin and stdout. Not on Windows, where the front has not
    been tried."""
    return (
        sys.platform != "win32"
        and sys.stdin is not None
        and sys.stdout is not None
        and not os.isatty(0)
        and not os.isatty(1)
    )


def _conversation() -> Conversation | None:
    from telnyx_mcp.front.book import open_book
    from telnyx_mcp.front.conversation import Conversation
    from telnyx_mcp.front.variant import variant_of

    variant = variant_of(sys.argv[1:], os.environ)
    book = open_book(variant) if variant else None
    return Conversation(book) if book else None


if __name__ == "__main__":
    raise SystemExit(main())
