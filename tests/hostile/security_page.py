"""`docs/security-tests.md`: the attacks that tests try, and what held. Written from the tests themselves.

A test is listed if it carries `@pytest.mark.attack(what, held)`. `python -m tests.hostile.security_page`
writes the page; a test compares.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security-tests.md"
HEAD = """\
<!-- Written by `make docs` from the tests; a test compares. -->

# Attacks that the tests try

Each row is tried on the real server whenever the tests run, over real HTTP, with real processes or on a
real terminal where that matters. *Held* says what an attacker gets instead.

| attack | held | test |
|---|---|---|
"""


@dataclass(frozen=True, order=True)
class Attack:
    """One row."""

    module: str
    test: str
    what: str
    held: str


def attacks() -> list[Attack]:
    """Every attack that a test is marked with, by module, in the order of the file."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    marked = [each for each in files if "mark.attack(" in each.read_text("utf-8")]
    return [attack for each in marked for attack in _in_module(_module(each))]


def _module(file: Path) -> ModuleType:
    return importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def _in_module(module: ModuleType) -> Iterator[Attack]:
    path = module.__name__.replace(".", "/") + ".py"
    for name, function in vars(module).items():
        if not name.startswith("test_") or function.__module__ != module.__name__:
            continue
        for mark in getattr(function, "pytestmark", []):
            if mark.name == "attack":
                what, held = mark.args
                yield Attack(path, name, what, held)


def page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(map(_row, attacks()))


def _row(attack: Attack) -> str:
    sentence = attack.test.removeprefix("test_").replace("_", " ")
    return f"| {attack.what} | {attack.held} | `{attack.module}`: {sentence} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
