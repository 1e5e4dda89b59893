"""The checks, in the order they are made: what one learns, the next go by."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from anyio import to_thread

from telnyx_mcp import __version__
from telnyx_mcp.approval.change import PAYMENT, Change, State
from telnyx_mcp.approval.channels.browser import users_browser
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.approval.reasons import ACCEPT, LINK, StoreReplaced
from telnyx_mcp.clients.catalog import CLIENTS, Client, Host
from telnyx_mcp.clients.config_file import ConfigFile
from telnyx_mcp.clients.entry import server_name
from telnyx_mcp.clients.errors import ClientConfigError
from telnyx_mcp.clients.formats import FORMATS
from telnyx_mcp.config.command_line import PROGRAM, command_line
from telnyx_mcp.config.environment import misspelt
from telnyx_mcp.config.keys import KeyUnavailable, place_of_key, with_key
from telnyx_mcp.config.paths import writable_by
from telnyx_mcp.config.profiles import ConfiguredAccounts as ConfiguredAccounts
from telnyx_mcp.config.settings import Settings, foreign_address
from telnyx_mcp.config.tool_groups import TOOL_GROUPS
from telnyx_mcp.doctor.context import DoctorContext, Finding, Level
from telnyx_mcp.doctor.operations import CHANGING_OPERATIONS, COURTESIES, OPERATIONS, Ask
from telnyx_mcp.server.build import transport_of
from telnyx_mcp.storage.store import Store, StoreError
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import ADVICE, Failure, TelnyxError
from telnyx_mcp.telnyx.server_clock import utc_now

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


Check = Callable[[DoctorContext], Awaitable[list[Finding]]]


async def run_checks(
    settings: Settings,
    others: Mapping[str, Settings] | None = None,
    now: Callable[[], datetime] = utc_now,
    profiles: ConfiguredAccounts | None = None,
    *,
    clear_pace: bool = False,
) -> AsyncIterator[Finding]:
    """The findings, one after the other. Raises nothing for what is wrong with the patient.

    `clear_pace` first opens what a 429 closed, for all copies on the key.
    """
    patient = DoctorContext(settings, others or {}, now, profiles, clear_pace)
    try:
        for check in CHECKS:
            for finding in await check(patient):
                yield finding
    finally:
        await patient.client.aclose()


async def _versions(_: DoctorContext) -> list[Finding]:
    python = f"Python {platform.python_version()} on {platform.system()}"
    return [
        Finding(
            "version",
            Level.OK,
            f"telnyx-account-mcp {__version__}, mcp {version('mcp')}, {python}, {sys.prefix}",
        )
    ]


async def _settings(patient: DoctorContext) -> list[Finding]:
    set_ = patient.settings
    account = f"profile {set_.profile}" if set_.profile else "the environment's"
    found = f"account: {account}; {set_.base_url}; time zone {set_.timezone}"
    caps = (
        f"{set_.max_payment} a payment, {set_.max_per_day} a day, {set_.max_per_30_days} in 30 days"
    )
    some = len(set_.tools) < len(TOOL_GROUPS)
    return [
        Finding("settings", Level.OK, found),
        Finding("settings", Level.OK, "read-only" if set_.read_only else f"caps: {caps}"),
        *([Finding("settings", Level.OK, f"tools: {', '.join(set_.tools)}")] if some else []),
    ]


async def _environment(patient: DoctorContext) -> list[Finding]:
    """Variables that look like settings and are not."""
    return [
        Finding(
            "settings",
            Level.FAILED if each.is_safety else Level.NOTE,
            each.text + (" Until that is fixed, nothing can be changed." if each.is_safety else ""),
            "Rename or remove it where this server's environment is set, and restart the server.",
        )
        for each in misspelt(os.environ, [patient.settings, *patient.others.values()])
    ]


async def _profiles(patient: DoctorContext) -> list[Finding]:
    """What the profiles file says and does not count, and who else can write it."""
    if patient.profiles is None or (file := patient.profiles.file) is None:
        return []
    findings = [Finding("settings", Level.OK, f"the profiles are in {file}")]
    findings += [Finding("settings", Level.NOTE, each) for each in patient.profiles.notes]
    if who := writable_by(file):
        do = "Take that permission from the file and its folder (chmod go-w), or own them."
        findings.append(Finding("settings", Level.NOTE, f"{who} can change {file}", do))
    return findings


async def _addresses(patient: DoctorContext) -> list[Finding]:
    """Which accounts are asked for at an address that is not Telnyx's own."""
    return [
        Finding(
            "settings",
            Level.NOTE,
            f"{foreign}{f' (profile {each.profile})' if each.profile else ''} is not an address of "
            "Telnyx's own: whoever runs it sees the API key and answers in Telnyx's place",
            "If that is not meant, remove TELNYX_BASE_URL (in a profile: base_url).",
        )
        for each in (patient.settings, *patient.others.values())
        if (foreign := foreign_address(each.base_url))
    ]


