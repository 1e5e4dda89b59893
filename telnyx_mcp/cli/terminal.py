"""The person at the terminal: what they are told and asked, and why something was not done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from getpass import getpass

from rich.console import Console
from rich.text import Text

from telnyx_mcp.clients.catalog import Host


class NotDone(Exception):
    """Nothing was changed. Its text says why, and what to do."""

    @classmethod
    def because(cls, error: Exception) -> NotDone:
        """With the words of this error, as a sentence."""
        return cls(f"{str(error).removesuffix('.')}.")


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asked. Everything that is said goes to stderr."""

    machine: Host = field(default_factory=Host)
    now: Callable[[], datetime] = datetime.now
    typed: Callable[[str], str] = input
    hidden: Callable[[str], str] = getpass
    there: Callable[[], bool] = sys.stdin.isatty

    def say(self, words: str, style: str = "") -> None:
        Console(stderr=True, highlight=False).print(Text(words, style), soft_wrap=True)

    def agrees(self, question: str) -> bool:
        sys.stderr.write(question)
        sys.stderr.flush()
        try:
            return self.typed("").strip().lower() in {"y", "yes"}
        except EOFError:
            return False
