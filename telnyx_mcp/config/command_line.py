"""The commands that texts tell a person to run in a terminal."""

from __future__ import annotations

PROGRAM = "telnyx-account-mcp"


def command_line(words: str, profile: str | None) -> str:
    """The whole command line: these words after the program's name, and the profile where the
    account is one's, as another account's record would be looked at without it."""
    return f"{PROGRAM} {words}" + (f" --profile {profile}" if profile else "")
