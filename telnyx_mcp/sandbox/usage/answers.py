"""A report's rows as they are sent: JSON whose numbers are written as Java writes doubles, or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from telnyx_mcp.sandbox.business import Business
from telnyx_mcp.sandbox.usage.request import ReportRequest


def as_json(rows: Iterable[dict[str, Any]], meta: dict[str, int]) -> bytes:
    """The body of an answer."""
    written = ", ".join(_object(row) for row in rows)
    return f'{{"data": [{written}], "meta": {json.dumps(meta)}}}'.encode()


def as_csv(rows: Iterable[dict[str, Any]], request: ReportRequest, business: Business) -> bytes:
    """A header and the rows; figures have six decimals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("user_id", *request.dimensions, "product", *request.metrics))
    for row in rows:
        dimensions = (row[name] for name in (*request.dimensions, "product"))
        figures = (f"{row[name]:.6f}" for name in request.metrics)
        writer.writerow((business.owner.id, *dimensions, *figures))
    return text.getvalue().encode()


def _object(row: dict[str, Any]) -> str:
    fields = ", ".join(f"{json.dumps(name)}: {_value(value)}" for name, value in row.items())
    return f"{{{fields}}}"


def _value(value: Any) -> str:
    return double(value) if isinstance(value, float) else json.dumps(value)


def double(value: float) -> str:
    """A number as Java writes it: `883930.0`, `1.666E-4`, `1.2345678E7`."""
    if 1e-3 <= abs(value) < 1e7 or value == 0:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    scale = int(exponent) + len(digits) - 1
    return f"{'-' * sign}{text[0]}.{text[1:] or '0'}E{scale}"
