"""The published schema of a tool's result, made from its pydantic model.

Hosts keep these schemas from the model's context, and generate types from them. Some reject `$ref`,
`anyOf` and null, so nested rows are written out, and a field that may be absent is not required.

- Rows of two kinds in one list, such as deliveries or URLs, are one object with the fields of both.
- A value that is passed on as Telnyx sent it, such as a webhook's payload, has no type.
- An amount is a string, as is every time.
- Only fields of the result itself are required: a result that is too long loses fields of its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Schema = dict[str, Any]

_SCALARS: Mapping[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}

COMMON: Mapping[str, str] = {
    "account": "The account that was read, where several are configured.",
    "note": "What to know about this answer: what it covers, and what is missing from it.",
    "sandbox": "Present where the account is a sandbox: no figure is real.",
    "today": "The day on which this was answered, YYYY-MM-DD.",
    "start_date": "First day of the range, YYYY-MM-DD.",
    "end_date": "Day after the last day of the range, YYYY-MM-DD.",
    "currency": "Currency of the amounts beside it, such as USD.",
    "zone": "Time zone in which days begin and end.",
    "items": "The rows of this page.",
    "returned": "How many rows this page has.",
    "total": "How many rows there are on all pages. Absent if unknown.",
    "has_more": "Whether another page follows.",
    "next_page": "The page to ask for next.",
}
"""Descriptions of fields that mean the same in every result."""


def output_schema(result: type[BaseModel]) -> Schema:
    """The schema of a result: an object with all fields of the model, at every depth."""
    return _built(result)


@cache
def _built(result: type[BaseModel]) -> Schema:
    schema = _object([result])
    required = [name for name, field in result.model_fields.items() if _is_always_there(field)]
    return schema | ({"required": required} if required else {})


def _is_always_there(field: FieldInfo) -> bool:
    return field.is_required() or (field.default is not None and field.default_factory is None)


def _object(models: Iterable[type[BaseModel]]) -> Schema:
    """An object with the fields of all the models."""
    properties: dict[str, Schema] = {}
    for model in models:
        for name, field in model.model_fields.items():
            described = field.description or COMMON.get(name)
            schema = _schema(field.annotation)
            if described:
                schema = schema | {"description": described}
            properties.setdefault(field.alias or name, schema)
    return {"type": "object", "properties": properties}


def _schema(annotation: Any) -> Schema:
    """The schema of a value of this type; empty for a value of any type."""
    kind, arguments = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return _schema(arguments[0])
    if kind in (Union, UnionType):
        return _one_of([each for each in arguments if each is not NoneType])
    if kind is Literal:
        return {"type": "string", "enum": list(arguments)}
    kind = kind or annotation
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    if not isinstance(kind, type):
        return {}
    if issubclass(kind, BaseModel):
        return _object([kind])
    if issubclass(kind, Mapping):
        values = _schema(arguments[1]) if arguments else {}
        # A count under a name that looks like a secret, such as `token=abc`, is shown as "***".
        can_be_masked = values.get("type") == "integer"
        return {"type": "object"} | (
            {"additionalProperties": values} if values and not can_be_masked else {}
        )
    if issubclass(kind, Sequence):
        return {"type": "array", "items": _schema(arguments[0]) if arguments else {}}
    return {}


def _one_of(options: Sequence[Any]) -> Schema:
    if len(options) == 1:
        return _schema(options[0])
    models = [each for each in options if isinstance(each, type) and issubclass(each, BaseModel)]
    return _object(models) if len(models) == len(options) else {}
