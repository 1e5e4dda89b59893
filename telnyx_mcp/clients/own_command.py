"""Adds the server by the client's own command, where that is the documented way and it can be done safely.

Claude Code, for one, rewrites its file while it runs, and its command waits its turn. A command line can be
read by every program of the computer, so an entry that holds a key or a password never goes through it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from telnyx_mcp.clients.client import Client, Host
from telnyx_mcp.clients.entry import args_of, command_of, env_of, holds_secret

SECONDS = 30.0


def can_add(client: Client, host: Host, entry: Mapping[str, Any]) -> bool:
    """Whether the client's command is here and can add this entry, the whole of it."""
    command = client.own_command
    program = host.which(command.program) if command else None
    if command is None or program is None or holds_secret(entry):
        return False
    if program.lower().endswith((".cmd", ".bat")):
        return False  # Windows would read signs in the JSON as its shell's own
    return "{json}" in command.add or set(entry) <= command.fields


def add(client: Client, host: Host, name: str, entry: Mapping[str, Any], *, replace: bool) -> bool:
    """Runs the client's command. Whether it worked is seen in the client's file, not in its answer."""
    command = client.own_command
    if command is None:
        return False
    if replace and command.remove:
        _run(_words(command.remove, name, entry, ""), host)
    return _run(_words(command.add, name, entry, command.env_option), host)


def is_same(entry: object, wanted: Mapping[str, Any]) -> bool:
    """Whether an entry, as a client wrote it, starts the server as the wanted one does."""
    return (
        command_of(entry) == command_of(wanted)
        and list(args_of(entry)) == list(args_of(wanted))
        and dict(env_of(entry)) == dict(env_of(wanted))
    )


def _words(template: Sequence[str], name: str, entry: Mapping[str, Any], option: str) -> list[str]:
    program, *args = command_of(entry)
    env = [word for each, value in env_of(entry).items() for word in (option, f"{each}={value}")]
    several = {"{env}": env, "{args}": args}
    single = {"{name}": name, "{json}": json.dumps(dict(entry)), "{command}": program}
    return [word for each in template for word in several.get(each, [single.get(each, each)])]


def _run(words: Sequence[str], host: Host) -> bool:
    program = host.which(words[0])
    if program is None:
        return False
    try:
        done = subprocess.run(  # noqa: S603 - the client's own program, without a shell
            [program, *words[1:]],
            env=dict(host.environment),
            cwd=host.home if host.home.is_dir() else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
