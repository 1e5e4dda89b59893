"""The estimate of tokens is never absurd."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.tools.framework.tokens import about_tokens


@given(st.text(max_size=400))
def test_a_text_has_no_more_tokens_than_bytes(text: str) -> None:
    assert 0 <= about_tokens(text) <= len(text.encode())


@given(st.text(max_size=200), st.text(max_size=200))
def test_more_text_never_costs_less(text: str, more: str) -> None:
    assert about_tokens(text + more) + 1 >= max(about_tokens(text), about_tokens(more))


def test_nothing_costs_nothing() -> None:
    assert about_tokens("") == 0


def test_letters_that_are_not_ascii_count_one_each() -> None:
    assert about_tokens("東京" * 50) == 100
