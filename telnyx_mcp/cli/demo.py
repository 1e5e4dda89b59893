"""`demo`: a real client asks a real server process about a sandbox account."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.session import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult
from rich.text import Text

from telnyx_mcp.cli.call import TerminalAsker
from telnyx_mcp.cli.tables import render, text_of
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.sandbox import running_sandbox
from telnyx_mcp.tools.framework.tokens import about_tokens


@dataclass(slots=True)
class Demo:
    """Asks questions through one client, and shows each call with its cost."""

    client: Client
    terminal: Terminal
    calls: int = 0
    seconds: float = 0.0
    tokens: int = 0
    first: dict[str, Any] = field(default_factory=dict)

    def question(self, text: str) -> None:
        self.terminal.show(Text.assemble(("── ", "dim"), (f"“{text}”", "bold")))

    async def call(self, tool: str, arguments: Mapping[str, Any] | None = None) -> CallToolResult:
        """Calls a tool and prints the call, its answer as tables, and what it cost."""
        arguments_text = ", ".join(f"{name}={value!r}" for name, value in (arguments or {}).items())
        self.terminal.show(Text(f"{tool}({arguments_text})", style="cyan"))
        started = time.perf_counter()
        result = await self.client.call_tool(tool, dict(arguments or {}))
        seconds = time.perf_counter() - started
        tokens = about_tokens(text_of(result))
        self.calls, self.seconds, self.tokens = (
            self.calls + 1,
            self.seconds + seconds,
            self.tokens + tokens,
        )
        self.terminal.show(*render(result, self.terminal.width(), says_sandbox=False))
        self.terminal.show(Text(f"about {tokens} tokens, {seconds * 1000:.0f} ms\n", style="dim"))
        return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Runs the demonstration. 0 when every question was answered."""
    with (
        TemporaryDirectory(prefix="telnyx-account-mcp-", ignore_cleanup_errors=True) as folder,
        running_sandbox(rate_limit=None) as sandbox,  # a demo must not wait
    ):
        account = {
            "TELNYX_BASE_URL": sandbox.base_url,
            "TELNYX_API_KEY": sandbox.key,
            "TELNYX_MCP_STATE_URL": f"sqlite:///{folder}/state.sqlite3",
        }
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("TELNYX_")
        }
        # -P: a json.py or telnyx_mcp in the current folder is not imported.
        server = StdioServerParameters(
            command=sys.executable, args=["-P", "-m", "telnyx_mcp"], env=environment | account
        )
        try:
            return anyio.run(_ask, server, terminal)
        except* SystemExit:  # the reader of the output has stopped
            pass
        return 1


async def _ask(server: StdioServerParameters, terminal: Terminal) -> int:
    may = _latest_may(datetime.now(UTC).date())
    ask = TerminalAsker(terminal) if terminal.has_input() else _Decliner(terminal)
    async with Client(server, elicitation_callback=ask) as client:
        tools = (await client.list_tools()).tools
        terminal.show(
            Text("A sandbox Telnyx account, a real MCP server, a real MCP client.", style="bold"),
            Text("Sandbox account: these figures are not yours.", style="dim"),
            f"\n{len(tools)} tools, the account's today is {datetime.now(UTC).date()}.\n",
        )
        demo = Demo(client, terminal)

        demo.question("What did we spend in May?")
        await demo.call(
            "telnyx_summarize_spend", {"period": f"{may:%Y-%m}", "compare_to": "previous"}
        )

        demo.question("How many messages failed yesterday, and what did they cost?")
        await demo.call(
            "telnyx_summarize_usage",
            {"product": "messaging", "period": "yesterday", "group_by": ["status"]},
        )

        demo.question("Which invoices are unpaid?")
        await demo.call("telnyx_list_invoices", {"unpaid_only": True})

        demo.question("Which webhooks fail, and why?")
        failed = await demo.call("telnyx_list_webhook_deliveries", {"group_failures": True})
        rows = (failed.structured_content or {}).get("items", [])
        if rows:
            example = {"delivery_id": rows[0]["failures"][0]["example_id"]}
            await demo.call("telnyx_get_webhook_delivery", example)

        demo.question("Top us up by $120.")
        if not terminal.has_input():
            terminal.show("(No terminal to ask at, so this shows what a decline looks like.)")
        await demo.call("telnyx_create_stored_payment_transaction", {"amount": "120"})
        await demo.call("telnyx_get_balance", {"include_runway": True})

        terminal.show(
            f"{demo.calls} calls, about {demo.tokens} tokens of answers, {demo.seconds:.2f} s in all "
            "(with the time you took to type).\n"
            "With your own account: put the server into your assistant, see README.md."
        )
    return 0


class _Decliner:
    """Declines every question, and shows it."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    async def __call__(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        self._terminal.show(
            Text(f"The client asks the user:\n{params.message}", style="bold"),
            Text("The user declines.", style="yellow"),
        )
        return ElicitResult(action="decline")


def _latest_may(today: date) -> date:
    """The first day of the last May that is over."""
    return date(today.year if today.month > 5 else today.year - 1, 5, 1)
