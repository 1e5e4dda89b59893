"""The account by plain HTTP: what the summaries are checked against, added up another way."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx

from telnyx_mcp.sandbox import Sandbox

Json = dict[str, Any]
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Loads no certificates, which would take longer than the request."""


def get(sandbox: Sandbox, path: str, params: Mapping[str, Any]) -> Json:
    headers = {"authorization": f"Bearer {sandbox.key}"}
    answer = httpx.get(
        f"{sandbox.base_url}/{path}", params=dict(params), headers=headers, verify=NO_TLS
    )
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


def lines(sandbox: Sandbox, start: str, end: str) -> dict[str, Decimal]:
    """What each service of a month came to."""
    sums: dict[str, Decimal] = {}
    asked = {"start_date": start, "end_date": end}
    for line in get(sandbox, "charges_summary", asked)["data"]["summary"]["lines"]:
        details = (line, line.get("new_this_month", {}), line.get("existing_this_month", {}))
        amounts = [each.get(name) for each in details for name in ("amount", "mrc", "otc")]
        sums[line["name"]] = sum((Decimal(each) for each in amounts if each), Decimal(0))
    return sums


def options(sandbox: Sandbox) -> dict[str, Json]:
    """What usage reports can be asked for, by product."""
    return {each["product"]: each for each in get(sandbox, "usage_reports/options", {})["data"]}


def money_metric(option: Json) -> str | None:
    metrics = option["product_metrics"]
    named = [each for each in metrics if each == "cost" or each.endswith("_cost")]
    return "cost" if "cost" in named else next(iter(named), None)


def usage(sandbox: Sandbox, start: str, end: str) -> dict[str, Decimal]:
    """What each product cost, added up by its last dimension, which the server has no use for."""
    sums = {}
    for product, option in options(sandbox).items():
        metric = money_metric(option)
        if metric is None:
            continue
        asked = {
            "product": product,
            "dimensions": option["product_dimensions"][-1],
            "metrics": metric,
            "start_date": f"{start}T00:00:00Z",
            "end_date": f"{end}T00:00:00Z",
        }
        rows = everything(sandbox, "usage_reports", asked, 5000)
        total = sum((Decimal(str(row[metric])) for row in rows), Decimal(0))
        sums[product] = total.quantize(Decimal("0.000001"))
    return sums
