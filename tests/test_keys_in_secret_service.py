"""A real Secret Service, GNOME Keyring on a session bus of its own, keeps the key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripted_telnyx import KEY

NEEDED = ("dbus-run-session", "gnome-keyring-daemon")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(shutil.which(each) for each in NEEDED),
        reason="needs a Secret Service (Debian: dbus, gnome-keyring)",
    ),
]
SESSION = """
printf unlocked | gnome-keyring-daemon --unlock --components=secrets >/dev/null
"$PYTHON" -m telnyx_mcp key set --from-env TELNYX_API_KEY
"$PYTHON" -m telnyx_mcp key set --from-env TELNYX_API_KEY --profile eu
unset TELNYX_API_KEY
"$PYTHON" -m telnyx_mcp doctor --json
"$PYTHON" -m telnyx_mcp key remove
"$PYTHON" -m telnyx_mcp key remove
"""


def test_a_key_that_was_set_is_found_by_the_commands_and_can_be_removed(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles.toml"
    profiles.write_text("[profiles.eu]\n", "utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHON": sys.executable,
        "TELNYX_API_KEY": KEY,
        "TELNYX_BASE_URL": "http://127.0.0.1:9/v2",
        "TELNYX_MCP_PROFILES": str(profiles),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
    }
    done = subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", SESSION],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    shown = done.stdout + done.stderr
    assert shown.count("is kept in SecretService") == 2, shown
    # The doctor has a key, and nobody to bring it to.
    assert '"check": "network"' in done.stdout
    assert "There is no API key" not in done.stdout
    assert "was removed" in done.stderr
    assert "There was no key" in done.stderr
    kept = [each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()]
    assert not any(KEY.encode() in each for each in kept)
    assert KEY not in shown
