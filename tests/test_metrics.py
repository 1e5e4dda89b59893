"""The metrics of a checkout, on code small enough to count by hand."""

from __future__ import annotations

import ast
from pathlib import Path

from scripts.metrics import (
    docstring_lines,
    duplicate_pairs,
    function_sizes,
    line_kinds,
    measure,
    private_accesses,
    spread,
    uses_of_any,
)

SOURCE = '''"""Module.

Two paragraphs."""

from typing import Any


def outer(self: Any, other: Any) -> None:
    """One line."""
    # A comment.
    self._mine = other._theirs  # another

    def inner() -> None:
        other.__class__
'''


def test_sizes_are_given_as_median_ninetieth_percentile_and_maximum() -> None:
    assert spread(range(1, 12)) == "6 / 10 / 11"
    assert spread([3]) == "3 / 3 / 3"
    assert spread([]) == "-"


def test_lines_are_code_comments_or_docstrings() -> None:
    tree = ast.parse(SOURCE)
    assert docstring_lines(tree) == {1, 2, 3, 9}
    assert line_kinds(SOURCE, docstring_lines(tree)) == (5, 2)
    assert function_sizes(tree) == [7, 2]


def test_any_and_private_accesses_are_counted_without_self_and_dunder() -> None:
    tree = ast.parse(SOURCE)
    assert uses_of_any(tree) == 2
    assert private_accesses(tree) == 1


def test_equal_windows_are_counted_as_pairs_across_files() -> None:
    block = "\n".join(f"value_{number} = {number}" for number in range(6))
    assert duplicate_pairs([block, block]) == 1
    assert duplicate_pairs([block, block, block]) == 3
    assert duplicate_pairs([block, block.replace("value_3", "other")]) == 0


def test_a_checkout_is_measured_by_its_product_and_its_tests(tmp_path: Path) -> None:
    for folder, copies in (("telnyx_mcp", 1), ("tests", 2)):
        (tmp_path / folder).mkdir()
        for number in range(copies):
            (tmp_path / folder / f"a{number}.py").write_text(SOURCE, encoding="utf-8")
    measured = measure(tmp_path)
    assert measured["files"] == "1"
    assert measured["test lines per product line"] == "2.00"
    assert measured["Any per 1,000 lines of code"] == "400.0"
