"""What the two changing tools share: the way through the gate, and the words for each outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from mcp_types import CallToolResult, InputRequiredResult

from telnyx_mcp.approval.changes import PAYMENT, State
from telnyx_mcp.approval.channels import Reply
from telnyx_mcp.approval.gate import Outcome, SendFailed, Wanted
from telnyx_mcp.approval.thread import NotAllowed
from telnyx_mcp.commands import to_run
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import Fate, TelnyxError
from telnyx_mcp.tools.results import Result, answer
from telnyx_mcp.tools.tool import Call, Failed

_STATE_OF = {
    Fate.NOT_SENT: State.NOT_SENT,
    Fate.REFUSED: State.REFUSED,
    Fate.UNKNOWN: State.UNKNOWN,
}

NO_ANSWER = {
    Reply.CANNOT_ASK: "Nothing was sent: {summary} needs a person's approval, and the way to ask that "
    "the user fixed (TELNYX_MCP_APPROVAL) reaches nobody here. Calling again will not help. Tell the "
    "user, who can also run {approve} within 10 minutes; then call again with the same arguments.",
    Reply.CANCELLED: "Nothing was sent: the question was closed without an answer. Call again with "
    "the same arguments only if the user wants to be asked again. The user can also answer with "
    "{approve}.",
    Reply.MISTYPED: "Nothing was sent: what the person typed is not the amount. Call again with the "
    "same arguments to ask again, if the user wants to.",
    Reply.ON_PAGE: "Nothing was sent yet: a page in the user's browser asks to approve {summary}. Call "
    "again with the same arguments once the user has answered there. If no page shows up, the user can "
    "run {approve}.",
    Reply.AT_TERMINAL: "Nothing was sent yet: {summary} needs a person's approval, and this client "
    "can't ask for it. Tell the user to run {approve} within 10 minutes, then call again with the "
    "same arguments.",
}
"""What to say while the change still waits for its answer."""
OUTCOMES: Mapping[State, str] = {
    State.PROPOSED: "Nothing was sent yet: a person is being asked. Call again with the same "
    "arguments.",
    State.APPROVED: "Approved, and about to be sent by another call. Call again to see the outcome.",
    State.SENDING: "Sent, outcome not yet known. Don't repeat it in any way; telnyx_list_changes "
    "shows the outcome.",
    State.SUCCEEDED: "Done: {summary}.{unrecorded}",
    State.REFUSED: "Not done. {happened}",
    State.NOT_SENT: "Nothing was sent. {happened}",
    State.UNKNOWN: "UNKNOWN whether {summary} happened: it was sent once and no clear answer came. "
    "{happened} It will not be sent again. Don't try again in any way. {after_unknown}",
    State.DECLINED: "Nothing was sent: the person declined {summary}. Don't ask again unless the "
    "user says so; for 10 minutes the same call only repeats this. If the client declined by itself, "
    "the user can start the server with TELNYX_MCP_APPROVAL=browser or =terminal.",
    State.EXPIRED: "Nothing was sent: {summary} was not approved in time, or no longer may be. "
    "{happened} Call again to ask again.",
}
EVIDENCE_SECONDS = 4.0
AFTER_UNKNOWN = (
    "Tell the user to look into the Mission Control Portal, then to run {resolve}; until then no other "
    "payment is made."
)
AFTER_UNKNOWN_SETTING = "telnyx_get_auto_recharge_preferences shows how it is now."
DRAFT_SECONDS, CHECK_SECONDS, SEND_SECONDS = 8.0, 5.0, 20.0
"""What a call may take, besides the wait for a person: in all under the 60 s that hosts wait."""
_ERRORS = frozenset({State.REFUSED, State.NOT_SENT, State.UNKNOWN})


class ChangeResult(Result):
    """What came of a change. `state` is one of the ledger's."""

    state: str
    message: str
    change_id: str


async def carry_out(
    call: Call[Any], wanted: Wanted, result: type[ChangeResult]
) -> CallToolResult | InputRequiredResult:
    """The gate's outcome in words, or the question for the client."""
    try:
        outcome = await call.services.gate.carry_out(wanted, call.context)
    except NotAllowed as refusal:
        raise Failed(str(refusal)) from None
    if isinstance(outcome, InputRequiredResult):
        return outcome
    change = outcome.change
    waiting = change.state is State.PROPOSED and outcome.reply in NO_ANSWER
    words = NO_ANSWER[outcome.reply] if waiting and outcome.reply else OUTCOMES[change.state]
    unknown = AFTER_UNKNOWN if change.operation == PAYMENT else AFTER_UNKNOWN_SETTING
    message = words.format(
        summary=wanted.summary,
        happened=change.happened,
        unrecorded=f" {change.happened}" if change.unrecorded else "",
        after_unknown=unknown.format(resolve=_in_terminal(call, f"resolve {change.id}")),
        approve=_in_terminal(call, "approve"),
    )
    return answer(
        result(
            state=change.state,
            message=_again(outcome) + message,
            change_id=change.id,
            account=call.services.account,
            **change.evidence,
        ),
        sandbox=call.client.sandbox,
        is_error=change.state in _ERRORS or outcome.reply is Reply.CANNOT_ASK,
    )


def _in_terminal(call: Call[Any], words: str) -> str:
    return f"`{to_run(words, call.services.account)}` in a terminal"


def _again(outcome: Outcome) -> str:
    """Says that this call did nothing but tell what an earlier one came to."""
    if not outcome.told_again or outcome.change.state in (State.PROPOSED, State.SENDING):
        return ""
    told = (
        f"Nothing new was done by this call; at {outcome.change.updated_at:%H:%M:%S} UTC the same"
    )
    if outcome.change.state is not State.SUCCEEDED:
        return f"{told} one came to this: "
    other = " or give a new reference" if outcome.change.operation == PAYMENT else ""
    return f"{told} one came to this (for another one on purpose, wait 10 minutes{other}): "


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
            seen = {"failure": error.failure, "http_status": error.status}
            evidence = {name: value for name, value in seen.items() if value is not None}
            raise SendFailed(_STATE_OF[error.fate], text, evidence) from None

    return send_once


def opening_lines(call: Call[Any], account: str) -> list[str]:
    """What every question says after its first line: whose account, and whether it is real."""
    sandbox = ["SANDBOX: a pretend account, no real money."] if call.client.sandbox else []
    profile = f" (profile {call.services.account})" if call.services.account else ""
    return [*sandbox, f"Account: {account}{profile}"]


async def account_name(call: Call[Any], deadline: Deadline) -> str:
    """Whose account it is, as far as Telnyx tells: only the charges carry a name."""
    today = call.day
    unnamed = "the one of the configured API key"
    try:
        summary = await call.client.get_charges_summary(
            today, today + timedelta(days=1), deadline=deadline
        )
    except TelnyxError:
        return unnamed
    return summary.user_email or summary.user_id or unnamed
