"""The ledger of the account that a command works on, and what its commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from telnyx_mcp.approval.change import Change, State
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.approval.reasons import LINK
from telnyx_mcp.approval.replies import REPLIES
from telnyx_mcp.cli.account import configured_accounts
from telnyx_mcp.cli.change_texts import facts_of
from telnyx_mcp.cli.errors import NOT_DONE, CommandError, not_done
from telnyx_mcp.cli.installed_account import as_installed
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.config.command_line import command_line
from telnyx_mcp.config.keys import KeyUnavailable, with_key
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.storage.store import StoreError


@dataclass(frozen=True, slots=True)
class LedgerSession:
    """What a command on the ledger works with."""

    settings: Settings
    ledger: Ledger
    terminal: Terminal

    def say(self, text: str, style: str = "", *, error: bool = False) -> None:
        self.terminal.say(text, style, error=error)

    def find(self, id: str) -> Change | None:
        return self.ledger.get(id, now_utc())

    def command(self, words: str) -> str:
        """The command line of a command on this ledger."""
        return command_line(words, self.ledger.profile)

    @property
    def whose(self) -> str:
        """The account whose changes these are, as the user knows it."""
        if self.ledger.profile:
            return f"profile {self.ledger.profile}"
        return "the account whose key is used here (of a profile: --profile NAME)"

    def not_found(self, id: str) -> int:
        """Says that the ledger has no such change. Returns the exit status."""
        self.say(
            f"No change {id} is recorded for {self.whose}. What is recorded: {self.command('ledger')}",
            error=True,
        )
        self.say_unlinked(error=True)
        return NOT_DONE

    def say_unlinked(self, *, error: bool = False) -> None:
        if self.ledger.hides_changes():
            self.say(
                "This API key is not linked to an account of the ledger yet. If it replaced another "
                f"key: {self.command(LINK)}",
                error=error,
            )

    def show(self, change: Change) -> None:
        """The question of a change, and all that the ledger knows of it."""
        self.say(change.question.text, "bold")
        self.say("")
        facts = facts_of(change)
        width = max(len(name) for name, _ in facts) + 2
        for name, text in facts:
            self.say(
                f"{name:<{width}}{text}".replace("\n", "\\n")
            )  # or a value could pose as a fact

    def say_how_to_resolve(self, change: Change) -> None:
        if change.state is State.UNKNOWN:
            self.say(
                f"\n{REPLIES[State.UNKNOWN].heading}. Look into the Mission Control Portal, then run\n"
                f"  {self.command(f'resolve {change.id}')}",
                "yellow",
            )

    def need_terminal(self, why: str) -> None:
        """Raises `CommandError` where no user can read and type: an agent that runs commands must
        not answer for the user."""
        if not self.terminal.is_interactive:
            raise CommandError(why)


def on_ledger(
    options: argparse.Namespace, terminal: Terminal, command: Callable[[LedgerSession], int]
) -> int:
    """Runs a command with the ledger that the user's settings name, or those of the server that is
    installed. Raises `CommandError`."""
    with as_installed(options, terminal):
        return _on_ledger(options, terminal, command)


def _on_ledger(
    options: argparse.Namespace, terminal: Terminal, command: Callable[[LedgerSession], int]
) -> int:
    settings = configured_accounts(options, terminal).main
    try:
        settings = with_key(settings)
    except KeyUnavailable as error:
        raise not_done(f"The key decides which account's changes are shown. {error}") from None
    try:
        ledger = open_ledger(settings)
        try:
            return command(LedgerSession(settings, ledger, terminal))
        finally:
            ledger.close()
    except StoreError as error:
        raise not_done(f"The ledger can't be used. {error}") from None


def now_utc() -> datetime:
    return datetime.now(UTC)
