"""`docs/security-tests.md`: the attacks that tests try, and what held. Written from the tests themselves.

A test is listed if it carries `@pytest.mark.attack(what, held)`. `python -m scripts.generate.security`
writes the page; a test compares.
"""

from __future__ import annotations

from tests.support.marked_tests import ROOT, Marked, marked

PAGE = ROOT / "docs" / "security-tests.md"
HEAD = """\
<!-- Written by `make docs` from the tests; a test compares. -->

# Attacks that the tests try

The tests try each row on the real server, over real HTTP, with real processes or on a real terminal where
that matters. *Result* says what happens instead of what the attacker wants.

| attack | result | test |
|---|---|---|
"""


def attacks() -> list[Marked]:
    """Every attack that a test is marked with."""
    return marked("attack")


def page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(each.row for each in attacks())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
