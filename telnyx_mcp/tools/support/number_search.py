"""What a call of `telnyx_list_phone_numbers` asks for: Telnyx's own filters, and tests for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from telnyx_mcp.billing.number_costs import number_usage
from telnyx_mcp.telnyx.account_models import PhoneNumber
from telnyx_mcp.telnyx.names import Named, Names
from telnyx_mcp.tools.framework.arguments import PageNumber, Params, Text, TextList
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.framework.spec import Call
from telnyx_mcp.tools.support.name_filters import NONE_SPELLED, id_of, is_none
from telnyx_mcp.tools.support.number_groups import FORMER_TYPES, GROUPS
from telnyx_mcp.tools.support.spelling import e164, spellings
from telnyx_mcp.tools.support.vocabulary import group_word

MAX_ROWS = 40
"""What one answer holds."""
STATUSES = (
    "active",
    "deleted",
    "ported-out",
    "port-pending",
    "port-out-pending",
    "port-failed",
    "purchase-pending",
    "purchase-failed",
    "emergency-only",
)
ANY = "any"
TYPES = ("local", "toll_free", "mobile", "national", "shared_cost")


def _digits(text: str) -> str:
    """The digits of a number in any spelling, or of a part of one."""
    whole = e164(text) if "+" in text or text.startswith("00") else None
    digits = re.sub(r"[^0-9]", "", whole or text)
    if len(digits) < 3:
        raise ValueError("must hold at least three digits of the number")
    return digits


def _country(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", text, re.ASCII):
        raise ValueError("must be a code of two letters, such as US")
    return text.upper()


def _status(text: str) -> str:
    low = text.lower().replace("_", "-")
    if low not in (*STATUSES, ANY):
        raise ValueError(f"must be one of {', '.join((*STATUSES, ANY))}")
    return low


def _type(text: str) -> str:
    low = text.lower().replace("-", "_").replace(" ", "_")
    if (known := FORMER_TYPES.get(low, low)) not in TYPES:
        raise ValueError(f"must be one of {', '.join(TYPES)}")
    return known


def _groups(texts: list[str]) -> list[str]:
    words = [_GROUPS_SPELLED.get(each, each) for each in map(group_word, texts)]
    if unknown := [each for each in words if each not in GROUPS]:
        raise ValueError(f"has no {', '.join(unknown)}; it takes {', '.join(GROUPS)}")
    return list(dict.fromkeys(words))


_GROUPS_SPELLED = {"number_type": "type", "phone_number_type": "type", "kind": "type"}


class NumbersParams(Params):
    reads_many: ClassVar[bool] = True
    instead: ClassVar[Mapping[str, str]] = {
        "phone_number": "Use number.",
        "tags": "Use tag.",
        "untagged": "Use tag=none.",
        "unused": "Use unused_days, such as 30.",
        "messaging_profile": "Use profile.",
        **dict.fromkeys(("cost", "price"), "telnyx_get_charges_breakdown shows what numbers cost."),
    }
    words: ClassVar[Mapping[str, Set[str]]] = dict.fromkeys(
        ("connection", "profile", "billing_group", "tag"), NONE_SPELLED
    )

    number: Annotated[Text, AfterValidator(_digits)] | None = Field(
        None, description="Number, or 3+ digits of it."
    )
    connection: Text | None = Field(None, description='Voice connection: name, id or "none".')
    profile: Text | None = Field(None, description='Messaging profile: name, id or "none".')
    billing_group: Text | None = Field(None, description='Billing group: name, id or "none".')
    tag: Text | None = Field(None, description='One tag, or "none".')
    country: Annotated[Text, AfterValidator(_country)] | None = Field(
        None, description="ISO country code, e.g. US."
    )
    type: Annotated[Text, AfterValidator(_type)] | None = Field(
        None, description="local, toll_free, mobile, ..."
    )
    status: Annotated[Text, AfterValidator(_status)] | None = Field(
        None, description="active (default), deleted, ported-out, any."
    )
    unused_days: int | None = Field(None, ge=1, le=366, description="Unused for this many days.")
    group_by: Annotated[TextList, AfterValidator(_groups)] = Field(
        [],
        max_length=2,
        description=f"Counts by at most two of {', '.join(GROUPS)}.",
    )
    page: PageNumber = 1
    page_size: int = Field(10, ge=1, le=MAX_ROWS, description="Rows per page.")


@dataclass(slots=True)
class NumberSearch:
    """What a call asks for: by Telnyx's own filters, and by what is tested here."""

    filters: dict[str, Any]
    statuses: tuple[str, ...]
    tests: list[Callable[[PhoneNumber], bool]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    detailed: bool = True
    """Whether the rows need a messaging profile, which only the slower list has."""
    whole: bool = True
    """Whether everything was looked through."""


async def search_of(call: Call[NumbersParams], names: Names) -> NumberSearch:
    """What the call asks for, with names resolved. Raises `ToolFailure`."""
    params = call.params
    search = NumberSearch(
        {"phone_number": params.number, "country": params.country, "number_type": params.type},
        STATUSES if params.status == ANY else (params.status or STATUSES[0],),
        detailed=not params.group_by or bool(params.profile) or "profile" in params.group_by,
    )
    if is_none(params.tag):
        search.filters["without_tags"] = True
    else:
        search.filters["tag"] = params.tag
    if is_none(params.billing_group):
        search.filters["billing_group_id"] = "null"
    elif params.billing_group:
        search.filters["billing_group_id"] = await id_of(
            names, Named.BILLING_GROUPS, params.billing_group, "billing_group"
        )
    if is_none(params.connection):
        search.tests.append(lambda each: not each.connection_id)
    elif params.connection:
        search.filters["connection_id"] = await id_of(
            names, Named.CONNECTIONS, params.connection, "connection"
        )
    if params.profile:
        search.tests.append(await _has_profile(names, params.profile))
    if params.unused_days:
        search.tests.append(await _is_unused(call, params.unused_days, search.notes))
    return search


async def _has_profile(names: Names, text: str) -> Callable[[PhoneNumber], bool]:
    """The test for a messaging profile, by which Telnyx can't filter."""
    if is_none(text):
        return lambda each: not each.messaging_profile_id
    wanted = await id_of(names, Named.MESSAGING_PROFILES, text, "profile")
    return lambda each: each.messaging_profile_id == wanted


async def _is_unused(call: Call[Any], days: int, notes: list[str]) -> Callable[[PhoneNumber], bool]:
    """The test for a number without usage. Raises `ToolFailure` where the usage of any product that names
    numbers is unknown: no number is proven unused then."""
    today = call.services.now().astimezone(UTC).date()
    usage = await number_usage(call.client, today - timedelta(days), today + timedelta(1))
    if usage.unknown or not usage.products:
        why = "; ".join(f"{name}: {reason}" for name, reason in usage.unknown.items())
        raise ToolFailure(
            "Which numbers are unused is unknown, as not all usage could be read "
            f"({why or 'no usage report names numbers'}). Call again in a minute; if it continues, ask "
            "without unused_days."
        )
    notes.append(
        f"Unused: without usage of {', '.join(usage.products)} in {days} days; other products do not "
        "name numbers."
    )
    used = {spelling for each in usage.numbers for spelling in spellings(each)}

    def is_unused(number: PhoneNumber) -> bool:
        own = spellings(number.phone_number or "")
        return bool(own) and used.isdisjoint(own)

    return is_unused
