"""`telnyx_list_changes`"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from telnyx_mcp.approval.change import Change
from telnyx_mcp.approval.ledger_async import in_thread
from telnyx_mcp.approval.reasons import LINK, NotAllowed
from telnyx_mcp.tools.framework.arguments import Params
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.framework.results import SANDBOX_NOTE, ListResult, Row
from telnyx_mcp.tools.framework.spec import Call, ToolSpec
from telnyx_mcp.tools.support.change_requests import is_of_sandbox

NOT_LINKED = (
    "This API key is not linked to an account of the ledger yet, so changes made with an earlier key "
    "are not shown. The first change links it, or the user can run `{link}` in a terminal."
)


class ChangesParams(Params):
    limit: int = Field(10, ge=1, le=100, description="How many changes to list, newest first.")


class ChangeRow(Row):
    id: str = Field(description="Id of the change.")
    operation: str = Field(description="What was asked of Telnyx.")
    arguments: dict[str, Any] = Field(description="Arguments of the operation.")
    state: str = Field(description="State in the ledger, such as proposed or succeeded.")
    proposed_at: str = Field(description="When it was proposed, RFC 3339.")
    sent_at: str | None = Field(None, description="When it was sent to Telnyx, RFC 3339.")
    updated_at: str = Field(description="When its state last changed, RFC 3339.")
    requested_by: str | None = Field(None, description="Who asked for it, where people sign in.")
    requested_via: str | None = Field(None, description="The MCP client that asked for it.")
    approved_by: str | None = Field(None, description="Channel through which it was approved.")
    decided_by: str | None = Field(None, description="Who approved or declined it.")
    approvals: list[str] | None = Field(
        None, description="Who approved it so far, where more than one person has to."
    )
    decided_at: str | None = Field(None, description="When it was approved or declined, RFC 3339.")
    happened: str | None = Field(None, description="What happened, in a sentence.")
    evidence: dict[str, Any] | None = Field(None, description="What Telnyx said before and after.")
    resolution: str | None = Field(None, description="How the user settled an unknown outcome.")


class ChangesResult(ListResult):
    size_argument = "limit"

    items: list[ChangeRow]


async def list_changes(call: Call[ChangesParams]) -> ChangesResult:
    try:
        ledger = await call.services.gate.ledger()
        hides = await in_thread(ledger.hides_changes)
        replaced = await in_thread(ledger.replaced)
        found = await in_thread(ledger.newest, call.params.limit + 1, call.services.now())
    except NotAllowed as refusal:
        raise ToolFailure(
            "The ledger of changes can't be read, so it is not known what was sent. "
            f"{refusal.reason}"
        ) from None
    shown = found[: call.params.limit]
    notes = [f"{replaced.finding} Changes may be missing here."] if replaced else []
    if hides:
        notes.append(NOT_LINKED.format(link=ledger.directions.command(LINK)))
    return ChangesResult(
        items=[row_of(each) for each in shown],
        returned=len(shown),
        has_more=len(found) > len(shown),
        note=" ".join(notes) or None,
        sandbox=SANDBOX_NOTE if any(map(is_of_sandbox, shown)) else None,
    )


def row_of(change: Change) -> ChangeRow:
    """A change as people and models read it; what is empty is left out."""
    return ChangeRow(
        id=change.id,
        operation=change.operation,
        arguments=dict(change.arguments),
        state=change.state,
        proposed_at=change.proposed_at.isoformat(timespec="seconds"),
        sent_at=change.sent_at.isoformat(timespec="seconds") if change.sent_at else None,
        updated_at=change.updated_at.isoformat(timespec="seconds"),
        requested_by=change.requester.label if change.requester else None,
        requested_via=change.requested_via or None,
        approved_by=change.approved_by or None,
        decided_by=change.decided_by or None,
        approvals=[each.by.label for each in change.approvals] or None,
        decided_at=change.decided_at.isoformat(timespec="seconds") if change.decided_at else None,
        happened=change.outcome_text or None,
        evidence=dict(change.evidence) or None,
        resolution=change.note or None,
    )


LIST_CHANGES = ToolSpec(
    name="telnyx_list_changes",
    group="changes",
    title="Changes made here",
    description="Payments and auto-recharge changes made or proposed through this server, with state "
    "and evidence.",
    params=ChangesParams,
    result=ChangesResult,
    run=list_changes,
)
