"""What `doctor` asks Telnyx: the key, the clock, each operation, and the shared pace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from telnyx_mcp.config.command_line import command_line
from telnyx_mcp.config.keys import (
    CALL_PATIENCE,
    KeyUnavailable,
    SettingsUnusable,
    place_of_key,
    with_key,
)
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.doctor.context import DoctorContext, Finding, Level
from telnyx_mcp.doctor.operations import CHANGING_OPERATIONS, OPERATIONS, OPTIONAL_OPERATIONS, Ask
from telnyx_mcp.process.daemon_thread import in_daemon_thread
from telnyx_mcp.server.build import transport_of
from telnyx_mcp.telnyx.certificates import certificates
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import ADVICE, Failure, TelnyxError
from telnyx_mcp.telnyx.proxies import route_to

CLOCK_MAY_DIFFER = timedelta(seconds=90)


EACH_MAY_TAKE = 10.0


NOT_REACHED = frozenset(
    {
        Failure.ENVIRONMENT,
        Failure.PROXY,
        Failure.DNS,
        Failure.CONNECT,
        Failure.CONNECT_TIMEOUT,
        Failure.TLS,
        Failure.TIMEOUT,
        Failure.RESET,
    }
)


async def check_route(context: DoctorContext) -> list[Finding]:
    """Which proxy and which certificates are used to reach Telnyx. Nothing is asked yet."""
    base_url = context.settings.base_url
    looks: dict[str, Callable[[], object]] = {"proxy": lambda: route_to(base_url)}
    if base_url.startswith("https:"):
        looks["tls"] = lambda: f"certificates are checked against {certificates().source}"
    return [_look(name, look) for name, look in looks.items()]


def _look(name: str, look: Callable[[], object]) -> Finding:
    try:
        return Finding(name, Level.OK, str(look()))
    except TelnyxError as error:
        return Finding(name, Level.FAILED, error.summary, _advice(error))


async def check_key_and_network(context: DoctorContext) -> list[Finding]:
    """Whether there is a key, Telnyx answers, and accepts the key."""
    try:
        context.use(await _keyed(context.settings))
    except SettingsUnusable:  # a finding already
        return []
    except KeyUnavailable as error:
        if context.key_with:
            found = f"not tried: {context.key_with} asks for it and keeps it"
            do = "To try it here, too: set TELNYX_API_KEY for this command."
            return [Finding("key", Level.NOTE, found, do)]
        return [Finding("key", Level.FAILED, error.why, error.do)]
    return [*await _clear_pace(context), *await _balance(context)]


async def _keyed(settings: Settings) -> Settings:
    return await in_daemon_thread(lambda: with_key(settings, patience=CALL_PATIENCE))


async def _clear_pace(context: DoctorContext) -> list[Finding]:
    if not context.clear_pace:
        return []
    opened = await context.client.transport.pacer.reopen()
    found = f"opened again for all copies: {', '.join(opened)}" if opened else "nothing was closed"
    return [Finding("pace", Level.OK, found)]


async def _balance(context: DoctorContext) -> list[Finding]:
    """What one request for the balance shows."""
    try:
        await context.client.within(EACH_MAY_TAKE).get_balance()
    except TelnyxError as error:
        if error.failure in NOT_REACHED:
            return [Finding("network", Level.FAILED, error.summary, _advice(error))]
        if error.failure is Failure.PACED:
            return [Finding("network", Level.NOTE, f"not tried: {error.summary}")]
        context.reached = True
        reached = Finding("network", Level.OK, f"{context.settings.base_url} answers")
        if error.failure is Failure.UNAUTHORIZED:
            do = _advice(error, context.settings)
            return [reached, Finding("key", Level.FAILED, error.summary, do)]
        context.accepted = True
        return [reached]
    context.reached = context.accepted = True
    sandbox = " (a sandbox account)" if context.client.sandbox else ""
    encrypted = "encrypted, certificate valid" if "https" in context.settings.base_url else "plain"
    return [
        Finding("network", Level.OK, f"{context.settings.base_url} answers, {encrypted}{sandbox}"),
        Finding("key", Level.OK, "accepted"),
    ]


async def check_other_accounts(context: DoctorContext) -> list[Finding]:
    """Whether each other account has a key, and Telnyx accepts it."""
    return [await _check_account(name, each) for name, each in context.others.items()]


async def _check_account(name: str, settings: Settings) -> Finding:
    try:
        client = TelnyxClient(transport_of(await _keyed(settings)))
    except KeyUnavailable as error:
        return Finding("account", Level.FAILED, f"{name}: {error.why}", error.do)
    try:
        await client.within(EACH_MAY_TAKE).get_balance()
    except TelnyxError as error:
        do = _advice(error, settings)
        return Finding("account", Level.FAILED, f"{name}: {error.summary}", do)
    finally:
        await client.aclose()
    return Finding("account", Level.OK, f"{name}: can be read")


async def check_clock(context: DoctorContext) -> list[Finding]:
    if not context.reached:
        return []
    offset = context.client.transport.server_clock.offset
    if context.client.sandbox:
        return [Finding("clock", Level.OK, "not compared: a sandbox has its own date")]
    if offset is None:
        return [Finding("clock", Level.NOTE, "not compared: the answer had no time")]
    apart = -offset
    if abs(apart) <= CLOCK_MAY_DIFFER:
        return [Finding("clock", Level.OK, "agrees with Telnyx's")]
    way = "ahead of" if apart > timedelta(0) else "behind"
    return [
        Finding(
            "clock",
            Level.FAILED,
            f"{abs(int(apart.total_seconds()))} s {way} Telnyx's",
            "Set this machine's clock (NTP): `today`, the caps of 24 hours and 30 days and the expiry of "
            "approvals depend on it.",
        )
    ]


async def check_operations(context: DoctorContext) -> list[Finding]:
    if not context.accepted:
        return []
    loaded = set(context.settings.tools)
    findings = [
        await _try_operation(context, name, ask, refused)
        for operations, refused in ((OPERATIONS, Level.FAILED), (OPTIONAL_OPERATIONS, Level.NOTE))
        for name, groups, ask in operations
        if loaded.intersection(groups.split())
    ]
    findings = _joined(findings)
    if "changes" not in loaded:
        return findings
    untried = "not tried, as each would change something"
    why = "refused here, as this is read-only" if context.settings.read_only else untried
    changing = Finding("operation", Level.NOTE, f"{', '.join(CHANGING_OPERATIONS)}: {why}")
    return [*findings, changing]


def _joined(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, with operations of which the same is true in one."""
    names: dict[str, list[str]] = {}
    for each in findings:
        if each.level is Level.OK:
            name, _, found = each.found.partition(": ")
            names.setdefault(found, []).append(name)
    well = [
        Finding("operation", Level.OK, f"{', '.join(some)}: {found}")
        for found, some in names.items()
    ]
    return [*well, *(each for each in findings if each.level is not Level.OK)]


