"""The pages that a host shows in the chat (MCP Apps), each for the results of some tools.

A page is one HTML file. `shared.css` and `bridge.js`, which speaks with the host, are put into each when
it is read, and `tables.js` into those with figures. Nothing in a page loads anything or calls any address.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_MARK = re.compile(r"<!-- (\w+\.(css|js)) -->")


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and the tools whose results it shows."""

    name: str
    title: str
    description: str
    tools: frozenset[str]

    @property
    def uri(self) -> str:
        return f"ui://telnyx-account-mcp/{self.name}.html"

    def html(self) -> str:
        """The page as the host gets it, complete in itself."""
        return _html(self.name)


@cache
def _html(name: str) -> str:
    def read(file: str) -> str:
        """A file without what only its readers need."""
        lines = files(__name__).joinpath(file).read_text(encoding="utf-8").splitlines()
        kept = (each.strip() for each in lines)
        return "\n".join(each for each in kept if each and not each.startswith("//"))

    def included(mark: re.Match[str]) -> str:
        tag = {"css": "style", "js": "script"}[mark[2]]
        return f"<{tag}>{read(mark[1])}</{tag}>"

    return _MARK.sub(included, read(f"{name}.html"))


PAGES: tuple[Page, ...] = (
    Page(
        "spend",
        "Spend",
        "Spend by product and service, against another period, by month.",
        frozenset({"telnyx_summarize_spend"}),
    ),
    Page(
        "usage",
        "Usage",
        "Usage of a product by day, or by another group.",
        frozenset({"telnyx_summarize_usage"}),
    ),
    Page(
        "webhooks",
        "Webhooks",
        "How webhook deliveries fare, by URL.",
        frozenset({"telnyx_list_webhook_deliveries"}),
    ),
    Page(
        "change",
        "Change",
        "A payment or a change of the auto-recharge, and its state.",
        frozenset(
            {
                "telnyx_create_stored_payment_transaction",
                "telnyx_update_auto_recharge_preferences",
            }
        ),
    ),
)


def page_of(tool: str) -> Page | None:
    """The page that shows the results of this tool."""
    return next((each for each in PAGES if tool in each.tools), None)


def pages_of(tools: Set[str]) -> list[Page]:
    """The pages that show results of any of these tools."""
    return [each for each in PAGES if each.tools & tools]
