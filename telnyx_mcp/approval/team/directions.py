"""Where people of a team approve and resolve: on the service's pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from telnyx_mcp.approval.change import Change
from telnyx_mcp.approval.directions import Directions
from telnyx_mcp.approval.team.roles import Roles
from telnyx_mcp.config.command_line import command_line


@dataclass(frozen=True, slots=True)
class TeamDirections(Directions):
    """`public_url` is the service's address, without a slash at its end."""

    public_url: str
    roles: Callable[[], Roles]

    @property
    def operator(self) -> str:
        return "the operator of the service"

    @property
    def about_files(self) -> str:
        return "The service of a team writes no files for people: ask for the rows, page by page."

    def command(self, words: str) -> str:
        return command_line(words, None)

    def link(self, id: str) -> str:
        """The address of a change's page. It holds no secret: who opens it has to sign in."""
        return f"{self.public_url}/changes/{id}"

    def approve_at(self, id: str | None = None) -> str:
        return f"on {self.link(id) if id else f'{self.public_url}/changes'}"

    def resolve(self, id: str) -> str:
        return f"answer on {self.link(id)}"

    def waits_for(self, change: Change) -> str:
        so_far = ", ".join(each.by.label for each in change.approvals)
        approved = f"was approved by {so_far} and " if so_far else ""
        missing = change.approvers_needed - len(change.approvals)
        people = "two people" if missing > 1 else "somebody else"
        roles = self.roles().who_approves(change.charge)
        return (
            f"{approved}waits for {people} (role: {roles}) to approve it on {self.link(change.id)}"
        )

    @property
    def after_decline(self) -> str:
        return ""
