"""`telnyx_get_invoice`"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from telnyx_mcp.tools.framework.arguments import Id, Params
from telnyx_mcp.tools.framework.results import (
    Result,
    copy_fields,
)
from telnyx_mcp.tools.framework.spec import Call, ToolSpec


class InvoiceParams(Params):
    invoice_id: Id = Field(description="Id of the invoice, from telnyx_list_invoices.")
    include_download_link: bool = Field(
        False, description="Add a link to the PDF: short-lived and secret, for the user only."
    )


class InvoiceResult(Result):
    links: ClassVar[frozenset[str]] = frozenset({"download_url"})

    invoice_id: str | None = Field(None, description="Id of the invoice, for telnyx_get_invoice.")
    period_start: str | None = Field(None, description="First day of the invoice's period.")
    period_end: str | None = Field(None, description="Last day of the period, included.")
    paid: bool | None = Field(None, description="Whether the invoice is paid.")
    file_id: str | None = Field(None, description="Id of the PDF.")
    download_url: str | None = Field(
        None, description="Short-lived link to the PDF, for the user only."
    )


async def get_invoice(call: Call[InvoiceParams]) -> InvoiceResult:
    params = call.params
    invoice = await call.client.get_invoice(
        params.invoice_id, include_download_link=params.include_download_link
    )
    result = copy_fields(invoice, InvoiceResult, without={"url", "record_type"})
    if not params.include_download_link:
        result.download_url = None
    elif result.download_url:
        result.note = "The link works without a key for a short time: give it to the user only."
    else:
        result.note = "Telnyx sent no download link for this invoice."
    return result


GET_INVOICE = ToolSpec(
    name="telnyx_get_invoice",
    group="billing",
    title="Invoice",
    description="One invoice: period, paid or not, and on request a link to its PDF.",
    params=InvoiceParams,
    result=InvoiceResult,
    run=get_invoice,
)
