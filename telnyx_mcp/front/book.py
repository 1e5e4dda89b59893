"""The book: what the real server answers to `initialize`, `server/discover` and the lists, as it wrote it.

`make contract` writes it beside this module (`scripts/generate/book.py`), and `make check` holds it to the
code. It is for one version of this package and one of the SDK, and not used with any other.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from telnyx_mcp import __version__
from telnyx_mcp.config.account_names import ARGUMENT, about_accounts, account_argument
from telnyx_mcp.front.instructions import instructions

if TYPE_CHECKING:
    from telnyx_mcp.front.variant import Variant

FILE = os.path.join(os.path.dirname(__file__), "book.json")
LISTS: Mapping[str, str] = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""Each method that lists something, and the field of its result that holds the entries."""


class Book(NamedTuple):
    """The results for one variant. The server speaks two revisions of the protocol: with a handshake, and
    (`modern`) without one."""

    content: Mapping[str, Any]
    variant: Variant

    @property
    def handshake_versions(self) -> list[str]:
        return list(self.content["handshake"]["versions"])

    @property
    def modern_versions(self) -> list[str]:
        return list(self.content["modern"]["versions"])

    def initialized(self, version: str, *, pages: bool) -> dict[str, Any]:
        """The result of `initialize` for a version that the server supports, for a client that shows
        pages in the chat or for another one."""
        result = dict(self.content["handshake"]["initialize"])
        if pages:
            result["capabilities"] = self.content["pages"]["capabilities"]["initialize"]
        return {**result, "protocolVersion": version, "instructions": self._instructions()}

    def result(self, method: str, *, modern: bool, pages: bool) -> dict[str, Any]:
        """The result of one of the other methods."""
        result = dict(self.content["modern" if modern else "handshake"]["results"][method])
        if method in LISTS:
            result[LISTS[method]] = list(self._entries(method))
            if pages:
                result[LISTS[method]] = list(self._with_pages(method, result[LISTS[method]]))
        elif method == "server/discover":
            result["instructions"] = self._instructions()
            if pages:
                result["capabilities"] = self.content["pages"]["capabilities"][method]
        return result

    def _instructions(self) -> str:
        groups, read_only, accounts = self.variant
        return instructions(groups, read_only=read_only) + about_accounts(accounts)

    def _entries(self, method: str) -> Iterator[Mapping[str, Any]]:
        """The entries of a list whose tools this variant loads."""
        loaded = self._loaded()
        for entry in self.content["entries"][method]:
            if loaded.issuperset(entry["tools"]):
                yield self._with_account(entry["listed"], method)

    def _with_pages(
        self, method: str, entries: list[Mapping[str, Any]]
    ) -> Iterator[Mapping[str, Any]]:
        """The entries with what is added for a client that shows pages in the chat."""
        of_tools = self.content["pages"]["tools"] if method == "tools/list" else {}
        for entry in entries:
            more = of_tools.get(entry["name"])
            yield {**entry, "_meta": more} if more else entry
        if method == "resources/list":
            loaded = self._loaded()
            for page in self.content["pages"]["resources"]:
                if not loaded.isdisjoint(page["tools"]):
                    yield page["listed"]

    def _loaded(self) -> set[str]:
        groups, read_only, _ = self.variant
        return {
            name
            for name, tool in self.content["tools"].items()
            if tool["group"] in groups and not (read_only and tool["changes"])
        }

    def _with_account(self, listed: Mapping[str, Any], method: str) -> Mapping[str, Any]:
        """A tool with the argument for the account, if there are several to read."""
        accounts = self.variant.accounts
        if (
            method != "tools/list"
            or not accounts
            or self.content["tools"][listed["name"]]["changes"]
        ):
            return listed
        schema = listed["inputSchema"]
        properties = {**schema["properties"], ARGUMENT: account_argument(accounts)}
        return {**listed, "inputSchema": {**schema, "properties": properties}}


def open_book(variant: Variant, file: str = FILE) -> Book | None:
    """The book for this variant; None if it is missing or was written for other versions."""
    try:
        with open(file, encoding="utf-8") as opened:
            content = json.load(opened)
        fits = content["version"] == __version__ and is_installed("mcp", content["mcp"], sys.path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Book(content, variant) if fits else None


def is_installed(package: str, version: str, path: list[str]) -> bool:
    """Whether an import would find the package in exactly this version.

    Looks for the folder that an installer leaves: `importlib.metadata` would take as long as the rest of
    the front.
    """
    for folder in path:
        if os.path.exists(os.path.join(folder, package)):
            return os.path.exists(os.path.join(folder, f"{package}-{version}.dist-info"))
    return False
