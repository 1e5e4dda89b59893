"""Serves `prompts/*.md`: TOML between `+++` lines says what a prompt is, the rest is its text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import Message, Prompt, PromptArgument, UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

_PACKAGE = Path(__file__).parents[1]
FOLDERS = (_PACKAGE / "_prompts", _PACKAGE.parent / "prompts")
"""Where the prompts are: inside an installed package, or at the top of a checkout."""


class TextPrompt(Prompt):
    """A prompt whose text holds its arguments as `{name}`."""

    text: str

    @property
    def tools(self) -> frozenset[str]:
        """The tools that its text names."""
        return frozenset(re.findall(r"telnyx_[a-z_]+", self.text))

    async def render(
        self, arguments: dict[str, Any] | None, context: Context[Any, Any]
    ) -> list[Message]:
        """The prompt as one message of the user's. Raises -32602 for a missing argument."""
        given = arguments or {}
        declared = self.arguments or []
        if missing := [
            each.name for each in declared if each.required and not given.get(each.name)
        ]:
            raise MCPError(INVALID_PARAMS, f"missing argument: {', '.join(missing)}")
        text = self.text
        for each in declared:
            text = text.replace(f"{{{each.name}}}", str(given.get(each.name, "")))
        return [UserMessage(text)]


def read_prompts() -> list[TextPrompt]:
    """The prompts, by name."""
    folder = next((each for each in FOLDERS if each.is_dir()), None)
    return [_read(each) for each in sorted(folder.glob("*.md"))] if folder else []


def _read(file: Path) -> TextPrompt:
    _, front, text = file.read_text(encoding="utf-8").split("+++\n", 2)
    about: Mapping[str, Any] = tomllib.loads(front)
    return TextPrompt(
        name=file.stem,
        title=about["title"],
        description=about["description"],
        arguments=[PromptArgument(**each) for each in about.get("arguments", [])],
        fn=str,
        text=text.strip(),
    )
