"""Log lines are JSON, one a line, and hold no secret, whatever is logged."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.service.telemetry.logs import FIELDS, JsonLines, log_to
from telnyx_mcp.untrusted import remember

SECRET = "KEY-of-the-log-tests-0123456789"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
texts = st.text() | st.sampled_from(
    ["\n{}", "\x1b[2J", "\u2028", '"', "\r\n", "%s", f"Bearer {JWT}", SECRET, "\ud800"]
)


def line_of(message: str, fields: dict[str, object] | None = None) -> str:
    record = logging.LogRecord("test", logging.INFO, "", 1, message, None, None)
    if fields is not None:
        setattr(record, FIELDS, fields)
    return JsonLines().format(record)


@given(st.lists(texts), st.dictionaries(st.text(min_size=1), texts | st.integers() | st.none()))
def test_whatever_is_logged_is_one_line_of_json_without_secrets(
    parts: list[str], fields: dict[str, object]
) -> None:
    remember(SECRET)
    line = line_of("".join(parts), fields)
    assert line.isascii()
    assert line.isprintable()
    assert isinstance(json.loads(line), dict)
    for each in (SECRET, JWT):
        assert each not in line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"sent authorization: Bearer {JWT}", "sent authorization: Bearer ***"),
        (f"the token {JWT} is bad", "the token *** is bad"),
        ("postgresql://user:pass@db/x", "postgresql://***@db/x"),
        ("a\x1b[31mb\x00c", "abc"),
    ],
)
def test_tokens_and_what_steers_a_terminal_are_left_out(text: str, shown: str) -> None:
    assert json.loads(line_of(text))["message"] == shown


def test_an_exception_is_named_with_its_places_and_without_its_text() -> None:
    try:
        raise ValueError("an argument of the caller")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("test", logging.ERROR, "", 1, "%s failed", ("a tool",), info)
    line = JsonLines().format(record)
    written = json.loads(line)
    assert (written["message"], written["error"]) == ("a tool failed", "ValueError")
    assert "test_logs.py" in written["where"][0]
    assert "an argument" not in line


def test_a_long_text_is_cut() -> None:
    assert len(line_of("x" * 1_000_000)) < 5000


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raises = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raises
    logging.captureWarnings(capture=False)


@pytest.mark.usefixtures("logging_as_it_was")
def test_every_library_writes_by_the_same_formatter_and_nowhere_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from rich.logging import RichHandler

    theirs = logging.getLogger("a_library.with_its_own_handler")
    theirs.addHandler(RichHandler())
    theirs.propagate = False
    stream = io.StringIO()
    log_to(stream)
    theirs.warning("hello %s", "there")
    logging.getLogger("uvicorn.error").error("it failed")
    logging.getLogger("uvicorn.access").info("GET /secret")
    lines: list[dict[str, Any]] = [json.loads(each) for each in stream.getvalue().splitlines()]
    assert [each["message"] for each in lines] == ["hello there", "it failed"]
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
