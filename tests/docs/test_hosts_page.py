"""docs/hosts.md is the table that the tests of real assistants try."""

from __future__ import annotations

from scripts.generate.hosts import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"
