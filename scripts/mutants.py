"""Changes one thing in the code at a time and counts which changes the tests notice.

    python -m scripts.mutants                       # 100 drawn from all of MODULES
    python -m scripts.mutants --sample 0 telnyx_mcp/approval/gate.py   # every one of a file

Works on a copy of the checkout. A mutant is killed when the tests of its module fail or take too long;
a survivor is printed as `file:line kind: before -> after`. The order is drawn from --seed, so that the
same seed gives the same mutants for the same code.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from queue import Queue

MODULES: dict[str, tuple[str, ...]] = {
    "telnyx_mcp/approval/page": ("tests/approval", "tests/process/test_decisions.py"),
    "telnyx_mcp/approval/team": (
        "tests/approval/test_team_gate.py",
        "tests/approval/test_team_answers.py",
        "tests/approval/test_team_ledger.py",
        "tests/approval/test_roles.py",
        "tests/approval/test_team_machine.py",
    ),
    "telnyx_mcp/approval": ("tests/approval", "tests/hostile/test_questions.py"),
    "telnyx_mcp/config": ("tests/hostile", "tests/test_keys.py", "tests/test_profiles.py"),
    "telnyx_mcp/storage": ("tests/approval/test_store.py", "tests/test_state_url.py"),
    "telnyx_mcp/telnyx": ("tests/telnyx",),
    "telnyx_mcp/billing": ("tests/billing", "tests/test_periods.py", "tests/tools"),
    "telnyx_mcp/service/tokens": ("tests/service",),
    "telnyx_mcp/service/challenges.py": ("tests/service",),
    "telnyx_mcp/untrusted": ("tests/test_untrusted.py", "tests/hostile/test_strangers_text.py"),
}
"""What is changed, and the tests that should notice; the longest prefix of a file counts."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """One change: the characters from `start` to `end` of a file become `after`."""

    file: str
    line: int
    start: int
    end: int
    kind: str
    before: str
    after: str

    def __str__(self) -> str:
        before = " ".join(self.before.split())[:60]
        after = " ".join(self.after.split())[:60]
        return f"{self.file}:{self.line} {self.kind}: {before} -> {after}"


def mutants_of(file: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a file, in the order of its lines."""
    starts = [0]
    for text in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(text))
    lines = source.splitlines()

    def at(line: int, column: int) -> int:
        """The index of a position; `ast` counts columns in bytes."""
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    tree = ast.parse(source)
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.stmt) and id(node) not in docstrings:
            for kind, after in _changes(node):
                start = at(node.lineno, node.col_offset)
                end = at(node.end_lineno or node.lineno, node.end_col_offset or 0)
                yield Mutant(file, node.lineno, start, end, kind, source[start:end], after)
        for first, second in _neighbours(node):
            start, end = (
                at(first.lineno, first.col_offset),
                at(second.end_lineno or 0, second.end_col_offset or 0),
            )
            head, tail = (
                ast.get_source_segment(source, first),
                ast.get_source_segment(source, second),
            )
            if head and tail:
                middle = "\n" + " " * first.col_offset
                yield Mutant(
                    file, first.lineno, start, end, "swap", source[start:end], tail + middle + head
                )


def _changes(node: ast.expr | ast.stmt) -> Iterator[tuple[str, str]]:
    """The kind and the new text of each change of one node."""
    match node:
        case ast.Compare(left, [operator], [right]) if type(operator) in COMPARISONS:
            changed = ast.Compare(left, [COMPARISONS[type(operator)]()], [right])
            yield "compare", f"({ast.unparse(changed)})"
        case ast.BoolOp(operator, values):
            other = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield "logic", f"({ast.unparse(ast.BoolOp(other, values))})"
        case ast.UnaryOp(ast.Not(), operand):
            yield "not", f"({ast.unparse(operand)})"
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            changed_sum = ast.BinOp(left, OPERATORS[type(operator)](), right)
            yield "arithmetic", f"({ast.unparse(changed_sum)})"
        case ast.IfExp(test, body, other_value):
            yield "condition", f"({ast.unparse(ast.IfExp(test, other_value, body))})"
        case ast.Constant(bool() as value):
            yield "constant", repr(not value)
        case ast.Constant(int() as number):
            yield "constant", repr(number + 1)
        case ast.Expr(ast.Call() | ast.Await()):
            yield "delete", "pass"
        case ast.Return(ast.expr()):
            yield "return", "return None"
        case ast.Raise():
            yield "delete", "pass"


def _neighbours(node: ast.AST) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """Statements that follow each other and may be swapped: calls, such as record and send."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            for first, second in pairwise(block):
                if _is_call(first) and _is_call(second):
                    yield first, second


def _is_call(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    return isinstance(value, ast.Call | ast.Await)


def suite_for(file: str) -> tuple[str, ...]:
    """The tests that should notice a change of this file."""
    fitting = [prefix for prefix in MODULES if file.startswith(prefix)]
    return MODULES[max(fitting, key=len)]


class Copy:
    """A copy of the checkout in which one mutant at a time is tried."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self._folder = folder
        self._seconds = seconds
        names = subprocess.run(
            ["git", "ls-files", "-z"], check=True, capture_output=True, text=True
        ).stdout.split("\0")
        for name in filter(None, names):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, target)

    def kills(self, mutant: Mutant) -> bool:
        """Whether the tests fail, or do not end in time, with this change."""
        path = self._folder / mutant.file
        source = path.read_text(encoding="utf-8")
        path.write_text(source[: mutant.start] + mutant.after + source[mutant.end :], "utf-8")
        try:
            return not self.passes(suite_for(mutant.file))
        finally:
            path.write_text(source, encoding="utf-8")

    def passes(self, tests: Sequence[str]) -> bool:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        process = subprocess.Popen(
            command,
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(self._seconds) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
                process.wait()


def chosen(names: Sequence[str], sample: int, seed: int) -> list[Mutant]:
    """The mutants to try: all of the files named, or as many as `sample` drawn from them."""
    roots = [Path(name) for name in names or MODULES]
    files = sorted(
        {file for root in roots for file in (root.rglob("*.py") if root.is_dir() else [root])}
    )
    found = [each for file in files for each in mutants_of(str(file), file.read_text("utf-8"))]
    random.Random(seed).shuffle(found)
    return found[:sample] if sample else found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="*", help="files or folders; without any, all of MODULES")
    parser.add_argument("--sample", type=int, default=100, help="how many to draw; 0 tries all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=int, default=300, help="for the tests of one mutant")
    options = parser.parse_args()
    mutants = chosen(options.files, options.sample, options.seed)
    print(f"{len(mutants)} mutants, {options.jobs} at a time", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        copies: Queue[Copy] = Queue()
        for number in range(options.jobs):
            copies.put(Copy(Path(scratch, str(number)), options.seconds))
        survivors = _try_all(mutants, copies, options.jobs)
    killed = len(mutants) - survivors
    print(f"{killed} of {len(mutants)} killed, {survivors} survived")
    return 1 if survivors else 0


def _try_all(mutants: Sequence[Mutant], copies: Queue[Copy], jobs: int) -> int:
    """How many survived; prints each of them."""

    def killed(mutant: Mutant) -> bool:
        copy = copies.get()
        try:
            return copy.kills(mutant)
        finally:
            copies.put(copy)

    survivors = 0
    with ThreadPoolExecutor(jobs) as pool:
        for mutant, dead in zip(mutants, pool.map(killed, mutants), strict=True):
            if not dead:
                survivors += 1
                print(f"survived: {mutant}", flush=True)
    return survivors


if __name__ == "__main__":
    raise SystemExit(main())
