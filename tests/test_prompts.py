"""The prompts: they read well, name only what there is, and complete their arguments."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference, TextContent

from telnyx_mcp.billing.periods import period_of
from telnyx_mcp.billing.records import RECORD_TYPES
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.prompts import read_prompts
from telnyx_mcp.tools import TOOLS
from tests.support.client import Mode, connected

FOLDER = Path(__file__).parent.parent / "prompts"
NAMES = sorted(file.stem for file in FOLDER.glob("*.md"))
PROMPTS = {prompt.name: prompt for prompt in read_prompts()}
PARAMETERS = {tool.name: set(tool.params.model_fields) for tool in TOOLS}


async def asked(client: Client, name: str, **arguments: str) -> str:
    (message,) = (await client.get_prompt(name, arguments)).messages
    assert isinstance(message.content, TextContent)
    return message.content.text


def test_these_prompts_there_are() -> None:
    assert NAMES == [
        "delivery-problems",
        "monthly-review",
        "recharge-check",
        "unpaid-invoices",
        "webhook-triage",
        "who-changed-what",
    ]


async def test_every_prompt_is_listed_with_what_it_is_for(
    server: AccountServer, mode: Mode
) -> None:
    async with connected(server, mode) as client:
        listed = (await client.list_prompts()).prompts
    assert sorted(each.name for each in listed) == NAMES
    assert all(each.title and each.description for each in listed)
    assert all(argument.description for each in listed for argument in each.arguments or [])


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_names_only_tools_and_parameters_that_there_are(name: str) -> None:
    text = PROMPTS[name].text
    tools = set(re.findall(r"telnyx_\w+", text))
    assert tools
    assert tools <= PARAMETERS.keys()
    known = set().union(*(PARAMETERS[tool] for tool in tools))
    given = set(re.findall(r"\b([a-z_]+)=", text))
    fields = {"cli", "cld", "number"}  # in filters
    assert given - fields <= known


@pytest.mark.parametrize("name", NAMES)
async def test_the_arguments_stand_in_the_text(
    server: AccountServer, mode: Mode, name: str
) -> None:
    arguments = {each.name: f"<{each.name}>" for each in PROMPTS[name].arguments or []}
    async with connected(server, mode) as client:
        text = await asked(client, name, **arguments)
    assert all(value in text for value in arguments.values())
    assert not re.search(r"\{\w+\}", text)
    assert "\n\n" in text


async def test_an_unknown_name_is_32602(server: AccountServer, mode: Mode) -> None:
    async with connected(server, mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.get_prompt("no-such-prompt", {})
    assert caught.value.error.code == -32602
    assert "no-such-prompt" in caught.value.error.message


@pytest.mark.parametrize("name", NAMES)
async def test_no_argument_is_required_and_the_text_reads_well_without(
    server: AccountServer, mode: Mode, name: str
) -> None:
    async with connected(server, mode) as client:
        text = await asked(client, name)
        empty = {each.name: '""' for each in PROMPTS[name].arguments}
        assert await asked(client, name, **empty) == text
    assert not any(each.required for each in PROMPTS[name].arguments)
    assert not re.search(r"\{\w+\}|: *\n\n(?!1\.)| [.,?]|\S  |\"\"", text)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("monthly-review", "in a month: last-month."),
        ("delivery-problems", "from or to any of our numbers did not arrive"),
        ("webhook-triage", "failed since yesterday, and why?"),
        ("who-changed-what", "Since: as far back as Telnyx keeps changes"),
    ],
)
async def test_a_default_stands_for_an_argument_that_is_left_out(
    server: AccountServer, name: str, says: str
) -> None:
    async with connected(server) as client:
        assert says in await asked(client, name)


@pytest.mark.parametrize(
    "typed",
    [
        "2026-05",
        '"2026-05"',
        "'2026-05'",
        "\u201c2026-05\u201d",
        " 2026-05 ",
        "month=2026-05",
        '--month="2026-05"',
    ],
)
async def test_quotes_and_a_name_that_a_host_leaves_are_no_part_of_the_value(
    server: AccountServer, typed: str
) -> None:
    async with connected(server) as client:
        text = await asked(client, "monthly-review", month=typed)
    assert "in a month: 2026-05.\n" in text


def test_every_example_of_a_period_is_one_word_that_a_period_is() -> None:
    """Hosts split what follows a slash command at spaces."""
    for prompt in PROMPTS.values():
        for argument in prompt.arguments:
            if argument.name not in ("month", "period"):
                continue
            assert argument.description
            named = re.split(r",| or ", argument.description.partition("in one word: ")[2])
            words = [each.partition(" (")[0].strip() for each in named]
            assert len(words) >= 4
            for each in [*words, prompt.defaults[argument.name]]:
                period_of(each, date(2026, 6, 15))


async def test_braces_that_a_user_types_are_text(server: AccountServer) -> None:
    async with connected(server) as client:
        text = await asked(client, "who-changed-what", what="{since}", since="2026-05-01")
    assert "Who changed {since} in our" in text


# --- completion ----------------------------------------------------------------------------------


async def completed(server: AccountServer, mode: Mode, argument: str, typed: str) -> list[str]:
    async with connected(server, mode) as client:
        reference = PromptReference(name="monthly-review")
        result = await client.complete(reference, {"name": argument, "value": typed})
    return result.completion.values


@pytest.mark.parametrize(
    ("argument", "typed", "first"),
    [
        ("month", "", "last-month"),
        ("month", "2026", "2026-06"),
        ("month", "2025-1", "2025-12"),
        ("period", "last", "last-month"),
        ("period", "last 7", "last-7-days"),
        ("period", '"year t', "year-to-date"),
        ("period", "2026", "2026-06"),
        ("since", "2026-06-1", "2026-06-15"),
        ("record_type", "mess", "messaging"),
    ],
)
async def test_an_argument_is_completed_as_far_as_typed(
    server: AccountServer, mode: Mode, argument: str, typed: str, first: str
) -> None:
    values = await completed(server, mode, argument, typed)
    assert values[0] == first
    assert all(each.startswith(typed.strip('"').replace(" ", "-")) for each in values)
    assert not any(" " in each for each in values)


async def test_all_record_types_are_offered(server: AccountServer) -> None:
    assert await completed(server, "auto", "record_type", "") == list(RECORD_TYPES)


async def test_what_nobody_knows_is_not_completed(server: AccountServer, mode: Mode) -> None:
    assert await completed(server, mode, "number", "+1") == []


async def test_invoice_ids_are_the_accounts_own_and_asked_for_once(
    server: AccountServer, sandbox: Sandbox, mode: Mode
) -> None:
    reference = ResourceTemplateReference(uri="telnyx://invoices/{invoice_id}")
    async with connected(server, mode) as client:
        for typed in ("", "a", "a9"):
            argument = {"name": "invoice_id", "value": typed}
            values = (await client.complete(reference, argument)).completion.values
            assert values
            assert all(each.startswith(typed) for each in values)
    assert len(sandbox.requests) == 1


async def test_where_telnyx_cannot_be_asked_nothing_is_offered_and_nothing_fails(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("list_invoices", "status", status=403, times=None)
    assert await completed(server, "auto", "invoice_id", "") == []
