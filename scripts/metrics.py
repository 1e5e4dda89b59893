"""Measures the code of a checkout: sizes, comments, looseness of types, repeated code.

`python -m scripts.metrics [FOLDER]` prints one table for the Python files below FOLDER/telnyx_mcp, and
how FOLDER/tests compares with them. FOLDER is this checkout unless named. Empty `__init__.py` files and
files of one line are left out.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles

LONG_FUNCTION = 50  # lines
WINDOW = 6  # lines; two places with the same ones are a duplicate pair


def spread(sizes: Sequence[int]) -> str:
    """Median, 90th percentile and maximum, as in `7 / 21 / 55`."""
    if not sizes:
        return "-"
    high = quantiles(sizes, n=10, method="inclusive")[-1] if len(sizes) > 1 else sizes[0]
    return f"{median(sizes):.0f} / {high:.0f} / {max(sizes)}"


def function_sizes(tree: ast.AST) -> list[int]:
    """Lines of every function, without its decorators; nested functions count on their own too."""
    return [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def docstring_lines(tree: ast.AST) -> set[int]:
    """The numbers of the lines that docstrings cover."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            first = node.body[0]
            lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def line_kinds(source: str, docstrings: set[int]) -> tuple[int, int]:
    """(lines of code, comments). A comment after code counts as a comment, its line as code."""
    passed_over = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    code: set[int] = set()
    comments = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        comments += token.type == tokenize.COMMENT
        if token.type not in passed_over:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings), comments


def private_accesses(tree: ast.AST) -> int:
    """Uses of `x._y` where x is neither self nor cls; `x.__y__` is public."""
    return sum(
        isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.endswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
        for node in ast.walk(tree)
    )


def uses_of_any(tree: ast.AST) -> int:
    """How often the name `Any` is used, its import aside."""
    return sum(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(tree))


def duplicate_pairs(sources: Sequence[str]) -> int:
    """Pairs of places with the same WINDOW lines of code, imports, blank and short lines aside.

    Ten equal lines hold five equal windows, and count as five.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for source in sources:
        lines = [line.strip() for line in source.splitlines()]
        lines = [
            line
            for line in lines
            if len(line) > 3 and not line.startswith(("import ", "from ", "#", '"""'))
        ]
        seen.update(tuple(lines[at : at + WINDOW]) for at in range(len(lines) - WINDOW + 1))
    return sum(count * (count - 1) // 2 for count in seen.values())


def sources_below(folder: Path) -> Iterator[str]:
    """The texts of the Python files of more than one line."""
    for file in sorted(folder.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        if source.count("\n") > 1:
            yield source


def measure(checkout: Path) -> dict[str, str]:
    """What is measured, to its value as printed."""
    sources = list(sources_below(checkout / "telnyx_mcp"))
    trees = [ast.parse(source) for source in sources]
    functions = [size for tree in trees for size in function_sizes(tree)]
    docstrings = [docstring_lines(tree) for tree in trees]
    kinds = [line_kinds(*pair) for pair in zip(sources, docstrings, strict=True)]
    code = sum(lines for lines, _ in kinds) or 1
    product = sum(source.count("\n") for source in sources)
    tests = sum(source.count("\n") for source in sources_below(checkout / "tests"))
    return {
        "files": str(len(sources)),
        "lines": f"{product:,}",
        "lines of a file, median / p90 / max": spread([each.count("\n") for each in sources]),
        "lines of a function, median / p90 / max": spread(functions),
        f"functions over {LONG_FUNCTION} lines": str(sum(n > LONG_FUNCTION for n in functions)),
        "comments per line of code": f"{sum(comments for _, comments in kinds) / code:.1%}",
        "docstring lines per line of code": f"{sum(map(len, docstrings)) / code:.1%}",
        "Any per 1,000 lines of code": f"{1000 * sum(map(uses_of_any, trees)) / code:.1f}",
        "private accesses": str(sum(map(private_accesses, trees))),
        "test lines per product line": f"{tests / (product or 1):.2f}",
        f"pairs of equal {WINDOW}-line windows": str(duplicate_pairs(sources)),
    }


def main(arguments: Sequence[str]) -> None:
    checkout = Path(arguments[0]) if arguments else Path(__file__).parents[1]
    measured = measure(checkout)
    width = max(map(len, measured))
    for name, value in measured.items():
        print(f"{name:{width}}  {value}")


if __name__ == "__main__":
    main(sys.argv[1:])
