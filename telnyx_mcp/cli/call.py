"""What people read at the terminal: results as small tables, and questions to answer."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import anyio
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from telnyx_mcp.approval.channels.terminal import discard_typed
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.config.tool_groups import ToolGroup
from telnyx_mcp.process.signals import stopping_signals_heard
from telnyx_mcp.server.build import AccountServer, build_server
from telnyx_mcp.tools import TOOLS
from telnyx_mcp.untrusted import visible

MOST_ROWS = 250
LONG_FACT = 48


def call_tool(settings: Settings, tool: str, arguments: dict[str, str], *, as_json: bool) -> int:
    """Calls one tool through the real server and prints its result. 0 done, 1 failed."""

    async def call() -> CallToolResult | None:
        server = build_server(settings)
        ask = ask_here if sys.stdin.isatty() else None
        result: CallToolResult | None = None
        with stopping_signals_heard() as signals:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_stop_on_signal, signals, server, tasks.cancel_scope)
                async with Client(server, elicitation_callback=ask) as client:
                    result = await client.call_tool(tool, arguments)
                tasks.cancel_scope.cancel()
        return result

    result = anyio.run(call)
    if result is None:
        raise KeyboardInterrupt
    if as_json:
        shown = result.structured_content or {"error": text_of(result)}
        sys.stdout.write(visible(json.dumps(shown, indent=2, ensure_ascii=False)) + "\n")
    else:
        Console(stderr=result.is_error).print(Group(*render(result)))
    state = (result.structured_content or {}).get("state", "succeeded")
    return 0 if state == "succeeded" and not result.is_error else 1


async def _stop_on_signal(
    signals: AsyncIterator[signal.Signals], server: AccountServer, calling: anyio.CancelScope
) -> None:
    """Ends the call on a signal; not once a change was sent: what came of it is still told, however many
    signals follow."""
    async for _ in signals:
        if any(each.gate.has_sent for each in server.accounts.made):
            sys.stderr.write("\nIt was sent already: waiting for what comes of it.\n")
        else:
            calling.cancel()
        return


def list_tools(groups: Sequence[ToolGroup]) -> int:
    """Prints the tools of these groups with their arguments, the required ones marked."""
    console = Console(highlight=False)
    for each in (tool for tool in TOOLS if tool.group in groups):
        fields = each.params.model_fields.items()
        arguments = ", ".join(f"{name}*" if field.is_required() else name for name, field in fields)
        console.print(Text(each.name), Text(each.title, "dim"))
        if arguments:
            console.print(Padding(Text(arguments, "dim"), (0, 0, 0, 4)))
    console.print(Text("* required. tools/README.md says what each argument takes.", "dim"))
    return 0


async def ask_here(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Asks the person at this terminal. Nothing typed, or the end of input, declines."""
    if not isinstance(params, ElicitRequestFormParams):
        return ElicitResult(action="decline")
    console = Console(stderr=True)
    console.print(Text(f"\n{visible(params.message)}", style="bold"))
    (name, field), *_ = params.requested_schema["properties"].items()
    ticks = field["type"] == "boolean"
    typed = await _typed("Make this change? (yes/no) " if ticks else "Amount (nothing declines): ")
    if ticks:
        agreed = typed.lower() in ("y", "yes")
        return ElicitResult(
            action="accept" if agreed else "decline", content={name: True} if agreed else None
        )
    return (
        ElicitResult(action="accept", content={name: typed})
        if typed
        else ElicitResult(action="decline")
    )


async def _typed(prompt: str) -> str:
    """What the person types after the prompt; nothing at the end of input.

    Read in a daemon thread, so that Ctrl-C ends the command and not only the wait for the thread.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[str] = loop.create_future()

    def answer(line: str) -> None:
        if not answered.done():
            answered.set_result(line)

    def read() -> None:
        discard_typed()
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = sys.stdin.readline().strip()
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(answer, line)

    threading.Thread(target=read, daemon=True).start()
    return await answered


def text_of(result: CallToolResult) -> str:
    return visible("\n".join(block.text for block in result.content if block.type == "text"))


def render(result: CallToolResult) -> list[RenderableType]:
    """A result for people: its facts on a line or two, then its rows as a table, or as blocks of
    lines where a table would be too wide."""
    content = result.structured_content
    if result.is_error or not content:
        message = content.get("message") if content else None
        text = visible(message) if message else text_of(result)
        return [Text(text, style="red" if result.is_error else "")]
    facts: dict[str, str] = {}
    parts: list[RenderableType] = []
    for name, value in content.items():
        if name == "sandbox" or value in ([], {}):
            continue
        if isinstance(value, list) and all(isinstance(row, dict) for row in value):
            parts += _titled(name, value)
        elif isinstance(value, dict):
            parts += _titled(name, [value])
        else:
            facts[name] = _cell(value)
    long = {name: text for name, text in facts.items() if len(text) > LONG_FACT}
    short = "  ".join(f"{name} {text}" for name, text in facts.items() if name not in long)
    pretend = [Text("Sandbox: a pretend account, not yours.", style="dim")]
    return [
        *(pretend if "sandbox" in content else []),
        Text(short),
        *(Text(f"{name}: {text}") for name, text in long.items()),
        *parts,
    ]


def _titled(name: str, rows: list[dict[str, Any]]) -> list[RenderableType]:
    shown = [
        {visible(column): _cell(value) for column, value in row.items()} for row in rows[:MOST_ROWS]
    ]
    widths: dict[str, int] = {}
    for row in shown:
        for column, cell in row.items():
            longest_word = max(len(word) for word in column.split("_"))
            widths[column] = max(widths.get(column, longest_word), len(cell))
    wide = sum(widths.values()) + 2 * len(widths) > Console().width
    parts: list[RenderableType] = [
        Text(name, style="dim"),
        _blocks(shown) if wide else _table(shown, list(widths)),
    ]
    if len(rows) > MOST_ROWS:
        parts.append(Text(f"… {len(rows) - MOST_ROWS} more", style="dim"))
    return parts


def _table(rows: list[dict[str, str]], columns: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(row.get(column, "")) for column in columns))
    return table


def _blocks(rows: list[dict[str, str]]) -> Table:
    """Each row as lines of name and value."""
    grid = Table.grid(padding=(0, 2))
    for number, row in enumerate(rows):
        for column, cell in row.items():
            grid.add_row(Text(column, style="dim"), Text(cell))
        if number + 1 < len(rows):
            grid.add_row("")
    return grid


def _cell(value: object) -> str:
    """A value in a few words; objects as `name value`, lists with commas. Nothing in it steers the
    terminal: results were redacted before, and this is the last door."""
    if isinstance(value, dict):
        return ", ".join(f"{visible(name)} {_cell(each)}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(_cell(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else visible(str(value))
