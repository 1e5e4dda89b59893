"""docs/add-an-operation.md, followed step by step in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "add-an-operation.md"
STEP = re.compile(
    r"^ *<!-- (?:new file (?P<new>\S+)|in (?P<file>[^,]+), (?P<where>before|after|at the end)"
    r"(?:: (?P<text>.*?))?) -->\n *```\w+\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
AFFECTED = (
    "tests/tools/test_balances.py",
    "tests/test_published_tools.py",
    "tests/test_tool_groups.py",
    "tests/test_doctor.py",
    "tests/test_questions.py",
    "tests/test_tokens_of_answers.py",
    "tests/test_manifests.py",
    "tests/docs/test_pages.py",
    "tests/sandbox/test_faults.py",
)
"""The tests that know all operations or all tools, and the one that the guide adds."""


def follow(folder: Path) -> int:
    """Makes the edits of the guide. Returns how many there were."""
    steps = list(STEP.finditer(GUIDE.read_text("utf-8")))
    for step in steps:
        code = re.sub(r"(?m)^   ", "", step["code"])  # a list of Markdown adds three spaces
        if step["new"]:
            (folder / step["new"]).write_text(code, "utf-8")
            continue
        path = folder / step["file"]
        lines = path.read_text("utf-8").splitlines(keepends=True)
        if step["where"] == "at the end":
            at = len(lines)
        else:
            at = next(n for n, line in enumerate(lines) if line.startswith(step["text"]))
            at += step["where"] == "after"
        path.write_text("".join([*lines[:at], code, *lines[at:]]), "utf-8")
    return len(steps)


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout")
def test_following_the_guide_adds_a_tool_and_every_test_passes(tmp_path: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    page = GUIDE.read_text("utf-8")
    assert follow(tmp_path) == page.count("<!-- in ") + page.count("<!-- new file ")

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}:\n{done.stdout[-4000:]}{done.stderr[-2000:]}"

    for writer in ("contract", "manifests", "docs", "tokens"):
        run(f"scripts.generate.{writer}")
    run("ruff", "format", ".")  # blank lines between what was inserted
    run("ruff", "check", ".")
    run("pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *AFFECTED)
