"""What `doctor` checks without the network: versions, settings, profiles and addresses."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from importlib.metadata import version

from telnyx_mcp import __version__
from telnyx_mcp.config.addresses import foreign_address
from telnyx_mcp.config.environment import misspelt
from telnyx_mcp.config.key_file import readers_of
from telnyx_mcp.config.paths import writable_by
from telnyx_mcp.config.tool_groups import TOOL_GROUPS
from telnyx_mcp.doctor.context import DoctorContext, Finding, Level

_READ_ONLY = "read-only: nothing can be changed, and no tool that would change something is offered"


async def check_versions(_: DoctorContext) -> list[Finding]:
    python = f"Python {platform.python_version()} on {platform.system()}"
    return [
        Finding(
            "version",
            Level.OK,
            f"telnyx-account-mcp {__version__}, mcp {version('mcp')}, {python}, {sys.prefix}",
        )
    ]


async def check_settings(context: DoctorContext) -> list[Finding]:
    settings = context.settings
    account = f"profile {settings.profile}" if settings.profile else "the environment's"
    found = f"account: {account}; {settings.base_url}; time zone {settings.timezone}"
    caps = (
        f"{settings.max_payment} a payment, {settings.max_per_day} a day, "
        f"{settings.max_per_30_days} in 30 days"
    )
    some = len(settings.tools) < len(TOOL_GROUPS)
    return [
        Finding("settings", Level.OK, found),
        Finding("settings", Level.OK, _READ_ONLY if settings.read_only else f"caps: {caps}"),
        *([Finding("settings", Level.OK, f"tools: {', '.join(settings.tools)}")] if some else []),
    ]


async def check_values(context: DoctorContext) -> list[Finding]:
    """Settings whose values can't be used, and who else can read the file of the key."""
    until = "nothing can be changed", "nothing is asked of Telnyx"
    findings = [
        Finding(
            "settings",
            Level.FAILED,
            f"{each.text} Until that is corrected, {until[0] if each.is_safety else until[1]}",
            "Correct or remove it where this server is configured, and restart the server.",
        )
        for each in context.settings.problems
    ]
    path = context.settings.api_key_file
    if path is not None and (readers := readers_of(path)):
        do = f"Where that is not intended: chmod 600 {shlex.quote(str(path))}"
        findings.append(Finding("key", Level.NOTE, f"{readers} can read {path}", do))
    return findings


async def check_environment(context: DoctorContext) -> list[Finding]:
    """Variables that resemble settings but are not."""
    return [
        Finding(
            "settings",
            Level.FAILED if each.is_safety else Level.NOTE,
            each.text + (" Until that is fixed, nothing can be changed." if each.is_safety else ""),
            "Rename or remove it where this server's environment is set, and restart the server.",
        )
        for each in misspelt(os.environ, [context.settings, *context.others.values()])
    ]


async def check_profiles(context: DoctorContext) -> list[Finding]:
    """Ignored values of the profiles file, and which other users can write to it."""
    if context.profiles is None or (file := context.profiles.file) is None:
        return []
    findings = [Finding("settings", Level.OK, f"the profiles are in {file}")]
    findings += [Finding("settings", Level.NOTE, each) for each in context.profiles.notes]
    if writers := writable_by(file):
        do = "Take that permission from the file and its folder (chmod go-w), or own them."
        findings.append(Finding("settings", Level.NOTE, f"{writers} can change {file}", do))
    return findings


async def check_addresses(context: DoctorContext) -> list[Finding]:
    """Accounts whose address is not one of Telnyx's own."""
    return [
        Finding(
            "settings",
            Level.NOTE,
            f"{foreign}{f' (profile {each.profile})' if each.profile else ''} is not an address of "
            "Telnyx's own: its operator sees the API key and can answer in Telnyx's place",
            "If this is not intended, remove TELNYX_BASE_URL (in a profile: base_url).",
        )
        for each in (context.settings, *context.others.values())
        if (foreign := foreign_address(each.base_url))
    ]
