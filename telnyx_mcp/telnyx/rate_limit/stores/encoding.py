"""A pace as the text that a store keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from pydantic_core import from_json, to_json

from telnyx_mcp.telnyx.rate_limit.schedule import Pace

LARGEST = 1e11
"""No figure of a pace is larger: the moments are seconds since 1970."""
_STORED: Mapping[str, str] = {
    "ends_stated": "told",
    "remaining": "left_told",
    "remaining_until": "left_until",
    "remaining_since": "left_since",
    "queue_start": "head",
    "queue_end": "tail",
    "abandoned": "left",
    "reserved_until": "expected",
    "shift": "slid",
}
"""The names that fields have in the store, where these differ: copies of an earlier version may share it."""
_FIELDS = {each.name: _STORED.get(each.name, each.name) for each in fields(Pace)}


def encode(pace: Pace) -> str:
    stored = {its: getattr(pace, name) for name, its in _FIELDS.items()}
    return to_json(stored).decode()


def decode(text: str) -> Pace:
    """The pace as stored; a new one where another version, or something else, wrote it."""
    try:
        stored = from_json(text)
        if stored.keys() != set(_FIELDS.values()):
            return Pace()
        values = {name: stored[its] for name, its in _FIELDS.items()}
        abandoned = tuple(values.pop("abandoned"))
        if not all(-LARGEST < each < LARGEST for each in (*values.values(), *abandoned)):
            return Pace()
        return Pace(**values, abandoned=abandoned)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Pace()
