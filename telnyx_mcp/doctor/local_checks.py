"""What `doctor` checks on this machine: the ledger, approval channels and exports."""

from __future__ import annotations

import os

from anyio import to_thread

from telnyx_mcp.approval.change import PAYMENT, Change, State
from telnyx_mcp.approval.channels.browser import users_browser
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.approval.reasons import ACCEPT, LINK, StoreReplaced
from telnyx_mcp.config.command_line import command_line
from telnyx_mcp.doctor.context import DoctorContext, Finding, Level
from telnyx_mcp.storage.store import Store, StoreError


async def check_ledger(context: DoctorContext) -> list[Finding]:
    def look() -> list[Finding]:
        ledger = open_ledger(context.keyed)
        try:
            unknown = ledger.newest(10, context.now(), state=State.UNKNOWN)
            damaged = ledger.damaged(10, context.now())
            unlinked = ledger.hides_changes()
            replaced = ledger.replaced()
        finally:
            ledger.close()
        url = context.settings.state_url
        place = Store(url.get_secret_value() if url else None).place
        return [
            Finding("ledger", Level.OK, f"changes are recorded in {place}"),
            *([_unlinked(context.settings.profile)] if unlinked else []),
            *([_replaced(replaced, context.settings.profile)] if replaced else []),
            *(_damaged(each) for each in damaged),
        ] + [
            Finding(
                "ledger",
                Level.FAILED if each.operation == PAYMENT else Level.NOTE,
                f"the outcome of change {each.id} is unknown"
                + (", so no other payment is made" if each.operation == PAYMENT else ""),
                "Check the Mission Control Portal, then: "
                + command_line(f"resolve {each.id}", context.settings.profile),
            )
            for each in unknown
        ]

    if context.settings.unusable:  # the ledger may be another one
        return []
    try:
        return await to_thread.run_sync(look)
    except StoreError as error:
        return [Finding("ledger", Level.FAILED, str(error), "Until then nothing can be changed.")]


def _unlinked(profile: str | None) -> Finding:
    return Finding(
        "ledger",
        Level.NOTE,
        "this API key is not linked to an account of the ledger yet",
        "The first change links it if Telnyx confirms whose it is. If the key replaced another one: "
        + command_line(LINK, profile),
    )


def _replaced(reason: StoreReplaced, profile: str | None) -> Finding:
    return Finding(
        "ledger",
        Level.FAILED,
        f"{reason.finding} Nothing is paid or changed",
        "Restore the right ledger, or check the Mission Control Portal, then: "
        + command_line(ACCEPT, profile),
    )


def _damaged(change: Change) -> Finding:
    return Finding(
        "ledger",
        Level.NOTE,
        f"change {change.id} in the ledger can't be read ({change.damage})",
        "Another program changed it, a later version wrote it, or the store is damaged: keep a copy of "
        "the store, as it may name payments.",
    )


async def check_approval(context: DoctorContext) -> list[Finding]:
    """The channels on which the server can ask the user."""
    settings, channel = context.settings, context.settings.approval
    if settings.read_only or "changes" not in settings.tools:
        return []
    screen = users_browser() is not None
    no_screen = "no display found (DISPLAY, WAYLAND_DISPLAY)"
    channels = {
        # Only the client can tell, and it is not here.
        "elicitation": (Level.NOTE, "the client asks, if it supports this; not tried", ""),
        "browser": (
            Level.OK if screen else Level.FAILED if channel == "browser" else Level.NOTE,
            "a page in the browser can be opened" if screen else no_screen,
            "" if screen else "Over SSH or in a container, approve in the terminal.",
        ),
        "terminal": (
            Level.OK,
            f"{command_line('approve', settings.profile)}, in a terminal of this user",
            "",
        ),
    }
    findings = [
        Finding("approval", level, f"{name}: {found}", do)
        for name, (level, found, do) in channels.items()
        if channel in {"auto", name}
    ]
    if settings.standing_budget_per_payment and settings.standing_budget_per_day:
        found = (
            f"payments up to {settings.standing_budget_per_payment}, {settings.standing_budget_per_day} a "
            "day, are made without asking"
        )
        findings.append(Finding("approval", Level.NOTE, found))
    return findings


async def check_exports(context: DoctorContext) -> list[Finding]:
    folder = context.settings.export_dir
    if folder is None:
        return []
    if folder.is_dir() and os.access(folder, os.W_OK):
        return [Finding("exports", Level.OK, f"written to {folder}")]
    do = "Create the folder, or set TELNYX_MCP_EXPORT_DIR to another."
    return [Finding("exports", Level.FAILED, f"{folder} is not writable", do)]
