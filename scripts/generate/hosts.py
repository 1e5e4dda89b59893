"""`docs/hosts.md`: the assistants that were tried, and what works. Written from the tests' own table.

`python -m scripts.generate.hosts` (`make docs`) writes the page; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from telnyx_mcp.clients.catalog import CLIENTS
from telnyx_mcp.clients.entry import KEY
from tests.install.test_documented_entries import PAGES
from tests.support.host_matrix import HOSTS, RealHost
from tests.support.marked_tests import ROOT

PAGE = ROOT / "docs" / "hosts.md"
HEAD = """\
<!-- Written by `make docs` from the tests; a test compares. -->

# Assistants that were tried

## The real program

`make interop-hosts` installs these from npm and tries each row (`tests/interop/test_hosts.py`): the program
that its makers publish, in a home of its own, on Linux, signed in nowhere, so no model is asked. The server
is installed by `telnyx-account-mcp install`.

"""
READ = """
## The documentation only

The entry that `install` writes is compared with the one that the client's documentation shows
(`tests/install/test_documented_entries.py`). The program itself was not tried.

| client | `install` | documentation | read |
|---|---|---|---|
"""


def _project(host: RealHost) -> str:
    client = CLIENTS[host.client]
    if host.project is None:
        return "none that `install` writes"
    refers = client.reference and f"`{client.reference.replace('NAME', KEY)}`"
    return (
        f"`{client.project_file}` with {refers or f'`{client.forward_field}`'}; {host.project.text}"
    )


def _added(said: str) -> str:
    command = said.removeprefix("Added ").removesuffix(", and read back")
    return command if command.startswith("by") else "written into the file"


def _removed(host: RealHost) -> str:
    command = CLIENTS[host.client].own_command
    return f"not listed; by `{' '.join(command.remove[:3])}`" if command else "not listed"


ROWS: Mapping[str, Callable[[RealHost], str]] = {
    "version": lambda host: host.version,
    "Node.js": lambda host: host.node,
    "an entry without a key": lambda host: _added(host.added),
    "an entry with a key": lambda _: _added(""),
    "the host lists it": lambda host: host.lists.text,
    "the host shows it": lambda host: host.shows.text if host.shows else "has no such command",
    "the host starts it": lambda host: host.starts or "its list does",
    "`doctor` starts it as the host does": lambda _: "yes",
    "a project's file": _project,
    "after `uninstall`": _removed,
}


def page() -> str:
    """The tables as Markdown."""
    lines = [_line(["", *(host.title for host in HOSTS)]), _line(["---"] * (len(HOSTS) + 1))]
    lines += [_line([row, *(cell(host) for host in HOSTS)]) for row, cell in ROWS.items()]
    tried = {host.client for host in HOSTS} | {"any"}
    others = [each for each in PAGES if each.client not in tried]
    read = [
        _line((CLIENTS[each.client].title, f"`{each.client}`", each.page, each.read))
        for each in others
    ]
    goose = _line(
        ("Goose", "`goose`", "block.github.io/goose/docs/guides/config-files", "2026-11-26")
    )
    return HEAD + "\n".join(lines) + "\n" + READ + "\n".join([*read, goose]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
