"""A clock of its own for one process, by libfaketime: ahead, behind, fast, slow, and set while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")


class FakeClock:
    """The clock of every process that is started with `environment`."""

    def __init__(self, folder: Path, *, monotonic: bool = False) -> None:
        """With `monotonic`, the monotonic clock is set too, as no real machine does."""
        self._file = folder / "time"
        self.set("+0")
        self.environment = {
            "LD_PRELOAD": _library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "0" if monotonic else "1",
        }

    def set(self, offset: str) -> None:
        """Sets it, for instance to `+1y`, `-2h`, `+0 x10` (ten times as fast)."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(offset + "\n", encoding="ascii")
        fresh.replace(self._file)


def _library() -> str:
    for pattern in LIBRARIES:
        for found in Path("/").glob(pattern.removeprefix("/")):
            return str(found)
    pytest.skip("no libfaketime here")
