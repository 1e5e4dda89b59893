"""What a client is shown: a guard that walks every tool, on both protocol revisions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, Tool
from pydantic import SecretStr

from benchmarks.tokens import MAX_SEEN, MAX_SEEN_OF_ONE, seen_of
from scripts.generate.contract import contract_files, published_tools, stale_files
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.tools import TOOLS
from telnyx_mcp.tools.framework.output_schema import output_schema
from telnyx_mcp.tools.framework.tokens import about_tokens
from tests.support.client import Mode, connected, content_of, text_of
from tests.support.scripted_telnyx import KEY

CHANGING = {each.name for each in TOOLS if each.changes}
NAMES = sorted(each.name for each in TOOLS)
PARAMETERS = [(each.name, name) for each in TOOLS for name in each.params.model_fields]
SETTINGS = Settings(api_key=SecretStr(KEY), base_url="https://api.telnyx.com/v2")


async def listed(mode: Mode, **settings: Any) -> list[Tool]:
    server = build_server(SETTINGS.model_copy(update=settings))
    async with connected(server, mode) as client:
        return (await client.list_tools()).tools


_LISTED: dict[Mode, dict[str, Tool]] = {}
"""Asked for once in each revision, as the tools change nothing by being looked at."""


@pytest.fixture
async def tools(mode: Mode) -> dict[str, Tool]:
    if mode not in _LISTED:
        _LISTED[mode] = {tool.name: tool for tool in await listed(mode)}
    return _LISTED[mode]


def keys_in(value: Any) -> Iterator[str]:
    """Every key of a schema, but for names of properties."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "properties":
                for each in inner.values():
                    yield from keys_in(each)
            else:
                yield key
                yield from keys_in(inner)
    if isinstance(value, list):
        for each in value:
            yield from keys_in(each)


def as_sent(tool: Tool) -> dict[str, Any]:
    return tool.model_dump(mode="json", by_alias=True, exclude_none=True)


# --- the list ------------------------------------------------------------------------------------


async def test_exactly_these_tools_are_listed(tools: dict[str, Tool]) -> None:
    assert sorted(tools) == NAMES


async def test_the_balance_is_listed_first(mode: Mode) -> None:
    assert (await listed(mode))[0].name == "telnyx_get_balance"


async def test_a_model_sees_at_most_300_tokens_of_a_tool_and_4500_in_all(mode: Mode) -> None:
    """Hosts keep the schemas of results from it."""
    costs = {
        tool.name: about_tokens(compact(seen_of(as_sent(tool)))) for tool in await listed(mode)
    }
    assert {name: cost for name, cost in costs.items() if cost > MAX_SEEN_OF_ONE} == {}
    assert sum(costs.values()) <= MAX_SEEN


def test_exactly_the_payment_and_the_auto_recharge_tool_change_something() -> None:
    assert {
        "telnyx_update_auto_recharge_preferences",
        "telnyx_create_stored_payment_transaction",
    } == CHANGING


async def test_read_only_hides_the_two_tools_that_change_something(mode: Mode) -> None:
    names = {tool.name for tool in await listed(mode, read_only=True)}
    assert names == set(NAMES) - CHANGING


async def test_both_revisions_list_the_same() -> None:
    legacy, modern = await listed("legacy"), await listed("auto")
    assert [as_sent(tool) for tool in legacy] == [as_sent(tool) for tool in modern]


async def test_without_a_key_the_same_tools_are_listed(mode: Mode) -> None:
    assert {tool.name for tool in await listed(mode, api_key=None)} == set(NAMES)


# --- each tool -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_short_prefixed_and_plain(tools: dict[str, Tool], name: str) -> None:
    assert re.fullmatch(r"telnyx_[a-z_]+", tools[name].name)
    assert len(tools[name].name) <= 40


