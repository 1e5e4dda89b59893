"""Where commands read and write: the user's terminal, or whatever a test puts in its place."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from getpass import getpass
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from telnyx_mcp.process.stdout import write_utf8

if TYPE_CHECKING:
    from rich.text import Text


UNLIMITED = 1_000_000
"""The width of lines that nobody looks at in a window."""
NARROWEST = 20
"""The least room for a text with a hanging indent."""


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

    def width(self, *, error: bool = False) -> int:
        """How many characters fit on a line: as COLUMNS or the terminal says; without limit in a file or
        a pipe."""
        if os.environ.get("COLUMNS", "").isdecimal():
            return max(1, int(os.environ["COLUMNS"]))
        stream = sys.stderr if error else sys.stdout
        return get_terminal_size().columns if stream.isatty() else UNLIMITED

    def show(self, *parts: Text | str, error: bool = False, wrap: bool = True) -> None:
        """Styled texts. Lines are wrapped at blanks only: a link or an id is never broken or cut."""
        from rich.console import Console
        from rich.text import Text

        console = Console(stderr=error, highlight=False)
        width = self.width(error=error)
        for part in parts:
            text = Text(part) if isinstance(part, str) else part
            for line in wrapped(text, width) if wrap else [text]:
                console.print(line, soft_wrap=True)

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


def wrapped(text: Text, width: int) -> list[Text]:
    """The lines of a text, broken at blanks where they are longer than `width`."""
    lines: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        start, breaks = 0, []
        for word in re.finditer(r"\S+", line.plain):
            if word.end() - start > width and line.plain[start : word.start()].strip():
                start = word.start()
                breaks.append(start)
        lines += line.divide(breaks)
    for each in lines:
        each.rstrip()
    return lines


def hanging(text: str, indent: int, width: int) -> str:
    """The text wrapped at blanks, with its lines after the first indented."""
    from textwrap import wrap

    room = max(width - indent, NARROWEST)
    lines = [
        line
        for each in text.splitlines()
        for line in wrap(each, room, break_long_words=False, break_on_hyphens=False) or [""]
    ]
    return f"\n{' ' * indent}".join(lines)


def escape_controls(text: str) -> str:
    """The text, with characters that could move the cursor or hide text written out: `\\x1b`."""
    return "".join(
        each if each == "\n" or each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )
