"""Changes one value of a JSON file in place: comments, order, spacing and all else stay as they are.

Reads JSON with comments and trailing commas, as editors write it. Comments and trailing commas are
replaced by spaces, which keeps every offset; the standard library then decodes each value at its offset.
Only the text between two offsets is replaced.

json-five keeps comments and spacing, too. But it needs more than 3 s for a megabyte, and Claude Code's
file grows to several; and it leaves the edit itself (commas, and the comments around a value) to its user.

Example: in `{"a": 1, // one` and, on the next line, `"b": 2,}` the value of `b` is at the same offset with
and without the comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from telnyx_mcp.clients.errors import UnreadableConfig

Step = str | int
"""A member by its name, or an item of a list by its number."""

EMPTY = "{}\n"
_STRING = r'"(?:\\.|[^"\\\n])*"'
_COMMENTS = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMAS = re.compile(rf"{_STRING}|,(?=\s*[}}\]])")
_SPACE = re.compile(r"\s*")
_decode = json.JSONDecoder().raw_decode


def read(text: str) -> Any:
    """The value that the text holds. Raises `UnreadableConfig`."""
    try:
        return json.loads(_strict_json(text))
    except json.JSONDecodeError as error:
        raise UnreadableConfig(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise UnreadableConfig("it is nested too deeply") from None


def fragment(path: Sequence[str], value: Any) -> str:
    """A file that holds nothing else."""
    for step in reversed(path):
        value = {step: value}
    return dumps(value, 2) + "\n"


def dumps(value: Any, indent: int | str | None = None, **more: Any) -> str:
    """The value as readable JSON. Half a surrogate pair, which no file can hold, stays escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, **more)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def put(text: str, path: Sequence[Step], value: Any) -> str:
    """The text with this value there; tables on the way are made. A number past the end appends.

    Raises `UnreadableConfig`, also if something on the way is not a table.
    """
    read(text)
    strict = _strict_json(text)
    at = _after_space(strict, 0)
    for depth, step in enumerate(path):
        inside = _Container.of(strict, at, path[:depth], step)
        child = inside.child(step)
        if child is None:
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value} if isinstance(missing, str) else [value]
            key = f"{dumps(step)}: " if isinstance(step, str) else ""
            return _add(text, inside, key, value)
        at = child.value
    end = _decode(strict, at)[1]
    return text[:at] + _render(text, value, _indent(text, at)) + text[end:]


def take(text: str, path: Sequence[Step]) -> str:
    """The text without this value; the same text if it is not there."""
    read(text)
    strict = _strict_json(text)
    at = _after_space(strict, 0)
    for depth, step in enumerate(path):
        inside = _Container.of(strict, at, path[:depth], step)
        child = inside.child(step)
        if child is None:
            return text
        if depth + 1 == len(path):
            return _remove(text, inside, child)
        at = child.value
    return text


# --- where things stand ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Child:
    step: Step
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Container:
    """A table or a list: its brackets, and what stands between them."""

    open: int
    close: int
    children: tuple[_Child, ...]

    @classmethod
    def of(cls, strict: str, at: int, path: Sequence[Step], step: Step) -> _Container:
        """The table (for a name) or list (for a number) that begins at `at`. Raises `UnreadableConfig` if
        something else is there."""
        name = ".".join(map(str, path)) or "the file"
        if strict[at] != ("{" if isinstance(step, str) else "["):
            raise UnreadableConfig(f"{name} is not of the expected type")
        children: list[_Child] = []
        here = _after_space(strict, at + 1)
        while strict[here] not in "}]":
            start, found = here, len(children)
            if strict[at] == "{":
                found, here = _decode(strict, here)
                here = _after_space(strict, _after_space(strict, here) + 1)
            end = _decode(strict, here)[1]
            children.append(_Child(found, start, here, end))
            here = _after_space(strict, end)
            if strict[here] == ",":
                here = _after_space(strict, here + 1)
        names = [each.step for each in children]
        if len(set(names)) < len(names):
            raise UnreadableConfig(f"{name} names something twice")
        return cls(at, here, tuple(children))

    def child(self, step: Step) -> _Child | None:
        return next((each for each in self.children if each.step == step), None)


