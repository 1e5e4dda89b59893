"""The list of tools and each plain answer stay within their bounds, as docs/tokens.md says."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.generate.tokens import MAX_BY_DEFAULT, MAX_LISTED, PAGE, measured, page_of
from telnyx_mcp.tools import TOOLS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def counted() -> tuple[dict[str, int], list[tuple[Any, int]]]:
    return measured()


def test_the_list_and_every_plain_answer_are_within_their_bounds(
    counted: tuple[dict[str, int], list[tuple[Any, int]]],
) -> None:
    rows, answers = counted
    assert sum(rows.values()) <= MAX_LISTED
    assert rows.keys() == {tool.name for tool in TOOLS}
    assert {each["plain"]: n for each, n in answers if "plain" in each and n > MAX_BY_DEFAULT} == {}


def test_the_page_shows_what_is_measured(
    counted: tuple[dict[str, int], list[tuple[Any, int]]],
) -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(*counted), "run: make docs"
