"""Asks the approver through the MCP client: elicitation, in both protocol revisions.

A client of revision 2025-11-25 is asked in the middle of the call. One of 2026-07-28 is answered
with the question and calls again with the answer; its state names the change, and the ledger, not
the SDK's seal, makes sure that one approval is used once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from telnyx_mcp.approval.change import Change
from telnyx_mcp.approval.channels import AskOutcome, typed_matches
from telnyx_mcp.request_context import RequestContext
from telnyx_mcp.untrusted import one_line

_KEY = "approval"
_PROGRESS_SECONDS = 10.0


def client_name(context: RequestContext) -> str:
    """The client's name and version as it states them; "" if it does not."""
    params = context.session.client_params
    info = params.client_info if params else None
    return one_line(f"{info.name} {info.version}".strip()) if info else ""


def can_ask(context: RequestContext) -> bool:
    """Whether the client declared that it can show a form."""
    capabilities = context.client_capabilities
    declared = capabilities.elicitation if capabilities else None
    return declared is not None and (declared.form is not None or declared.url is None)


def is_modern(context: RequestContext) -> bool:
    """Whether the client speaks revision 2026-07-28 or later."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def brings_answer(change: Change, context: RequestContext) -> bool:
    """Whether a modern client calls again with the user's answer to this change."""
    return context.request_state == change.id and bool(context.input_responses)


def answer(change: Change, context: RequestContext) -> AskOutcome:
    """The answer that a modern client brings."""
    return _outcome((context.input_responses or {}).get(_KEY), change)


def question(change: Change) -> InputRequiredResult:
    """The question for a modern client to bring to the user."""
    form = ElicitRequestFormParams(message=change.question.text, requested_schema=_form(change))
    return InputRequiredResult(
        input_requests={_KEY: ElicitRequest(params=form)}, request_state=change.id
    )


async def ask_and_wait(
    change: Change,
    context: RequestContext,
    seconds: float,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> AskOutcome:
    """What a client of revision 2025-11-25 answers within this time; `NO_ANSWER` if nothing."""
    answered: object = None
    with anyio.move_on_after(seconds) as waiting:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_report_waiting, context, seconds, sleep)
            try:
                answered = await context.session.elicit_form(
                    change.question.text, _form(change), related_request_id=context.request_id
                )
            except (MCPError, ValidationError):
                return AskOutcome.CANNOT_ASK
            finally:
                tasks.cancel_scope.cancel()
    return AskOutcome.NO_ANSWER if waiting.cancelled_caught else _outcome(answered, change)


async def _report_waiting(
    context: RequestContext, seconds: float, sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Reports progress while the user thinks, so that the host does not give up."""
    passed = 0.0
    while True:
        await sleep(_PROGRESS_SECONDS)
        passed += _PROGRESS_SECONDS
        await context.report_progress(passed, seconds, "Waiting for the user's answer")


def _form(change: Change) -> dict[str, Any]:
    """The form to fill in: the figure that has to be typed, or a box to tick."""
    question = change.question
    if question.typed is None:
        field: dict[str, Any] = {"type": "boolean", "title": question.action, "default": False}
        return {"type": "object", "properties": {"approve": field}, "required": ["approve"]}
    field = {
        "type": "string",
        "title": f"Type {question.typed} to approve",
        "description": "The amount, as in the question. Anything else approves nothing.",
    }
    return {"type": "object", "properties": {"amount": field}, "required": ["amount"]}


def _outcome(answered: object, change: Change) -> AskOutcome:
    if not isinstance(answered, ElicitResult) or answered.action == "cancel":
        return AskOutcome.CANCELLED
    if answered.action == "decline":
        return AskOutcome.DECLINED
    content = answered.content or {}
    figure = change.question.typed
    if figure is not None:
        matches = typed_matches(content.get("amount"), figure)
        return AskOutcome.APPROVED if matches else AskOutcome.MISTYPED
    return AskOutcome.APPROVED if content.get("approve") is True else AskOutcome.DECLINED
