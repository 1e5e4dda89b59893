"""What the user sees of an entry, and how a change is agreed to."""

from __future__ import annotations

from difflib import ndiff
from pathlib import Path

from telnyx_mcp.cli.errors import not_done
from telnyx_mcp.cli.installing.options import InstallOptions
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.clients.config_file import ConfigFile
from telnyx_mcp.clients.entry import holds_secret, masked, pretty
from telnyx_mcp.config.profiles import SettingsError

_STYLES = {"-": "red", "+": "green", " ": ""}


def show_change(
    terminal: Terminal, options: InstallOptions, file: ConfigFile, old: object, new: object
) -> None:
    """Prints the entry with its removed and added lines."""
    client = options.chosen
    new_file = "" if file.raw is not None else " (a new file)"
    where = f"{client.table}.{options.server}"
    terminal.say(f"{client.title}, {file.path}{new_file}, {where}:", error=True)
    before = pretty(masked(old)).splitlines() if old is not None else []
    after = pretty(masked(new, old)).splitlines() if new is not None else []
    for line in ndiff(before, after):
        if (style := _STYLES.get(line[0])) is not None:
            terminal.say(line, style, error=True)


def may_write(options: InstallOptions, terminal: Terminal) -> bool:
    """Whether to write the change: asks, unless `--yes` is given. Raises `CommandError` if it can't ask."""
    if options.yes:
        return True
    if not terminal.has_input():
        raise not_done(
            "Nothing was written: there is no terminal to ask at. Add --yes to write it."
        )
    if terminal.agrees("Write this? (yes/no) "):
        return True
    terminal.say("Nothing was written.", error=True)
    return False


def backup_text(backup: Path | None, old: object) -> str:
    """Where the backup is, and whether it holds a secret."""
    if backup is None:
        return ""
    secret = (
        ", which still holds the key or password: delete it when all is well"
        if holds_secret(old)
        else ""
    )
    return f" Before: {backup.name} beside it{secret}."


def refuse_shared_secret(options: InstallOptions, new: object) -> None:
    """Raises `SettingsError` if a file that others see would hold a secret."""
    if options.scope == "project" and holds_secret(new):
        raise SettingsError(
            "a project's file is shared, so no key or password is written into it: leave out that "
            "--env, and set the variable where the client starts"
        )
