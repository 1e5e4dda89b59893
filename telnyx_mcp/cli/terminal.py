"""Where commands read and write: the user's terminal, or whatever a test puts in its place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from getpass import getpass
from typing import TYPE_CHECKING

from telnyx_mcp.process.stdout import write_utf8

if TYPE_CHECKING:
    from rich.console import RenderableType


def _stdin_is_terminal() -> bool:
    return sys.stdin.isatty()


def _stdout_is_terminal() -> bool:
    return sys.stdout.isatty()


@dataclass(frozen=True, slots=True)
class Terminal:
    """The terminal of a command. Output goes to stdout, or to stderr with `error`.

    `read` and `read_secret` show a prompt and return a line; they raise `EOFError` at the end of input.
    """

    read: Callable[[str], str] = input
    read_secret: Callable[[str], str] = getpass
    has_input: Callable[[], bool] = _stdin_is_terminal
    """Whether someone can type here."""
    has_output: Callable[[], bool] = _stdout_is_terminal
    """Whether someone can read here."""

    @property
    def is_interactive(self) -> bool:
        """Whether someone can read here and type."""
        return self.has_input() and self.has_output()

    def say(self, text: str, style: str = "", *, error: bool = False) -> None:
        """One text, never wrapped, so that commands in it can be copied. Control characters are shown,
        not sent: `\\x1b` can't move the cursor."""
        from rich.text import Text

        self.show(Text(escape_controls(text), style), error=error, wrap=False)

    def show(self, *parts: RenderableType, error: bool = False, wrap: bool = True) -> None:
        """Tables and styled texts."""
        from rich.console import Console

        console = Console(stderr=error, highlight=False)
        for part in parts:
            console.print(part, soft_wrap=not wrap)

    def write(self, text: str, *, error: bool = False) -> None:
        """The text as it is, for programs that read it."""
        if error:
            sys.stderr.write(text)
            sys.stderr.flush()
        else:
            write_utf8(text)

    def ask(self, prompt: str) -> str:
        """What is typed after the prompt, without blanks around it; nothing at the end of input."""
        from telnyx_mcp.approval.channels.terminal import discard_typed

        if self.has_input():
            discard_typed()
        try:
            return self.read(prompt).strip()
        except EOFError:
            return ""

    def agrees(self, question: str) -> bool:
        """Whether the answer to a question is yes. The question goes to stderr."""
        self.write(question, error=True)
        try:
            return self.read("").strip().lower() in {"y", "yes"}
        except EOFError:
            return False


def escape_controls(text: str) -> str:
    """The text, with characters that could move the cursor or hide text written out: `\\x1b`."""
    return "".join(
        each if each == "\n" or each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )
