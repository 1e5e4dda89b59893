"""What decides whether a release is ready. `make release-check` itself builds and installs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.release_check import NotReady, disagreement, main, newest_in


@pytest.mark.parametrize(
    ("changelog", "version"),
    [
        ("# Changelog\n\n## 1.2.3 (2026-12-31)\n\n## 1.2.2\n", "1.2.3"),
        ("## [0.2.0] - 2026-12-31\n", "0.2.0"),
        ("## Unreleased\n\n## 0.1.0\n", "Unreleased"),
    ],
)
def test_the_newest_heading_counts(changelog: str, version: str) -> None:
    assert newest_in(changelog) == version


def test_a_changelog_without_a_release_is_not_ready() -> None:
    with pytest.raises(NotReady, match="no heading"):
        newest_in("# Changelog\n")


def test_versions_that_differ_are_named_with_their_places() -> None:
    assert disagreement({"telnyx_mcp": "0.1.0", "server.json": "0.1.0"}) is None
    why = disagreement({"telnyx_mcp": "0.1.0", "CHANGELOG.md": "Unreleased"})
    assert why
    assert "telnyx_mcp says 0.1.0, CHANGELOG.md says Unreleased" in why


def test_the_first_step_that_fails_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_folder: Path) -> str:
        raise NotReady("the versions differ")

    assert main({"one": lambda _: "fine", "two": fails, "three": lambda _: "never"}) == 1
    said = capsys.readouterr().out
    assert "one: fine" in said
    assert "two: NOT READY. the versions differ" in said
    assert "never" not in said
    assert "publish" not in said


def test_at_the_end_it_says_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main({"one": lambda _: "fine"}) == 0
    assert "twine upload" in capsys.readouterr().out
