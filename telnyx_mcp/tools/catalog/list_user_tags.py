"""`telnyx_list_user_tags`"""

from __future__ import annotations

from pydantic import Field

from telnyx_mcp.tools.framework.arguments import Params, Text
from telnyx_mcp.tools.framework.results import Result
from telnyx_mcp.tools.framework.spec import Call, ToolSpec


class TagsParams(Params):
    starts_with: Text | None = Field(
        None, description="Only tags that begin with this text, e.g. depot."
    )


class TagsResult(Result):
    rows = "number_tags"

    number_tags: list[str] = Field(description="Tags of phone numbers.")
    outbound_profile_tags: list[str] = Field(description="Tags of outbound voice profiles.")


async def list_user_tags(call: Call[TagsParams]) -> TagsResult:
    tags = await call.client.list_user_tags(call.params.starts_with)
    return TagsResult(
        number_tags=tags.number_tags or [], outbound_profile_tags=tags.outbound_profile_tags or []
    )


LIST_USER_TAGS = ToolSpec(
    name="telnyx_list_user_tags",
    group="numbers",
    title="Tags",
    description="The tags in use on phone numbers and on outbound voice profiles.",
    params=TagsParams,
    result=TagsResult,
    run=list_user_tags,
)