async def _key_and_network(patient: DoctorContext) -> list[Finding]:
    """Is there a key, a way to Telnyx, and is it accepted."""
    try:
        patient.use(await to_thread.run_sync(with_key, patient.settings))
    except KeyUnavailable as error:
        return [Finding("key", Level.FAILED, error.why, error.do)]
    return [*await _pace_cleared(patient), *await _balance(patient)]


async def _pace_cleared(patient: DoctorContext) -> list[Finding]:
    if not patient.clear_pace:
        return []
    opened = await patient.client.transport.pacer.reopen()
    found = f"opened again for all copies: {', '.join(opened)}" if opened else "nothing was closed"
    return [Finding("pace", Level.OK, found)]


async def _balance(patient: DoctorContext) -> list[Finding]:
    """What one request for the balance tells."""
    try:
        await patient.client.within(EACH_MAY_TAKE).get_balance()
    except TelnyxError as error:
        if error.failure in NOT_REACHED:
            return [Finding("network", Level.FAILED, error.happened, _advice(error))]
        if error.failure is Failure.PACED:
            return [Finding("network", Level.NOTE, f"not tried: {error.happened}")]
        patient.reached = True
        reached = Finding("network", Level.OK, f"{patient.settings.base_url} answers")
        if error.failure is Failure.UNAUTHORIZED:
            do = _advice(error, patient.settings)
            return [reached, Finding("key", Level.FAILED, error.happened, do)]
        patient.accepted = True
        return [reached]
    patient.reached = patient.accepted = True
    sandbox = " (a sandbox: a pretend account)" if patient.client.sandbox else ""
    encrypted = "encrypted, certificate valid" if "https" in patient.settings.base_url else "plain"
    return [
        Finding("network", Level.OK, f"{patient.settings.base_url} answers, {encrypted}{sandbox}"),
        Finding("key", Level.OK, "accepted"),
    ]


async def _others(patient: DoctorContext) -> list[Finding]:
    """Whether each of the other accounts may be read: has it a key, and is that accepted."""
    return [await _other(name, each) for name, each in patient.others.items()]


async def _other(name: str, settings: Settings) -> Finding:
    try:
        client = TelnyxClient(transport_of(await to_thread.run_sync(with_key, settings)))
    except KeyUnavailable as error:
        return Finding("account", Level.FAILED, f"{name}: {error.why}", error.do)
    try:
        await client.within(EACH_MAY_TAKE).get_balance()
    except TelnyxError as error:
        do = _advice(error, settings)
        return Finding("account", Level.FAILED, f"{name}: {error.happened}", do)
    finally:
        await client.aclose()
    return Finding("account", Level.OK, f"{name}: may be read too")


async def _clock(patient: DoctorContext) -> list[Finding]:
    if not patient.reached:
        return []
    offset = patient.client.transport.server_clock.offset
    if patient.client.sandbox:
        return [Finding("clock", Level.OK, "not compared: a sandbox has a day of its own")]
    if offset is None:
        return [Finding("clock", Level.NOTE, "not compared: the answer carried no time")]
    apart = -offset
    if abs(apart) <= CLOCK_MAY_DIFFER:
        return [Finding("clock", Level.OK, "agrees with Telnyx's")]
    way = "ahead of" if apart > timedelta(0) else "behind"
    return [
        Finding(
            "clock",
            Level.FAILED,
            f"{abs(int(apart.total_seconds()))} s {way} Telnyx's",
            "Set this machine's clock (NTP): `today`, the caps' 24 hours and 30 days and the time that "
            "an approval lasts go by it.",
        )
    ]


