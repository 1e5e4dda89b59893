"""The account a command works on: its options, its settings, or a sandbox."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from telnyx_mcp.cli.errors import CommandError
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.config.tool_groups import TOOL_GROUPS, ToolGroup, tool_groups
from telnyx_mcp.process.leaving import on_leaving

if TYPE_CHECKING:
    from telnyx_mcp.config.profiles import ConfiguredAccounts
    from telnyx_mcp.config.settings import Settings


def profile_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", metavar="NAME", help="which account of the profiles file")


def sandbox_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sandbox", action="store_true", help="use a sandbox account, made for this command"
    )


def read_only_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--read-only", action="store_true", help="refuse and hide every change")


def tools_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tools",
        metavar="GROUP,...",
        type=_groups,
        help=f"load these groups of tools only: {', '.join(TOOL_GROUPS)}",
    )


def account_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command that runs the server."""
    for add in (profile_option, read_only_option, tools_option, sandbox_option):
        add(parser)


def _groups(text: str) -> tuple[ToolGroup, ...]:
    try:
        return tool_groups(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def configured_accounts(
    options: argparse.Namespace, terminal: Terminal, *, warn: bool = True
) -> ConfiguredAccounts:
    """The selected account, and the others; with a sandbox there are none. Keys are not looked up yet. With
    `warn`, prints on stderr which settings have no effect. Raises `CommandError`."""
    from telnyx_mcp.config.environment import misspelt, warnings
    from telnyx_mcp.config.profiles import SettingsError, configured

    try:
        accounts = configured(options.profile)
    except SettingsError as error:
        raise CommandError(f"{error}. Nothing was started.") from None
    if warn:
        found = misspelt(os.environ, [accounts.main, *accounts.others.values()])
        for each in (*accounts.notes, *warnings(found)):
            terminal.write(f"telnyx-account-mcp: {each}\n", error=True)
    return replace(accounts, others={}) if getattr(options, "sandbox", False) else accounts


def run_with_account(
    options: argparse.Namespace, settings: Settings, run: Callable[[Settings], int]
) -> int:
    """Runs with the user's account, or with a sandbox and a ledger that exist as long as the run."""
    limits = {
        "read_only": getattr(options, "read_only", False) or settings.read_only,
        "tools": getattr(options, "tools", None) or settings.tools,
    }
    settings = settings.model_copy(update=limits)
    if not options.sandbox:
        return run(settings)
    from tempfile import TemporaryDirectory

    from pydantic import SecretStr

    from telnyx_mcp.sandbox import running_sandbox

    temporary = TemporaryDirectory(prefix="telnyx-account-mcp-", ignore_cleanup_errors=True)
    on_leaving(temporary.cleanup)
    with temporary as folder, running_sandbox() as sandbox:
        account = {
            "api_key": SecretStr(sandbox.key),
            "key_from": "auto",
            "base_url": sandbox.base_url,
            "profile": None,
            "state_url": settings.state_url or SecretStr(f"sqlite:///{folder}/state.sqlite3"),
        }
        return run(settings.model_copy(update=account))
