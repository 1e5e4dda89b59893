"""`telnyx_list_invoices`"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import anyio
from pydantic import Field

from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.models import Invoice
from telnyx_mcp.telnyx.pagination import Scan
from telnyx_mcp.tools.framework.arguments import PageNumber, Params
from telnyx_mcp.tools.framework.results import (
    ListResult,
    Row,
    copy_fields,
    coverage,
    paging,
)
from telnyx_mcp.tools.framework.spec import Call, ToolSpec

MAX_LINKS = 20
"""Links in one answer. Each costs a request and some hundred tokens."""


AT_ONCE = 4
"""Links that are asked for at the same time."""


_LINK_NOTE = "work without a key for a short time: give them to the user only."


class InvoicesParams(Params):
    reads_many: ClassVar[bool] = True
    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("paid", "unpaid", "status"), "Use unpaid_only, or read `paid` in each row."
    )

    unpaid_only: bool = Field(
        False, description="List all unpaid invoices at once; one request per 250 invoices."
    )
    sort: Literal["period_start", "-period_start"] = Field(
        "-period_start",
        description="Order by the start of the period; -period_start is newest first.",
    )
    include_download_links: bool = Field(
        False,
        description=f"Add a link to each PDF, for {MAX_LINKS} rows at most: short-lived and secret, for "
        "the user only. A request per link.",
    )
    page: PageNumber = 1
    page_size: int = Field(20, ge=1, le=250, description="Rows per page.")


class InvoiceRow(Row):
    invoice_id: str | None = Field(None, description="Id of the invoice, for telnyx_get_invoice.")
    period_start: str | None = Field(None, description="First day of the invoice's period.")
    period_end: str | None = Field(None, description="Last day of the period, included.")
    paid: bool | None = Field(None, description="Whether the invoice is paid.")
    download_url: str | None = Field(
        None, description="Short-lived link to the PDF, for the user only."
    )


class InvoicesResult(ListResult):
    links: ClassVar[frozenset[str]] = frozenset({"download_url"})

    today: str
    items: list[InvoiceRow]


async def list_invoices(call: Call[InvoicesParams]) -> InvoicesResult:
    params = call.params
    result = await (_unpaid(call) if params.unpaid_only else _page(call))
    if params.include_download_links and result.items:
        notes = (result.note, await _add_links(call, result.items))
        result.note = " ".join(filter(None, notes))
    return result


async def _page(call: Call[InvoicesParams]) -> InvoicesResult:
    params = call.params
    page = await call.client.list_invoices(
        sort=params.sort, page=params.page, page_size=params.page_size
    )
    items = [_row(each) for each in page.items]
    return InvoicesResult(today=call.today, items=items, **paging(page))


async def _unpaid(call: Call[InvoicesParams]) -> InvoicesResult:
    """Every unpaid invoice. Telnyx can't filter them, so all are looked through."""
    scan = Scan(
        lambda number: call.client.list_invoices(
            sort=call.params.sort,
            page=number,
        ),
        lambda invoice: invoice.invoice_id,
        call.progress.rows,
    )
    found = [each async for each in scan.rows() if each.paid is not True]
    items = [_row(each) for each in found if each.paid is False]
    unstated = len(found) - len(items)
    return InvoicesResult(
        today=call.today,
        items=items,
        returned=len(items),
        total=len(items) if scan.complete else None,
        note=coverage(scan) + (f" {unstated} don't say whether they are paid." if unstated else ""),
    )


async def _add_links(call: Call[InvoicesParams], rows: Sequence[InvoiceRow]) -> str:
    """Adds to each of the first rows the link to its PDF. What it returns says which have none."""
    limiter = anyio.CapacityLimiter(AT_ONCE)
    failures: list[TelnyxError] = []

    async def add(row: InvoiceRow) -> None:
        async with limiter:
            try:
                invoice = await call.client.get_invoice(
                    row.invoice_id or "", include_download_link=True
                )
                row.download_url = invoice.download_url or None
            except TelnyxError as error:
                failures.append(error)

    async with anyio.create_task_group() as tasks:
        for row in rows[:MAX_LINKS]:
            if row.invoice_id:
                tasks.start_soon(add, row)
    linked = sum(row.download_url is not None for row in rows)
    notes = [f"The links {_LINK_NOTE}" if linked else "There are no links."]
    if without_link := min(len(rows), MAX_LINKS) - linked:
        why = f" ({failures[0].summary})" if failures else ""
        notes.append(f"{without_link} invoices have no link{why}: ask with telnyx_get_invoice.")
    if len(rows) > MAX_LINKS:
        notes.append(f"Only the first {MAX_LINKS} rows have links.")
    return " ".join(notes)


def _row(invoice: Invoice) -> InvoiceRow:
    """An invoice without any link: Telnyx's own needs the key, and the PDF's comes on request."""
    unused = {"url", "file_id", "download_url", "record_type"}
    return copy_fields(invoice, InvoiceRow, without=unused)


LIST_INVOICES = ToolSpec(
    name="telnyx_list_invoices",
    group="billing",
    title="Invoices",
    description="Invoices with period (period_end included) and whether paid, and links to their PDFs, "
    "which alone state the amounts.",
    params=InvoicesParams,
    result=InvoicesResult,
    run=list_invoices,
)
