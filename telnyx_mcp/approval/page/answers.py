"""What every page of an approval shares: its headers, and what counts as a confirmation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from telnyx_mcp.approval.change import Change
from telnyx_mcp.approval.channels import typed_matches
from telnyx_mcp.approval.page import render

Form = Mapping[str, Sequence[str]]
"""A form as it was sent: the values of each field."""

_POLICY = (
    "default-src 'none'; style-src 'sha256-{style}'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    # Not no-referrer: the form would be sent with `Origin: null`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-robots-tag": "noindex",
}


def headers_of_pages() -> Mapping[str, str]:
    """The headers: no scripts, no frames, nothing from elsewhere, nothing kept."""
    return {**_HEADERS, "content-security-policy": _POLICY.format(style=render.style_hash())}


def field_of(form: Form, name: str) -> str:
    """The value of a field; empty if the field is missing or repeated."""
    values = form.get(name, ())
    return values[0] if len(values) == 1 else ""


def is_confirmed(change: Change, form: Form) -> bool:
    """Whether the figure was typed, or the box ticked."""
    typed = change.question.typed
    if typed is None:
        return field_of(form, "approve") == "yes"
    return typed_matches(field_of(form, "amount"), typed)
