"""Reads all invoices with the official SDK's auto-paging; the page size is its argument, if any.

Prints the seconds it took, and how many different invoices came.
"""

from __future__ import annotations

import sys
from time import perf_counter

from telnyx import Telnyx, omit


def main() -> None:
    client = Telnyx()
    client.balance.retrieve()  # so that a connection is open
    begun = perf_counter()
    size = int(sys.argv[1]) if len(sys.argv) > 1 else omit
    ids = {each.invoice_id for each in client.invoices.list(page_size=size)}
    print(perf_counter() - begun, len(ids))


if __name__ == "__main__":
    main()
