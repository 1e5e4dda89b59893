"""The figures of a report, read through the tools and through `billing`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from mcp import Client
from mcp.shared.dispatcher import ProgressFnT

from telnyx_mcp.billing.money import ZERO, format_amount
from telnyx_mcp.billing.periods import Period
from telnyx_mcp.billing.usage import UsageCosts, usage_costs
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.usage_reports import rounded

MOST_INVOICES = 250
MOST_CHANGES = 100
_KINDS = {
    "charged": "Everything charged",
    "usage": "Usage",
    "recurring": "Recurring charges",
    "one_time": "One-time charges",
    "other": "Other charges",
}


class ReportFailure(Exception):
    """A report could not be read. Its text says why and what to do."""


@dataclass(slots=True)
class Report:
    """A month of an account. Amounts are decimal text in the currency of their row."""

    period: Period
    today: str
    spent: list[dict[str, str]] = field(default_factory=list)
    """Rows of name, currency, amount, before, change and percent."""
    products: list[dict[str, str]] = field(default_factory=list)
    """Rows of name, currency and amount, the largest first."""
    days: list[dict[str, str]] = field(default_factory=list)
    """Rows of name, currency and amount, one for each day."""
    invoices: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """What the figures do not cover, as sentences."""
    sandbox: bool = False


async def read_report(
    server: Client, client: TelnyxClient, period: Period, progress: ProgressFnT
) -> Report:
    """The report of a month. Raises `ReportFailure` if what was spent can't be read; anything else that
    is missing is said in `missing`."""
    arguments = {"period": f"{period.start:%Y-%m}", "compare_to": "previous"}
    called = await server.call_tool("telnyx_summarize_spend", arguments, progress_callback=progress)
    spend = called.structured_content or {}
    if called.is_error or "spent" not in spend:
        raise ReportFailure(
            " ".join(each.text for each in called.content if each.type == "text")
            or "The spend of this month could not be read. Try again."
        )
    report = Report(period, spend["today"], sandbox="sandbox" in spend)
    _add_spent(report, spend)
    currency = spend["spent"][0]["currency"] if spend["spent"] else "USD"

    async def reports(done: int, total: int) -> None:
        await progress(done, total, f"usage by day: report {done} of {total}")

    costs = await usage_costs(
        client, *period.instants(), currency=currency, by_day=True, progress=reports
    )
    _add_usage(report, costs)
    await _add_lists(report, server)
    return report


def _add_spent(report: Report, spend: dict[str, Any]) -> None:
    compared = spend.get("compared") or {}
    changed = {each["currency"]: each for each in compared.get("differences", [])}
    for row in spend["spent"]:
        currency = row["currency"]
        for kind, title in _KINDS.items():
            part = f"part_{kind}" in row
            change = changed.get(currency, {}).get(kind, {})
            amount = row.get(kind) or row.get(f"part_{kind}") or change.get("now")
            if amount is None:
                continue
            report.spent.append(
                {
                    "name": f"{title} (only in part)" if part else title,
                    "currency": currency,
                    "amount": amount,
                    "before": change.get("was", ""),
                    "change": change.get("change", ""),
                    "percent": change.get("percent", ""),
                }
            )
        for kind in ("credits", "adjustments"):
            if kind in row:
                title = f"{kind.capitalize()} (not included above)"
                report.spent.append({"name": title, "currency": currency, "amount": row[kind]})
    if spend.get("note"):
        report.missing.append(spend["note"])
    if spend.get("usage_until"):
        report.missing.append(f"The month is not over: usage ends at {spend['usage_until']}.")
    for name, why in (compared.get("incomplete") or {}).items():
        report.missing.append(f"In the month before, {name} is incomplete: {why}")


def _add_usage(report: Report, costs: UsageCosts) -> None:
    if costs.error:
        report.missing.append(f"Usage by product and day could not be read: {costs.error}")
        return
    for name, why in costs.incomplete.items():
        report.missing.append(f"Usage of {name} is incomplete: {why}")
    if costs.without_cost:
        names = ", ".join(costs.without_cost)
        report.missing.append(f"Telnyx's usage reports state no cost for: {names}.")
    for currency in sorted(costs.currencies):
        products = costs.by_product(currency)
        for name in sorted(products, key=lambda each: (-products[each], each)):
            if products[name] or name in costs.incomplete:
                title = f"{name} (only in part)" if name in costs.incomplete else name
                amount = format_amount(rounded(products[name]))
                report.products.append({"name": title, "currency": currency, "amount": amount})
        _add_days(report, costs, currency)


def _add_days(report: Report, costs: UsageCosts, currency: str) -> None:
    days = {report.period.start + timedelta(days=n): ZERO for n in range(report.period.days)}
    undated: dict[str, Decimal] = {}
    for product in costs.products:
        for (cost_currency, text), cost in product.by_day.items():
            if cost_currency != currency:
                continue
            day = date.fromisoformat(text) if text else None
            if day in days:
                days[day] += cost
            elif cost:
                undated[product.product.name] = undated.get(product.product.name, ZERO) + cost
    for day, cost in days.items():
        if day < costs.end.date() or cost:
            amount = format_amount(rounded(cost))
            report.days.append({"name": f"{day}", "currency": currency, "amount": amount})
    for name, cost in undated.items():
        report.missing.append(
            f"Usage by day lacks {format_amount(rounded(cost))} {currency} of {name}, for which Telnyx "
            "gives no days."
        )


async def _add_lists(report: Report, server: Client) -> None:
    first, end = report.period.start.isoformat(), report.period.end.isoformat()
    for tool, arguments, found, words in (
        ("telnyx_list_invoices", {"page_size": MOST_INVOICES}, report.invoices, "Invoices"),
        ("telnyx_list_changes", {"limit": MOST_CHANGES}, report.changes, "Changes"),
    ):
        called = await server.call_tool(tool, arguments)
        content = called.structured_content or {}
        if called.is_error or "items" not in content:
            report.missing.append(f"{words} could not be read.")
            continue
        for row in content["items"]:
            if tool == "telnyx_list_changes":
                belongs = first <= row["proposed_at"][:10] < end
            else:
                began = row.get("period_start") or ""
                belongs = began < end and (row.get("period_end") or began) >= first
            if belongs:
                found.append(row)
        if content.get("has_more"):
            report.missing.append(f"{words}: only the newest {len(content['items'])} were read.")
    report.missing.append(
        "Telnyx's list of invoices states no amounts: they stand in the invoices themselves."
    )
