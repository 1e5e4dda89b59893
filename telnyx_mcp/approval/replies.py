"""The texts for each outcome, on every channel: one table for the model, the page and the terminal.

The fields are filled with `str.format`: `{summary}` ("paying 120.00"), `{happened}`, `{approve}` (a
command to type), `{resolve}`, `{waits_for}` and `{after_decline}` (see `Directions`), `{until}` (a time),
`{after_unknown}`, `{remark}`; and, empty for a change that is not a payment, `{blocks}` and `{pauses}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from telnyx_mcp.approval.change import State
from telnyx_mcp.approval.channels import AskOutcome


@dataclass(frozen=True, slots=True)
class Reply:
    """The texts for one state."""

    model: str
    """For the assistant: what happened, whether to call again, what to tell the user."""
    heading: str
    """The heading of the page, and the first words at the terminal."""
    page: str
    """The text of the page under its heading."""
    clause: str
    """At the terminal, within a sentence: where the change stands."""
    tone: str = ""
    """`good` or `bad`, for the colour of the heading."""


REPLIES: Mapping[State, Reply] = {
    State.PROPOSED: Reply(
        "Nothing was sent yet: the user is being asked. Call again with the same arguments.",
        "Waiting for an answer",
        "Nothing was sent.",
        "it still waits for an answer, and nothing was sent",
    ),
    State.APPROVED: Reply(
        "Approved, and about to be sent by another call. Call again to see the outcome.",
        "Approved",
        "Go back to the assistant. If it does not go on by itself, tell it to. Nothing is sent after "
        "{until}.",
        "it is approved, and nothing was sent yet",
        "good",
    ),
    State.SENDING: Reply(
        "Sent, outcome not known yet. Don't repeat it in any way; telnyx_list_changes shows the "
        "outcome.",
        "Approved, and being sent",
        "Go back to the assistant.",
        "it is being sent, and its answer may still come; look again in a minute",
        "good",
    ),
    State.SUCCEEDED: Reply(
        "Done: {summary}.{remark}",
        "Done",
        "{happened} Go back to the assistant.",
        "Telnyx confirmed it, or a person did before",
        "good",
    ),
    State.REFUSED: Reply(
        "Not done. {happened}", "Not done", "{happened}", "it did not happen", "bad"
    ),
    State.NOT_SENT: Reply(
        "Nothing was sent. {happened}", "Not sent", "{happened}", "it was never sent", "bad"
    ),
    State.UNKNOWN: Reply(
        "UNKNOWN whether {summary} happened: it was sent once and no clear answer came. {happened} It "
        "will not be sent again. Don't try again in any way. {after_unknown}",
        "Outcome unknown",
        "{happened} It was sent once and will not be sent again. {blocks} Look into the Mission Control "
        "Portal, then answer here, or run {resolve} in a terminal.",
        "its outcome is unknown",
        "bad",
    ),
    State.DECLINED: Reply(
        "Nothing was sent: the user declined {summary}, or withdrew the approval. Don't ask again "
        "unless the user says so; for 10 minutes {pauses}the same call only repeats this.{after_decline}",
        "Declined",
        "Nothing was sent. {happened} Go back to the assistant.",
        "a person declined it, and nothing was sent",
    ),
    State.EXPIRED: Reply(
        "Nothing was sent: {summary} was not approved in time. {happened} Call again to ask again.",
        "Expired",
        "Nothing was sent. {happened}",
        "its approval ran out, and nothing was sent",
    ),
    State.VOID: Reply(
        "Nothing was sent: what the question said about {summary} is no longer true. {happened} Call "
        "again to ask again.",
        "No longer valid",
        "Nothing was sent. {happened}",
        "its question was no longer true, and nothing was sent",
    ),
}

NOT_ANSWERED: Mapping[AskOutcome, str] = {
    AskOutcome.CANNOT_ASK: "Nothing was sent: {summary} needs the user's approval, and the channel that "
    "the user fixed (TELNYX_MCP_APPROVAL) can't be used here. Calling again will not help. Tell the "
    "user, who can also run {approve} within 10 minutes; then call again with the same arguments.",
    AskOutcome.NO_ANSWER: "Nothing was sent yet: the client said that it can ask the user, and did not "
    "answer. Tell the user to run {approve} within 10 minutes, then call again with the same "
    "arguments.",
    AskOutcome.TOO_LATE: "Nothing was sent: the answer came too late, as the question has moved to "
    "another channel. The user can answer it on the page in the browser, where one is open, or run "
    "{approve}; then call again with the same arguments.",
    AskOutcome.CANCELLED: "Nothing was sent: the question was closed without an answer. Call again with "
    "the same arguments only if the user wants to be asked again. The user can also answer with "
    "{approve}.",
    AskOutcome.MISTYPED: "Nothing was sent: what the user typed is not the amount. Call again with the "
    "same arguments to ask again, if the user wants to.",
    AskOutcome.ON_PAGE: "Nothing was sent yet: a page in the user's browser asks to approve {summary}. "
    "Call again with the same arguments once the user has answered there. If no page shows up, the "
    "user can run {approve}.",
    AskOutcome.AT_TERMINAL: "Nothing was sent yet: {summary} needs the user's approval, and this client "
    "can't ask for it. Tell the user to run {approve} within 10 minutes, then call again with the "
    "same arguments.",
    AskOutcome.IN_TEAM: "Nothing was sent yet: {summary} is proposed and {waits_for}, until {until} UTC. "
    "Give the user this link. It is sent as soon as it is approved, without another call; calling again "
    "with the same arguments shows the outcome, and so does telnyx_list_changes.",
}
"""The texts while the change still waits for its answer."""

ANSWERED: Mapping[AskOutcome, str] = {
    AskOutcome.APPROVED: "Approved. The assistant can call again; the approval is good until {until} UTC. "
    "Until it is sent you can withdraw it: {approve}",
    AskOutcome.DECLINED: "Declined. The assistant will see it.",
    AskOutcome.CANCELLED: "Nothing was approved or declined. It waits until {until} UTC.",
}
"""What the terminal says after an answer."""
NOT_WAITING = "It no longer waits for an answer: it is {state}.{happened} Nothing was approved now."
WITHDRAWN = "Withdrawn. Nothing is sent."
NOT_WITHDRAWN = "It is too late to withdraw it: it is {state}.{happened}"
NOT_UNKNOWN = "There is nothing to resolve: {title} is {state}: {clause}."

BLOCKS = "No other payment is made until you say whether it happened."
PAUSES = "no payment is proposed, and "
AFTER_UNKNOWN_PAYMENT = (
    "Tell the user to look into the Mission Control Portal, then to {resolve}; until then no other "
    "payment is made."
)
AFTER_UNKNOWN_SETTING = "telnyx_get_auto_recharge_preferences shows how it is now."
REPEATED = (
    "Nothing new was done by this call; at {at} UTC the same call had this outcome{another}: "
)
"""Said before the outcome of an earlier call. `{another}` is `ANOTHER_SETTING` or `ANOTHER_PAYMENT`
after a success, else empty."""
ANOTHER_SETTING = " (to change it again on purpose, wait 10 minutes)"
ANOTHER_PAYMENT = " (to pay again on purpose, wait 10 minutes or give a new reference)"
