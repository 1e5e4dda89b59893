"""What `make interop` and `make interop-hosts` install is pinned, and from nowhere in particular."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.interop.lock import LOCKS

each_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)


def packages(lock: Path) -> dict[str, dict[str, Any]]:
    locked = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {name: package for name, package in locked.items() if name}


@each_lock
def test_the_lock_holds_no_address(lock: Path) -> None:
    assert "://" not in lock.read_text(encoding="utf-8")


@each_lock
def test_every_package_is_pinned_by_its_hash(lock: Path) -> None:
    assert packages(lock)
    unpinned = [
        name
        for name, each in packages(lock).items()
        if not each.get("integrity", "").startswith("sha512-") and not each.get("inBundle")
    ]
    assert unpinned == []


@each_lock
def test_the_lock_is_that_of_package_json(lock: Path) -> None:
    wanted = json.loads((lock.parent / "package.json").read_text(encoding="utf-8"))
    locked = json.loads(lock.read_text(encoding="utf-8"))["packages"][""]
    for kind in ("dependencies", "optionalDependencies"):
        assert locked.get(kind) == wanted.get(kind)
