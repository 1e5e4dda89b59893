"""What the tools cost a conversation: the list of them, and each one's plain answer.

`python -m scripts.generate.tokens` (`make docs`) writes docs/tokens.md; a test compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from mcp import Client
from pydantic import SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox, running_sandbox
from telnyx_mcp.server.build import build_server
from telnyx_mcp.tools import TOOLS
from telnyx_mcp.tools.framework.tokens import about_tokens
from tests.support.client import text_of
from tests.support.clock import NOW, TODAY
from tests.test_questions import QUESTIONS

PAGE = Path(__file__).parents[2] / "docs" / "tokens.md"
MAX_LISTED, MAX_BY_DEFAULT = 4_500, 2_000

PLAIN: dict[str, dict[str, Any]] = {
    "telnyx_summarize_spend": {"period": "2026-05"},
    "telnyx_get_charges_summary": {"start_date": "2026-05-01", "end_date": "2026-06-01"},
    "telnyx_get_charges_breakdown": {"start_date": "2026-05-01"},
    "telnyx_summarize_usage": {
        "product": "messaging",
        "period": "yesterday",
        "group_by": ["status"],
    },
    "telnyx_search_detail_records": {"record_type": "messaging"},
    "telnyx_get_session_cost": {"session_id": "1de96b4f-e883-4ed1-aff2-c73615fe6402"},
}
"""The arguments of a plain call, where it needs any."""

HEAD = """\
# Tokens

A conversation pays for the list of tools once, and for each answer. This page shows both for the sandbox
account of 2026-06-15. `tools/framework/tokens.py` estimates the tokens, within 5 % of o200k;
`make bench ARGS=tokens` counts them exactly. The tests allow at most {listed:,} tokens for the list and
{default:,} for a plain answer. No answer exceeds 8,000: it drops rows and says so.

Written by `make docs`; a test compares.
"""


async def costs(sandbox: Sandbox, folder: Path) -> tuple[dict[str, int], list[tuple[Any, int]]]:
    """Tokens of each tool in the list and of its plain answer; and of each question's answer."""
    settings = Settings(
        api_key=SecretStr(sandbox.key),
        base_url=sandbox.base_url,
        state_url=SecretStr(f"sqlite:///{folder}/state.sqlite3"),
        approval="terminal",
    )
    rows: dict[str, int] = {}
    answers: list[tuple[Any, int]] = []
    async with Client(build_server(settings, now=lambda: NOW)) as client:
        for tool in (await client.list_tools()).tools:
            seen = {"name", "description", "input_schema"}  # hosts keep the rest from the model
            sent = tool.model_dump(mode="json", by_alias=True, exclude_none=True, include=seen)
            rows[tool.name] = about_tokens(json.dumps(sent, separators=(",", ":")))
        for question in (each for each in QUESTIONS if "seed" not in each):
            result = await client.call_tool(question["tool"], question["arguments"])
            answers.append((question, about_tokens(text_of(result))))
        plain = {}
        for name in (tool.name for tool in TOOLS if not tool.changes):
            arguments = PLAIN.get(name, {})
            if name.startswith("telnyx_get_") and "invoice" in name:
                listed = await client.call_tool("telnyx_list_invoices", {"page_size": 1})
                arguments = {
                    "invoice_id": (listed.structured_content or {})["items"][0]["invoice_id"]
                }
            if name == "telnyx_get_webhook_delivery":
                failed = {"status": "failed", "page_size": 1}
                listed = await client.call_tool("telnyx_list_webhook_deliveries", failed)
                arguments = {"delivery_id": (listed.structured_content or {})["items"][0]["id"]}
            plain[name] = about_tokens(text_of(await client.call_tool(name, arguments)))
    answers += [({"plain": name}, count) for name, count in plain.items()]
    return rows, answers


def page_of(rows: dict[str, int], answers: list[tuple[Any, int]]) -> str:
    plain = {each["plain"]: count for each, count in answers if "plain" in each}
    lines = [HEAD.format(listed=MAX_LISTED, default=MAX_BY_DEFAULT)]
    lines += ["| tool | in the list | plain answer |", "|---|---:|---:|"]
    lines += [
        f"| `{name}` | {count} | {plain.get(name, 'asks first')} |" for name, count in rows.items()
    ]
    lines += [f"| all | {sum(rows.values()):,} | |", ""]
    lines += ["| question | one call of | answer |", "|---|---|---:|"]
    lines += [
        f"| {each['ask']} | `{each['tool']}` | {count} |"
        for each, count in answers
        if "ask" in each
    ]
    return "\n".join([*lines, ""])


def measured() -> tuple[dict[str, int], list[tuple[Any, int]]]:
    with (
        TemporaryDirectory() as folder,
        running_sandbox(today=TODAY, rate_limit=None) as sandbox,
    ):
        return anyio.run(costs, sandbox, Path(folder))


if __name__ == "__main__":
    PAGE.write_text(page_of(*measured()), encoding="utf-8")
