"""`telnyx_list_phone_numbers`"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from pydantic import Field

from telnyx_mcp.telnyx.account_models import PhoneNumber
from telnyx_mcp.telnyx.models import Page
from telnyx_mcp.telnyx.names import Named, Names
from telnyx_mcp.telnyx.pagination import Scan, page_of
from telnyx_mcp.tools.framework.results import ListResult, Row, paging
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.number_groups import FORMER_TYPES, NumberGroup, group_rows
from telnyx_mcp.tools.support.number_search import STATUSES, NumberSearch, NumbersParams, search_of

MAX_PAGES = 200
"""50,000 numbers."""


class NumberRow(Row):
    """A number, without the PIN that it is ported out with."""

    phone_number: str | None = Field(None, description="Phone number with country code, E.164.")
    phone_number_type: str | None = Field(
        None, description="Kind of number, such as local or toll_free."
    )
    country_iso_alpha2: str | None = Field(
        None, description="Country of the number, ISO 3166-1 alpha-2."
    )
    status: str | None = Field(None, description="Status of the number, such as active.")
    tags: list[str] | None = Field(None, description="Tags of the number.")
    customer_reference: str | None = Field(
        None, description="Reference that the customer gave the number."
    )
    connection_name: str | None = Field(None, description="Name of its voice connection.")
    connection_id: str | None = Field(None, description="Id of its voice connection.")
    messaging_profile_name: str | None = Field(None, description="Name of its messaging profile.")
    messaging_profile_id: str | None = Field(None, description="Id of its messaging profile.")
    billing_group_name: str | None = Field(None, description="Name of its billing group.")
    billing_group_id: str | None = Field(None, description="Id of its billing group.")
    emergency_enabled: bool | None = Field(None, description="Whether emergency calls are enabled.")
    purchased_at: str | None = Field(None, description="When it was bought, RFC 3339.")
    id: str | None = Field(None, description="Id of the number.")


class NumbersResult(ListResult):
    items: Sequence[NumberRow | NumberGroup] = Field(
        description="Numbers, or with group_by: the groups, and how many numbers each has."
    )
    numbers: int | None = Field(None, description="With group_by: the numbers in all groups.")
    part_numbers: int | None = Field(None, description="Instead, where not all could be read.")


async def list_phone_numbers(call: Call[NumbersParams]) -> NumbersResult:
    names = call.names()
    search = await search_of(call, names)
    if call.params.group_by:
        return await _grouped(call, search, names)
    page = await _one_page(call, search)
    if page is None:
        found = [each async for each in _matching_numbers(call, search)]
        page = page_of(found, call.params.page, call.params.page_size)
    groups = await names.all(Named.BILLING_GROUPS) if _any_has_group(page) else {}
    result = NumbersResult(
        items=[_row(each, groups) for each in page.items],
        note=" ".join(search.notes) or None,
        **paging(page),
    )
    if not search.whole:
        result.total = None
    return result


async def _one_page(call: Call[NumbersParams], search: NumberSearch) -> Page[PhoneNumber] | None:
    """The page asked for as Telnyx has it; None where all numbers have to be looked through. A number
    that the account no longer has, or not yet, is looked for in every status."""
    params = call.params
    if search.tests or len(search.statuses) > 1:
        return None
    page = await call.client.list_phone_numbers(
        **search.filters,
        status=search.statuses[0],
        detailed=True,
        page=params.page,
        page_size=params.page_size,
    )
    if page.items or not params.number or params.status or page.number > 1:
        return page
    search.statuses = STATUSES[1:]
    search.notes.append("No active number matches: the other statuses were looked through.")
    return None


async def _matching_numbers(
    call: Call[Any], search: NumberSearch
) -> AsyncGenerator[PhoneNumber, None]:
    """Every number that matches."""
    for status in search.statuses:

        def fetch(number: int, status: str = status) -> Any:
            return call.client.list_phone_numbers(
                **search.filters, status=status, detailed=search.detailed, page=number
            )

        scan = Scan[PhoneNumber](
            fetch, lambda each: each.id, call.progress.rows, max_pages=MAX_PAGES
        )
        async for each in scan.rows():
            if all(test(each) for test in search.tests):
                yield each
        if not scan.complete:
            search.whole = False
            search.notes.append(
                f"INCOMPLETE: read {scan.count} of {scan.total or 'unknown'} {status} numbers "
                f"({scan.why}). Filter by country, type or tag for the rest."
            )


async def _grouped(call: Call[NumbersParams], search: NumberSearch, names: Names) -> NumbersResult:
    params = call.params
    found = [each async for each in _matching_numbers(call, search)]
    groups = await names.all(Named.BILLING_GROUPS) if "billing_group" in params.group_by else {}
    counted = "numbers" if search.whole else "part_numbers"
    rows = group_rows(found, params.group_by, groups, counted)
    page = page_of(rows, params.page, params.page_size)
    return NumbersResult(
        items=page.items,
        numbers=len(found) if search.whole else None,
        part_numbers=None if search.whole else len(found),
        note=" ".join(search.notes) or None,
        **paging(page),
    )


def _any_has_group(page: Page[PhoneNumber]) -> bool:
    return any(each.billing_group_id for each in page.items)


def _row(number: PhoneNumber, billing_groups: Mapping[str, str]) -> NumberRow:
    shared_fields = type(number).model_fields.keys() & NumberRow.model_fields.keys()
    row = NumberRow(**number.model_dump(include=set(shared_fields), exclude_none=True))
    row.phone_number_type = FORMER_TYPES.get(row.phone_number_type or "", row.phone_number_type)
    row.billing_group_name = billing_groups.get(row.billing_group_id or "")
    return row


LIST_PHONE_NUMBERS = ToolSpec(
    name="telnyx_list_phone_numbers",
    group="numbers",
    title="Phone numbers",
    description="Phone numbers with connection, profile, billing group and tags.",
    params=NumbersParams,
    result=NumbersResult,
    run=list_phone_numbers,
)
