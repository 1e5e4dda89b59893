"""A user at a client: answers the questions of the server, and remembers them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import (
    CallToolResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    InputRequiredResult,
)

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from tests.support.client import connected, text_of
from tests.support.clock import Clock
from tests.support.polling import SECONDS

PAY = "telnyx_create_stored_payment_transaction"
UPDATE = "telnyx_update_auto_recharge_preferences"

Answer = ElicitResult | Callable[[str], ElicitResult]


class Person:
    """Answers each question with the next of these; the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []

    async def __call__(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        self.questions.append(params.message)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(params.message) if callable(answer) else answer


def types(text: str) -> ElicitResult:
    return ElicitResult(action="accept", content={"amount": text})


TICKS = ElicitResult(action="accept", content={"approve": True})
DECLINES = ElicitResult(action="decline")
CANCELS = ElicitResult(action="cancel")


def agrees(question: str) -> ElicitResult:
    """The answer of a user who approves whatever is asked."""
    found = re.search(r"type the amount: ([0-9.]+)", question)
    return types(found[1]) if found else TICKS


async def ask(
    server: AccountServer,
    person: Person | None,
    tool: str,
    arguments: dict[str, Any],
    mode: str = "auto",
) -> CallToolResult:
    """The result of one call, whose questions this person answers; `None` is a client that cannot ask."""
    with anyio.fail_after(SECONDS):
        async with Client(server, mode=mode, elicitation_callback=person) as client:
            return await client.call_tool(tool, arguments)


def state_of(result: CallToolResult) -> str:
    """The state of the change that a call made, as the model is told."""
    return str((result.structured_content or {}).get("state"))


async def pending_question(client: Client, arguments: dict[str, Any]) -> InputRequiredResult:
    """The question of a modern server, unanswered."""
    required = await client.session.call_tool(PAY, arguments, allow_input_required=True)
    assert isinstance(required, InputRequiredResult)
    return required


async def answer_question(
    client: Client, arguments: dict[str, Any], asked: InputRequiredResult, answer: ElicitResult
) -> CallToolResult:
    result = await client.session.call_tool(
        PAY,
        arguments,
        input_responses={"approval": answer},
        request_state=asked.request_state,
        allow_input_required=True,
    )
    assert isinstance(result, CallToolResult)
    return result


@asynccontextmanager
async def running(settings: Settings, *answers: Answer) -> AsyncIterator[Client]:
    """A client of a server that was just started."""
    server = build_server(settings, now=Clock())
    try:
        async with connected(server, elicitation=Person(*(answers or (agrees,)))) as client:
            yield client
    finally:
        await server.accounts.aclose()


async def pays(client: Client, **call: str) -> str:
    """What the model reads of a payment."""
    return text_of(await client.call_tool(PAY, call))
