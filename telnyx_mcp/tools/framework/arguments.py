"""The types of arguments: what each may look like, and what it becomes."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Set
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from telnyx_mcp.untrusted import visible

LARGEST_AMOUNT = Decimal(1_000_000)
_LONGEST_QUOTE = 60


class Params(BaseModel):
    """The parameters of one tool: flat scalars and lists of strings."""

    model_config = ConfigDict(
        extra="forbid", coerce_numbers_to_str=True, frozen=True, defer_build=True
    )
    instead: ClassVar[Mapping[str, str]] = {}
    """What to use instead of arguments that models guess but that do not exist."""
    words: ClassVar[Mapping[str, Set[str]]] = {}
    """Words that stand for an absent value elsewhere, and are values of these arguments."""
    reads_many: ClassVar[bool] = False
    """Whether a call may need many requests: it then has `MANY_SECONDS` instead of `CALL_SECONDS`."""


class NoParams(Params):
    """The parameters of a tool without arguments."""


def nearest(text: str, known: list[str]) -> str | None:
    """The known text that looks most like this one, if any does."""
    by_case = {each.lower(): each for each in known}
    found = get_close_matches(text.lower(), by_case, 1, 0.6)
    return by_case[found[0]] if found else None


def quote(value: object, *, with_marks: bool = False) -> str:
    """A value for an error text: printable and short."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)[:400]
    text = " ".join(visible(text[: _LONGEST_QUOTE + 1]).split())
    text = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"
    return f'"{text}"' if with_marks and isinstance(value, str) else text


_NO_TEXT = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
"""Controls, halves of characters, private ones, line and paragraph separators."""


def _strip_and_check(value: object) -> object:
    """Text without white space around it, and without what is not seen: marks of direction, as pasted
    phone numbers hold them. Emoji and the joiners of scripts stay; a control character is an error."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a phone number or an id, as 13125550100.0
    if not isinstance(value, str):
        return value
    text = value.strip()
    if any(unicodedata.category(each) in _NO_TEXT for each in text):
        raise ValueError("holds control characters")
    return visible(text).strip()


def _split_list(value: object) -> object:
    """A list without empty entries, also from a JSON string or from text with commas, as hosts send both."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                raise ValueError("begins like a JSON list but is not one") from None
        else:
            value = text.split(",")
    if not isinstance(value, list):
        return value
    return [each for each in value if each is not None and str(each).strip()]


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
