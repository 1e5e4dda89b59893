"""The check of words: what it looks at, what it passes over, and what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.check_words import all_findings, counts_per_directory, findings_in


@pytest.mark.parametrize(
    "text",
    [
        "Likewise here.",
        "such a key is none",
        "Fees are RECKONED.",
        "so  many rows",
        "so\nmany rows",
    ],
)
def test_a_listed_word_is_found_in_any_case_and_across_white_space(text: str) -> None:
    assert len(findings_in("docs/page.md", text)) == 1


@pytest.mark.parametrize(
    "text", ["recommended", "amend", "a list such as this", "in such a case", "untold"]
)
def test_a_part_of_a_word_and_ordinary_use_are_not_found(text: str) -> None:
    assert findings_in("docs/page.md", text) == []


def test_python_names_are_not_looked_at_but_strings_and_comments_are() -> None:
    source = (
        "told = 1\n"
        '"""Docstring: anew."""\n'
        "x = f'{told} mend'  # likewise\n"
        'y = """\nwhoever\n"""\n'
    )
    found = [(each.line, each.word) for each in findings_in("a.py", source)]
    assert found == [(2, "anew"), (3, "likewise"), (3, "mend"), (5, "whoever")]


def test_an_allowed_line_is_passed_over_in_its_own_file_only() -> None:
    allowed = {("docs/page.md", "Please mend it.")}
    assert findings_in("docs/page.md", "  Please mend it.\n", allowed) == []
    assert len(findings_in("docs/other.md", "Please mend it.\n", allowed)) == 1


def test_a_finding_names_file_line_word_and_suggestion() -> None:
    [finding] = findings_in("docs/page.md", "First line.\nPlease mend it.\n")
    assert str(finding) == 'docs/page.md:2: "mend" -> fix'


def test_findings_are_counted_per_directory(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("anew, anew", encoding="utf-8")
    (tmp_path / "README.md").write_text("mend", encoding="utf-8")
    (tmp_path / "other.txt").write_text("mend", encoding="utf-8")
    findings = all_findings(tmp_path, ["docs/*.md", "README.md", "*.missing"])
    assert counts_per_directory(findings) == {"docs": 2, "README.md": 1}
