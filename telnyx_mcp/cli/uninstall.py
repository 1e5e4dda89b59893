"""`uninstall`: take this server out of an assistant.

Takes this server out of the client's configuration again, by the client's own command where it has one,
else in its file. Shows the change first, asks, keeps a backup, and touches nothing else.
"""

from __future__ import annotations

import argparse

from telnyx_mcp.cli.errors import not_done
from telnyx_mcp.cli.installing.entries import CurrentEntry
from telnyx_mcp.cli.installing.failures import failures_as_command_errors
from telnyx_mcp.cli.installing.options import InstallOptions, client_arguments, options_of
from telnyx_mcp.cli.installing.view import backup_text, may_write, show_change
from telnyx_mcp.cli.installing.writing import remove_entry, text_without
from telnyx_mcp.cli.key import left_in_keyring
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.clients.client import Host

add_arguments = client_arguments


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Uninstalls. 0 if the client does not have the server then."""
    return uninstall(options_of(options), terminal)


def uninstall(options: InstallOptions, terminal: Terminal, host: Host | None = None) -> int:
    """Removes the server from the client's configuration. 0 if it is not there then, 1 if the user said no.

    Raises `CommandError`.
    """
    client = options.chosen
    if client.place is None:
        raise not_done(
            f"{client.title} has no file that can be edited safely. Take the server out there"
        )
    with failures_as_command_errors(client, None):
        host = host or Host()
        path, name = client.file(host, options.scope), options.server
    with failures_as_command_errors(client, path):
        current = CurrentEntry.read(client, path, name)
        if text_without(options, current) == current.text:
            terminal.say(
                f"{client.title} has no server {name} in {current.file.path}; nothing was changed.",
                error=True,
            )
            return 0
        show_change(terminal, options, current.file, current.entry, None)
        if options.print_only:
            return 0
        if not may_write(options, terminal):
            return 1
        kept = left_in_keyring(current.entry)
        written = remove_entry(options, host, current)
    terminal.say(f"{written.how}{backup_text(written.backup, current.entry)}", error=True)
    if kept:
        terminal.say(kept, error=True)
    terminal.say(f"{client.title} stops using it after a restart.", error=True)
    return 0
