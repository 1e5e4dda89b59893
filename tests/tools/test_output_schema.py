"""The published schema of a result: made from the model, and held by every answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema
import pytest
from mcp import Client
from mcp.server.lowlevel import Server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, Tool
from pydantic import BaseModel, Field

from telnyx_mcp.tools import TOOLS
from telnyx_mcp.tools.framework.output_schema import output_schema
from telnyx_mcp.tools.framework.results import ListResult, Row

HOSTS_REJECT = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "title", "nullable", "const"}
SCHEMAS = {each.name: output_schema(each.result) for each in TOOLS}


class Leg(Row):
    cost: str | None = Field(None, description="Cost as a decimal string.")
    from_: str | None = Field(None, alias="from", description="Caller.")


class Text(Row):
    parts: int | None = Field(None, description="How many parts.")


class Calls(ListResult):
    items: Sequence[Leg | Text]
    by_country: dict[str, int] = Field(default_factory=dict, description="How many by country.")
    cost_by_country: dict[str, str] = Field(default_factory=dict, description="Cost by country.")
    payload: Any = Field(None, description="As Telnyx sent it.")


def objects_in(schema: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside of a schema, with its path."""
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from objects_in(each, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from objects_in(schema[name], f"{path}[]")


def test_rows_are_written_out_with_the_fields_of_every_kind() -> None:
    rows = output_schema(Calls)["properties"]["items"]
    assert rows == {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "cost": {"type": "string", "description": "Cost as a decimal string."},
                "from": {"type": "string", "description": "Caller."},
                "parts": {"type": "integer", "description": "How many parts."},
            },
        },
        "description": "The rows of this page.",
    }


def test_an_object_of_equal_values_says_their_type_and_an_unknown_value_has_none() -> None:
    properties = output_schema(Calls)["properties"]
    assert properties["cost_by_country"]["additionalProperties"] == {"type": "string"}
    assert "additionalProperties" not in properties["by_country"]  # a count may be masked
    assert "type" not in properties["payload"]


def test_fields_that_are_always_there_are_required() -> None:
    assert output_schema(Calls)["required"] == ["items", "returned", "has_more"]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_holds_nothing_that_hosts_reject(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    for path, schema in objects_in(SCHEMAS[name], name):
        assert HOSTS_REJECT.isdisjoint(schema), path
        assert isinstance(schema.get("type", ""), str), path
        assert "default" not in schema, path


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_field_at_every_depth_is_described(name: str) -> None:
    for path, schema in objects_in(SCHEMAS[name], name):
        if path != name and not path.endswith("[]"):
            described = schema.get("description", "")
            assert 5 <= len(described) <= 150, path
            assert described.endswith("."), path


UNTYPED = {
    "telnyx_get_webhook_delivery.untrusted_payload",
    "telnyx_get_webhook_delivery.attempts[].errors[]",
    "telnyx_list_audit_events.items[].untrusted_changes[][].from",
    "telnyx_list_audit_events.items[].untrusted_changes[][].to",
}
"""Values that are passed on as Telnyx sent them."""


def test_only_values_of_strangers_have_no_type() -> None:
    found = {
        path
        for name, schema in SCHEMAS.items()
        for path, each in objects_in(schema, name)
        if "type" not in each
    }
    assert found == UNTYPED


class Balance(BaseModel):
    amount: str = Field(description="Amount as a decimal string.")


async def list_tools(_context: object, _params: object) -> ListToolsResult:
    schema = output_schema(Balance)
    tool = Tool(name="balance", input_schema={"type": "object"}, output_schema=schema)
    return ListToolsResult(tools=[tool])


async def call_tool(_context: object, params: CallToolRequestParams) -> CallToolResult:
    return CallToolResult(content=[], structured_content=params.arguments or {})


async def test_the_client_of_the_tests_refuses_an_answer_that_does_not_fit() -> None:
    """The official client compares every answer with the published schema, in every test."""
    server = Server("answers", on_list_tools=list_tools, on_call_tool=call_tool)
    async with Client(server) as client:
        await client.call_tool("balance", {"amount": "5.00"})
        with pytest.raises(RuntimeError, match="Invalid structured content"):
            await client.call_tool("balance", {"amount": 5})
