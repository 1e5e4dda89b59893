"""Runs the checks in order: a later check relies on what an earlier one found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from telnyx_mcp.config.profiles import ConfiguredAccounts
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.doctor.client_checks import check_clients
from telnyx_mcp.doctor.context import DoctorContext, Finding
from telnyx_mcp.doctor.local_checks import (
    check_approval,
    check_exports,
    check_ledger,
)
from telnyx_mcp.doctor.network_checks import (
    check_clock,
    check_key_and_network,
    check_operations,
    check_other_accounts,
    check_pace,
    check_route,
)
from telnyx_mcp.doctor.settings_checks import (
    check_addresses,
    check_environment,
    check_profiles,
    check_settings,
    check_values,
    check_versions,
)
from telnyx_mcp.telnyx.server_clock import utc_now

Check = Callable[[DoctorContext], Awaitable[list[Finding]]]


async def run_checks(
    settings: Settings,
    others: Mapping[str, Settings] | None = None,
    now: Callable[[], datetime] = utc_now,
    profiles: ConfiguredAccounts | None = None,
    *,
    clear_pace: bool = False,
    key_with: str | None = None,
) -> AsyncIterator[Finding]:
    """The findings, one after the other. A problem is a finding, never an exception.

    `clear_pace` first reopens endpoints that a 429 closed, for all copies on the key. `key_with` is the
    client that keeps the key where nothing else can read it.
    """
    context = DoctorContext(settings, others or {}, now, profiles, clear_pace, key_with)
    try:
        for check in CHECKS:
            for finding in await check(context):
                yield finding
    finally:
        await context.client.aclose()


CHECKS: Sequence[Check] = (
    check_versions,
    check_settings,
    check_values,
    check_environment,
    check_profiles,
    check_addresses,
    check_route,
    check_key_and_network,
    check_other_accounts,
    check_clock,
    check_operations,
    check_ledger,
    check_pace,
    check_approval,
    check_exports,
    check_clients,
)
