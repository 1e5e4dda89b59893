"""From the arguments a client sent to typed parameters, or to an error that says how to fix them.

The SDK drops arguments it does not know; here each one is an error that names the nearest real
one, so that a misspelt `start_date` never becomes "all time".
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from telnyx_mcp.tools.framework.arguments import Params, quote
from telnyx_mcp.tools.framework.failure import not_asked

P = TypeVar("P", bound=Params)


def parse(params: type[P], tool: str, arguments: Mapping[str, Any]) -> P:
    """The typed parameters. Raises `ToolFailure`, which names every wrong argument at once."""
    known = params.model_fields
    wrong = [_unknown(name, arguments, params) for name in arguments if name not in known]
    if not wrong:
        try:
            return params.model_validate(arguments)
        except ValidationError as error:
            details = error.errors(include_url=False)
            wrong = [_error_text(detail, params) for detail in details]
    more = f" And {len(wrong) - 5} more." if len(wrong) > 5 else ""
    takes = ", ".join(
        f"{name} (required)" if field.is_required() else name for name, field in known.items()
    )
    raise not_asked(
        f"{' '.join(wrong[:5])}{more}",
        f"Correct this and call {tool} again. "
        + (f"It takes: {takes}." if takes else "It takes no arguments."),
    )


_AFTER, _BEFORE = (
    ("start_date", "started_after", "created_after"),
    ("end_date", "started_before", "created_before"),
)
_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("limit", "per_page", "count", "max_results"), ("page_size", "limit", "top")),
    **dict.fromkeys(("period", "dates", "month", "days"), ("period", "date_range", "date")),
    **dict.fromkeys(("page_size", "top"), ("limit", "page_size")),
    **dict.fromkeys(("from", "since", "begin", "after", "start_date", "start_time"), _AFTER),
    **dict.fromkeys(("to", "until", "till", "before", "end_date", "end_time"), _BEFORE),
}
"""Names that models guess, and what each may be called by a tool, the likeliest first."""


def _unknown(name: str, given: Mapping[str, Any], params: type[Params]) -> str:
    low = name.lower()[:80]
    if low in params.instead:
        return f"there is no argument `{quote(name)}`. {params.instead[low]}"
    free = [each for each in params.model_fields if each not in given]
    near = [each for each in _SYNONYMS.get(low, ()) if each in free]
    near = near or [each for each in free if each.startswith(f"{low}_") or each.endswith(f"_{low}")]
    near = near or get_close_matches(low, free, 1, 0.6)
    hint = f"; did you mean `{near[0]}`?" if near else "."
    return f"there is no argument `{quote(name)}`{hint}"


def _error_text(detail: ErrorDetails, params: type[Params]) -> str:
    """One sentence for one error of pydantic's."""
    name = str(detail["loc"][0]) if detail["loc"] else "arguments"
    context = detail.get("ctx", {})
    kind = detail["type"]
    if not detail["loc"]:
        return f"{context['error']}."
    if kind == "missing":
        described = params.model_fields[name].description or ""
        return f"`{name}` is required: {described.rstrip('.')}."
    template = {
        "literal_error": "must be one of {expected}",
        "int_parsing": "must be a whole number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "int_parsing_size": "must be a smaller number",
        "bool_parsing": "must be true or false",
        "bool_type": "must be true or false",
        "string_type": "must be text",
        "list_type": "must be a list of texts",
        "greater_than_equal": "must be {ge} or more",
        "less_than_equal": "must be {le} or less (the most this endpoint allows)",
        "string_too_long": "must have {max_length} characters at most",
        "string_too_short": "must not be empty",
        "too_long": "must have {max_length} entries or characters at most",
        "too_short": "must not be empty",
        "value_error": "{error}",
    }.get(kind, detail["msg"])
    return f"`{name}` {template.format(**context)}; got {quote(detail['input'], with_marks=True)}."
