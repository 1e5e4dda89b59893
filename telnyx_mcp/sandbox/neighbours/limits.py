"""`GET /spend_limits`: no parameters, and every row in one answer."""

from __future__ import annotations

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.call import Call, Operation, meta_of
from telnyx_mcp.sandbox.responses import Response


def list_spend_limits(account: Account, call: Call) -> Response:
    """All rows, whatever page is asked for; `meta` comes all the same."""
    rows = account.spend_limits.data()
    return Response({"data": rows, "meta": meta_of(1, len(rows), len(rows))})


OPERATIONS = (Operation("list_spend_limits", "GET", "/spend_limits", list_spend_limits, True),)
