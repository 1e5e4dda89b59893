"""Adds and removes the server by the client's own command, where it has one that can be used safely.

Claude Code, for one, rewrites its file while it runs, and its command waits its turn. A command line can be
read by every program of the computer, so an entry that holds a key or a password never goes through it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from telnyx_mcp.clients.client import Client, Host, OwnCommand
from telnyx_mcp.clients.entry import args_of, command_of, env_of, holds_secret

SECONDS = 30.0


def can_add(client: Client, host: Host, entry: Mapping[str, Any]) -> bool:
    """Whether the client's command is here and can add this entry, the whole of it."""
    command = client.own_command
    if command is None or _program(command, host) is None or holds_secret(entry):
        return False
    return "{json}" in command.add or set(entry) <= command.fields


def add(client: Client, host: Host, name: str, entry: Mapping[str, Any], *, is_there: bool) -> str:
    """Runs the client's command, and returns it without the entry. Whether it worked is seen in the
    client's file, not in its answer."""
    command = client.own_command
    if command is None:
        return ""
    if is_there and not command.replaces:
        _run(command, command.remove, name, {}, host)
    _run(command, command.add, name, entry, host)
    return _short(command.add)


def remove(client: Client, host: Host, name: str) -> str:
    """Runs the client's command that removes the server, and returns it, as `add` does. Empty if the
    command is not here."""
    command = client.own_command
    if command is None or _program(command, host) is None:
        return ""
    _run(command, command.remove, name, {}, host)
    return _short(command.remove)


def is_same(entry: object, wanted: Mapping[str, Any]) -> bool:
    """Whether an entry, as a client wrote it, starts the server as the wanted one does."""
    return (
        command_of(entry) == command_of(wanted)
        and list(args_of(entry)) == list(args_of(wanted))
        and dict(env_of(entry)) == dict(env_of(wanted))
    )


def _short(template: Sequence[str]) -> str:
    return " ".join(template[:3])


def _program(command: OwnCommand, host: Host) -> str | None:
    """The path of the client's program. Not a script of Windows' shell, which would read signs in the
    JSON as its own."""
    program = host.which(command.program)
    return None if program is None or program.lower().endswith((".cmd", ".bat")) else program


def _words(
    template: Sequence[str], name: str, entry: Mapping[str, Any], option: str
) -> Iterator[str]:
    program, *args = command_of(entry) or [""]
    env = [word for each, value in env_of(entry).items() for word in (option, f"{each}={value}")]
    several = {"{env}": env, "{args}": args}
    single = {"{name}": name, "{json}": json.dumps(dict(entry)), "{command}": program}
    for each in template:
        yield from several.get(each, [single.get(each, each)])


def _run(
    command: OwnCommand,
    template: Sequence[str],
    name: str,
    entry: Mapping[str, Any],
    host: Host,
) -> None:
    program = _program(command, host)
    if program is None:
        return
    words = [program, *_words(template[1:], name, entry, command.env_option)]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603 - the client's own program, without a shell
            words,
            env=dict(host.environment),
            cwd=host.home if host.home.is_dir() else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
