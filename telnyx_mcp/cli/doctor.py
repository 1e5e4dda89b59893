"""What the person sees."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import anyio
from rich.console import Console
from rich.text import Text

from telnyx_mcp.config.profiles import ConfiguredAccounts
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.doctor.checks import run_checks
from telnyx_mcp.doctor.context import Finding, Level

_MARKS = {
    Level.OK: ("ok    ", "green"),
    Level.NOTE: ("note  ", "yellow"),
    Level.FAILED: ("FAILED", "bold red"),
}


def run_doctor(
    settings: Settings, accounts: ConfiguredAccounts, *, as_json: bool, clear_pace: bool = False
) -> int:
    """Examines these settings, and the other accounts, and prints line by line, or as JSON. 0 if
    nothing failed, else 1."""

    async def examine_all() -> list[Finding]:
        findings: list[Finding] = []
        examining = run_checks(settings, accounts.others, profiles=accounts, clear_pace=clear_pace)
        async for finding in examining:
            findings.append(finding)
            if not as_json:
                _print(finding)
        return findings

    findings = anyio.run(examine_all)
    failed = [each for each in findings if each.level is Level.FAILED]
    if as_json:
        shown = {"ok": not failed, "checks": [asdict(each) for each in findings]}
        sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    elif failed:
        _say(f"\n{len(failed)} of {len(findings)} checks failed.")
    else:
        _say("\nAll well.")
    return 1 if failed else 0


def _print(finding: Finding) -> None:
    mark, style = _MARKS[finding.level]
    line = Text(mark, style).append(f"  {finding.check:<10}", "dim").append(finding.found, "none")
    Console(highlight=False).print(line, soft_wrap=True)
    if finding.do:
        _say(f"{'':20}{finding.do}")


def _say(words: str) -> None:
    Console(highlight=False).print(Text(words), soft_wrap=True)
