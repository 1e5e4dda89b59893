"""The pictures of README and docs: the demo at a terminal, and a conversation (`chat.py`), as SVG.

`python -m scripts.generate.pictures` (`make pictures`) plays the person at a pseudo-terminal who types the
amount, and writes docs/images/demo.svg and docs/images/asking.svg; with `chat`, only the conversation.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from scripts.generate.chat import pictures

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
COLUMNS = 92
IN_DEMO = ("What did we spend in May?", "Which invoices are unpaid?", "Top us up by $120.")
IN_ASKING = ("Top us up by $120.",)
TYPED = (("Amount (nothing declines)", "120.00\n"),)
THEME = TerminalTheme(
    (22, 27, 34),
    (230, 237, 243),
    [
        (72, 79, 88),
        (255, 123, 114),
        (63, 185, 80),
        (210, 153, 34),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
)


def recorded(seconds: float = 60) -> str:
    """What the demo shows at a terminal, with its colours, while a person types the amount."""
    screen, other_end = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    process = subprocess.Popen(
        [sys.executable, "-m", "telnyx_mcp", "demo"],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        env=environment | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": "50"},
    )
    os.close(other_end)
    shown, typed = "", list(TYPED)
    try:
        while select.select([screen], [], [], seconds)[0]:
            try:
                piece = os.read(screen, 65536).decode()
            except OSError:  # Linux's way to say that the other end is closed
                break
            shown += piece
            if typed and typed[0][0] in shown:
                os.write(screen, typed.pop(0)[1].encode())
    finally:
        process.kill()
        process.wait()
        os.close(screen)
    return shown.replace("\r\n", "\n")


def parts_of(shown: str) -> dict[str, str]:
    """The demo by its questions, each with the first call that answers it."""
    pieces = re.split(r"(?m)^(?=(?:\x1b\[[0-9;]*m)*── )", shown)[1:]
    return {
        re.sub(r"\x1b\[[0-9;]*m", "", each).split("”")[0].partition("“")[2]: re.split(
            r"(?<= ms)\S*\n", each
        )[0]
        for each in pieces
    }


def drawn(text: str, title: str) -> str:
    """The text as a window of a terminal."""
    console = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    console.print(Text.from_ansi(text.strip("\n")))
    drawing = console.export_svg(title=title, theme=THEME, unique_id=title.rpartition(" ")[2])
    # Fonts come from the reader's machine: nothing is fetched from elsewhere.
    return re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)


def main() -> None:
    for name, picture in pictures().items():
        (IMAGES / name).write_text(picture, "utf-8")
    if sys.argv[1:] == ["chat"]:
        return
    parts = parts_of(recorded())
    for name, questions in (("demo", IN_DEMO), ("asking", IN_ASKING)):
        text = "\x1b[0m\n\n".join(parts[each] for each in questions)
        (IMAGES / f"{name}.svg").write_text(drawn(text, f"telnyx-account-mcp {name}"), "utf-8")


if __name__ == "__main__":
    main()
