"""Text of strangers: cut to size, no hidden characters, no secrets."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.untrusted import (
    MASK,
    clean,
    masked,
    masked_headers,
    masked_url,
)

SECRET = "s3cr3t-Value-0123456789"
TEXT = st.text(
    st.sampled_from("ab \n\t\x00\x07\x1b\x7f\x9b\u200b\u202e\u2066\ufeff\U000e0041é漢😀"),
    max_size=60,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [t for pair in value.items() for each in pair for t in texts_in(each)]
    return [t for each in value for t in texts_in(each)] if isinstance(value, list) else []


@given(JSON)
def test_no_control_or_invisible_character_survives(value: Any) -> None:
    for text in texts_in(clean(value)):
        assert not [c for c in text if unicodedata.category(c)[0] == "C" and c not in "\n\t"]


@given(JSON)
def test_cleaning_twice_changes_nothing_more(value: Any) -> None:
    assert clean(clean(value)) == clean(value)


@given(st.text(max_size=300), st.integers(1, 100))
def test_no_text_is_longer_than_allowed_but_for_the_word_that_says_so(
    text: str, longest: int
) -> None:
    assert len(clean(text, longest)) <= longest + len("… [999 more characters cut]")


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert clean("x" * 120, 100) == "x" * 100 + "… [20 more characters cut]"


def test_visible_text_stays_as_it_is() -> None:
    text = 'Grüße, 東京 😀\n\tquoted "so"'
    assert clean(text) == text


def test_fields_that_are_null_are_left_out() -> None:
    assert clean({"a": None, "b": {"c": None, "d": 1}}) == {"b": {"d": 1}}


SECRET_NAMES = [
    "authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Api-Key",
    "api_key",
    "apikey",
    "access_token",
    "client_secret",
    "password",
    "passwd",
    "telnyx-signature-ed25519",
    "X-Hub-Signature-256",
    "sig",
    "session_id",
    "credentials",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_the_value_of_a_secret_name_is_masked_wherever_it_stands(name: str) -> None:
    value = {"deep": [{name: SECRET, "kept": "x"}]}
    assert masked(value) == {"deep": [{name: MASK, "kept": "x"}]}
    assert masked_headers([[name, SECRET]]) == {name: MASK}
    assert masked_headers([f"{name}: {SECRET}"]) == {name: MASK}
    assert masked_url(f"https://h.example/p?{name}={SECRET}&kept=x") == (
        f"https://h.example/p?{name}={MASK}&kept=x"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"Bearer {SECRET}",
        f"bearer {SECRET}",
        "Basic dXNlcjpwYXNzd29yZA==",
        "KEY0123456789ABCDEF_abcdefghijk",
    ],
)
def test_a_text_that_looks_like_a_secret_is_masked(text: str) -> None:
    found = json.dumps([masked(f"sent {text} there"), masked_headers([["x-echo", text]])])
    assert text.split()[-1] not in found
    assert MASK in found


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/p", "https://h.example/p"),
        ("https://h.example:8443/p?a=1", "https://h.example:8443/p?a=1"),
        ("https://user:pw@h.example/p", "https://***@h.example/p"),
        ("https://user@h.example/p", "https://***@h.example/p"),
        ("https://h.example/p#access_token=abc", "https://h.example/p"),
        ("https://h.example/p?token=abc&a=", "https://h.example/p?token=***&a="),
        ("https://h.example/p?TOKEN=abc;x=1", "https://h.example/p?TOKEN=***"),
        ("https://[::1", "[not a URL]"),
        ("", None),
        (None, None),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str | None, shown: str | None) -> None:
    assert masked_url(url) == shown


@given(
    st.sampled_from(["https", "http", "ftp", ""]),
    st.text(st.sampled_from("ab:%/@?#[]"), max_size=8),
    st.sampled_from(["h.example", "[::1]", "", "h.example:99999"]),
    st.text(st.sampled_from("ab/%2f;=&"), max_size=8),
)
def test_the_password_of_a_url_never_survives(scheme: str, user: str, host: str, path: str) -> None:
    shown = masked_url(f"{scheme}://{user}:{SECRET}@{host}/{path}?token={SECRET}")
    if not {"/", "?", "#"} & set(user):
        assert SECRET not in (shown or "")


@given(st.text(max_size=60))
def test_no_url_breaks_the_masking(url: str) -> None:
    masked_url(url)


@given(JSON)
def test_no_headers_break_the_masking(headers: Any) -> None:
    masked_headers(headers if isinstance(headers, list) else [headers])
