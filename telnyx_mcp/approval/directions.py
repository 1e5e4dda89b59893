"""Where people approve and resolve, for the texts that send them there.

The server of one user sends them to a terminal or to the page in their browser, the service of a team to
its pages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telnyx_mcp.config.command_line import command_line

if TYPE_CHECKING:
    from telnyx_mcp.approval.change import Change


class Directions(ABC):
    """Parts of sentences, which begin with a verb or a preposition and end without a full stop."""

    @property
    @abstractmethod
    def operator(self) -> str:
        """Who can type commands on the computer of the server: "the user"."""

    @property
    @abstractmethod
    def about_files(self) -> str:
        """What to do where no folder for files is set, as a sentence."""

    @abstractmethod
    def command(self, words: str) -> str:
        """The command line to type in a terminal, with its program: `telnyx-account-mcp ledger link`."""

    @abstractmethod
    def approve_at(self, id: str | None = None) -> str:
        """Where a change is approved, after "answer it": "with `...` in a terminal"."""

    @abstractmethod
    def resolve(self, id: str) -> str:
        """How a change of unknown outcome is resolved: "run `...` in a terminal"."""

    @abstractmethod
    def waits_for(self, change: Change) -> str:
        """What a proposed change waits for, after its subject: "waits for somebody to approve it"."""

    @property
    @abstractmethod
    def after_decline(self) -> str:
        """What to do where the client declined by itself, as sentences; may be empty."""


@dataclass(frozen=True, slots=True)
class TerminalDirections(Directions):
    """For the server of one user. `profile` is what the user calls the account."""

    profile: str | None = None

    @property
    def operator(self) -> str:
        return "the user"

    @property
    def about_files(self) -> str:
        return "Ask the user to set TELNYX_MCP_EXPORT_DIR to one, and to restart the server."

    def command(self, words: str) -> str:
        return command_line(words, self.profile)

    def approve_at(self, id: str | None = None) -> str:
        return f"with `{self.command(f'approve {id}' if id else 'approve')}` in a terminal"

    def resolve(self, id: str) -> str:
        command = self.command(f"resolve {id}")
        return (
            f"run `{command}` in a terminal, or answer on the page in the browser where one opens"
        )

    def waits_for(self, change: Change) -> str:
        return f"waits for the user, who can approve it {self.approve_at(change.id)}"

    @property
    def after_decline(self) -> str:
        return (
            " If the client declined by itself, the user can start the server with "
            "TELNYX_MCP_APPROVAL=browser or =terminal."
        )
