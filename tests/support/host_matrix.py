"""Assistants as their makers publish them, and what each is expected to show of an installed server.

`tests/interop/test_hosts.py` tries every row, and `scripts/generate/hosts.py` writes docs/hosts.md from the
same table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "interop" / "hosts"
NODE_MODULES = FOLDER / "node_modules"
NAME = "telnyx-account"


@dataclass(frozen=True, slots=True)
class Shown:
    """A command of the host, and what its output holds."""

    command: Sequence[str]
    holds: str

    @property
    def text(self) -> str:
        """As docs/hosts.md has it."""
        return f"`{' '.join(self.command)}`: {self.holds}"


@dataclass(frozen=True, slots=True)
class RealHost:
    """One of them."""

    client: str
    title: str
    package: str
    program: str
    """Its program in node_modules; `*` stands for the part of the package's name that says the system."""
    node: str
    """The Node.js that it needs."""
    lists: Shown
    shows: Shown | None
    project: Shown | None
    added: str
    """What `install` says when it adds an entry without a key."""
    trust: Mapping[str, str] = field(default_factory=dict)
    """Files of the home that say that the host trusts the folder `PROJECT`."""
    starts: str = ""
    """How it was seen that the host starts the server, if its list does not show it."""

    @property
    def version(self) -> str:
        locked = json.loads((FOLDER / "package-lock.json").read_text("utf-8"))
        return str(locked["packages"][f"node_modules/{self.package}"]["version"])

    @property
    def path(self) -> Path | None:
        """Its program, if it is installed."""
        return next(iter(sorted(NODE_MODULES.glob(self.program))), None)


HOSTS = (
    RealHost(
        "claude-code",
        "Claude Code",
        "@anthropic-ai/claude-code",
        "@anthropic-ai/claude-code-*/claude",
        "none: a native program",
        lists=Shown(("claude", "mcp", "list"), "✔ Connected"),
        shows=Shown(("claude", "mcp", "get", NAME), "Status: ✔ Connected"),
        project=Shown(("claude", "mcp", "list"), "⏸ Pending approval"),
        added="Added by `claude mcp add-json`, and read back",
    ),
    RealHost(
        "codex",
        "Codex",
        "@openai/codex",
        "@openai/codex/bin/codex.js",
        "16 or later",
        lists=Shown(("codex", "mcp", "list"), "enabled"),
        shows=Shown(("codex", "mcp", "get", NAME), "enabled: true"),
        project=Shown(("codex", "mcp", "list"), "enabled"),
        added="Added by `codex mcp add`, and read back",
        trust={".codex/config.toml": '[projects."PROJECT"]\ntrust_level = "trusted"\n'},
        starts="`codex app-server`, `mcpServerStatus/list`: all tools",
    ),
    RealHost(
        "gemini",
        "Gemini CLI",
        "@google/gemini-cli",
        "@google/gemini-cli/bundle/gemini.js",
        "20 or later",
        lists=Shown(("gemini", "mcp", "list"), "Connected"),
        shows=None,
        project=Shown(("gemini", "mcp", "list"), "Connected"),
        added="Added by `gemini mcp add`, and read back",
        trust={".gemini/trustedFolders.json": '{"PROJECT": "TRUST_FOLDER"}'},
    ),
    RealHost(
        "opencode",
        "opencode",
        "opencode-linux-x64-baseline",
        "opencode-linux-x64-baseline/bin/opencode",
        "none: a native program",
        lists=Shown(("opencode", "mcp", "list"), "connected"),
        shows=None,
        project=Shown(("opencode", "mcp", "list"), "connected"),
        added="Written to",
    ),
    RealHost(
        "copilot-cli",
        "Copilot CLI",
        "@github/copilot",
        "@github/copilot-*/copilot",
        "none: a native program",
        lists=Shown(("copilot", "mcp", "list"), f"{NAME} (local)"),
        shows=Shown(("copilot", "mcp", "get", NAME), "Status: Enabled"),
        project=None,
        added="Written to",
        starts="not seen: only in a session, which needs an account",
    ),
)
