"""The processes that are measured: how each is started."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.measurement import Unavailable
from benchmarks.peers import peers_python

ROOT = Path(__file__).parents[1]
SERVERS = ROOT / "benchmarks" / "servers"
WORKERS = ROOT / "benchmarks" / "workers"
NOWHERE = "http://127.0.0.1:9/v2"
"""For what never gets as far as a request."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Subject:
    """A server by name, the command that starts it, and the tool that tells the balance."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    balance_tool: str = "balance"


def ours(base_url: str = NOWHERE, **settings: str) -> Subject:
    """`settings` are more of its environment. One that is called needs `TELNYX_MCP_STATE_URL`."""
    return Subject(
        "ours",
        (sys.executable, "-m", "telnyx_mcp", "serve"),
        environment(base_url, **settings),
        "telnyx_get_balance",
    )


def without_front(base_url: str = NOWHERE, **settings: str) -> Subject:
    return Subject(
        "without the front",
        (sys.executable, str(SERVERS / "without_front.py")),
        environment(base_url, **settings),
        "telnyx_get_balance",
    )


def plain_python() -> Subject:
    return Subject(
        "plain Python", (sys.executable, str(SERVERS / "plain_python.py")), environment()
    )


def bare(base_url: str = NOWHERE) -> Subject:
    return Subject("bare SDK", (sys.executable, str(SERVERS / "bare.py")), environment(base_url))


def fastmcp(base_url: str = NOWHERE) -> Subject:
    """Raises `Unavailable` if it is not installed and can't be."""
    return Subject(
        "FastMCP",
        (str(peers_python()), str(SERVERS / "fastmcp_peer.py")),
        environment(base_url) | {"FASTMCP_CHECK_FOR_UPDATES": "off"},
    )


def subjects(base_url: str = NOWHERE, **settings: str) -> list[Subject]:
    """Ours with these settings, the bare SDK, and the peers that can be had here."""
    found = [ours(base_url, **settings), bare(base_url)]
    with suppress(Unavailable):  # told once, below the table
        found.append(fastmcp(base_url))
    return found


def rounds(subjects: Sequence[T], count: int) -> Iterator[Iterable[T]]:
    """`count` times all of them, each time beginning with the next, so that none is favoured."""
    for number in range(count):
        first = number % len(subjects)
        yield (*subjects[first:], *subjects[:first])


@contextmanager
def state_url() -> Iterator[str]:
    """Where servers may keep their state meanwhile, in a folder of its own."""
    # The last of them may still be closing its files when the folder goes.
    with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        yield f"sqlite:///{folder}/state.sqlite3"


def environment(base_url: str = NOWHERE, **settings: str) -> dict[str, str]:
    """This process's, without settings of the user's own that would change what is measured."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TELNYX_", "FASTMCP_", "MCP_"))
        and name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    }
    account = {"TELNYX_API_KEY": "KEY_benchmark", "TELNYX_BASE_URL": base_url}
    return kept | account | settings
