"""Lets a command work with the account and the ledger of a server that is installed in a client.

An assistant's configuration may hold the key, the address and the store of a server; without them, a command
at the terminal would look at another ledger.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from telnyx_mcp.cli.errors import CommandError, not_done
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.clients.catalog import FILE_CLIENTS
from telnyx_mcp.clients.client import Host
from telnyx_mcp.clients.errors import ClientConfigError
from telnyx_mcp.clients.installed import Installed, all_installed, installed_in
from telnyx_mcp.clients.variables import DIRECTORIES, NEEDED
from telnyx_mcp.config.command_line import command_line


def client_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--client",
        metavar="CLIENT",
        help="work with the account and ledger of the server in this client, such as claude-desktop; "
        "CLIENT/NAME if it has several. Without it: those of the environment, else of the only "
        "server that is installed",
    )


@contextmanager
def as_installed(
    options: argparse.Namespace, terminal: Terminal, host: Host | None = None
) -> Iterator[Installed | None]:
    """Inside, the environment of this process is that of the chosen server, and `options.profile` its
    profile. Raises `CommandError` if the named client does not have it."""
    installed = None
    if not getattr(options, "sandbox", False):
        installed = _installed(options, host)
    if installed is None:
        yield None
        return
    options.profile = installed.profile
    if options.client is None:
        terminal.say(f"With the settings of {installed.title}.", error=True)
    before = dict(os.environ)
    _become(installed.settings(before))
    try:
        yield installed
    finally:
        _become(before)


def _installed(options: argparse.Namespace, host: Host | None) -> Installed | None:
    try:
        return choose(options.client, options.profile, host or Host())
    except ClientConfigError as error:  # there is no home
        if options.client is None:
            return None
        raise not_done(error) from None


def choose(client: str | None, profile: str | None, host: Host) -> Installed | None:
    """The server that the user means; None for that of the environment."""
    if client is not None:
        return _named(client, profile, host)
    if any(value and name.startswith("TELNYX") for name, value in host.environment.items()):
        return None  # this terminal is set up for an account of its own
    found = [each for each in all_installed(host) if profile in (None, each.profile)]
    different = {_identity(each, host.environment): each for each in reversed(found)}
    return next(iter(different.values())) if len(different) == 1 else None


def _named(named: str, profile: str | None, host: Host) -> Installed:
    name, _, server = named.partition("/")
    if name not in FILE_CLIENTS:
        raise CommandError(
            f"there is no client {name!r} whose file can be read; it must be {', '.join(FILE_CLIENTS)}"
        )
    client = FILE_CLIENTS[name]
    try:
        found = installed_in(client, host)
    except ClientConfigError as error:
        raise not_done(f"{client.title}'s file can't be read: {error}") from None
    fitting = [
        each for each in found if server in ("", each.name) and profile in (None, each.profile)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        what = f"the server {server}" if server else "this server"
        raise not_done(
            f"{client.title} does not have {what}{_of(profile)}. To add it: "
            f"{command_line(f'install {name}', profile)}"
        )
    raise CommandError(f"{client.title} has several; name one: {_choices(name, fitting)}")


def _choices(client: str, found: Sequence[Installed]) -> str:
    return ", ".join(f"--client {client}/{each.name}" for each in found)


def _of(profile: str | None) -> str:
    return f" for profile {profile}" if profile else ""


def _identity(installed: Installed, environment: Mapping[str, str]) -> tuple[object, ...]:
    """What tells two servers apart: their profile, settings and directories, not proxies or displays."""
    variables = installed.variables(environment).items()
    return (
        installed.profile,
        *sorted(each for each in variables if each[0] not in NEEDED or each[0] in DIRECTORIES),
    )


def _become(environment: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
