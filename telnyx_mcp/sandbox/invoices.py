"""One invoice for every finished month; two recent ones are still unpaid."""

from __future__ import annotations

from datetime import date
from typing import Any

from telnyx_mcp.sandbox.business import Business
from telnyx_mcp.sandbox.days import DAY, first_of_month, months_between

# Counted back from the last finished month: that one, just issued, and an older one, forgotten.
UNPAID = (1, 3)


class Invoices:
    """The account's invoices, oldest first in `all`."""

    def __init__(self, business: Business, first_day: date, today: date) -> None:
        this_month = first_of_month(today)
        unpaid = {first_of_month(today, -back) for back in UNPAID}
        self.all: list[dict[str, Any]] = []
        for month in months_between(first_day, this_month):
            invoice_id = business.uuid(f"invoice:{month:%Y-%m}")
            self.all.append(
                {
                    "invoice_id": invoice_id,
                    "file_id": business.uuid(f"invoice file:{month:%Y-%m}"),
                    "period_start": month.isoformat(),
                    "period_end": (first_of_month(month, 1) - DAY).isoformat(),
                    "paid": month not in unpaid,
                    "url": f"https://api.telnyx.com:443/v2/invoices/{invoice_id}",
                }
            )
        self._by_id = {invoice["invoice_id"]: invoice for invoice in self.all}

    def find(self, invoice_id: str) -> dict[str, Any] | None:
        """The invoice with this id, in upper or lower case."""
        return self._by_id.get(invoice_id.lower())

    def download_url(self, invoice: dict[str, Any]) -> str:
        """A signed link, as Telnyx gives it for `action=link`. Nothing answers there."""
        return (
            f"https://us-east-1.telnyxstorage.example/invoices/{invoice['file_id']}.pdf"
            "?X-Amz-Expires=600&X-Amz-Signature=5a6e64626f78"
        )
