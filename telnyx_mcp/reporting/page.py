"""A report as a page that needs nothing else, and as the bytes of a CSV file."""

from __future__ import annotations

import base64
import codecs
import csv
import hashlib
import io
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from telnyx_mcp.reporting.figures import Report
from telnyx_mcp.tools.support.csv_export import cells
from telnyx_mcp.untrusted import redact

if TYPE_CHECKING:
    from jinja2 import Template

_COLUMNS = ("part", "name", "currency", "amount", "before", "change", "percent")


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("telnyx_mcp.reporting", ".")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("page.html")


def page_of(report: Report) -> str:
    """The page. It has no script and asks nobody for anything; its policy allows its own style only."""
    content: dict[str, Any] = {
        "title": f"Telnyx, {report.period.start:%B %Y}",
        "month": f"{report.period.start:%B %Y}",
        "before": f"{report.period.previous().start:%B %Y}",
        "today": report.today,
        "sandbox": report.sandbox,
        "missing": redact(report.missing),
        "spent": redact(report.spent),
        "charts": [
            ("Usage by product", "products", _bars(report.products)),
            ("Usage by day", "days", _bars(report.days)),
        ],
        "invoices": redact(report.invoices),
        "changes": redact(report.changes),
    }
    text = _template().render(**content, style_hash="")
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template().render(**content, style_hash=digest)


def csv_of(report: Report) -> bytes:
    """The figures as CSV: with the mark by which Excel knows UTF-8, lines that end with CRLF, and no cell
    that a spreadsheet would run."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    parts = (("spend", report.spent), ("product", report.products), ("day", report.days))
    for part, rows in parts:
        for row in redact(rows):
            values = {"part": part, **row}
            writer.writerow(cells(values.get(each, "") for each in _COLUMNS))
    for sentence in redact(report.missing):
        writer.writerow(cells(["not covered", sentence, *[""] * (len(_COLUMNS) - 2)]))
    return codecs.BOM_UTF8 + text.getvalue().encode("utf-8", "replace")


def _bars(rows: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """The rows, each with the width of its bar in percent of the largest of its currency."""
    largest: dict[str, Decimal] = {}
    for row in rows:
        amount = Decimal(row["amount"])
        largest[row["currency"]] = max(amount, largest.get(row["currency"], amount))
    shown = []
    for row in redact(list(rows)):
        share = Decimal(row["amount"]) * 100 / (largest[row["currency"]] or 1)
        shown.append({**row, "share": f"{max(Decimal(0), share):.2f}"})
    return shown
