"""A client to be called from outside its event loop, and what every answer must keep to.

Hypothesis draws its examples in plain functions; client and server live in a thread of their own.
"""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import jsonschema
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, Tool

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.build import build_server
from telnyx_mcp.tools.framework.tokens import about_tokens
from telnyx_mcp.untrusted import visible
from tests.support.client import Mode, content_of, text_of
from tests.support.clock import NOW
from tests.support.hostile_arguments import Arguments

SECRET_KEY = "KEYhostile0123456789abcdefSECRET"
LONGEST_ERROR = 1_500
MAX_TOKENS, MAX_BYTES = 8_000, 40_000
SLOWEST = 45.0
"""Seconds: the longest deadline of a call, and what a busy machine adds."""
PROGRAMS_WORDS = (
    "input_value",
    "errors.pydantic.dev",
    "validation error",
    "traceback",
    "error executing tool",
    'file "',
)
DECLINES = ElicitResult(action="decline")


@dataclass
class Caller:
    """A client of a server. `answer` is what a person answers to any question."""

    client: Client
    portal: BlockingPortal
    answer: ElicitResult = field(default_factory=lambda: DECLINES)
    tools: Mapping[str, Tool] = field(default_factory=dict)
    moment: datetime = NOW
    """What the server's clock shows."""

    def passes(self, **span: float) -> None:
        """Lets time pass: a question that waits is over then, and so is a decline."""
        self.moment += timedelta(**span)

    def call(self, tool: str, arguments: Arguments) -> CallToolResult:
        return cast(CallToolResult, self.portal.call(self.client.call_tool, tool, arguments))

    def first(self, tool: str) -> dict[str, Any]:
        """The first row of a list."""
        return dict(content_of(self.call(tool, {}))["items"][0])


@contextmanager
def calling(settings: Settings, mode: Mode) -> Iterator[Caller]:
    """A caller of a server with these settings."""
    server = build_server(settings, now=lambda: made.moment)

    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return made.answer

    made = Caller(None, None)  # type: ignore[arg-type]
    connecting = Client(server, mode=mode, elicitation_callback=person)
    with start_blocking_portal() as portal:
        with portal.wrap_async_context_manager(connecting) as client:
            made.client, made.portal = client, portal
            made.tools = {each.name: each for each in portal.call(client.list_tools).tools}
            yield made
        portal.call(server.accounts.aclose)


def check_answer(caller: Caller, tool: str, arguments: Arguments) -> CallToolResult:
    """The answer of a call: in time, short, in plain words, and what the tool publishes."""
    begun = time.monotonic()
    result = caller.call(tool, arguments)
    assert time.monotonic() - begun < SLOWEST

    text = text_of(result)
    sent = json.dumps(
        [text, result.structured_content], ensure_ascii=False, allow_nan=False
    ).encode()  # which a lone surrogate would fail, as it would on the wire
    assert SECRET_KEY.encode() not in sent
    assert visible(text) == text
    assert not any(
        unicodedata.category(each) in {"Cc", "Cs", "Co"} for each in text if each not in "\n\t"
    )
    if result.is_error:
        assert 0 < len(text) <= LONGEST_ERROR
        own = repr(arguments).lower()  # an error may show what it was given
        said = [each for each in PROGRAMS_WORDS if each in text.lower() and each not in own]
        assert said == [], text
    else:
        jsonschema.validate(result.structured_content, caller.tools[tool].output_schema or {})
        assert json.loads(text) == result.structured_content
        assert len(text.encode()) <= MAX_BYTES
        assert about_tokens(text) <= MAX_TOKENS
    return result
