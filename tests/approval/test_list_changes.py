"""`telnyx_list_changes` returns the newest changes and says whether there are more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.question import Question
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools.catalog.list_changes import ChangesParams
from tests.support.client import Mode, connected, content_of

NOW = datetime(2026, 6, 15, 12, 0, 0, tzinfo=UTC)


def declined(ledger: Ledger, days_ago: int) -> str:
    """The id of a change that was declined then."""
    at = NOW - timedelta(days=days_ago)
    change = ledger.propose(
        "update_auto_recharge_preferences",
        {"enabled": True},
        reference=None,
        amount=None,
        question=Question("?"),
        basis={},
        now=at,
    )
    ledger.decline(change.id, "terminal", at + timedelta(seconds=5), "ann")
    return change.id


async def listed(server: AccountServer, mode: Mode, limit: int) -> dict[str, Any]:
    async with connected(server, mode) as client:
        result = await client.call_tool("telnyx_list_changes", {"limit": limit})
    return content_of(result)


@pytest.mark.parametrize(("limit", "has_more"), [(1, True), (2, True), (3, False), (4, False)])
async def test_the_newest_changes_come_first_and_more_are_announced(
    server: AccountServer, ledger: Ledger, mode: Mode, limit: int, has_more: bool
) -> None:
    newest_first = [declined(ledger, days) for days in (3, 2, 1)][::-1]
    result = await listed(server, mode, limit)
    assert [row["id"] for row in result["items"]] == newest_first[:limit]
    assert result["returned"] == min(limit, 3)
    assert result.get("has_more", False) is has_more


async def test_times_have_whole_seconds_and_fields_without_a_value_are_left_out(
    server: AccountServer, ledger: Ledger, mode: Mode
) -> None:
    change_id = declined(ledger, 1)
    (row,) = (await listed(server, mode, 10))["items"]
    assert row == {
        "id": change_id,
        "operation": "update_auto_recharge_preferences",
        "arguments": {"enabled": True},
        "state": "declined",
        "proposed_at": "2026-06-14T12:00:00+00:00",
        "updated_at": "2026-06-14T12:00:05+00:00",
        "decided_by": "ann",
        "decided_at": "2026-06-14T12:00:05+00:00",
        "happened": "The user declined.",
    }


def test_the_limit_is_1_to_100() -> None:
    assert ChangesParams().limit == 10
    for limit in (1, 100):
        assert ChangesParams(limit=limit).limit == limit
    for limit in (0, 101):
        with pytest.raises(ValidationError):
            ChangesParams(limit=limit)
