"""`telnyx_list_audit_events`"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from telnyx_mcp.telnyx.models import AuditEvent
from telnyx_mcp.telnyx.pagination import Scan, page_of
from telnyx_mcp.tools.arguments import Instant, PageNumber, Params, TextList, check_order, echo
from telnyx_mcp.tools.results import ListResult, Row, coverage, paging, taken_from
from telnyx_mcp.tools.tool import Call, ToolSpec
from telnyx_mcp.untrusted import redact


class AuditParams(Params):
    reads_many: ClassVar[bool] = True
    instead: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("user", "user_id", "changed_by"), "Use contains with the user's id."),
        **dict.fromkeys(
            ("resource", "resource_id", "record_type", "change_type"),
            "Use contains with the id, name, number or type.",
        ),
    }

    contains: TextList = Field(
        [],
        max_length=5,
        description="All these texts in any field: user or resource id, name, number, type of "
        "thing or change, field, value. A request per 250 events.",
    )
    created_after: Instant | None = Field(
        None, description="Time, e.g. 2026-05-01T00:00:00Z or 2026-05-01 (UTC)."
    )
    created_before: Instant | None = Field(None, description="Time, as created_after.")
    sort: Literal["asc", "desc"] = Field("desc", description="By time; desc is newest first.")
    page: PageNumber = 1
    page_size: int = Field(10, ge=1, le=250, description="Rows per page.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order(self.created_after, self.created_before, "created_after, created_before")
        return self


class AuditRow(Row):
    id: str | None = None
    created_at: str | None = None
    change_type: str | None = None
    change_made_by: str | None = None
    user_id: str | None = None
    record_type: str | None = None
    resource_id: str | None = None
    alternate_resource_id: str | None = None
    untrusted_changes: list[dict[str, Any]] | None = None


class AuditResult(ListResult):
    today: str
    created_after: str | None = None
    created_before: str | None = None
    items: list[AuditRow]


async def list_audit_events(call: Call[AuditParams]) -> AuditResult:
    asked = call.params
    if asked.contains:
        return await _matching(call)
    page = await call.client.list_audit_events(
        created_after=asked.created_after,
        created_before=asked.created_before,
        sort=asked.sort,
        page=asked.page,
        page_size=asked.page_size,
    )
    return AuditResult(
        today=call.today,
        created_after=echo(asked.created_after),
        created_before=echo(asked.created_before),
        items=[_row(event) for event in page.items],
        **paging(page),
    )


async def _matching(call: Call[AuditParams]) -> AuditResult:
    """The events that hold the texts, a page of them. Telnyx filters by time only, so all events of
    that time are looked through, for every page anew."""
    asked = call.params
    scan = Scan(
        lambda number: call.client.list_audit_events(
            created_after=asked.created_after,
            created_before=asked.created_before,
            sort=asked.sort,
            page=number,
        ),
        lambda event: event.id,
        call.progress.rows,
    )
    texts = [each.casefold() for each in asked.contains]
    found = [each async for each in scan.rows() if _holds(each, texts)]
    page = page_of(found, asked.page, asked.page_size)
    return AuditResult(
        today=call.today,
        created_after=echo(asked.created_after),
        created_before=echo(asked.created_before),
        items=[_row(each) for each in page.items],
        note=coverage(scan),
        **paging(page) | {"total": len(found) if scan.complete else None},
    )


def _holds(event: AuditEvent, texts: list[str]) -> bool:
    values = [each.casefold() for each in _texts(event.model_dump(exclude={"organization_id"}))]
    return all(any(text in value for value in values) for text in texts)


def _texts(value: Any) -> Iterator[str]:
    """Every value in it as text; not the names that the API gives them."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif value is not None:
        yield str(value)


def _row(event: AuditEvent) -> AuditRow:
    """The event without its organization, which is the same in all, and with values cut."""
    changes = [
        {change.field or "field": {"from": change.from_, "to": change.to}}
        for change in event.changes or []
    ]
    return taken_from(
        event,
        AuditRow,
        without={"changes", "organization_id"},
        untrusted_changes=redact(changes, 200) or None,
    )


LIST_AUDIT_EVENTS = ToolSpec(
    name="telnyx_list_audit_events",
    title="Audit events",
    description="Who changed what in the account. People are named by user_id only; "
    "alternate_resource_id is the name or number of the thing.",
    params=AuditParams,
    result=AuditResult,
    run=list_audit_events,
)