def _after_space(strict: str, at: int) -> int:
    return _SPACE.match(strict, at).end()  # type: ignore[union-attr]


def _strict_json(text: str) -> str:
    """The text as strict JSON, with the same offsets: comments and trailing commas are spaces.

    Example: `[1, /* x */ 2,]` becomes `[1,         2 ]`.
    """
    return _LAST_COMMAS.sub(_blank, _without_comments(text))


def _without_comments(text: str) -> str:
    """The text with comments replaced by spaces."""
    return _COMMENTS.sub(_blank, text)


def _blank(found: re.Match[str]) -> str:
    return found[0] if found[0][0] == '"' else re.sub(r"[^\r\n]", " ", found[0])


# --- writing it -----------------------------------------------------------------------------------


def _add(text: str, inside: _Container, key: str, value: Any) -> str:
    """The text with one more child at the end, in the style of the file.

    Example: `{"a": 1 /* x */}` becomes `{"a": 1, /* x */ "b": 2}`: the comma follows the value, not the
    comment. A file with a comma after its last child gets one after the new child, too.
    """
    if inside.children:
        last = inside.children[-1]
        at, comma = last.end, _after_space(_without_comments(text), last.end)
        indent = _indent(text, last.start)
        comes_last = text[comma] == ","  # the file has trailing commas
    else:
        at, comes_last = inside.open + 1, False
        indent = _indent(text, inside.open) + _unit(text)
    tail = text[at : inside.close]
    kept = tail.rstrip()
    if not inside.children or "\n" in text[inside.open : inside.close]:
        new = _newline(text) + indent + key + _render(text, value, indent)
    else:
        new = " " + key + dumps(value)
    if not inside.children:
        rest = _newline(text) + _indent(text, inside.open)
    else:
        kept = kept if comes_last else "," + kept
        rest = ("," if comes_last else "") + tail[len(tail.rstrip()) :]
    return text[:at] + kept + new + rest + text[inside.close :]


def _remove(text: str, inside: _Container, child: _Child) -> str:
    """The text without one child, its comma and its lines.

    Example: `[1, 2]` without `2` is `[1]`, although the comma belongs to the line of `1`. A child that
    shares its line with others takes only the space after it along.
    """
    bare = _without_comments(text)
    before, end = text[inside.open + 1 : child.start], child.end
    comma, blanks = _after_space(bare, end), " \t"
    if bare[comma] == ",":
        end = comma + 1
    elif child is not inside.children[0]:
        comma = bare.rindex(",", 0, child.start) - inside.open - 1
        before = before[:comma] + before[comma + 1 :]
    starts_line = before.rstrip(blanks).endswith("\n")
    ends_line = text[end:].lstrip(blanks)[0] in "\r\n"
    if starts_line and (ends_line or not _ends_in_line_comment(text, child.start)):
        before = before.rstrip(blanks).removesuffix("\n").removesuffix("\r")
    elif child is inside.children[-1]:
        before = before.rstrip(blanks)
    else:
        end = len(text) - len(text[end:].lstrip(blanks))
    rest = before + text[end : inside.close]
    return text[: inside.open + 1] + (rest if rest.strip() else "") + text[inside.close :]


def _ends_in_line_comment(text: str, at: int) -> bool:
    """Whether the line before this one ends in a comment that would swallow what follows."""
    end = text.rindex("\n", 0, at)
    return any(
        found.end() == end and found[0].startswith("//") for found in _COMMENTS.finditer(text)
    )


def _render(text: str, value: Any, indent: str) -> str:
    lines = dumps(value, _unit(text)).split("\n")
    return (_newline(text) + indent).join(lines)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def _indent(text: str, at: int) -> str:
    """The white space that the line at this offset begins with."""
    return re.match(r"[ \t]*", text[_line_start(text, at) :])[0]  # type: ignore[index]


def _unit(text: str) -> str:
    """The indentation of one level in this file."""
    found = re.search(r'^([ \t]+)"', text, re.MULTILINE)
    return found[1] if found else "  "
