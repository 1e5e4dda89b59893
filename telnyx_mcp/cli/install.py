"""`install`: put this server into an assistant.

Adds this server to the client's configuration, by the client's own command where it has one that can be
used safely, else in its file: shows the change first, asks, keeps a backup, touches nothing else in the
file, and reads it back. The key is asked for without showing it, and tried once. It goes into the
system's keyring where the extra `keyring` is installed and there is one, so that no file holds it; else
into the client's file, which only you may read then. VS Code asks for it by itself and keeps it, unless
--key says keyring. For a client without such a file, the entry is printed.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from telnyx_mcp.cli.installing.entries import (
    CurrentEntry,
    entry_for,
    note_on_project,
    refuse_another_profile,
)
from telnyx_mcp.cli.installing.failures import failures_as_command_errors
from telnyx_mcp.cli.installing.key import (
    Place,
    find_key,
    note_on_key,
    place_of_key,
    store_new,
)
from telnyx_mcp.cli.installing.options import InstallOptions, install_arguments, options_of
from telnyx_mcp.cli.installing.trial import try_key
from telnyx_mcp.cli.installing.variables import (
    accepted_variables,
    given_variables,
    note_on_offered,
    offered_variables,
)
from telnyx_mcp.cli.installing.view import (
    backup_text,
    may_write,
    refuse_shared_secret,
    show_change,
)
from telnyx_mcp.cli.installing.writing import changed_text, write_entry
from telnyx_mcp.cli.key import address_of
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.clients.client import Host
from telnyx_mcp.clients.entry import KEY, PLACEHOLDER, Entry, env_of
from telnyx_mcp.clients.inputs import fragment
from telnyx_mcp.clients.names import MAX_NAME
from telnyx_mcp.config import keys

add_arguments = install_arguments


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Installs. 0 if the client has the server then."""
    wanted = replace(
        options_of(options),
        key=options.key,
        key_file=options.key_file,
        read_only=options.read_only,
        tools=options.tools or (),
        env=options.env,
        offline=options.offline,
    )
    return install(wanted, terminal)


def install(options: InstallOptions, terminal: Terminal, host: Host | None = None) -> int:
    """Puts the server into the client's configuration. 0 if it is there, 1 if the user said no.

    Raises `CommandError`.
    """
    client = options.chosen
    with failures_as_command_errors(client, None):
        host = host or Host()
        place, given = place_of_key(options), given_variables(options, host)
        if client.place is None:
            return _print_entry(terminal, options, entry_for(options, place, given, None), place)
        path = client.file(host, options.scope)
        name = options.server
    with failures_as_command_errors(client, path):
        current = CurrentEntry.read(client, path, name)
        if options.print_only:
            entry = entry_for(options, place, given, current.entry)
            return _print_entry(terminal, options, entry, place, str(path))
        return _install(options, terminal, host, current, place, given)


def _install(
    options: InstallOptions,
    terminal: Terminal,
    host: Host,
    current: CurrentEntry,
    place: Place,
    given: dict[str, str],
) -> int:
    client, old = options.chosen, current.entry
    refuse_another_profile(options, old)
    offered = offered_variables(options, host, given, old)
    accepted = accepted_variables(options, offered, terminal)
    entry = entry_for(options, place, {**accepted, **given}, old)
    new = entry.merged(client, old)
    address = address_of(options.profile, new)
    found = find_key(place, options, old, address, terminal)
    if place == "client" and found.key is not None:
        new[client.env_field][KEY] = found.key.get_secret_value()
    refuse_shared_secret(options, new)
    if changed_text(options, current, new) == current.file.text and not found.is_new:
        terminal.say(
            f"{client.title} has the server {options.server} already, and nothing changes "
            f"({current.file.path}).{_stays_read_only(options, current)}",
            error=True,
        )
        return 0
    if options.is_renamed:
        terminal.say(
            f"The server's name there is {options.server}. A name has at most {MAX_NAME} characters, as some "
            "clients drop tools where it is longer, and differs from those of other profiles.",
            error=True,
        )
    terminal.say(try_key(found, place, options, address, env_of(new)), error=True)
    show_change(terminal, options, current.file, old, new)
    if stays := _stays_read_only(options, current):
        terminal.say(stays.strip(), error=True)
    if not may_write(options, terminal):
        return 1
    if place == "keyring":
        store_new(found, options, address, terminal)
    written = write_entry(options, host, current, new)
    notes = (
        f"{written.how}{backup_text(written.backup, old)}",
        note_on_key(place, options),
        note_on_offered(options, offered, accepted),
        note_on_project(options, host),
        client.next_step,
    )
    for note in filter(None, notes):
        terminal.say(note, error=True)
    return 0


def _stays_read_only(options: InstallOptions, current: CurrentEntry) -> str:
    if options.read_only or not current.is_read_only:
        return ""
    return " It stays read-only, as before; uninstall it first to change that."


def _print_entry(
    terminal: Terminal, options: InstallOptions, entry: Entry, place: Place, file: str = ""
) -> int:
    """Writes the entry to stdout as a file that holds nothing else, to be pasted."""
    client = options.chosen
    if place == "keyring":
        address = address_of(options.profile, {"env": dict(entry.env)})
        set_key = keys.key_command("set", options.profile, address)
        terminal.say(
            f"The server takes its key from the keyring: {set_key} puts it there.", error=True
        )
    if note := note_on_key(place, options):
        terminal.say(note, error=True)
    if PLACEHOLDER in entry.env.values():
        terminal.say(f"Put your API key in the place of {PLACEHOLDER}", error=True)
    terminal.say(f"{client.title}{f', {file}' if file else ''}:", error=True)
    terminal.write(fragment(client, options.server, entry))
    if not file:
        terminal.say(client.next_step, error=True)
    return 0
