"""`docs/clients/NAME.md`: a page for each large client, made from the catalogue of clients.

`python -m scripts.generate.client_pages` (`make docs`) writes them; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from scripts.generate.docs import COMMAND, ROOT, entry
from telnyx_mcp.clients.catalog import CLIENTS
from telnyx_mcp.clients.client import PACKAGED, Client, Host
from telnyx_mcp.clients.inputs import fragment
from telnyx_mcp.clients.names import NAME
from tests.support.host_matrix import HOSTS

FOLDER = ROOT / "docs" / "clients"
LOOK: Mapping[str, str] = {
    "claude-desktop": "Settings, Developer lists the servers, with the reason where one did not start, and opens "
    "the folder of the logs (`mcp-server-telnyx-account.log`). Closing the window is not quitting: use Quit in "
    "the menu, on Windows in the notification area.",
    "claude-code": "`claude mcp list` tries every server and says *Connected* or why not; in a session, `/mcp` "
    "does. A server of a project waits until you approve it there.",
    "cursor": "Settings, MCP (Tools & MCP in newer versions) has a switch for each server; the Output panel has "
    "*MCP Logs*.",
    "vscode": "`MCP: List Servers` in the Command Palette, the server, *Show Output*. Tools are offered in "
    "agent mode only; the tools picker there has a tick for each server.",
    "codex": "`codex mcp list` shows what is configured, `/mcp` in a session what was started. A file of a project "
    "counts only in a folder that Codex trusts.",
    "gemini": "`gemini mcp list` says *Connected* or *Disconnected*; in a session, `/mcp`. Servers are not started "
    "in a folder that it does not trust.",
    "copilot-cli": "`copilot mcp list` shows what is configured; in a session, `/mcp show`.",
    "windsurf": "The MCP panel of Cascade lists the servers; *Refresh* starts them again.",
    "zed": "The Agent Panel's settings have a dot for each server: green runs, red says why not.",
    "jetbrains": "Settings, Tools, AI Assistant, Model Context Protocol (MCP) shows the status of each server.",
}
"""Where each client says what became of a server."""
TEMPLATE = """\
<!-- Written by `make docs` from the catalogue of clients; a test compares. -->

# {title}

Not affiliated with Telnyx, nor with the makers of {title}. In a clone of this repository, once:
`pipx install '.[keyring]'` or `uv tool install '.[keyring]'`.

```sh
{command} install {name}
{command} doctor
```

{placed} {next_step}

Then ask: *What did we spend last month?*
{bundle}
## It does not appear: what now

1. Was {title} started again since? {next_step}
2. `{command} doctor` starts the server as {title} would, with the variables that it passes on,
   and says what fails and how to fix it.
3. Where {title} says it: {look}
4. It starts and has no tools, or the wrong ones: `TELNYX_MCP_TOOLS` and `--tools` choose
   [groups](../settings.md#groups-of-tools).
5. It appears and every call fails: the answer says why. Usually it is [the key](../troubleshooting.md#the-key) or
   [a proxy](../networks.md).

## Windows

The same commands work in PowerShell. {windows} If {title} does not find the command, write its whole path into the
entry: `where.exe {command}` prints it, and in JSON each `\\` is written twice. `install` does both.

## By hand

If `{command}` is on the path of {title}:

```{format}
{fragment}
```

{project}
## Remove it

```sh
{command} uninstall {name}
```

{tried}
"""
BUNDLE = """
Without a terminal: `make bundle`, and open `dist/telnyx-account-mcp.mcpb` with Claude Desktop
([more](../clients.md#as-a-bundle-for-claude-desktop)).
"""


def page(client: Client) -> str:
    """The page of one client, as Markdown."""
    tried = {each.client: each.version for each in HOSTS}
    windows = Host("win32", Path("~"), {})
    if client.place is None:
        placed, on_windows = "It prints what to paste.", "You paste the same entry."
    else:
        placed = (
            f"It shows the change to the configuration of {client.title} and asks before it writes."
        )
        on_windows = (
            f"The file is `{PurePosixPath(client.file(windows))}`, `~` being your user folder."
        )
        if client.package:
            inside = f"{PurePosixPath(windows.folder('packages'))}/{client.package}_*/{PACKAGED}"
            on_windows += f" A {client.title} that Windows installed as a package has its own below `{inside}`."
    return TEMPLATE.format(
        title=client.title,
        name=client.name,
        command=COMMAND,
        placed=placed,
        next_step=client.next_step,
        bundle=BUNDLE if client.name == "claude-desktop" else "",
        look=LOOK[client.name],
        windows=on_windows,
        format=client.format,
        fragment=fragment(client, NAME, entry(client)).rstrip(),
        project=_project(client),
        tried=(
            f"Tried with the real {client.title} {tried[client.name]}: [what and how](../hosts.md)."
            if client.name in tried
            else "Its entry is compared with the client's documentation; the program itself was "
            "[not tried](../hosts.md)."
        ),
    )


def _project(client: Client) -> str:
    if client.project_file is None:
        return ""
    return (
        f"For everyone who works in a folder, without a key (`{client.project_file}`):\n\n"
        f"```sh\n{COMMAND} install {client.name} --scope project\n```\n"
    )


def pages() -> dict[Path, str]:
    """The pages by their files."""
    return {FOLDER / f"{name}.md": page(CLIENTS[name]) for name in LOOK}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
