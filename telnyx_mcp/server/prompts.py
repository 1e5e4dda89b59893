"""Serves `prompts/*.md`: TOML between `+++` lines says what a prompt is, the rest is its text.

Hosts turn prompts into slash commands, and what follows one into arguments by splitting it at spaces:
every value has to be one word, and a prompt has to read well without any.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_types import GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from telnyx_mcp.tools.framework.host_arguments import is_empty

_PACKAGE = Path(__file__).parents[1]
FOLDERS = (_PACKAGE / "_prompts", _PACKAGE.parent / "prompts")
"""Where the prompts are: inside an installed package, or at the top of a checkout."""


_QUOTES = "\"'`\u201c\u201d\u2018\u2019 "


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """A prompt whose text holds its arguments as `{name}`."""

    name: str
    title: str
    description: str
    arguments: Sequence[PromptArgument]
    defaults: Mapping[str, str]
    """What stands in the text for an argument that is not given."""
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
        """The prompt as one message of the user's."""
        values = {
            name: _typed(name, given.get(name, "")) or default
            for name, default in self.defaults.items()
        }
        text = re.sub(r"\{(\w+)\}", lambda place: values[place[1]], self.text)
        message = PromptMessage(role="user", content=TextContent(type="text", text=text))
        return GetPromptResult(description=self.description, messages=[message])


def _typed(name: str, value: str) -> str:
    """What somebody typed: without the quotes that a host left around it, and without `name=`. Empty
    where that says nothing."""
    typed = value.strip().removeprefix(f"--{name}=").removeprefix(f"{name}=").strip(_QUOTES)
    return "" if is_empty(typed) else typed


def read_prompts() -> list[TextPrompt]:
    """The prompts, by name."""
    folder = next((each for each in FOLDERS if each.is_dir()), None)
    return [_read(each) for each in sorted(folder.glob("*.md"))] if folder else []


def _read(file: Path) -> TextPrompt:
    _, front, text = file.read_text(encoding="utf-8").split("+++\n", 2)
    about: Mapping[str, Any] = tomllib.loads(front)
    arguments: list[dict[str, str]] = about.get("arguments", [])
    return TextPrompt(
        name=file.stem,
        title=about["title"],
        description=about["description"],
        arguments=[
            PromptArgument(name=each["name"], description=each["description"], required=False)
            for each in arguments
        ],
        defaults={each["name"]: each["default"] for each in arguments},
        text=text.strip(),
    )