@pytest.mark.parametrize("name", NAMES)
async def test_an_input_schema_is_valid_and_flat(tools: dict[str, Tool], name: str) -> None:
    schema = tools[name].input_schema
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    for each in schema["properties"].values():
        assert each["type"] in {"string", "integer", "boolean", "array"}
        if each["type"] == "array":
            assert each["items"]["type"] == "string"


@pytest.mark.parametrize("name", NAMES)
async def test_an_input_schema_holds_nothing_that_hosts_reject(
    tools: dict[str, Tool], name: str
) -> None:
    schema = tools[name].input_schema
    rejected = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "title", "nullable", "const"}
    assert rejected.isdisjoint(keys_in(schema))
    assert "null" not in json.dumps(schema)


@pytest.mark.parametrize("name", NAMES)
async def test_the_names_of_parameters_are_accepted_by_every_host(
    tools: dict[str, Tool], name: str
) -> None:
    for each in tools[name].input_schema["properties"]:
        assert re.fullmatch(r"[a-zA-Z0-9_]{1,64}", each)


@pytest.mark.parametrize(
    ("name", "parameter"),
    PARAMETERS,
)
async def test_a_parameter_is_described(tools: dict[str, Tool], name: str, parameter: str) -> None:
    """In words that stand alone, as hosts show one parameter at a time."""
    described = tools[name].input_schema["properties"][parameter].get("description", "")
    assert len(described.split()) >= 3
    assert described.endswith(".")
    assert not re.match(r"(likewise|the same|or|not included|see)\b", described.lower())


@pytest.mark.parametrize("name", NAMES)
async def test_a_tool_is_described_in_a_few_sentences(tools: dict[str, Tool], name: str) -> None:
    described = tools[name].description or ""
    assert 30 <= len(described) <= 400
    assert described.endswith(".")


@pytest.mark.parametrize("name", NAMES)
async def test_a_tool_has_a_title_and_all_four_hints(tools: dict[str, Tool], name: str) -> None:
    tool = tools[name]
    hints = tool.annotations
    assert hints is not None
    assert hints.title
    assert hints.read_only_hint is (name not in CHANGING)
    assert hints.destructive_hint is (name in CHANGING)
    assert hints.idempotent_hint is (name != "telnyx_create_stored_payment_transaction")
    assert hints.open_world_hint is True


@pytest.mark.parametrize("name", NAMES)
async def test_the_output_schema_of_the_result_is_listed(tools: dict[str, Tool], name: str) -> None:
    (result,) = (each.result for each in TOOLS if each.name == name)
    assert tools[name].output_schema == output_schema(result)


# --- what they answer ----------------------------------------------------------------------------

FIRST_INVOICE, FIRST_DELIVERY = "the first invoice", "the first delivery"
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("telnyx_get_balance", {}),
    ("telnyx_list_audit_events", {}),
    ("telnyx_list_audit_events", {"page_size": 250}),
    ("telnyx_get_charges_breakdown", {"start_date": "2026-05-01"}),
    ("telnyx_get_charges_summary", {"start_date": "2026-05-01", "end_date": "2026-06-01"}),
    ("telnyx_list_invoices", {}),
    ("telnyx_get_invoice", {"invoice_id": FIRST_INVOICE}),
    ("telnyx_get_invoice", {"invoice_id": FIRST_INVOICE, "include_download_link": True}),
    ("telnyx_get_auto_recharge_preferences", {}),
    ("telnyx_list_phone_numbers", {}),
    ("telnyx_list_phone_numbers", {"group_by": ["type", "connection"]}),
    ("telnyx_list_user_tags", {}),
    ("telnyx_list_user_tags", {"starts_with": "nothing begins like this"}),
    ("telnyx_list_webhook_deliveries", {}),
    ("telnyx_list_webhook_deliveries", {"page_size": 250}),
    ("telnyx_get_webhook_delivery", {"delivery_id": FIRST_DELIVERY}),
    ("telnyx_get_webhook_delivery", {"delivery_id": FIRST_DELIVERY, "include_payload": True}),
    ("telnyx_update_auto_recharge_preferences", {"enabled": False}),
    ("telnyx_create_stored_payment_transaction", {"amount": "120"}),
    ("telnyx_search_detail_records", {"record_type": "messaging"}),
    ("telnyx_search_detail_records", {"record_type": "messaging", "page_size": 50}),
    ("telnyx_search_detail_records", {"record_type": "call-control"}),
    ("telnyx_list_changes", {}),
]
FAULTS = ["", "null_fields", "absent_fields", "unknown_values", "no_meta", "stuck_page"]


