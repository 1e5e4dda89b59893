"""What `make interop` installs is pinned, and from nowhere in particular."""

from __future__ import annotations

import json
from typing import Any

from tests.interop.lock import LOCK


def packages() -> dict[str, dict[str, Any]]:
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    return {name: package for name, package in locked.items() if name}


def test_the_lock_holds_no_address() -> None:
    assert "://" not in LOCK.read_text(encoding="utf-8")


def test_every_package_is_pinned_by_its_hash() -> None:
    assert packages()
    unpinned = [
        name
        for name, each in packages().items()
        if not each.get("integrity", "").startswith("sha512-") and not each.get("inBundle")
    ]
    assert unpinned == []


def test_the_lock_is_that_of_package_json() -> None:
    wanted = json.loads((LOCK.parent / "package.json").read_text(encoding="utf-8"))
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"][""]
    for kind in ("dependencies", "optionalDependencies"):
        assert locked[kind] == wanted[kind]
