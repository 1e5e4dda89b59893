"""Sixty questions that people ask, each answered by one call, rightly and in few tokens."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox, running_sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.tools import TOOLS
from telnyx_mcp.tools.framework.tokens import about_tokens
from tests.support.client import connected, content_of, text_of
from tests.support.clock import NOW, TODAY

QUESTIONS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "questions.toml").read_text(encoding="utf-8")
)["question"]


ACCOUNTS = (7, 11, 23)
"""The seeds of the accounts that are asked: a figure that is right for one by accident is not for all."""


@pytest.fixture(scope="module")
def accounts() -> Iterator[dict[int, Sandbox]]:
    """Accounts with as many records as they have."""
    with ExitStack() as stack:
        yield {
            seed: stack.enter_context(running_sandbox(today=TODAY, rate_limit=None, seed=seed))
            for seed in ACCOUNTS
        }


@pytest.fixture
async def its_server(
    request: pytest.FixtureRequest, accounts: dict[int, Sandbox], tmp_path: Path
) -> AsyncIterator[AccountServer]:
    """A server for the account that the question of this test is about."""
    account = accounts[request.getfixturevalue("question").get("seed", ACCOUNTS[0])]
    settings = Settings(
        api_key=SecretStr(account.key),
        base_url=account.base_url,
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


def asked() -> Iterator[object]:
    """The questions. Those about the other accounts are slow: each makes months of records."""
    for each in QUESTIONS:
        seed = each.get("seed", "")
        marks = [pytest.mark.slow] if seed else []
        yield pytest.param(each, id=f"{each['ask']} {seed}".rstrip(), marks=marks)


@pytest.mark.parametrize("question", list(asked()))
async def test_one_call_answers(question: dict[str, Any], its_server: AccountServer) -> None:
    async with connected(its_server) as client:
        result = await client.call_tool(question["tool"], question["arguments"])
    told = content_of(result)
    assert {path: at(told, path) for path in question["expect"]} == question["expect"]
    assert about_tokens(text_of(result)) <= question["tokens"]


def test_there_are_sixty_questions_a_third_of_other_accounts_and_each_reading_tool_answers_one() -> (
    None
):
    assert len(QUESTIONS) >= 60
    assert sum("seed" in each for each in QUESTIONS) >= 20
    assert all(each["expect"] for each in QUESTIONS)
    asked = {each["tool"] for each in QUESTIONS}
    by_id = {"telnyx_get_invoice", "telnyx_get_webhook_delivery"}
    assert asked == {tool.name for tool in TOOLS if not tool.changes} - by_id
