"""The commands that texts ask the user to run in a terminal."""

from __future__ import annotations

PROGRAM = "telnyx-account-mcp"


def command_line(words: str, profile: str | None) -> str:
    """The command line, with `--profile` if the account has one: without it, the command would look at
    another account's ledger."""
    return f"{PROGRAM} {words}" + (f" --profile {profile}" if profile else "")
