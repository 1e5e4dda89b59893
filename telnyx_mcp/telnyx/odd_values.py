"""Reads an answer of Telnyx's though some of its values are of another kind than documented.

One odd value never fails a row, and one odd row never fails a list. A value that can be shown as text is;
another is absent. Each is kept as it came, for a note. What was a row stays one, so that nothing is
counted as if it were not there, and a cost that can't be read is known to be missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.untrusted import one_line, redact

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[int | str, ...]

_ROUNDS = 4
"""A value that was put in order may hold another that is odd."""
_NAMED = 5
_REMOVED = object()


@dataclass(frozen=True, slots=True)
class OddValue:
    """A value as it came, and the names of the fields that lead to it."""

    where: tuple[str, ...]
    value: Any


def read_leniently(model: type[Model], data: Any, found: list[OddValue]) -> Model:
    """The data as a model, and its odd values in `found`. Raises `TelnyxError` where it is no object."""
    if not isinstance(data, dict):
        raise TelnyxError(Failure.WRONG_SHAPE, "the answer is not an object")
    wrapped: set[Path] = set()
    is_copy = False
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            if not is_copy:  # others may read the same answer
                data, is_copy = deepcopy(data), True
            for each in error.errors(include_url=False, include_context=False):
                _repair(data, each, wrapped, found)
            _drop_removed(data)
    return read_strictly(model, data)


def read_strictly(model: type[Model], data: Any) -> Model:
    """The data as a model. Raises `TelnyxError` for any odd value: what became of a change is known from
    an answer that is as documented, or not at all."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "data"
        raise TelnyxError(Failure.WRONG_SHAPE, f"`{where[:80]}`: {first['msg'][:120]}") from None


def read_rows(data: Any, found: list[OddValue]) -> list[dict[str, Any]]:
    """The rows of a list; one that is no object is an empty one. Raises `TelnyxError` where there is no
    list."""
    if not isinstance(data, list):
        raise TelnyxError(Failure.WRONG_SHAPE, "data is not a list")
    found += [OddValue(("row",), each) for each in data if not isinstance(each, dict)]
    return [each if isinstance(each, dict) else {} for each in data]


def describe(found: Iterable[OddValue]) -> str:
    """What was odd, for a note; empty if nothing was."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for each in found:
        name = ".".join(each.where)
        counts[name] += 1
        if name not in first:
            first[name] = one_line(
                _json(redact({each.where[-1]: each.value}, 200, nulls=True))[1:-1]
            )
    named = [
        shown if counts[name] == 1 else f"{shown} and {counts[name] - 1} more"
        for name, shown in list(first.items())[:_NAMED]
    ]
    if len(first) > _NAMED:
        named.append(f"and {len(first) - _NAMED} other fields")
    if not named:
        return ""
    return (
        "Telnyx sent values of another kind than it documents, shown as text or left out: "
        f"{'; '.join(named)}."
    )


def _repair(data: Any, error: ErrorDetails, wrapped: set[Path], found: list[OddValue]) -> None:
    """Replaces the value that an error is about, where it is; the whole field where that is not found.
    `error` has the value as the model read it, without what it drops as a secret."""
    path, value = error["loc"], error["input"]
    holder = data
    try:
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]]
    except (LookupError, TypeError):
        path, holder = path[:1], data
    if path[:-1] in wrapped:
        path = path[:-1]
        holder = data
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = None
        return
    if value is not None:
        found.append(OddValue(tuple(each for each in path if isinstance(each, str)), value))
    holder[path[-1]] = _replacement(error["type"], path, value, wrapped)


def _replacement(kind: str, path: Path, value: Any, wrapped: set[Path]) -> Any:
    in_list = isinstance(path[-1], int)
    if kind == "string_type":
        if value in (None, [], {}):
            return _REMOVED if in_list else None
        return _json(value)
    if kind == "list_type" and value and isinstance(value, dict | str):
        wrapped.add(path)
        return [value]
    return {} if in_list else None


def _drop_removed(value: Any) -> None:
    """Takes out the entries of lists that say nothing."""
    if isinstance(value, dict):
        for each in value.values():
            _drop_removed(each)
    elif isinstance(value, list):
        value[:] = [each for each in value if each is not _REMOVED]
        for each in value:
            _drop_removed(each)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
