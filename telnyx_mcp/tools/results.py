"""What a tool answers: a pydantic model, sent as structured content and as the same in compact JSON.

Rows are dropped, and JSON never cut, where an answer would be too long for a model's context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel, ConfigDict

from telnyx_mcp.telnyx.models import Page
from telnyx_mcp.tokens import about_tokens
from telnyx_mcp.tools.untrusted import clean, compact

LARGEST_ANSWER = 7_500
"""Tokens of an answer, as estimated; no answer may have more than 8,000."""


class Result(BaseModel):
    """The base of every tool's answer. A field that Telnyx did not send is absent."""

    model_config = ConfigDict(extra="allow", defer_build=True)
    rows: ClassVar[str] = ""
    """The list whose rows may be dropped from an answer that is too long."""

    account: str | None = None
    note: str | None = None
    sandbox: str | None = None


class ListResult(Result):
    """One page of a list, and how to get the next."""

    rows: ClassVar[str] = "items"
    size_argument: ClassVar[str] = "page_size"

    items: Sequence[Any]
    returned: int = 0
    total: int | None = None
    has_more: bool = False
    next_page: int | None = None


class Row(BaseModel):
    """The base of a row. Unknown fields from Telnyx are kept."""

    model_config = ConfigDict(extra="allow", defer_build=True, populate_by_name=True)


def paging(page: Page[Any]) -> dict[str, Any]:
    """The fields of a `ListResult` that say where in the list a page is."""
    return {
        "returned": len(page.items),
        "total": page.total_results,
        "has_more": page.has_more,
        "next_page": page.number + 1 if page.has_more else None,
    }


SANDBOX_NOTE = "pretend account: tell the user that these figures are not theirs"


def answer(result: Result, *, sandbox: bool, is_error: bool = False) -> CallToolResult:
    """The result as it goes to the client, of at most `LARGEST_ANSWER` tokens."""
    if sandbox:
        result.sandbox = SANDBOX_NOTE
    content = clean(result.model_dump(mode="json", by_alias=True, exclude_none=True))
    for last in ("account", "note", "sandbox"):
        if last in content:
            content[last] = content.pop(last)
    text = compact(content)
    if _too_long(text):
        content = _fitted(content, result)
        text = compact(content)
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=content,
        is_error=is_error,
    )


def failed(text: str) -> CallToolResult:
    """An error for the model: what happened, why, whether to try again, what to do."""
    return CallToolResult(content=[TextContent(type="text", text=clean(text, 1400))], is_error=True)


def _too_long(text: str) -> bool:
    return len(text) > LARGEST_ANSWER and about_tokens(text) > LARGEST_ANSWER


def _fitted(content: dict[str, Any], result: Result) -> dict[str, Any]:
    """The answer with shorter texts, and as many of its rows as fit."""
    rows = result.rows
    content = clean(content, 300)
    listed = content.get(rows)
    if not isinstance(listed, list):
        return clean(content, 60)  # type: ignore[no-any-return]
    room = LARGEST_ANSWER - about_tokens(compact({**content, rows: []})) - 100
    kept = 0
    for row in listed:
        room -= about_tokens(compact(row)) + 1
        if room < 0:
            break
        kept += 1
    if kept == len(listed):
        return content
    dropped = len(listed) - kept
    note = f"{dropped} of {len(listed)} {rows} were left out to keep the answer short."
    if isinstance(result, ListResult):
        note += (
            f" For the rest, from the first page on: {result.size_argument}={max(1, kept)} (page=2 is "
            "next if this was page 1)."
        )
    if "returned" in content:
        content |= {"returned": kept, "has_more": True}
        content.pop("next_page", None)
    said = content.get("note")
    return {**content, rows: listed[:kept], "note": f"{said} {note}" if said else note}
