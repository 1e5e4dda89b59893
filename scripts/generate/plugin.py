"""The plugin for Claude Code: the server, and its prompts as commands.

`python -m scripts.generate.plugin` (`make docs`) writes plugin/ and .claude-plugin/marketplace.json; a test
compares.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from scripts.generate.manifests import ROOT, SUMMARY, project
from telnyx_mcp import __version__
from telnyx_mcp.clients.names import NAME
from telnyx_mcp.server.prompts import TextPrompt, read_prompts

PLUGIN = ROOT / "plugin"
MARKETPLACE = ROOT / ".claude-plugin" / "marketplace.json"
ABOUT = """\
<!-- Written by `make docs`; a test compares. -->

# A plugin for Claude Code

It starts the server, and brings the prompts as commands, such as `/telnyx-account:monthly-review`. It is not
affiliated with Telnyx. The command `telnyx-account-mcp` must be on the path of Claude Code, and the key in
the keyring (`telnyx-account-mcp key set`) or in `TELNYX_API_KEY`.

In a clone of the repository, after the installation that its README describes:

```sh
claude plugin marketplace add ./
claude plugin install telnyx-account@telnyx-account-mcp
```

Use the plugin or `telnyx-account-mcp install claude-code`, not both: there would be two servers.
"""


def _command(prompt: TextPrompt) -> str:
    """A prompt as a command: what is typed after its name comes first, and the text names its parts."""
    names = list(prompt.defaults)
    front = [f"description: {json.dumps(prompt.description)}"]
    if names:
        hint = " ".join(f"[{name}]" for name in names)
        front.append(f"argument-hint: {json.dumps(hint)}")
    given = ""
    if names:
        parts = ", ".join(f"`{name}` (if missing: {prompt.defaults[name]})" for name in names)
        given = f'Given: "$ARGUMENTS". It says, in this order: {parts}.\n\n'
    text = re.sub(r"\{(\w+)\}", r"<\1>", prompt.text.strip())
    return "---\n" + "\n".join(front) + f"\n---\n\n{given}{text}\n"


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    """The files by their paths."""
    about = project()
    author = about["authors"][0]
    manifest = {
        "name": NAME,
        "version": __version__,
        "description": f"{SUMMARY}. Not affiliated with Telnyx",
        "author": author,
        "license": about["license"],
        "keywords": about["keywords"],
        "mcpServers": {NAME: {"command": about["name"], "args": []}},
    }
    market = {
        "name": about["name"],
        "owner": author,
        "metadata": {"description": manifest["description"]},
        "plugins": [
            {
                "name": NAME,
                "source": f"./{PLUGIN.name}",
                "description": manifest["description"],
                "version": __version__,
            }
        ],
    }
    commands = {
        PLUGIN / "commands" / f"{_file(each)}.md": _command(each) for each in read_prompts()
    }
    return {
        MARKETPLACE: _json(market),
        PLUGIN / ".claude-plugin" / "plugin.json": _json(manifest),
        PLUGIN / "README.md": ABOUT,
        **commands,
    }


def _file(prompt: TextPrompt) -> str:
    return prompt.name.replace("_", "-")


if __name__ == "__main__":
    shutil.rmtree(PLUGIN, ignore_errors=True)
    for file, text in files().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
