"""The conformance suite's tools, and a prompt, that ask the client something before they answer.

The names, messages and forms are the suite's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

Asked = CallToolResult | InputRequiredResult
AnyContext = Context[None, Any]


def said(words: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=words)])


# --- in the middle of a call: revision 2025-11-25 --------------------------------------------------

USER = {
    "username": {"type": "string", "description": "User's response"},
    "email": {"type": "string", "description": "User's email address"},
}
DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
TITLED = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
OPTIONS = ["option1", "option2", "option3"]
ENUMS = {
    "untitledSingle": {"type": "string", "enum": OPTIONS},
    "titledSingle": {"type": "string", "oneOf": TITLED},
    "legacyEnum": {"type": "string", "enum": OPTIONS, "enumNames": ["One", "Two", "Three"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
}


async def elicited(
    context: AnyContext, message: str, properties: Mapping[str, Any], required: list[str]
) -> str:
    form = {"type": "object", "properties": dict(properties), "required": required}
    answered = await context.session.elicit_form(
        message, form, related_request_id=context.request_id
    )
    return f"action={answered.action}, content={json.dumps(answered.content or {})}"


async def test_elicitation(message: str, context: AnyContext) -> CallToolResult:
    return said(f"User response: {await elicited(context, message, USER, list(USER))}")


async def test_elicitation_sep1034_defaults(context: AnyContext) -> CallToolResult:
    return said(f"Elicitation completed: {await elicited(context, 'Who?', DEFAULTS, [])}")


async def test_elicitation_sep1330_enums(context: AnyContext) -> CallToolResult:
    return said(f"Elicitation completed: {await elicited(context, 'Which?', ENUMS, [])}")


async def test_sampling(prompt: str, context: AnyContext) -> CallToolResult:
    answered = await context.session.create_message(
        [SamplingMessage(role="user", content=TextContent(type="text", text=prompt))],
        max_tokens=100,
        related_request_id=context.request_id,
    )
    return said(f"LLM response: {getattr(answered.content, 'text', '')}")


# --- by a result that wants input: revision 2026-07-28 ---------------------------------------------


def question(message: str, field: str, kind: str = "string") -> ElicitRequest:
    form = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=form))


def sampling(words: str, most: int) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=words))
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[message], max_tokens=most)
    )


NAME = {"user_name": question("What is your name?", "name")}
CONFIRM = {"confirm": question("Please confirm", "ok", "boolean")}
CAPITAL = {"capital_question": sampling("What is the capital of France?", 100)}
ROOTS = {"client_roots": ListRootsRequest()}
ALL: dict[str, InputRequest] = {**NAME, "greeting": sampling("Generate a greeting", 50), **ROOTS}
STEPS = {
    "1": {"step1": question("Step 1: What is your name?", "name")},
    "2": {"step2": question("Step 2: What is your favorite color?", "color")},
}
CONTEXT = {"user_context": question("What context should the prompt use?", "context")}


def wanted(requests: Mapping[str, InputRequest], state: str | None = None) -> InputRequiredResult:
    return InputRequiredResult(input_requests=dict(requests), request_state=state)


def answers(context: AnyContext, *keys: str) -> list[str] | None:
    """What the client answered to each, as JSON; None if something is missing or was not given."""
    given = context.input_responses or {}
    found = [given[key] for key in keys if key in given]
    refused = [each for each in found if isinstance(each, ElicitResult) and not each.content]
    if len(found) < len(keys) or refused:
        return None
    return [each.model_dump_json() for each in found]


async def test_input_required_result_elicitation(context: AnyContext) -> Asked:
    found = answers(context, *NAME)
    return said(f"Hello, {found[0]}!") if found else wanted(NAME)


async def test_input_required_result_sampling(context: AnyContext) -> Asked:
    found = answers(context, *CAPITAL)
    return said(found[0]) if found else wanted(CAPITAL)


async def test_input_required_result_list_roots(context: AnyContext) -> Asked:
    found = answers(context, *ROOTS)
    return said(found[0]) if found else wanted(ROOTS)


async def test_input_required_result_request_state(context: AnyContext) -> Asked:
    if context.request_state == "asked" and answers(context, *CONFIRM):
        return said("state-ok")
    return wanted(CONFIRM, "asked")


async def test_input_required_result_multiple_inputs(context: AnyContext) -> Asked:
    found = answers(context, *ALL)
    return said(" ".join(found)) if found else wanted(ALL, "asked")


async def test_input_required_result_multi_round(context: AnyContext) -> Asked:
    if context.request_state == "2" and answers(context, "step2"):
        return said("Both answered.")
    step = "2" if context.request_state == "1" and answers(context, "step1") else "1"
    return wanted(STEPS[step], step)


async def test_input_required_result_capabilities(context: AnyContext) -> Asked:
    can = context.client_capabilities
    requests: dict[str, InputRequest] = {}
    if can and can.sampling:
        requests |= CAPITAL
    if can and can.elicitation:
        requests |= NAME
    return wanted(requests)


async def test_missing_capability(context: AnyContext) -> CallToolResult:
    can = context.client_capabilities
    if can is None or can.sampling is None:
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "this needs sampling",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return said("Done.")


async def test_input_required_result_prompt(context: AnyContext) -> str | InputRequiredResult:
    found = answers(context, *CONTEXT)
    return f"Use this: {found[0]}" if found else wanted(CONTEXT)


TOOLS: tuple[Tool, ...] = (
    *(
        Tool.from_function(each, description="For the conformance suite.")
        for each in (
            test_elicitation,
            test_elicitation_sep1034_defaults,
            test_elicitation_sep1330_enums,
            test_sampling,
            test_input_required_result_elicitation,
            test_input_required_result_sampling,
            test_input_required_result_list_roots,
            test_input_required_result_request_state,
            test_input_required_result_multiple_inputs,
            test_input_required_result_multi_round,
            test_input_required_result_capabilities,
            test_missing_capability,
        )
    ),
    Tool.from_function(
        test_input_required_result_request_state,
        "test_input_required_result_tampered_state",
        description="For the conformance suite.",
    ),
    Tool.from_function(
        test_input_required_result_elicitation,
        "test_streaming_elicitation",
        description="For the conformance suite.",
    ),
)
