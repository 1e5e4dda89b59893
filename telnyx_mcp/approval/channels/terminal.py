"""Asks the person at a terminal: `telnyx-account-mcp approve`.

The decision is written into the ledger by who asked; a call that waits for it, or comes again,
finds it there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from telnyx_mcp.approval.changes import Change
from telnyx_mcp.approval.channels import Reply, typed_matches

TRIES = 3
"""How often somebody may mistype before the question is left as it is."""


def ask(change: Change, read: Callable[[str], str], say: Callable[[str], None]) -> Reply:
    """The person's reply: `APPROVED`, `DECLINED`, or `CANCELLED` if the question is left waiting.

    The question itself was shown before. `read` shows a prompt and returns a line, or raises
    `EOFError`.
    """
    prompt = f"To change it, type {wanted(change)} (Enter: don't): "
    try:
        for _ in range(TRIES):
            typed = read(prompt)
            if agrees(typed, change):
                return Reply.APPROVED
            if typed.strip().lower() in ("", "n", "no"):
                chosen = read("Nothing is approved. d: decline it; Enter: leave it waiting: ")
                return Reply.DECLINED if chosen.strip().lower() == "d" else Reply.CANCELLED
            say(f"That is not {wanted(change)}. Nothing is approved.")
    except EOFError:
        say("")
    return Reply.CANCELLED


def wanted(change: Change) -> str:
    """What has to be typed: the amount of a payment, else `yes`."""
    return "yes" if change.amount is None else f"the amount, {change.amount}"


def agrees(typed: str, change: Change) -> bool:
    """Whether this is what has to be typed."""
    if change.amount is None:
        return typed.strip().lower() == "yes"
    return typed_matches(typed, change.amount)


def forget_typed() -> None:
    """Throws away what was typed before the question was shown: it can't have been an answer."""
    if sys.platform != "win32":
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)