async def approve(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """A person who agrees to everything."""
    assert isinstance(params, ElicitRequestFormParams)
    (name,) = params.requested_schema["properties"]
    return ElicitResult(action="accept", content={name: "120" if name == "amount" else True})


@pytest.mark.parametrize(
    ("name", "arguments"), [pytest.param(*each, id=f"{each[0]} {each[1]}") for each in CALLS]
)
async def test_an_answer_fits_its_schema_and_its_text(
    sandbox: Sandbox, server: AccountServer, name: str, arguments: dict[str, Any]
) -> None:
    """Also when Telnyx sends nulls, nothing, or what nobody has heard of."""
    async with connected(server, "auto", approve) as client:
        schema = {tool.name: tool for tool in (await client.list_tools()).tools}[name].output_schema
        assert schema is not None
        given = await with_real_ids(client, arguments)
        for fault in FAULTS:
            sandbox.reset()
            if fault:
                sandbox.fault("*", fault, times=None)
            result = await client.call_tool(name, given)
            content = content_of(result)
            jsonschema.validate(content, schema)
            assert text_of(result) == compact(content)
            assert None not in list(fields_in(content))
            assert about_tokens(text_of(result)) <= 8000


RECORD_TYPES = """
messaging call-control sip-trunking verify conference conference-participant amd embedding fax
ai-voice-assistant inference inference-speech-to-text media_storage media-streaming recording
noise-suppression siprec-client stt tts webrtc wireless
""".split()  # noqa: SIM905 - easier on the eye than 21 lines


async def test_every_type_of_record_fits_the_schema(server: AccountServer) -> None:
    async with connected(server) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        for kind in RECORD_TYPES:
            result = await client.call_tool(
                "telnyx_search_detail_records", {"record_type": kind, "page_size": 50}
            )
            content = content_of(result)
            assert content["items"], kind
            jsonschema.validate(content, tools["telnyx_search_detail_records"].output_schema or {})
            assert text_of(result) == compact(content)
            assert about_tokens(text_of(result)) <= 8000


async def with_real_ids(client: Client, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the id of something that is there."""
    given = dict(arguments)
    if FIRST_INVOICE in given.values():
        rows = content_of(await client.call_tool("telnyx_list_invoices", {}))["items"]
        given["invoice_id"] = rows[0]["invoice_id"]
    if FIRST_DELIVERY in given.values():
        rows = content_of(await client.call_tool("telnyx_list_webhook_deliveries", {}))["items"]
        given["delivery_id"] = rows[0]["id"]
    return given


def compact(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def fields_in(value: Any) -> Iterator[Any]:
    """The value of every field in a JSON document."""
    if isinstance(value, dict):
        yield from value.values()
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from fields_in(each)


# --- the contract --------------------------------------------------------------------------------


async def test_the_published_contract_is_what_the_server_lists() -> None:
    assert stale_files(contract_files(await published_tools())) == []


async def test_a_contract_that_differs_is_called_stale(tmp_path: Any) -> None:
    files = contract_files(await published_tools())
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "telnyx_get_balance.json").write_text("{}", encoding="utf-8")
    (tmp_path / "telnyx_gone.json").write_text("{}", encoding="utf-8")
    (tmp_path / "README.md").unlink()
    stale = stale_files(files, tmp_path)
    assert stale == ["README.md", "telnyx_get_balance.json", "telnyx_gone.json"]