async def _try_operation(context: DoctorContext, name: str, ask: Ask, refused: Level) -> Finding:
    try:
        done = await ask(context, context.client.within(EACH_MAY_TAKE))
    except TelnyxError as error:
        return Finding("operation", refused, f"{name}: {error.summary}", _advice(error))
    found = "may be used" if done is not None else "not tried, as the account has none"
    return Finding("operation", Level.OK, f"{name}: {found}")


async def check_pace(context: DoctorContext) -> list[Finding]:
    if context.keyed.api_key is None:
        return []
    pacer = context.client.transport.pacer
    closed = [_closed(context, each) for each in await pacer.known() if "closed_s" in each]
    if place := pacer.place:
        return [Finding("pace", Level.OK, f"shared by all copies on this key, in {place}"), *closed]
    return [
        Finding(
            "pace",
            Level.NOTE,
            "this process keeps to Telnyx's rate limit alone",
            "Telnyx may then refuse calls of other copies on this key; the line above says why.",
        )
    ]


def _closed(context: DoctorContext, known: Mapping[str, Any]) -> Finding:
    until = context.now() + timedelta(seconds=known["closed_s"])
    clock = until.astimezone(context.settings.zone).strftime("%H:%M:%S %Z")
    return Finding(
        "pace",
        Level.NOTE,
        f"{known['endpoint']} is closed until {clock} ({known['closed_s']:.0f} s): {known['closed_by']}",
        f"To open it now: {command_line('doctor --clear-pace', context.settings.profile)}",
    )


def _advice(error: TelnyxError, settings: Settings | None = None) -> str:
    """What the user should do. `settings` are those of the key, for a key that is not accepted."""
    if settings and error.failure is Failure.UNAUTHORIZED:
        place = place_of_key(settings)
        return f"Check the key in {place}: mistyped, deleted or expired? (Mission Control Portal)"
    advice = error.extra_advice or ADVICE[error.failure].do
    advice = advice.removeprefix("Ask the user to ")
    return advice[:1].upper() + advice[1:]