async def _operations(patient: DoctorContext) -> list[Finding]:
    if not patient.accepted:
        return []
    loaded = set(patient.settings.tools)
    findings = [
        await _tried(patient, name, ask, refused)
        for operations, refused in ((OPERATIONS, Level.FAILED), (COURTESIES, Level.NOTE))
        for name, groups, ask in operations
        if loaded.intersection(groups.split())
    ]
    if "changes" not in loaded:
        return findings
    untried = "not tried, as it would change something"
    why = "refused here: read-only" if patient.settings.read_only else untried
    return [
        *findings,
        *(Finding("operation", Level.OK, f"{name}: {why}") for name in CHANGING_OPERATIONS),
    ]


async def _tried(patient: DoctorContext, name: str, ask: Ask, refused: Level) -> Finding:
    try:
        done = await ask(patient, patient.client.within(EACH_MAY_TAKE))
    except TelnyxError as error:
        return Finding("operation", refused, f"{name}: {error.happened}", _advice(error))
    found = "may be used" if done is not None else "not tried, as there is none to ask for"
    return Finding("operation", Level.OK, f"{name}: {found}")


async def _store(patient: DoctorContext) -> list[Finding]:
    def look() -> list[Finding]:
        ledger = open_ledger(patient.keyed)
        try:
            unknown = ledger.newest(10, patient.now(), state=State.UNKNOWN)
            damaged = ledger.damaged(10, patient.now())
            unlinked = ledger.hides_changes()
            replaced = ledger.replaced()
        finally:
            ledger.close()
        url = patient.settings.state_url
        place = Store(url.get_secret_value() if url else None).place
        return [
            Finding("ledger", Level.OK, f"changes are recorded in {place}"),
            *([_unlinked(patient.settings.profile)] if unlinked else []),
            *([_replaced(replaced, patient.settings.profile)] if replaced else []),
            *(_damaged(each) for each in damaged),
        ] + [
            Finding(
                "ledger",
                Level.FAILED if each.operation == PAYMENT else Level.NOTE,
                f"nobody knows what came of change {each.id}"
                + (", so no other payment is made" if each.operation == PAYMENT else ""),
                "Look into the Mission Control Portal, then: "
                + command_line(f"resolve {each.id}", patient.settings.profile),
            )
            for each in unknown
        ]

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
        f"{reason.happened} Nothing is paid or changed",
        "Put the right one back, or look into the Mission Control Portal, then: "
        + command_line(ACCEPT, profile),
    )


def _damaged(change: Change) -> Finding:
    return Finding(
        "ledger",
        Level.NOTE,
        f"the record of change {change.id} can't be read ({change.damage})",
        "Another program changed it, a later version wrote it, or the store is damaged: keep a copy of "
        "the store, as it may name payments.",
    )


async def _pace(patient: DoctorContext) -> list[Finding]:
    if patient.keyed.api_key is None:
        return []
    pacer = patient.client.transport.pacer
    closed = [_closed(patient, each) for each in await pacer.known() if "closed_s" in each]
    if place := pacer.place:
        return [Finding("pace", Level.OK, f"shared by all copies on this key, in {place}"), *closed]
    return [
        Finding(
            "pace",
            Level.NOTE,
            "this process keeps Telnyx's rate limit by itself",
            "Copies on the same key may then be refused now and then; the line above says why.",
        )
    ]


def _closed(patient: DoctorContext, known: Mapping[str, Any]) -> Finding:
    until = patient.now() + timedelta(seconds=known["closed_s"])
    clock = until.astimezone(patient.settings.zone).strftime("%H:%M:%S %Z")
    return Finding(
        "pace",
        Level.NOTE,
        f"{known['endpoint']} is closed until {clock} ({known['closed_s']:.0f} s): {known['closed_by']}",
        f"To open it now: {command_line('doctor --clear-pace', patient.settings.profile)}",
    )


