"""Asks the person through the MCP client: elicitation, in both protocol revisions.

A client of revision 2025-11-25 is asked in the middle of the call. One of 2026-07-28 is answered
with the question and calls again with the answer; its state names the change, and the ledger, not
the SDK's seal, sees to it that one approval is used once.
"""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from telnyx_mcp.approval.changes import Change
from telnyx_mcp.approval.channels import Reply, typed_matches

_KEY = "approval"


async def ask(change: Change, context: Context[Any, Any]) -> Reply | InputRequiredResult:
    """The person's reply, or the question for the client to bring to the person."""
    capabilities = context.client_capabilities
    can = capabilities.elicitation if capabilities else None
    if can is None or (can.form is None and can.url is not None):
        return Reply.CANNOT_ASK
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        if context.request_state == change.id and context.input_responses:
            answered = context.input_responses.get(_KEY)
            return _reply(answered, change)
        return InputRequiredResult(
            input_requests={
                _KEY: ElicitRequest(
                    params=ElicitRequestFormParams(
                        message=change.question, requested_schema=_form(change)
                    )
                )
            },
            request_state=change.id,
        )
    try:
        answered = await context.session.elicit_form(
            change.question, _form(change), related_request_id=context.request_id
        )
    except (MCPError, ValidationError):
        return Reply.CANNOT_ASK
    return _reply(answered, change)


def _form(change: Change) -> dict[str, Any]:
    """The form to fill in: the amount typed for a payment, a tick for anything else."""
    if change.amount is not None:
        field: dict[str, Any] = {
            "type": "string",
            "title": f"Type {change.amount} to pay",
            "description": "The amount, as in the question. Anything else pays nothing.",
        }
        return {"type": "object", "properties": {"amount": field}, "required": ["amount"]}
    field = {"type": "boolean", "title": "Make this change", "default": False}
    return {"type": "object", "properties": {"approve": field}, "required": ["approve"]}


def _reply(answered: object, change: Change) -> Reply:
    if not isinstance(answered, ElicitResult) or answered.action == "cancel":
        return Reply.CANCELLED
    if answered.action == "decline":
        return Reply.DECLINED
    content = answered.content or {}
    if change.amount is not None:
        matches = typed_matches(content.get("amount"), change.amount)
        return Reply.APPROVED if matches else Reply.MISTYPED
    return Reply.APPROVED if content.get("approve") is True else Reply.DECLINED
