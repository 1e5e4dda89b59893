"""From the arguments a client sent to typed parameters, or to an error that says how to fix them.

The SDK drops arguments it does not know; here each one is an error that names the nearest real
one, so that a misspelt `start_date` never becomes "all time".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails, core_schema

from telnyx_mcp.tools.framework.failure import not_asked

LARGEST_AMOUNT = Decimal(1_000_000)
_LONGEST_QUOTE = 60


class Params(BaseModel):
    """The parameters of one tool: flat scalars and lists of strings."""

    model_config = ConfigDict(
        extra="forbid", coerce_numbers_to_str=True, frozen=True, defer_build=True
    )
    instead: ClassVar[Mapping[str, str]] = {}
    """What to use instead of arguments that models guess but that do not exist."""
    reads_many: ClassVar[bool] = False
    """Whether a call may need many requests: it then has `MANY_SECONDS` instead of `CALL_SECONDS`."""


class NoParams(Params):
    """The parameters of a tool without arguments."""


P = TypeVar("P", bound=Params)


def parse(params: type[P], tool: str, arguments: Mapping[str, Any]) -> P:
    """The typed parameters. A null counts as absent, as hosts send nulls for what they leave out.

    Raises `ToolFailure`, which names every wrong argument at once.
    """
    known = params.model_fields
    given = {name: value for name, value in arguments.items() if value is not None}
    wrong = [_unknown(name, given, params) for name in given if name not in known]
    if not wrong:
        try:
            return params.model_validate(given)
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


_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("limit", "per_page", "count"), "page_size"),
    **dict.fromkeys(("from", "since", "begin"), "start_date"),
    **dict.fromkeys(("to", "until", "till"), "end_date"),
}


def nearest(text: str, known: list[str]) -> str | None:
    """The known text that looks most like this one, if any does."""
    by_case = {each.lower(): each for each in known}
    found = get_close_matches(text.lower(), by_case, 1, 0.6)
    return by_case[found[0]] if found else None


def _unknown(name: str, given: Mapping[str, Any], params: type[Params]) -> str:
    low = name.lower()[:80]
    if low in params.instead:
        return f"there is no argument `{quote(name)}`. {params.instead[low]}"
    free = [each for each in params.model_fields if each not in given]
    near = [
        each
        for each in free
        if each == _SYNONYMS.get(low) or each.startswith(f"{low}_") or each.endswith(f"_{low}")
    ]
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


def quote(value: object, *, with_marks: bool = False) -> str:
    """A value for an error text: printable and short."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)[:400]
    text = "".join(c if c.isprintable() else "\ufffd" for c in text[: _LONGEST_QUOTE + 1])
    text = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"
    return f'"{text}"' if with_marks and isinstance(value, str) else text


def _strip_and_check(value: object) -> object:
    """Text without control characters and without white space around it."""
    if isinstance(value, str):
        value = value.strip()
        if not value.isprintable():
            raise ValueError("holds control characters")
    return value


def _split_list(value: object) -> object:
    """A list, also from a JSON string or from text with commas, as hosts send both."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError("begins like a JSON list but is not one") from None
    return [part.strip() for part in text.split(",") if part.strip()]


def _day(value: object) -> date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip(), re.ASCII):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("is not a calendar day") from None
    raise ValueError("must be a day written YYYY-MM-DD, such as 2026-05-01")


def _instant(value: object) -> datetime:
    """A moment with its zone; without one, UTC; a day alone is its midnight."""
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-05-01T00:00:00Z")
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            "must be a time such as 2026-05-01T00:00:00Z, or a day such as 2026-05-01"
        ) from None


def _amount(value: object) -> str:
    """An amount of money with two decimals, as text."""
    text = str(value).strip() if isinstance(value, str | int | float) else ""
    text = "" if isinstance(value, bool) else text
    if not re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
        raise ValueError(
            "must be a plain amount such as 120.00: digits with a decimal point, no sign, "
            "thousands separator, currency or exponent"
        )
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError("is too large") from None
    if amount < 0:
        raise ValueError("must not be negative")
    if amount > LARGEST_AMOUNT:
        raise ValueError(f"must be {LARGEST_AMOUNT} or less")
    if amount != (cents := amount.quantize(Decimal("0.01"))):
        raise ValueError("must not have fractions of a cent: two decimals at most")
    return str(cents)


def _positive(value: str) -> str:
    if Decimal(value) == 0:
        raise ValueError("must be more than 0")
    return value


def _id(value: object) -> str:
    try:
        text = value.strip() if isinstance(value, str) else ""
        if not re.fullmatch(r"[0-9a-fA-F-]{36}", text, re.ASCII):
            raise ValueError
        return str(UUID(text))
    except ValueError:
        raise ValueError(
            "must be an id (a UUID such as 48eff763-ea80-4345-b688-78249eb165a8), "
            "taken from the list tool"
        ) from None


Text = Annotated[
    str, BeforeValidator(_strip_and_check), StringConstraints(min_length=1, max_length=200)
]
TextList = Annotated[list[Text], BeforeValidator(_split_list)]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=str)]
Instant = Annotated[datetime, BeforeValidator(_instant, json_schema_input_type=str)]
Amount = Annotated[str, BeforeValidator(_amount)]
PositiveAmount = Annotated[str, BeforeValidator(lambda value: _positive(_amount(value)))]
Id = Annotated[str, BeforeValidator(_id)]
PageNumber = Annotated[int, Field(ge=1, description="Page number, from 1.")]


def isoformat(moment: datetime | None) -> str | None:
    """A moment as results echo it, with its zone."""
    return moment.isoformat() if moment else None


def utc_text(moment: datetime) -> str:
    """A moment in UTC: `2026-06-15T11:55:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def check_order(start: datetime | None, end: datetime | None, names: str) -> None:
    """Raises `ValueError` for a range that ends before it starts. `names` are its two arguments."""
    if start and end and start > end:
        raise ValueError(f"{names}: the range ends before it starts; exchange the two")
    if start and start == end:
        raise ValueError(f"{names}: nothing lies between two equal times; a day ends with the next")


class _InputSchema(GenerateJsonSchema):
    """Publishes what hosts accept: no `anyOf` with null, no null default, no title, no format."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        published = super().default_schema(schema)
        if published.get("default") in (None, [], False):
            published.pop("default", None)
        return published

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        return {"type": "string"}

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return {"type": "string"} | super().enum_schema(schema)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


_PUBLISHED = ("type", "enum", "items", "default", "maximum", "description")


@cache
def input_schema(params: type[Params]) -> dict[str, Any]:
    """The published schema of a tool's arguments: one flat object."""
    published = params.model_json_schema(schema_generator=_InputSchema)
    properties = {
        name: {key: each[key] for key in _PUBLISHED if key in each}
        for name, each in published.get("properties", {}).items()
    }
    for each in properties.values():
        if "items" in each:
            each["items"] = {"type": each["items"]["type"]}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required := published.get("required"):
        schema["required"] = required
    return schema
