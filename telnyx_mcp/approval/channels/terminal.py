"""Asks the approver at a terminal: `telnyx-account-mcp approve`.

The caller writes the decision to the ledger, where the waiting or repeated call reads it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from telnyx_mcp.approval.channels import AskOutcome, typed_matches
from telnyx_mcp.approval.question import Question

TRIES = 3
"""Attempts before the question is left waiting."""


def ask(question: Question, read: Callable[[str], str], say: Callable[[str], None]) -> AskOutcome:
    """The person's answer: `APPROVED`, `DECLINED`, or `CANCELLED` if the question is left waiting.

    The question itself was shown before. `read` shows a prompt and returns a line, or raises
    `EOFError`.
    """
    prompt = f"To approve, type {expected(question)} (Enter: do nothing): "
    try:
        for _ in range(TRIES):
            typed = read(prompt)
            if agrees(typed, question):
                return AskOutcome.APPROVED
            if typed.strip().lower() in ("", "n", "no"):
                chosen = read("Nothing is approved. d: decline it; Enter: leave it waiting: ")
                declines = chosen.strip().lower() == "d"
                return AskOutcome.DECLINED if declines else AskOutcome.CANCELLED
            say(f"That is not {expected(question)}. Nothing is approved.")
    except EOFError:
        say("")
    return AskOutcome.CANCELLED


def expected(question: Question) -> str:
    """What has to be typed: the amount, or `yes` where nothing is charged."""
    return "yes" if question.typed is None else f"the amount, {question.typed}"


def agrees(typed: str, question: Question) -> bool:
    """Whether this is what has to be typed."""
    if question.typed is None:
        return typed.strip().lower() == "yes"
    return typed_matches(typed, question.typed)


def discard_typed() -> None:
    """Discards what was typed before the question was shown: it can't have been an answer."""
    if sys.platform != "win32":
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)
