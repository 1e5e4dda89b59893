"""The published schema of a tool's arguments."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from telnyx_mcp.tools.framework.arguments import Params


class _InputSchema(GenerateJsonSchema):
    """Publishes what hosts accept: no `anyOf` with null, no null default, no title, no format."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        published = super().default_schema(schema)
        if published.get("default") in (None, [], False):
            published.pop("default", None)
        return published

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        return {"type": "string"}

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return {"type": "string"} | super().enum_schema(schema)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


_PUBLISHED = ("type", "enum", "items", "default", "maximum", "description")


@cache
def input_schema(params: type[Params]) -> dict[str, Any]:
    """The published schema of a tool's arguments: one flat object."""
    published = params.model_json_schema(schema_generator=_InputSchema)
    properties = {
        name: {key: each[key] for key in _PUBLISHED if key in each}
        for name, each in published.get("properties", {}).items()
    }
    for each in properties.values():
        if "items" in each:
            each["items"] = {"type": each["items"]["type"]}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required := published.get("required"):
        schema["required"] = required
    return schema
