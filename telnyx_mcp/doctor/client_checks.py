"""What `doctor` checks of the clients: each entry of this server is started as its client starts it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from tempfile import TemporaryFile
from typing import TextIO, cast

import anyio

from telnyx_mcp.clients.catalog import FILE_CLIENTS
from telnyx_mcp.clients.client import Client, Host
from telnyx_mcp.clients.errors import ClientConfigError
from telnyx_mcp.clients.installed import Installed, installed_in
from telnyx_mcp.clients.names import server_name
from telnyx_mcp.clients.variables import NETWORK, needed_here
from telnyx_mcp.config.command_line import command_line
from telnyx_mcp.doctor.context import DoctorContext, Finding, Level
from telnyx_mcp.untrusted import one_line

SECONDS = 40.0
_LONGEST = 400
_BALANCE = "telnyx_get_balance"


async def check_clients(_: DoctorContext) -> list[Finding]:
    """Which clients have this server, and whether it starts there."""
    try:
        host = Host()
    except ClientConfigError as error:
        return [Finding("client", Level.NOTE, f"not looked for: {error}")]
    return await clients_on(host)


async def clients_on(host: Host) -> list[Finding]:
    """What the clients of this host start, all at once: each start takes a second."""
    found: dict[int, Finding] = {}
    entries: list[Installed] = []
    unreadable: list[Finding] = []
    for client in FILE_CLIENTS.values():
        try:
            entries += installed_in(client, host)
        except ClientConfigError as error:
            unreadable.append(_unreadable(client, host, error))

    async def check(number: int, installed: Installed) -> None:
        found[number] = await check_entry(installed, host.environment)

    async with anyio.create_task_group() as group:
        for number, installed in enumerate(entries):
            group.start_soon(check, number, installed)
    return [*unreadable, *(found[number] for number in sorted(found))] or [
        Finding(
            "client",
            Level.NOTE,
            "no assistant's configuration starts this server",
            f"Run: {command_line('install CLIENT', None)}",
        )
    ]


async def check_entry(installed: Installed, environment: Mapping[str, str]) -> Finding:
    """Starts the entry's command with what the client passes on and the entry sets, lists its tools, and
    reads the balance: a proxy or certificate that the client does not pass on shows then."""
    program = installed.command[0]
    if not shutil.which(program, path=environment.get("PATH", os.defpath)):
        return _missing(installed, program)
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        said = cast("TextIO", file)
        try:
            with anyio.fail_after(SECONDS):
                trial = await _try(installed, environment, said)
        except TimeoutError:
            return _not_started(installed, f"did not answer within {SECONDS:.0f} s", said)
        except Exception:  # noqa: BLE001 - a server that ends at once shows as any of several
            return _not_started(installed, "ended without an answer", said)
    found = f"{installed.client.title} has it as {installed.name}: it starts, {trial.tools} tools"
    if trial.problem:
        found += f"; but it can't read the balance: {trial.problem}"
        return Finding("client", Level.FAILED, found, _pass_on(installed, environment))
    return Finding("client", Level.OK, f"{found}; {trial.note}" if trial.note else found)


@dataclass(frozen=True, slots=True)
class _Trial:
    tools: int
    note: str = ""
    problem: str = ""
    """What the server says of a call that failed."""


async def _try(installed: Installed, environment: Mapping[str, str], stderr: TextIO) -> _Trial:
    from mcp import Client as ProtocolClient
    from mcp import StdioServerParameters, stdio_client

    program, *arguments = installed.command
    server = StdioServerParameters(
        command=program, args=arguments, env=installed.environment(environment)
    )
    async with ProtocolClient(stdio_client(server, errlog=stderr)) as client:
        tools = [each.name for each in (await client.list_tools()).tools]
        if installed.asks_for_key:
            return _Trial(len(tools), "the client asks for the key")
        if _BALANCE not in tools:
            return _Trial(len(tools))
        result = await client.call_tool(_BALANCE, {})
        if not result.is_error:
            return _Trial(len(tools), "it reads the balance")
        texts = [getattr(each, "text", "") for each in result.content]
        return _Trial(len(tools), problem=one_line(" ".join(texts), _LONGEST))


def _unreadable(client: Client, host: Host, error: ClientConfigError) -> Finding:
    try:
        path = str(client.file(host))
    except ClientConfigError:
        return Finding("client", Level.NOTE, str(error))
    return Finding(
        "client",
        Level.FAILED,
        f"{client.title}'s {path} can't be parsed: {error}",
        f"Fix the file: {client.title} may not start any server until then.",
    )


def _missing(installed: Installed, program: str) -> Finding:
    title = installed.client.title
    if PurePath(program).name == program:
        found = f"{title} starts {program}, which is not on the PATH here; its PATH may differ"
        return Finding("client", Level.NOTE, found, _install_again(installed))
    found = f"{title} starts {program}, which does not exist"
    return Finding("client", Level.FAILED, found, _install_again(installed))


def _not_started(installed: Installed, what: str, stderr: TextIO) -> Finding:
    stderr.seek(0)
    lines = [line.strip() for line in stderr.read()[-_LONGEST:].splitlines() if line.strip()]
    reason = f": {one_line(lines[-1], _LONGEST)}" if lines else ""
    found = f"{installed.title} starts a server that {what}{reason}"
    return Finding("client", Level.FAILED, found, _install_again(installed))


def _pass_on(installed: Installed, environment: Mapping[str, str]) -> str:
    """What to do about a server that starts and can't read: give it what this terminal has."""
    own = installed.variables(environment)
    lacking = [
        name
        for name in needed_here(environment)
        if name in NETWORK and not installed.client.gets(name) and name not in own
    ]
    if not lacking:
        return _install_again(installed)
    options = " ".join(f"--env {name}" for name in lacking)
    return f"{_install_again(installed)} {options}"


def _install_again(installed: Installed) -> str:
    is_usual = installed.name == server_name(installed.profile)
    install = f"install {installed.client.name}" + ("" if is_usual else f" --name {installed.name}")
    return f"Run: {command_line(install, installed.profile)}"
