"""Records that no schema promised: whatever they hold, a summary counts them and never breaks."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.billing.records import amounts_of, cost_of, mark_of, moment_of
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.telnyx.pagination import Deduplicator
from telnyx_mcp.tools.support.group_by import ALIASES, Groups, tally_row
from tests.support.client import call, content_of
from tests.support.scripted_telnyx import Scripted, answer

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just("1e999999")
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "id",
        "uuid",
        "cost",
        "data_cost",
        "currency",
        "created_at",
        "started_at",
        "parts",
        "billed_sec",
    ]
    + [field for fields in ALIASES.values() for field in fields]
)
RECORDS = st.lists(st.dictionaries(FIELDS, VALUES, max_size=8), max_size=10)
GROUPS = st.lists(st.sampled_from(["day", "hour", *ALIASES, "anything"]), unique=True, max_size=3)


@given(RECORDS, GROUPS)
def test_every_record_counts_and_every_figure_can_be_written(
    records: list[dict[str, Any]], by: list[str]
) -> None:
    groups = Groups(by, UTC)
    for record in Deduplicator().new(records, mark_of):
        cost_of(record), amounts_of(record), moment_of(record)
        groups.add(record)
    rows, rest, _ = groups.top(3)
    told = [tally_row(groups.all), *rows, *([tally_row(rest)] if rest else [])]
    json.dumps(told, allow_nan=False)  # raises for a figure that JSON has not
    distinct = len({mark_of(each) for each in records})
    assert groups.all.records == distinct


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"cost": "1e999999999", "currency": "USD"},
        {"cost": ["1"], "currency": {"a": 1}},
        {"cost": "1.00", "currency": None, "created_at": 5},
        {"tags": {"a": "b"}, "errors": [{"code": "40300", "title": "Blocked"}, None, 7]},
        {"created_at": "2026-13-99T99:99:99Z"},
        {"created_at": "0001-01-01T00:00:00+14:00"},
        {"status": "x" * 10_000},
        {"status": "\u202e\x00\x1b[31m"},
    ],
    ids=lambda each: str(each)[:40],
)
async def test_an_odd_record_is_answered(
    scripted: Scripted, scripted_server: AccountServer, record: dict[str, Any]
) -> None:
    options = {"product": "messaging", "product_dimensions": ["date"], "product_metrics": ["cost"]}
    scripted.will(answer(200, {"data": [options]}), answer(200, {"data": [record]}))
    arguments = {
        "product": "embedding",
        "period": "2026-05",
        "group_by": ["status", "error", "day"],
    }
    async with asyncio.timeout(10):
        told = content_of(await call(scripted_server, "telnyx_summarize_usage", arguments))
    assert told["all"]["count"] == 1
    assert len(json.dumps(told)) < 1_500
