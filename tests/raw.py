"""The account by plain HTTP: what the summaries are checked against, added up another way."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx

from telnyx_mcp.sandbox import Sandbox

Json = dict[str, Any]


def get(sandbox: Sandbox, path: str, params: Mapping[str, Any]) -> Json:
    headers = {"authorization": f"Bearer {sandbox.key}"}
    answer = httpx.get(f"{sandbox.base_url}/{path}", params=dict(params), headers=headers)
    return dict(answer.raise_for_status().json())


def everything(sandbox: Sandbox, path: str, params: Mapping[str, Any], size: int) -> list[Json]:
    """All rows of a list, page by page."""
    rows: list[Json] = []
    number = 1
    while True:
        page = get(sandbox, path, {**params, "page[number]": number, "page[size]": size})
        rows += page["data"]
        if number >= page["meta"]["total_pages"]:
            return rows
        number += 1


def records(sandbox: Sandbox, record_type: str, field: str, start: str, end: str) -> list[Json]:
    """The detail records of one type in a range of time."""
    asked = {
        "filter[record_type]": record_type,
        f"filter[{field}][gte]": start,
        f"filter[{field}][lt]": end,
    }
    return everything(sandbox, "detail_records", asked, 50)


def cost(record: Json) -> Decimal:
    for name in ("cost", "data_cost", "verify_usage_fee"):
        if name in record:
            return Decimal(str(record[name]))
    return Decimal(0)


def charged(sandbox: Sandbox, *months: tuple[str, str]) -> dict[str, Decimal]:
    """Telnyx's own figures of some months, added up."""
    sums: dict[str, Decimal] = {}
    for start, end in months:
        asked = {"start_date": start, "end_date": end}
        for name, amount in get(sandbox, "charges_summary", asked)["data"]["total"].items():
            sums[name] = sums.get(name, Decimal(0)) + Decimal(amount)
    return sums
