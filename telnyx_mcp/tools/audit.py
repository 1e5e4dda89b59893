"""`telnyx_list_audit_events`"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from telnyx_mcp.telnyx.models import AuditEvent
from telnyx_mcp.tools.arguments import Instant, PageNumber, Params, check_order, echo
from telnyx_mcp.tools.results import ListResult, Row, paging
from telnyx_mcp.tools.tool import Call, ToolSpec
from telnyx_mcp.tools.untrusted import clean, masked


class AuditParams(Params):
    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("user", "user_id", "resource", "resource_id", "record_type", "change_type"),
        "Telnyx can't filter by it: read through the pages.",
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


def _row(event: AuditEvent) -> AuditRow:
    """The event without its organization, which is the same in all, and with values cut."""
    changes = [
        masked({change.field or "field": {"from": change.from_, "to": change.to}})
        for change in event.changes or []
    ]
    kept = event.model_dump(exclude={"changes", "organization_id"})
    return AuditRow(**kept, untrusted_changes=clean(changes, 200) or None)


LIST_AUDIT_EVENTS = ToolSpec(
    name="telnyx_list_audit_events",
    title="Audit events",
    description="Who changed what in the account, newest first: numbers, connections, profiles, "
    "payment settings. Telnyx can't filter by user or resource: read through the pages. "
    "People are named by user_id only; alternate_resource_id is the name or number of the thing.",
    params=AuditParams,
    result=AuditResult,
    run=list_audit_events,
)
