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


def tools_option(
    parser: argparse.ArgumentParser, read: Callable[[str], object] | None = None
) -> None:
    """`--tools`, as typed: a server that its client started reports a wrong name in its answers. Other
    commands `read` it at once."""
    parser.add_argument(
        "--tools",
        metavar="GROUP,...",
        type=read or str,
        help=f"load these groups of tools only: {', '.join(TOOL_GROUPS)}",
    )


def account_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command that runs the server."""
    for add in (profile_option, read_only_option, tools_option, sandbox_option):
        add(parser)


def read_groups(text: str) -> tuple[ToolGroup, ...]:
    """The groups of `--tools`. Raises `ArgumentTypeError`."""
    try:
        return tool_groups(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def configured_accounts(
    options: argparse.Namespace,
    terminal: Terminal,
    *,
    warn: bool = True,
    tolerant: bool = False,
) -> ConfiguredAccounts:
    """The selected account, and the others; with a sandbox there are none. Keys are not looked up yet. With
    `warn`, prints on stderr which settings have no effect.

    Raises `CommandError` for a value that can't be used. If `tolerant`, it is one of the `problems` of
    the settings instead: a server that its client started can only say it in its answers.
    """
    from telnyx_mcp.config.environment import misspelt, warnings
    from telnyx_mcp.config.profiles import SettingsError, configured

    try:
        accounts = configured(options.profile, tolerant=tolerant)
        accounts = replace(accounts, main=_limited(accounts.main, options, tolerant=tolerant))
    except SettingsError as error:
        raise CommandError(f"{error}. Nothing was started.") from None
    if getattr(options, "sandbox", False):
        accounts = replace(accounts, main=_without_account(accounts.main), others={})
    if warn:
        found = misspelt(os.environ, [accounts.main, *accounts.others.values()])
        for each in (*accounts.notes, *warnings([*accounts.main.problems, *found])):
            terminal.write(f"telnyx-account-mcp: {each}\n", error=True)
    return accounts


def _limited(settings: Settings, options: argparse.Namespace, *, tolerant: bool) -> Settings:
    """The settings with `--read-only` and `--tools`. Raises `SettingsError`, unless `tolerant`."""
    from telnyx_mcp.config.profiles import SettingsError
    from telnyx_mcp.config.settings import SettingProblem

    if getattr(options, "read_only", False):
        settings = settings.model_copy(update={"read_only": True})
    try:
        if groups := getattr(options, "tools", None):
            settings = settings.model_copy(update={"tools": tool_groups(groups)})
    except ValueError as error:
        if not tolerant:
            raise SettingsError(f"--tools {error}") from None
        problem = SettingProblem("tools", f"--tools {error}.")
        settings = settings.with_problems([*settings.problems, problem])
    return settings


def _without_account(settings: Settings) -> Settings:
    """The settings without the problems of those that a sandbox replaces."""
    replaced = {"api_key", "api_key_file", "key_from", "base_url", "profile", "profiles_file"}
    return settings.with_problems(
        [each for each in settings.problems if each.setting not in replaced]
    )


def run_with_account(
    options: argparse.Namespace, settings: Settings, run: Callable[[Settings], int]
) -> int:
    """Runs with the user's account, or with a sandbox and a ledger that exist as long as the run."""
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
            "api_key_file": None,
            "key_from": "auto",
            "base_url": sandbox.base_url,
            "profile": None,
            "state_url": settings.state_url or SecretStr(f"sqlite:///{folder}/state.sqlite3"),
        }
        return run(settings.model_copy(update=account))
