"""Writes the entry: by the client's own command, or into its file; and reads it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telnyx_mcp.cli.installing.entries import CurrentEntry
from telnyx_mcp.cli.installing.options import InstallOptions
from telnyx_mcp.clients import own_command
from telnyx_mcp.clients.client import Host
from telnyx_mcp.clients.entry import ASKED, KEY, env_of, holds_secret
from telnyx_mcp.clients.errors import ClientConfigError
from telnyx_mcp.clients.formats import put, take
from telnyx_mcp.clients.inputs import with_input, without_input


@dataclass(frozen=True, slots=True)
class Written:
    """How the entry got into the file, as a sentence, and the backup."""

    how: str
    backup: Path | None


def changed_text(options: InstallOptions, current: CurrentEntry, new: Mapping[str, Any]) -> str:
    """The file's text with the new entry. Raises `ClientConfigError`."""
    client = options.chosen
    text = put(client.format, current.text, client.path(options.server), dict(new))
    return with_input(client, text) if env_of(new).get(KEY) == ASKED else text


def write_entry(
    options: InstallOptions, host: Host, current: CurrentEntry, new: Mapping[str, Any]
) -> Written:
    """Writes it. Raises `ClientConfigError`, also if it does not stand in the file afterwards."""
    client, name, path = options.chosen, options.server, current.file.path
    backup = current.file.back_up()  # before a command of the client changes the file, too
    tried = ""
    if options.scope == "user" and own_command.can_add(client, host, new):
        words = own_command.add(client, host, name, new, is_there=current.entry is not None)
        current = CurrentEntry.read(client, path, name)
        if own_command.is_same(current.entry, new):
            return Written(f"Added by `{words}`, and read back from {path}.", backup)
        tried = f"`{words}` did not add it, so the file was changed. "
    text = changed_text(options, current, new)
    mode = 0o644 if options.scope == "project" else 0o600
    current.file.write(text, private=holds_secret(new), mode=mode)
    if CurrentEntry.read(client, path, name).entry != dict(new):
        raise ClientConfigError(
            f"{path} does not hold the entry after it was written: another program changed it. Close the "
            "client, and run the command again"
        )
    return Written(f"{tried}Written to {path}, and read back.", backup)


def remove_entry(options: InstallOptions, host: Host, current: CurrentEntry) -> Written:
    """Removes it. Raises `ClientConfigError`."""
    client, name, path = options.chosen, options.server, current.file.path
    backup = current.file.back_up()
    if options.scope == "user" and (words := own_command.remove(client, host, name)):
        current = CurrentEntry.read(client, path, name)
        if current.entry is None:
            return Written(f"Removed from {path} by `{words}`.", backup)
    current.file.write(text_without(options, current), private=False)
    return Written(f"Removed from {path}.", backup)


def text_without(options: InstallOptions, current: CurrentEntry) -> str:
    """The file's text without the entry. Raises `ClientConfigError`."""
    client = options.chosen
    text = take(client.format, current.text, client.path(options.server))
    if client.prompts_for_key and text != current.text:
        return without_input(client, text)
    return text
