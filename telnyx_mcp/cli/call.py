"""`call`: one tool, called through the real server, without an assistant."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import anyio
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult
from rich.text import Text

from telnyx_mcp.approval.channels.terminal import discard_typed
from telnyx_mcp.cli.account import account_options, configured_accounts, run_with_account
from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.cli.tables import render, text_of
from telnyx_mcp.cli.terminal import Terminal, hanging
from telnyx_mcp.cli.waiting import waiting
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.config.tool_groups import ToolGroup
from telnyx_mcp.process.signals import stopping_signals_heard
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.tools import TOOLS
from telnyx_mcp.tools.framework.spec import full_name
from telnyx_mcp.untrusted import visible


class _Help(argparse.Action):
    """`call TOOL --help` describes the tool; without a tool, the command."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object
    ) -> None:
        if tool := getattr(namespace, "tool", None):
            describe_tool(tool, Terminal())
        else:
            parser.print_help()
        parser.exit()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-h", "--help", action=_Help, nargs=0, help="show this; after TOOL, what the tool takes"
    )
    parser.add_argument("tool", metavar="TOOL", nargs="?", help="without it, the tools are listed")
    parser.add_argument("pairs", metavar="key=value", nargs="*", help="the tool's arguments")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    account_options(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Calls one tool and prints its result. 0 if it succeeded, else 1."""
    arguments = _arguments(options.pairs)
    accounts = configured_accounts(options, terminal, tolerant=True)
    settings = accounts.main
    if settings.unusable:  # a wrong limit only prevents changes
        raise CommandError("Nothing was started.")  # why stands in the warnings above
    if options.tool is None:
        return list_tools(settings.tools, terminal, as_json=options.json)
    return run_with_account(
        options,
        settings,
        lambda settings: call_tool(
            settings,
            full_name(options.tool),
            arguments,
            terminal,
            others=accounts.others,
            as_json=options.json,
        ),
    )


def _arguments(pairs: Sequence[str]) -> dict[str, str]:
    arguments: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise CommandError(f"arguments are written key=value; got {pair!r}")
        arguments[name] = value
    return arguments


def call_tool(
    settings: Settings,
    tool: str,
    arguments: Mapping[str, str],
    terminal: Terminal,
    *,
    others: Mapping[str, Settings] | None = None,
    as_json: bool,
) -> int:
    """Calls one tool through the real server and prints its result. 0 if it succeeded, else 1."""

    async def call() -> CallToolResult | None:
        server = build_server(settings, others=others)
        result: CallToolResult | None = None
        with stopping_signals_heard() as signals, waiting() as progress:
            asker = TerminalAsker(terminal, progress.hide) if terminal.has_input() else None
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_stop_on_signal, signals, server, tasks.cancel_scope, terminal)
                async with Client(server, elicitation_callback=asker) as client:
                    result = await client.call_tool(
                        tool, dict(arguments), progress_callback=progress
                    )
                tasks.cancel_scope.cancel()
        return result

    result = anyio.run(call)
    if result is None:
        raise KeyboardInterrupt
    if as_json:
        content = result.structured_content or {"error": text_of(result)}
        terminal.write(visible(json.dumps(content, indent=2, ensure_ascii=False)) + "\n")
    else:
        failed = bool(result.is_error)
        terminal.show(*render(result, terminal.width(error=failed)), error=failed)
    state = (result.structured_content or {}).get("state", "succeeded")
    return 0 if state == "succeeded" and not result.is_error else 1


async def _stop_on_signal(
    signals: AsyncIterator[signal.Signals],
    server: AccountServer,
    calling: anyio.CancelScope,
    terminal: Terminal,
) -> None:
    """Ends the call on a signal, unless a change was sent: then its outcome is still shown, however many
    signals follow."""
    async for _ in signals:
        if any(each.gate.has_sent for each in server.accounts.made):
            terminal.write("\nIt was sent already: waiting for its outcome.\n", error=True)
        else:
            calling.cancel()
        return


def list_tools(groups: Sequence[ToolGroup], terminal: Terminal, *, as_json: bool) -> int:
    """Prints the tools of these groups with their arguments, the required ones marked."""
    loaded = [each for each in TOOLS if each.group in groups]
    if as_json:
        rows = [
            {
                "name": each.name,
                "title": each.title,
                "description": each.description,
                "arguments": each.input_schema,
            }
            for each in loaded
        ]
        terminal.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return 0
    width = terminal.width()
    for each in loaded:
        fields = each.params.model_fields.items()
        arguments = ", ".join(f"{name}*" if field.is_required() else name for name, field in fields)
        terminal.show(Text.assemble(each.name, " ", (each.title, "dim")))
        if arguments:
            terminal.show(Text(f"    {hanging(arguments, 4, width)}", "dim"), wrap=False)
    terminal.show(Text("* required. call TOOL --help says what each argument takes.", "dim"))
    return 0


def describe_tool(name: str, terminal: Terminal) -> None:
    """Prints what a tool does, and what each argument takes. Raises `CommandError`."""
    names = {each.name: each for each in TOOLS}
    if (tool := names.get(full_name(name))) is None:
        near = get_close_matches(full_name(name), names, 1, 0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise CommandError(f"there is no tool {name!r}.{hint}")
    width = terminal.width()
    schema = tool.input_schema
    terminal.show(Text.assemble((tool.name, "bold"), " ", (tool.title, "dim")))
    terminal.show(Text(tool.description))
    for argument, one in schema["properties"].items():
        terminal.show(Text(f"\n{argument}=  {_kind(one, argument in schema.get('required', ()))}"))
        terminal.show(Text(f"    {hanging(one.get('description', ''), 4, width)}"), wrap=False)


def _kind(schema: Mapping[str, Any], required: bool) -> str:
    """The type of an argument, whether it is required, and its default."""
    values = schema.get("enum") or schema.get("items", {}).get("enum")
    kind = (
        " | ".join(map(str, values)) if values else schema.get("items", schema).get("type", "text")
    )
    several = ", several separated by commas" if schema.get("type") == "array" else ""
    default = schema.get("default")
    shown = json.dumps(default) if isinstance(default, bool | list) else default
    after = ", required" if required else f", default {shown}" if default not in (None, []) else ""
    return f"{kind}{several}{after}"


class TerminalAsker:
    """Answers the server's questions as the user types at this terminal. `clear` is called before a
    question is shown."""

    def __init__(self, terminal: Terminal, clear: Callable[[], object] = lambda: None) -> None:
        self._terminal = terminal
        self._clear = clear

    async def __call__(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        """Nothing typed, or the end of input, declines."""
        if not isinstance(params, ElicitRequestFormParams):
            return ElicitResult(action="decline")
        self._clear()
        self._terminal.show(Text(f"\n{visible(params.message)}", style="bold"), error=True)
        (name, field), *_ = params.requested_schema["properties"].items()
        is_yes_or_no = field["type"] == "boolean"
        typed = await self._typed(
            "Make this change? (yes/no) " if is_yes_or_no else "Amount (nothing declines): "
        )
        if is_yes_or_no:
            agreed = typed.lower() in ("y", "yes")
            return ElicitResult(
                action="accept" if agreed else "decline", content={name: True} if agreed else None
            )
        if not typed:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={name: typed})

    async def _typed(self, prompt: str) -> str:
        """What the user types after the prompt; nothing at the end of input.

        Read in a daemon thread, so that Ctrl-C ends the command and not only the wait for the thread.
        """
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[str] = loop.create_future()

        def answer(line: str) -> None:
            if not answered.done():
                answered.set_result(line)

        def read() -> None:
            discard_typed()
            self._terminal.write(prompt, error=True)
            try:
                line = self._terminal.read("").strip()
            except EOFError:
                line = ""
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(answer, line)

        threading.Thread(target=read, daemon=True).start()
        return await answered
