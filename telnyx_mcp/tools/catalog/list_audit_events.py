"""`telnyx_list_audit_events`"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from telnyx_mcp.telnyx.models import AuditEvent, Page
from telnyx_mcp.telnyx.names import Named, Names
from telnyx_mcp.telnyx.pagination import Scan, page_of
from telnyx_mcp.tools.framework.arguments import (
    Instant,
    PageNumber,
    Params,
    Text,
    TextList,
    check_order,
    isoformat,
)
from telnyx_mcp.tools.framework.results import ListResult, Row, copy_fields, coverage, paging
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.audit_filters import TextFilter, changed_by, preferred
from telnyx_mcp.tools.support.audit_payments import PaymentTotals, payments_in
from telnyx_mcp.untrusted import redact


class AuditParams(Params):
    reads_many: ClassVar[bool] = True
    instead: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("user", "user_id", "email"), "Use changed_by."),
        "action": "Use change_type.",
        **dict.fromkeys(("resource", "resource_id", "number"), "Use contains with the id or name."),
    }

    contains: TextList = Field(
        [],
        max_length=10,
        description="Any of these: id, name, number, field or value.",
    )
    change_type: Text | None = Field(None, description="Change: create, update or delete.")
    record_type: Text | None = Field(None, description="Type of thing changed, e.g. phone_number.")
    changed_by: Text | None = Field(
        None,
        description="E-mail or id of a user, or a role, e.g. account_owner.",
    )
    created_after: Instant | None = Field(
        None, description="After this UTC day or RFC 3339 time, e.g. 2026-05-01."
    )
    created_before: Instant | None = Field(
        None, description="Before this UTC day or RFC 3339 time, e.g. 2026-06-01."
    )
    sort: Literal["asc", "desc"] = Field("desc", description="By time; desc is newest first.")
    page: PageNumber = 1
    page_size: int = Field(10, ge=1, le=250, description="Rows per page.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order(self.created_after, self.created_before, "created_after, created_before")
        return self


class ChangedField(Row):
    """A field before and after the change."""

    from_: Any = Field(None, alias="from", description="Value before the change.")
    to: Any = Field(None, description="Value after the change.")


class AuditRow(Row):
    id: str | None = Field(None, description="Id of the event.")
    created_at: str | None = Field(None, description="When the change was made, RFC 3339.")
    change_type: str | None = Field(None, description="create, update or delete.")
    change_made_by: str | None = Field(
        None, description="Role that made the change, such as account_owner."
    )
    user_id: str | None = Field(None, description="Id of the user that made the change.")
    user_email: str | None = Field(None, description="E-mail address of that user.")
    record_type: str | None = Field(None, description="Type of the thing that was changed.")
    resource_id: str | None = Field(None, description="Id of the thing that was changed.")
    alternate_resource_id: str | None = Field(
        None, description="Name or number of the thing that was changed."
    )
    untrusted_changes: list[dict[str, ChangedField]] | None = Field(
        None, description="Changed fields by name, each with its values."
    )


class AuditResult(ListResult):
    today: str
    created_after: str | None = Field(
        None, description="The created_after that was asked for, RFC 3339."
    )
    created_before: str | None = Field(
        None, description="The created_before that was asked for, RFC 3339."
    )
    changed_by: str | None = Field(
        None, description="The changed_by that was asked for, as it was understood."
    )
    payments: PaymentTotals | None = Field(
        None, description="Count and sum by currency of the payments among all events asked for."
    )
    part_payments: PaymentTotals | None = Field(
        None, description="Instead of payments, if not all could be read."
    )
    items: list[AuditRow]


async def list_audit_events(call: Call[AuditParams]) -> AuditResult:
    params, names = call.params, call.names()
    result = AuditResult(
        today=call.today,
        created_after=isoformat(params.created_after),
        created_before=isoformat(params.created_before),
        items=[],
    )
    if params.contains or params.change_type or params.record_type or params.changed_by:
        events, fields = await _matching(call, names, result)
    else:
        page = await _fetch(call, params.page, params.page_size)
        events, whole = page.items, params.page == 1 and not page.has_more
        fields = paging(page) | payments_in(events, whole=whole)
    has_users = any(each.user_id for each in events)
    emails = await names.all(Named.USERS) if has_users else {}
    return result.model_copy(update=fields | {"items": [_row(each, emails) for each in events]})


def _fetch(
    call: Call[AuditParams], page: int, page_size: int | None = None
) -> Coroutine[Any, Any, Page[AuditEvent]]:
    params = call.params
    return call.client.list_audit_events(
        created_after=params.created_after,
        created_before=params.created_before,
        sort=params.sort,
        page=page,
        page_size=page_size,
    )


async def _matching(
    call: Call[AuditParams], names: Names, result: AuditResult
) -> tuple[list[AuditEvent], dict[str, Any]]:
    """A page of the events that match, and what the result says about all that do. Telnyx filters by
    time only, so all events of that time are looked through again for every page."""
    params = call.params
    author = await changed_by(params.changed_by, names) if params.changed_by else None
    result.changed_by = author.label if author else None
    emails = await names.all(Named.USERS) if any("@" in each for each in params.contains) else {}
    texts = TextFilter(params.contains, emails)
    scan = Scan(
        lambda number: _fetch(call, number),
        lambda event: event.id,
        call.progress.rows,
    )
    types: Counter[str] = Counter()
    found: list[AuditEvent] = []
    whole_values: set[int] = set()
    async for event in scan.rows():
        types[event.record_type or "unknown"] += 1
        match = texts.match(event) if params.contains else False
        if match is not None and (author is None or author.matches(event)):
            found.append(event)
            if match:
                whole_values.add(id(event))
    found = preferred(found, "change_type", params.change_type)
    found = preferred(found, "record_type", params.record_type)
    found.sort(key=lambda each: id(each) not in whole_values)  # stable: in each part, by time
    page = page_of(found, params.page, params.page_size)
    whole = sum(id(each) in whole_values for each in found)
    notes = [coverage(scan)]
    if 0 < whole < len(found):
        notes.append(
            f"The first {whole} hold a text as a whole value, the others inside a longer one."
        )
    if not found and types:
        notes.append(f"Types of things changed then: {', '.join(dict(types.most_common(10)))}.")
    fields = paging(page) | {
        "total": len(found) if scan.complete else None,
        "note": " ".join(notes),
    }
    return page.items, fields | payments_in(found, whole=scan.complete)


def _row(event: AuditEvent, emails: Mapping[str, str]) -> AuditRow:
    """The event without its organization, which is the same in all, and with values cut."""
    changes = [
        {change.field or "field": {"from": change.from_, "to": change.to}}
        for change in event.changes or []
    ]
    return copy_fields(
        event,
        AuditRow,
        without={"changes", "organization_id"},
        user_email=emails.get(event.user_id or ""),
        untrusted_changes=redact(changes, 200) or None,
    )


LIST_AUDIT_EVENTS = ToolSpec(
    name="telnyx_list_audit_events",
    group="audit",
    title="Audit events",
    description="Who changed what, with e-mails. Top-ups and their sum: "
    "record_type=stored_payment_transaction; automatic recharge: auto_recharge_pref.",
    params=AuditParams,
    result=AuditResult,
    run=list_audit_events,
)
