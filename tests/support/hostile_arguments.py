"""Arguments drawn from a tool's published input schema: such as fit it, and such as no tool expects.

The schemas are flat (no `$ref`, no `anyOf`), so these few lines do what a library would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

Arguments = dict[str, Any]
Schema = Mapping[str, Any]

_FIRST_DAYS = st.sampled_from(["2026-05-01", "2026-05-31", "2026-06-01", "2026-06-08"])
_DAYS_AFTER = st.sampled_from(["2026-06-01", "2026-06-09", "2026-06-15"])
_EARLIER = st.sampled_from(["2026-05-01", "2026-06-10T00:00:00Z", "2026-06-10T12:00:00+02:00"])
_LATER = st.sampled_from(["2026-06-14", "2026-06-15T12:00:00Z", "9999-12-31T23:59:59Z"])
LIKELY: Mapping[str, st.SearchStrategy[Any]] = {
    "amount": st.sampled_from(["120", "0.01", "499.99", "500.01"]),
    "threshold_amount": st.sampled_from(["0", "50.00", "1000000"]),
    "recharge_amount": st.sampled_from(["1", "100.00", "999999.99"]),
    "start_date": _FIRST_DAYS,
    "end_date": _DAYS_AFTER,
    "created_after": _EARLIER,
    "created_before": _LATER,
    "started_after": _EARLIER,
    "started_before": _LATER,
    "finished_after": _EARLIER,
    "finished_before": _LATER,
    "period": st.sampled_from(["2026-05", "yesterday", "last 7 days", "2026-Q2", "this month"]),
    "compare_to": st.sampled_from(["previous", "2025-05"]),
    "date_range": st.sampled_from(["today", "yesterday", "last_7_days", "last_month"]),
    "record_type": st.sampled_from(["messaging", "call-control", "wireless"]),
    "usage": st.sampled_from(["messaging", "stt", "all"]),
    "group_by": st.sampled_from(["day", "status", "country", "tag", "from", "anything"]),
    "filters": st.sampled_from(["direction=outbound", "cost>=0.001", "status=delivered"]),
    "starts_with": st.sampled_from(["prod", "p"]),
    "contains": st.sampled_from(["created", "@", "true"]),
    "event_types": st.sampled_from(["message.finalized", "call.hangup"]),
    "webhook_contains": st.sampled_from(["message", "+1"]),
    "attempts_contains": st.sampled_from(["https", "500"]),
    "reference": st.sampled_from(["march", "東京"]),
}
"""What gets a call past its first checks, by the name of the argument."""

_TEXTS = st.text(max_size=30)


def _value(name: str, schema: Schema, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds: Mapping[str, Callable[[], st.SearchStrategy[Any]]] = {
        "boolean": st.booleans,
        "integer": lambda: st.integers(1, schema.get("maximum", 5)),
        "string": lambda: texts,
        "array": lambda: st.lists(texts, max_size=3, unique=True),
    }
    return kinds[schema["type"]]()


@st.composite
def fitting(draw: st.DrawFn, schema: Schema) -> Arguments:
    """Arguments that the schema allows: three times in four such as a model would send."""
    sensible = draw(st.integers(0, 3)) > 0
    required = schema.get("required", ())
    given: Arguments = {}
    for name, each in schema["properties"].items():
        if name in required or draw(st.integers(0, 9)) < (3 if sensible else 6):
            texts = LIKELY.get(name, _TEXTS) if sensible else _TEXTS
            given[name] = draw(_value(name, each, texts))
    if sensible and "period" in given:
        given = {name: given[name] for name in given if name not in ("start_date", "end_date")}
    elif sensible and "period" in schema["properties"]:
        given |= {name: draw(LIKELY[name]) for name in ("start_date", "end_date")}
    return given


def nested(depth: int, inner: Any = "x") -> list[Any]:
    """Lists in lists."""
    value: Any = inner
    for _ in range(depth):
        value = [value]
    return list(value)


_ODD_TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            " ",
            "null",
            "\x00",
            "a\r\nX-Evil: 1",
            "\x1b]0;t\x07\x1b[2J",
            "\u202egnp.exe\u2066",
            "\U000e0041\ufeff\u200b",
            "\ud800",
            "x\udfff",
            "١٢٠",
            "東京・Київ・😀",
            "../../etc/passwd",
            "%00%2e%2e%2f",
            "{0.__class__}%s%n",
            "'; DROP TABLE changes; --",
            '["a","b"]',
            '["direction=outbound"]',
            '["\\ud800"]',
            '["' + "[" * 2000,
            "[" * 2000,
            "[1,NaN,null]",
            '{"a":1}',
            "1e400",
            "-0",
            "NaN",
            "9" * 5000,
            "0." + "0" * 5000 + "1",
        ]
    ),
)
HUGE = st.sampled_from(
    [
        "x" * 1_000_000,
        "[" + '"x",' * 250_000 + '"x"]',
        "=" * 1_000_000,
        ",a=b" * 250_000,
        "\U0001f600" * 250_000,
        "1" * 1_000_000,
        ["a=b"] * 10_000,
        [1] * 10_000,
        [["x"] * 100] * 100,
        "x" * 1_000_000 + "\x00",
        {str(number): number for number in range(10_000)},
    ]
)
"""A megabyte of text, ten thousand entries."""
_EDGES = st.sampled_from(
    [
        0,
        -1,
        2**31,
        2**53 + 1,
        2**63,
        2**64,
        -(2**63),
        10**400,
        -0.0,
        5e-324,
        1e308,
        math.nan,
        math.inf,
        -math.inf,
        1.5,
        True,
        False,
        None,
    ]
)
_ODD_VALUES = st.one_of(
    _ODD_TEXTS,
    _EDGES,
    st.lists(st.one_of(_ODD_TEXTS, _EDGES), max_size=3),
    st.dictionaries(st.text(max_size=5), st.one_of(_ODD_TEXTS, _EDGES), max_size=3),
    st.sampled_from([nested(100), nested(50, {"a": [None]}), {"a": {"b": {"c": {}}}}]),
)
_ODD_NAMES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "__class__", "self", "params", "page[size]", "\ud800", "x" * 100_000]),
)


@st.composite
def hostile(draw: st.DrawFn, schema: Schema) -> Arguments:
    """Arguments that once fitted, and of which some are wrong, missing, huge or not the tool's."""
    given = draw(fitting(schema))
    names = sorted(schema["properties"])
    for _ in range(draw(st.integers(1, 3))):
        if names and draw(st.integers(0, 9)) < 7:
            given[draw(st.sampled_from(names))] = draw(_ODD_VALUES)
        elif draw(st.booleans()) and given:
            del given[draw(st.sampled_from(sorted(given)))]
        else:
            given[draw(_ODD_NAMES)] = draw(_ODD_VALUES)
    return given


def huge(schema: Schema) -> st.SearchStrategy[Arguments]:
    """Arguments of which one is as large as a client might ever send."""
    names = st.sampled_from([*sorted(schema["properties"]), "unknown"])
    return st.builds(
        lambda given, name, value: {**given, name: value}, fitting(schema), names, HUGE
    )