async def _approval(patient: DoctorContext) -> list[Finding]:
    """How a person could be asked from here."""
    set_, way = patient.settings, patient.settings.approval
    if set_.read_only or "changes" not in set_.tools:
        return []
    screen = users_browser() is not None
    no_screen = "no screen is known here (DISPLAY, WAYLAND_DISPLAY)"
    ways = {
        # Only the client can tell, and it is not here.
        "elicitation": (Level.NOTE, "asked by the client, where it can; not tried", ""),
        "browser": (
            Level.OK if screen else Level.FAILED if way == "browser" else Level.NOTE,
            "a page in the browser can be opened" if screen else no_screen,
            "" if screen else "Over SSH or in a container approve at the terminal.",
        ),
        "terminal": (
            Level.OK,
            f"{command_line('approve', set_.profile)}, in a terminal of this user",
            "",
        ),
    }
    findings = [
        Finding("approval", level, f"{name}: {found}", do)
        for name, (level, found, do) in ways.items()
        if way in {"auto", name}
    ]
    if set_.standing_budget_per_payment and set_.standing_budget_per_day:
        found = (
            f"payments up to {set_.standing_budget_per_payment}, {set_.standing_budget_per_day} a "
            "day, are made without asking"
        )
        findings.append(Finding("approval", Level.NOTE, found))
    return findings


async def _exports(patient: DoctorContext) -> list[Finding]:
    folder = patient.settings.export_dir
    if folder is None:
        return []
    if folder.is_dir() and os.access(folder, os.W_OK):
        return [Finding("exports", Level.OK, f"written to {folder}")]
    do = "Make the folder, or set TELNYX_MCP_EXPORT_DIR to another."
    return [Finding("exports", Level.FAILED, f"{folder} can't be written to", do)]


async def _clients(_: DoctorContext) -> list[Finding]:
    """Which clients have this server, and whether what they would start is there."""
    return [finding for client in CLIENTS.values() for finding in _client(client)] or [
        Finding(
            "client",
            Level.NOTE,
            "no assistant's configuration starts this server",
            f"Run: {command_line('install CLIENT', None)}",
        )
    ]


def _client(client: Client) -> list[Finding]:
    path = client.file(Host())
    try:
        text = ConfigFile.read(path).text
        data = FORMATS[client.format].read(text) if text.strip() else {}
    except ClientConfigError as error:
        found = f"{client.title}'s {path} can't be parsed: {error}"
        do = f"Mend it there: {client.title} may start no server until then."
        return [Finding("client", Level.FAILED, found, do)]
    servers = data.get(client.table) if isinstance(data, dict) else None
    return [
        _would_start(client, name, command)
        for name, entry in (servers if isinstance(servers, dict) else {}).items()
        if (command := _ours(entry))
    ]


def _ours(entry: object) -> list[str]:
    """The command line of a client's entry, if it starts this server; its name tells nothing."""
    given = entry if isinstance(entry, dict) else {}
    args = given.get("args", [])
    words = [
        str(each) for each in (given.get("command"), *(args if isinstance(args, list) else []))
    ]
    by_name = any(PurePath(each).stem == PROGRAM for each in words)
    return words if by_name or ("-m", "telnyx_mcp") in pairwise(words) else []


def _would_start(client: Client, name: str, command: Sequence[str]) -> Finding:
    program, *args = command
    if shutil.which(program):
        return Finding("client", Level.OK, f"{client.title} has it as {name}")
    profile = next((value for option, value in pairwise(args) if option == "--profile"), None)
    usual = server_name(profile)
    install = f"install {client.name}" + ("" if name == usual else f" --name {name}")
    do = f"Run: {command_line(install, profile)}"
    if PurePath(program).name == program:
        found = (
            f"{client.title} starts {program}, which is not on the PATH here; its own may differ"
        )
        return Finding("client", Level.NOTE, found, do)
    found = f"{client.title} is set to start {program}, which does not exist"
    return Finding("client", Level.FAILED, found, do)


def _advice(error: TelnyxError, settings: Settings | None = None) -> str:
    """What to do, said to the person who reads it. `settings`: whose key it is."""
    if settings and error.failure is Failure.UNAUTHORIZED:
        place = place_of_key(settings)
        return f"Check the key in {place}: mistyped, deleted or expired? (Mission Control Portal)"
    told = error.extra_advice or ADVICE[error.failure].do
    told = told.removeprefix("Ask the user to ")
    return told[:1].upper() + told[1:]


CHECKS: Sequence[Check] = (
    _versions,
    _settings,
    _environment,
    _profiles,
    _addresses,
    _key_and_network,
    _others,
    _clock,
    _operations,
    _store,
    _pace,
    _approval,
    _exports,
    _clients,
)
