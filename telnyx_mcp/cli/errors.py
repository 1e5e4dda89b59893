"""The one error of the commands."""

from __future__ import annotations

NOT_DONE = 1
"""The command was understood, and did not do what was asked; the text says why."""
WRONGLY_CALLED = 2
"""The command can't be carried out as it was called or configured."""
INTERRUPTED = 130
"""Ended by Ctrl-C, as shells count it."""


class CommandError(Exception):
    """A command did not do what was asked. Its text says why and what to do."""

    def __init__(self, text: str, exit_code: int = WRONGLY_CALLED) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def not_done(error: Exception | str) -> CommandError:
    """The same text as a sentence, for a command that was called correctly."""
    return CommandError(_sentence(error), NOT_DONE)


def wrongly_called(error: Exception | str) -> CommandError:
    """The same text as a sentence, for a wrong command or setting."""
    return CommandError(_sentence(error), WRONGLY_CALLED)


def _sentence(error: Exception | str) -> str:
    return f"{str(error).removesuffix('.')}."
