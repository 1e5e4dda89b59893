"""Thirty questions that people ask, each answered by one call, rightly and in few tokens."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from telnyx_mcp.sandbox import Sandbox, running_sandbox
from telnyx_mcp.server import AccountServer, build_server
from telnyx_mcp.settings import Settings
from telnyx_mcp.tokens import about_tokens
from telnyx_mcp.tools import TOOLS
from tests.conftest import NOW, TODAY, connected, content_of, text_of

QUESTIONS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "questions.toml").read_text(encoding="utf-8")
)["question"]


@pytest.fixture(scope="module")
def whole_account() -> Iterator[Sandbox]:
    """The account with as many records as it has."""
    with running_sandbox(today=TODAY, rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture
async def its_server(whole_account: Sandbox, tmp_path: Path) -> AsyncIterator[AccountServer]:
    settings = Settings(
        api_key=SecretStr(whole_account.key),
        base_url=whole_account.base_url,
        state_url=SecretStr(f"sqlite:///{tmp_path}/state.sqlite3"),
    )
    server = build_server(settings, now=lambda: NOW)
    yield server
    await server.accounts.aclose()


def at(answer: Any, path: str) -> Any:
    """What stands at `items.0.name` of an answer."""
    for step in path.split("."):
        answer = answer[int(step)] if isinstance(answer, list) else answer[step]
    return answer


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda each: each["ask"])
async def test_one_call_answers(question: dict[str, Any], its_server: AccountServer) -> None:
    async with connected(its_server) as client:
        result = await client.call_tool(question["tool"], question["arguments"])
    told = content_of(result)
    assert {path: at(told, path) for path in question["expect"]} == question["expect"]
    assert about_tokens(text_of(result)) <= question["tokens"]


def test_there_are_thirty_questions_and_each_reading_tool_answers_one() -> None:
    assert len(QUESTIONS) >= 30
    assert all(each["expect"] for each in QUESTIONS)
    asked = {each["tool"] for each in QUESTIONS}
    by_id = {"telnyx_get_invoice", "telnyx_get_webhook_delivery"}
    assert asked == {tool.name for tool in TOOLS if not tool.changes} - by_id
