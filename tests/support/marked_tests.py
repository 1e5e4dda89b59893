"""The tests that carry a mark of two sentences, `@pytest.mark.attack(what, held)` for instance, as rows
of a table: the pages that list them are written from the tests themselves."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Marked:
    """One row."""

    module: str
    test: str
    what: str
    held: str

    @property
    def row(self) -> str:
        """The row as Markdown."""
        sentence = self.test.removeprefix("test_").replace("_", " ")
        return f"| {self.what} | {self.held} | `{self.module}`: {sentence} |\n"


def marked(mark: str) -> list[Marked]:
    """Every test with this mark, by module, in the order of the file."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    with_it = [each for each in files if f"mark.{mark}(" in each.read_text("utf-8")]
    return [found for each in with_it for found in _in_module(_module(each), mark)]


def _module(file: Path) -> ModuleType:
    return importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def _in_module(module: ModuleType, wanted: str) -> Iterator[Marked]:
    path = module.__name__.replace(".", "/") + ".py"
    for name, function in vars(module).items():
        if not name.startswith("test_") or function.__module__ != module.__name__:
            continue
        for mark in getattr(function, "pytestmark", []):
            if mark.name == wanted:
                what, held = mark.args
                yield Marked(path, name, what, held)
