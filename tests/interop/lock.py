"""Writes a package-lock.json without any address: `make interop-lock`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
LOCKS = tuple(
    folder / "package-lock.json"
    for folder in (HERE, HERE / "hosts", HERE.parent / "service" / "provider")
)


def strip(written: str) -> str:
    """What npm wrote, without the addresses of sponsors, the last that its settings leave in.

    Raises `ValueError` if there are others.
    """
    lock = json.loads(written)
    for package in lock["packages"].values():
        package.pop("funding", None)
    stripped = json.dumps(lock, indent=2) + "\n"
    if "://" in stripped:
        raise ValueError("interop-lock: an address has got in")
    return stripped


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(strip(source.read_text(encoding="utf-8")), encoding="utf-8")
