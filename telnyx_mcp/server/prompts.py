"""Serves `prompts/*.md`: TOML between `+++` lines says what a prompt is, the rest is its text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    GetPromptResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
)

_PACKAGE = Path(__file__).parents[1]
FOLDERS = (_PACKAGE / "_prompts", _PACKAGE.parent / "prompts")
"""Where the prompts are: inside an installed package, or at the top of a checkout."""


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """A prompt whose text holds its arguments as `{name}`."""

    name: str
    title: str
    description: str
    arguments: Sequence[PromptArgument]
    text: str

    @property
    def tools(self) -> frozenset[str]:
        """The tools that its text names."""
        return frozenset(re.findall(r"telnyx_[a-z_]+", self.text))

    def listed(self) -> Prompt:
        """The prompt as `prompts/list` shows it."""
        return Prompt(
            name=self.name,
            title=self.title,
            description=self.description,
            arguments=list(self.arguments),
        )

    def render(self, given: Mapping[str, str]) -> GetPromptResult:
        """The prompt as one message of the user's. Raises -32602 for a missing argument."""
        if missing := [
            each.name for each in self.arguments if each.required and not given.get(each.name)
        ]:
            raise MCPError(INVALID_PARAMS, f"missing argument: {', '.join(missing)}")
        text = self.text
        for each in self.arguments:
            text = text.replace(f"{{{each.name}}}", given.get(each.name, ""))
        message = PromptMessage(role="user", content=TextContent(type="text", text=text))
        return GetPromptResult(description=self.description, messages=[message])


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
        arguments=[
            PromptArgument(**{"required": False} | each) for each in about.get("arguments", [])
        ],
        text=text.strip(),
    )
