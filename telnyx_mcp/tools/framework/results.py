"""What a tool answers: a pydantic model, sent as structured content and, the same, as compact JSON text.

If an answer would be too long for a model's context, rows are dropped; JSON is never cut.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, ClassVar, TypeVar

from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel, ConfigDict

from telnyx_mcp.telnyx.models import Page
from telnyx_mcp.telnyx.pagination import Scan
from telnyx_mcp.tools.framework.tokens import about_tokens
from telnyx_mcp.untrusted import redact, sanitize, sanitize_link, shorten, to_json

LARGEST_ANSWER = 7_500
"""Tokens of an answer, as estimated; no answer may have more than 8,000."""


class Result(BaseModel):
    """The base of every tool's answer. A field that Telnyx did not send is absent."""

    model_config = ConfigDict(extra="allow", defer_build=True)
    rows: ClassVar[str] = ""
    """The list whose rows may be dropped from an answer that is too long."""
    links: ClassVar[frozenset[str]] = frozenset()
    """Fields with a signed link that the user asked for, of the result or of its rows. Every other
    URL loses its signature."""

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

    model_config = ConfigDict(
        extra="allow", defer_build=True, populate_by_name=True, coerce_numbers_to_str=True
    )


M = TypeVar("M", bound=Result | Row)


def copy_fields(
    source: BaseModel, model: type[M], *, without: Set[str] = frozenset(), **own: Any
) -> M:
    """Copies all fields that Telnyx sent to a result or row, except unknown ones that clash with one of our
    own, such as `note`. `own` are the values of our fields."""
    taken = model.model_fields.keys() - type(source).model_fields.keys()
    return model(**source.model_dump(exclude={*without, *taken}), **own)


def paging(page: Page[Any]) -> dict[str, Any]:
    """The fields of a `ListResult` that say where in the list a page is."""
    return {
        "returned": len(page.items),
        "total": page.total_results,
        "has_more": page.has_more,
        "next_page": page.number + 1 if page.has_more else None,
    }


def coverage(scan: Scan[Any]) -> str:
    """How much of a list was looked through, as a note."""
    if scan.complete:
        return f"Looked through all {scan.count}."
    return (
        f"INCOMPLETE: looked through {scan.count} of {scan.total or 'unknown'} ({scan.why}). "
        "Narrow the range of time for the rest."
    )


SANDBOX_NOTE = "sandbox account: tell the user that these figures are not theirs"


def answer(result: Result, *, sandbox: bool, is_error: bool = False) -> CallToolResult:
    """The result as it goes to the client: redacted, of at most `LARGEST_ANSWER` tokens."""
    if sandbox:
        result.sandbox = SANDBOX_NOTE
    data = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    content = redact(data)
    _restore_links(content, data, result)
    for last in ("account", "note", "sandbox"):
        if last in content:
            content[last] = content.pop(last)
    text = to_json(content)
    if _is_too_long(text):
        content = _shorten_answer(content, data, result)
        text = to_json(content)
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=content,
        is_error=is_error,
    )


def failed(text: str) -> CallToolResult:
    """An error for the model: what happened, why, whether to try again, what to do."""
    return CallToolResult(
        content=[TextContent(type="text", text=sanitize(text, 1400))], is_error=True
    )


def _restore_links(content: dict[str, Any], data: dict[str, Any], result: Result) -> None:
    """Puts the links that were asked for back into an answer that was redacted or shortened, in which
    all rows are still there."""
    pairs = [(content, data)]
    if result.links and result.rows:
        pairs += zip(content[result.rows], data[result.rows], strict=True)
    for shown, whole in pairs:
        for link in result.links & whole.keys() & shown.keys():
            shown[link] = sanitize_link(whole[link])


def _is_too_long(text: str, room: int = LARGEST_ANSWER) -> bool:
    if len(text) <= room:
        return False
    beginning = text[: 10 * room]  # enough to decide, even for megabytes
    return about_tokens(beginning) > room or about_tokens(text) > room


def _shorten_answer(
    content: dict[str, Any], data: dict[str, Any], result: Result
) -> dict[str, Any]:
    """The answer with shorter texts, and as many of its rows, and of the entries of any other list
    or object in it, as fit."""
    content = shorten(content, 300)
    _restore_links(content, data, result)
    order = list(content)
    listed = content.pop(result.rows) if isinstance(content.get(result.rows), list) else None
    own: dict[str, Any] = {
        name: content.pop(name) for name in ("note", "sandbox") if name in content
    }
    earlier_note = own.get("note")
    room = LARGEST_ANSWER - 200 if listed is None else LARGEST_ANSWER // 2
    for most, longest in _ENTRIES:
        if not _is_too_long(to_json(content), room):
            break
        content = shorten(_with_fewer_entries(content, most), longest)
        cut = f"Shortened: at most the first {most} entries of every list and object."
        own["note"] = f"{earlier_note} {cut}" if earlier_note else cut
    content |= own
    if listed is not None:
        content = _with_fewer_rows(content, result, listed)
    return {name: content[name] for name in order if name in content} | content


_ENTRIES = ((300, 60), (100, 60), (30, 60), (10, 60), (3, 20), (1, 10))
"""How many entries of a list or an object stay, and how many characters of a text. The first pair that fits
is used.

Example: an object with 5,000 keys is tried with 300 keys and texts of 60 characters, then with 100 keys, and
so on. Each step starts from the result of the one before."""
_DEEPEST = 20


def _with_fewer_entries(value: Any, most: int, depth: int = 0) -> Any:
    """The same JSON with at most `most` entries of each list and object, and not nested too deeply."""
    if not isinstance(value, list | dict):
        return value
    if depth == _DEEPEST:
        return "…"
    if isinstance(value, list):
        return [_with_fewer_entries(each, most, depth + 1) for each in value[:most]]
    # The fields of the result itself come first, and are fewer than this.
    kept = list(value.items())[: most if depth else max(most, 30)]
    return {name[:100]: _with_fewer_entries(each, most, depth + 1) for name, each in kept}


def _with_fewer_rows(content: dict[str, Any], result: Result, listed: list[Any]) -> dict[str, Any]:
    """The rest of an answer with as many of its rows as fit."""
    rows = result.rows
    room = LARGEST_ANSWER - about_tokens(to_json(content)) - 100
    kept = 0
    for row in listed:
        room -= about_tokens(to_json(row)) + 1
        if room < 0:
            break
        kept += 1
    if kept == len(listed):
        return {rows: listed, **content}
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
    earlier_note = content.get("note")
    return {
        rows: listed[:kept],
        **content,
        "note": f"{earlier_note} {note}" if earlier_note else note,
    }
