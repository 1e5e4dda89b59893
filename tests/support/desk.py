"""A person at a computer with clients, who installs and uninstalls."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telnyx_mcp.cli.install import install
from telnyx_mcp.cli.installing.options import InstallOptions
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.cli.uninstall import uninstall
from telnyx_mcp.clients.catalog import CLIENTS
from telnyx_mcp.clients.client import Host
from tests.support.scripted_telnyx import KEY


@dataclass
class Desk:
    """A person with an empty home, whose answers and keys are given."""

    home: Path
    answers: list[str] = field(default_factory=lambda: ["yes"])
    keys: list[str] = field(default_factory=lambda: [KEY])
    at_terminal: bool = True
    system: str = "linux"
    environment: Mapping[str, str] = field(default_factory=dict)

    def terminal(self) -> Terminal:
        def next_of(answers: list[str]) -> Callable[[str], str]:
            def answer(_: str) -> str:
                if not answers:
                    raise EOFError
                return answers.pop(0)

            return answer

        return Terminal(
            read=next_of(self.answers),
            read_secret=next_of(self.keys),
            has_input=lambda: self.at_terminal,
        )

    @property
    def host(self) -> Host:
        return Host(self.system, self.home, self.environment, self.project)

    @property
    def project(self) -> Path:
        return self.home.parent / "project"

    def file(self, client: str) -> Path:
        return CLIENTS[client].file(self.host)

    def install(self, client: str, **options: Any) -> int:
        """Without a request for the balance, unless `offline` is False."""
        return install(
            InstallOptions(client, **{"offline": True, **options}), self.terminal(), self.host
        )

    def uninstall(self, client: str, **options: Any) -> int:
        return uninstall(InstallOptions(client, **options), self.terminal(), self.host)

    def entry(self, client: str, name: str = "telnyx-account") -> dict[str, Any]:
        found = self.data(client)[CLIENTS[client].table][name]
        assert isinstance(found, dict)
        return found

    def data(self, client: str) -> Any:
        return parsed(client, self.file(client).read_text("utf-8"))


def parsed(client: str, text: str) -> Any:
    """What a file of this client holds."""
    return tomllib.loads(text) if CLIENTS[client].format == "toml" else json.loads(text)
