"""What a start does not import."""

from __future__ import annotations

import subprocess
import sys

LATER = ("sqlalchemy", "httpx", "rich", "psycopg", "keyring", "sqlite3")
"""Needed by some calls, or by some commands; each costs the first answer time and memory."""


def test_a_start_imports_nothing_that_only_calls_need() -> None:
    look = (
        "import sys, telnyx_mcp.cli.main, telnyx_mcp.server.build\n"
        f"print(*(name for name in {LATER!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
