"""Faults on demand: what goes wrong, for which operation, how often, and whether it changed anything.

A fault is a row of `KINDS`; whether the request is carried out before things go wrong (`applied`)
has a default there and can be chosen for each fault, because that is what decides if a payment was
made when its answer is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

ANY = "*"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a fault is called, what a client sees, and its usual values."""

    name: str
    client_sees: str
    applied: bool
    status: int = 200


KINDS: dict[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind("drop_before", "the connection closed without an answer", False),
        FaultKind("drop_after", "the connection closed without an answer", True),
        FaultKind("reset_before", "the connection reset (RST) without an answer", False),
        FaultKind("reset_after", "the connection reset (RST) without an answer", True),
        FaultKind("slow", "the right answer, after `seconds`", True),
        FaultKind("drip", "the right answer, a byte every `seconds`", True),
        FaultKind("truncated", "half of the promised body, then the connection closed", True),
        FaultKind("truncated_json", "a complete answer whose JSON stops halfway", True),
        FaultKind("html", "`status` and a page of HTML, as a proxy sends it", False, 502),
        FaultKind("empty", "`status` and no body", True),
        FaultKind("no_content", "204", True, 204),
        FaultKind("nonsense", "JSON of another shape: `body`", True),
        FaultKind("status", "`status` and the documented error body", False, 500),
        FaultKind("huge", "a body of `size` bytes", True),
        FaultKind("redirect", "302 to `location`", False, 302),
        FaultKind("null_fields", "every field null", True),
        FaultKind("absent_fields", "every field absent", True),
        FaultKind("unknown_values", "unknown values and fields", True),
        FaultKind("no_meta", "a list without `meta`", True),
        FaultKind("stuck_page", "page 1 whatever page is asked for, and always a next one", True),
    )
}

DEFAULT_SECONDS = {"slow": 1.0, "drip": 0.005}


class Fault(BaseModel):
    """One kind of fault for one operation (or `*`), and the options it may have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: str
    kind: str
    times: PositiveInt | None = 1
    """How many requests meet it; None: all of them."""
    skip: NonNegativeInt = 0
    """How many requests before it are answered normally."""
    query: dict[str, str] = {}
    """Only requests that have these parameters meet it, as `{"product": "fax-api"}`."""
    applied: bool
    """Whether the request is carried out."""
    status: int = Field(ge=200, le=599)
    seconds: float = Field(default=0.0, ge=0)
    """`slow`: before the answer; `drip`: after every byte."""
    code: str | None = None
    """`status`: the error's code, if not the usual one of that status."""
    headers: dict[str, str] = {}
    """More headers, or others."""
    body: Any = ["not", "what", "you", "asked", "for"]
    """`nonsense`: the JSON to send."""
    size: PositiveInt = 17 * 1024 * 1024
    """`huge`: at least this many bytes."""
    location: str = "https://elsewhere.invalid/v2/"
    """`redirect`: where to."""


@dataclass(slots=True)
class _Planned:
    fault: Fault
    skip: int
    times: int | None


class Faults:
    """The faults that wait for requests to these operations, first come first served."""

    def __init__(self, operations: Collection[str]) -> None:
        self._operations = operations
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()

    def add(self, operation: str, kind: str, **options: Any) -> Fault:
        """Plan a fault for the next request of an operation; options are the fields of `Fault`.

        Raises ValueError for an unknown operation, kind or option.
        """
        if operation != ANY and operation not in self._operations:
            known = ", ".join(self._operations)
            raise ValueError(f"unknown operation {operation!r}; known: {known}")
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; known: {', '.join(KINDS)}")
        usual = {
            "applied": KINDS[kind].applied,
            "status": KINDS[kind].status,
            "seconds": DEFAULT_SECONDS.get(kind, 0.0),
        }
        fault = Fault.model_validate({**usual, **options, "operation": operation, "kind": kind})
        with self._lock:
            self._planned.append(_Planned(fault, fault.skip, fault.times))
        return fault

    def take(self, operation: str, query: Collection[tuple[str, str]] = ()) -> Fault | None:
        """The fault for this request, if any. Counts the request."""
        if not self._planned:
            return None
        with self._lock:
            for planned in self._planned:
                if planned.fault.operation not in {operation, ANY}:
                    continue
                if not planned.fault.query.items() <= set(query):
                    continue
                if planned.skip:
                    planned.skip -= 1
                    continue
                if planned.times is not None:
                    planned.times -= 1
                    if planned.times <= 0:
                        self._planned.remove(planned)
                return planned.fault
        return None

    def clear(self) -> None:
        """Forget every planned fault."""
        with self._lock:
            self._planned.clear()


# The fields whose values Telnyx (or its documents) draws from a list.
ENUMERATED = frozenset(
    {
        "action_type",
        "change_made_by",
        "change_type",
        "charge_type",
        "cost_type",
        "delivery_status",
        "direction",
        "event_type",
        "feature",
        "message_type",
        "preference",
        "processor_status",
        "record_type",
        "status",
        "transaction_processing_type",
        "type",
        "verification_status",
        "verify_channel_type",
    }
)


def distort(kind: str, payload: Any) -> Any:
    """The answer, changed by one of the four faults of shape; other faults do not change it."""
    if not isinstance(payload, dict):
        return payload
    data, meta = payload.get("data"), payload.get("meta")
    match kind:
        case "null_fields":
            return {**payload, "data": _each(data, dict.fromkeys)}
        case "absent_fields":
            return {**payload, "data": _each(data, lambda item: {})}
        case "unknown_values":
            return {**_unheard_of(payload), "x_new": {"at": "the top"}}
        case "no_meta":
            return {name: value for name, value in payload.items() if name != "meta"}
        case "stuck_page" if isinstance(meta, dict):
            pages = max(2, meta.get("total_pages", 0))
            return {**payload, "meta": {**meta, "page_number": 1, "total_pages": pages}}
        case _:
            return payload


def _each(data: Any, change: Any) -> Any:
    if isinstance(data, list):
        return [change(item) for item in data]
    return change(data) if isinstance(data, dict) else data


def _unheard_of(value: Any) -> Any:
    if isinstance(value, list):
        return [_unheard_of(item) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {
        name: "unheard_of" if name in ENUMERATED and isinstance(inner, str) else _unheard_of(inner)
        for name, inner in value.items()
    }
    return {**changed, "x_new_field": {"nested": [1, None, "two"]}}
