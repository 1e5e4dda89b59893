"""What the two changing tools share: the way through the gate, and the words for each outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp_types import CallToolResult, InputRequiredResult
from pydantic import Field

from telnyx_mcp.approval.channels import Reply
from telnyx_mcp.approval.gate import Conflict, Outcome, SendFailed, Wanted
from telnyx_mcp.approval.ledger import State
from telnyx_mcp.telnyx.errors import Fate, TelnyxError
from telnyx_mcp.tools.results import Result, answer
from telnyx_mcp.tools.tool import Call, Failed

_STATE_OF = {
    Fate.NOT_SENT: State.NOT_SENT,
    Fate.REFUSED: State.REFUSED,
    Fate.UNKNOWN: State.UNKNOWN,
}

NOBODY_ASKED = (
    "Nothing was sent: {summary} needs a person's approval, and this client can't ask for it. Calling "
    "again will not help. Tell the user: run `telnyx-account-mcp call {tool} …` in a terminal, which "
    "asks there; or use a client that supports elicitation; or do it in the Mission Control Portal."
)
NO_ANSWER = {
    Reply.CANCELLED: "Nothing was sent: the question was closed without an answer. Call again with "
    "the same arguments only if the user wants to be asked again.",
    Reply.MISTYPED: "Nothing was sent: what the person typed is not the amount. Call again with the "
    "same arguments to ask again, if the user wants to.",
}
OUTCOMES: Mapping[State, str] = {
    State.PROPOSED: "Nothing was sent: a person is being asked. Call again with the same arguments.",
    State.APPROVED: "Approved and about to be sent by another call. Call again to see the outcome.",
    State.SENDING: "Sent, outcome not yet known. Don't repeat it in any other way; call again with "
    "the same arguments to see the outcome.",
    State.SUCCEEDED: "Done.",
    State.REFUSED: "Not done. {happened}",
    State.NOT_SENT: "Nothing was sent. {happened}",
    State.UNKNOWN: "UNKNOWN whether {summary} happened: it was sent once and no clear answer came. "
    "{happened} It will not be sent again. Don't try again in any way. Tell the user to look at the "
    "balance and the transactions in the Mission Control Portal before anything else.",
    State.DECLINED: "Nothing was sent: the person declined {summary}. Don't ask again unless the "
    "user says so; for 10 minutes the same call only repeats this. If the client declined by itself, "
    "tell the user: `telnyx-account-mcp call {tool} …` in a terminal asks there.",
    State.EXPIRED: "Nothing was sent: nobody approved {summary} within 10 minutes. Call again to ask "
    "again.",
}
_ERRORS = frozenset({State.REFUSED, State.NOT_SENT, State.UNKNOWN})


class ChangeResult(Result):
    """What came of a change. `state` is one of the ledger's."""

    state: str = Field(
        description="succeeded, refused, not_sent, unknown, declined, expired, proposed"
    )
    message: str
    change_id: str


async def carry_out(
    call: Call[Any], tool: str, wanted: Wanted, result: type[ChangeResult]
) -> CallToolResult | InputRequiredResult:
    """The gate's outcome in words, or the question for the client."""
    try:
        outcome = await call.services.gate.carry_out(wanted, call.context)
    except Conflict as conflict:
        raise Failed(str(conflict)) from None
    if isinstance(outcome, InputRequiredResult):
        return outcome
    change = outcome.change
    words = {"summary": wanted.summary, "tool": tool, "happened": change.happened}
    if outcome.reply is Reply.CANNOT_ASK:
        raise Failed(NOBODY_ASKED.format(**words))
    message = NO_ANSWER.get(outcome.reply) if outcome.reply else None
    message = message or OUTCOMES[change.state].format(**words)
    return answer(
        result(
            state=change.state,
            message=_again(outcome) + message,
            change_id=change.id,
            **change.evidence,
        ),
        sandbox=call.client.sandbox,
        is_error=change.state in _ERRORS,
    )


def _again(outcome: Outcome) -> str:
    """Says that this call did nothing but tell what an earlier one came to."""
    if not outcome.told_again or outcome.change.state in (State.PROPOSED, State.SENDING):
        return ""
    return (
        f"Nothing new was done by this call; at {outcome.change.updated_at:%H:%M:%S} UTC the same one "
        "came to this (for another one on purpose, wait 10 minutes or give a new reference): "
    )


def sending(
    send: Callable[[], Awaitable[Mapping[str, Any]]],
) -> Callable[[], Awaitable[Mapping[str, Any]]]:
    """The same, with a failure of Telnyx's in the gate's terms."""

    async def send_once() -> Mapping[str, Any]:
        try:
            return await send()
        except TelnyxError as error:
            unknown = error.fate is Fate.UNKNOWN
            text = error.happened if unknown else str(error)
            raise SendFailed(_STATE_OF[error.fate], text) from None

    return send_once
