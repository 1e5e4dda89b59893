"""What the tests of `install` share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Profiles with keys in the keyring and in variables."""
    file = tmp_path / "profiles.toml"
    file.write_text(
        '[profiles.eu]\n[profiles.us]\nkey_from = "env:US"\n[profiles.asia]\nkey_from = "env:ASIA"\n',
        "utf-8",
    )
    monkeypatch.setenv("TELNYX_MCP_PROFILES", str(file))
