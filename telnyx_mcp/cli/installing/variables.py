"""The variables that an entry sets besides the key: as `--env` names them, and as the server needs them."""

from __future__ import annotations

from collections.abc import Mapping

from telnyx_mcp.cli.installing.options import InstallOptions
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.clients.client import Host
from telnyx_mcp.clients.entry import KEY, env_of
from telnyx_mcp.clients.variables import NEEDED, needed_here, shown
from telnyx_mcp.config.profiles import SettingsError, checked, configured
from telnyx_mcp.config.settings import VARIABLES


def given_variables(options: InstallOptions, host: Host) -> dict[str, str]:
    """What `--env` names. Raises `SettingsError` for a variable that the server does not read."""
    settings = VARIABLES.keys() - {KEY}
    of_profile = configured(options.profile).main.key_from if options.profile else ""
    known = {*settings, *NEEDED} | {of_profile.removeprefix("env:")} - {of_profile}
    given: dict[str, str] = {}
    for pair in options.env:
        name, equals, value = pair.partition("=")
        if name not in known:
            raise SettingsError(
                f"--env takes NAME=VALUE, or NAME for a variable that is set here, with one of "
                f"{', '.join(sorted(known))}; got {name!r}"
            )
        if not equals and not host.environment.get(name):
            raise SettingsError(f"--env {name}: {name} is not set here; give it as {name}=VALUE")
        given[name] = value if equals else host.environment[name]
    checked("")  # what is wrong in the environment itself is not blamed on --env
    checked("--env: ", **{VARIABLES[name]: given[name] for name in given if name in VARIABLES})
    return given


def offered_variables(
    options: InstallOptions, host: Host, given: Mapping[str, str], old: object
) -> dict[str, str]:
    """What is set here, is needed by a server, and does not reach one that this client starts."""
    client = options.chosen
    if options.scope == "project" or client.place is None:
        return {}
    there = env_of(old)
    return {
        name: value
        for name, value in needed_here(host.environment).items()
        if not client.gets(name) and name not in given and there.get(name) != value
    }


def accepted_variables(
    options: InstallOptions, offered: Mapping[str, str], terminal: Terminal
) -> dict[str, str]:
    """Those that the user wants in the entry: they are asked once, and with `--yes` none is taken."""
    if not offered or options.yes or not terminal.has_input():
        return {}
    terminal.say(f"{options.chosen.title} may not pass these variables on to a server:", error=True)
    for name, value in offered.items():
        terminal.say(f"  {name}={shown(name, value)}", error=True)
    return dict(offered) if terminal.agrees("Write them into the entry? (yes/no) ") else {}


def note_on_offered(
    options: InstallOptions, offered: Mapping[str, str], accepted: Mapping[str, str]
) -> str | None:
    """How to write variables that nobody was asked about."""
    if not offered or accepted:
        return None
    return (
        f"{options.chosen.title} may not pass on {', '.join(offered)}, as set here. To write that into the "
        f"entry, install again with {' '.join(f'--env {name}' for name in offered)}."
    )
