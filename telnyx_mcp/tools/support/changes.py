"""What the two changing tools share: the call of the gate, and the reply."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mcp_types import CallToolResult, InputRequiredResult
from pydantic import Field

from telnyx_mcp.approval import replies
from telnyx_mcp.approval.change import PAYMENT, State
from telnyx_mcp.approval.channels import AskOutcome
from telnyx_mcp.approval.directions import Directions
from telnyx_mcp.approval.gate import Outcome
from telnyx_mcp.approval.reasons import NotAllowed
from telnyx_mcp.approval.request import ChangeRequest
from telnyx_mcp.approval.sender import CONFIRMED
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.framework.results import Result, answer
from telnyx_mcp.tools.framework.spec import Call
from telnyx_mcp.tools.support.change_requests import is_of_sandbox

_ERRORS = frozenset({State.REFUSED, State.NOT_SENT, State.UNKNOWN})


class ChangeResult(Result):
    """The outcome of a change. `state` is one of the ledger's."""

    state: str = Field(description="State in the ledger, such as proposed, succeeded or unknown.")
    message: str = Field(description="The outcome, and what to tell the user.")
    change_id: str = Field(description="Id of the change in telnyx_list_changes.")
    requested_by: str | None = Field(None, description="Who asked for it, where people sign in.")
    decided_by: str | None = Field(
        None, description="Who approved or declined it, where people sign in."
    )


async def carry_out(
    call: Call[Any], request: ChangeRequest, result: type[ChangeResult]
) -> CallToolResult | InputRequiredResult:
    """The gate's outcome as a result, or the question for the client."""
    try:
        outcome = await call.services.gate.carry_out(request, call.context)
    except NotAllowed as refusal:
        raise ToolFailure(str(refusal)) from None
    if isinstance(outcome, InputRequiredResult):
        return outcome
    change = outcome.change
    return answer(
        result(
            state=change.state,
            message=_message(outcome, request.summary, call.services.gate.directions),
            change_id=change.id,
            requested_by=change.requester.label if change.requester else None,
            decided_by=change.decider.label if change.decider else None,
            account=call.services.account,
            **change.evidence,
        ),
        sandbox=call.client.sandbox or is_of_sandbox(change),
        # A person may have approved it elsewhere in the meantime: then it was sent, and is no error.
        is_error=change.state in _ERRORS
        or (change.state is State.PROPOSED and outcome.ask_outcome is AskOutcome.CANNOT_ASK),
    )


def _message(outcome: Outcome, summary: str, to: Directions) -> str:
    change = outcome.change
    text = replies.REPLIES[change.state].model
    if change.state is State.PROPOSED and outcome.ask_outcome:
        text = replies.NOT_ANSWERED.get(outcome.ask_outcome, text)
    is_payment = change.operation == PAYMENT
    unknown = replies.AFTER_UNKNOWN_PAYMENT if is_payment else replies.AFTER_UNKNOWN_SETTING
    message = text.format(
        summary=summary,
        happened=change.outcome_text,
        remark="" if change.outcome_text == CONFIRMED else f" {change.outcome_text}",
        after_unknown=unknown.format(resolve=to.resolve(change.id)),
        pauses=replies.PAUSES if is_payment else "",
        approve=f"`{to.command('approve')}` in a terminal",
        waits_for=to.waits_for(change),
        until=f"{change.expires_at:%Y-%m-%d %H:%M}",
        after_decline=to.after_decline,
    )
    return _repeat_notice(outcome, change.updated_at) + message


def _repeat_notice(outcome: Outcome, at: datetime) -> str:
    """The notice that this call only repeats the outcome of an earlier one; empty if it does not."""
    change = outcome.change
    if not outcome.is_repeat or change.state in (State.PROPOSED, State.SENDING):
        return ""
    another = ""
    if change.state is State.SUCCEEDED:
        is_payment = change.operation == PAYMENT
        another = replies.ANOTHER_PAYMENT if is_payment else replies.ANOTHER_SETTING
    return replies.REPEATED.format(at=f"{at:%H:%M:%S}", another=another)
