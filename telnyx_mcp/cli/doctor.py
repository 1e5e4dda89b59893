"""`doctor`: try everything the server needs, and say what is wrong."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import anyio
from rich.text import Text

from telnyx_mcp.cli.account import account_options, configured_accounts, run_with_account
from telnyx_mcp.cli.errors import NOT_DONE
from telnyx_mcp.cli.installed_account import as_installed, client_option
from telnyx_mcp.cli.terminal import Terminal, hanging
from telnyx_mcp.config.profiles import ConfiguredAccounts
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.doctor.checks import run_checks
from telnyx_mcp.doctor.context import Finding, Level

_MARKS = {
    Level.OK: ("ok    ", "green"),
    Level.NOTE: ("note  ", "yellow"),
    Level.FAILED: ("FAILED", "bold red"),
}

INDENT = 18
"""Where the texts begin, after the level and the name of the check."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--clear-pace",
        action="store_true",
        help="first reopen the endpoints that a 429 (too many requests) closed, for all copies on the key",
    )
    account_options(parser)
    client_option(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Prints the findings. 0 if nothing failed, else 1."""
    with as_installed(options, terminal) as installed:
        asks = installed is not None and installed.asks_for_key
        key_with = installed.client.title if installed and asks else None
        # What is wrong with the settings is a finding here.
        accounts = configured_accounts(options, terminal, warn=False, tolerant=True)
        return run_with_account(
            options,
            accounts.main,
            lambda settings: print_findings(
                settings,
                accounts,
                terminal,
                as_json=options.json,
                clear_pace=options.clear_pace,
                key_with=key_with,
            ),
        )


def print_findings(
    settings: Settings,
    accounts: ConfiguredAccounts,
    terminal: Terminal,
    *,
    as_json: bool,
    clear_pace: bool,
    key_with: str | None = None,
) -> int:
    """Checks these settings, and the other accounts, and prints line by line, or as JSON."""

    async def run_all() -> list[Finding]:
        findings: list[Finding] = []
        checking = run_checks(
            settings,
            accounts.others,
            profiles=accounts,
            clear_pace=clear_pace,
            key_with=key_with,
        )
        async for finding in checking:
            findings.append(finding)
            if not as_json:
                _print(finding, terminal)
        return findings

    findings = anyio.run(run_all)
    failed = [each for each in findings if each.level is Level.FAILED]
    if as_json:
        report = {"ok": not failed, "checks": [asdict(each) for each in findings]}
        terminal.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    elif failed:
        terminal.say(f"\n{len(failed)} of {len(findings)} checks failed.")
    else:
        terminal.say("\nAll checks passed.")
    return NOT_DONE if failed else 0


def _print(finding: Finding, terminal: Terminal) -> None:
    mark, style = _MARKS[finding.level]
    width = terminal.width()
    line = Text(mark, style).append(f"  {finding.check:<10}", "dim")
    line.append(hanging(finding.found, INDENT, width), "none")
    terminal.show(line, wrap=False)
    if finding.do:
        advice = INDENT + 2
        terminal.say(" " * advice + hanging(finding.do, advice, width))
