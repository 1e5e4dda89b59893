"""Who makes the present request, and which tools their roles allow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.approval.team.roles import Roles
from telnyx_mcp.tools.framework.spec import ToolSpec


@dataclass(frozen=True, slots=True)
class TeamAccess:
    """Tools by role. `person` is who makes the present request, `roles` what people may do now."""

    person: Callable[[], Person]
    roles: Callable[[], Roles]

    def refusal(self, tool: ToolSpec[Any, Any]) -> str | None:
        """Why the person may not use this tool; None if they may."""
        roles = self.roles()
        permissions = roles.permissions_of(self.person())
        if permissions.propose if tool.changes else permissions.read:
            return None
        verb, who = (
            ("propose changes", roles.who_proposes())
            if tool.changes
            else ("read the account", roles.who_reads())
        )
        held = ", ".join(permissions.roles) or "none"
        return (
            f"this user's roles ({held}) do not allow them to {verb}. Roles that do: {who}. Calling again "
            "will not help; the operator of this server gives roles."
        )
