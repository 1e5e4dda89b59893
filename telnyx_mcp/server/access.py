"""Who may use which tools. Where nobody signs in, everybody who reaches the server may use all of them."""

from __future__ import annotations

from typing import Any, Protocol

from telnyx_mcp.tools.framework.spec import ToolSpec


class Access(Protocol):
    """What the caller of the present request may use."""

    def refusal(self, tool: ToolSpec[Any, Any]) -> str | None:
        """Why they may not use this tool, in sentences for the assistant; None if they may. A tool that
        is refused is not listed either."""
        ...


class _Everybody:
    def refusal(self, _tool: ToolSpec[Any, Any]) -> str | None:
        return None


EVERYBODY: Access = _Everybody()
