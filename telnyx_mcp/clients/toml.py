"""Changes one table of a TOML file in place; comments, order and spacing stay as they are.

A table may be written in several parts, under headers, as pairs, or both, so its statements are found
by their lines, and nothing else in the text is touched. tomlkit writes the new table and sees no more
of the file: it loses tables that stand out of order, and takes comments for another table's.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from telnyx_mcp.clients.errors import UnreadableConfig

EMPTY = ""
_TOKENS = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})' + r"|'''.*?'''(?:'{0,2})"  # a quote or two may end the text
    r'|"(?:\\.|[^"\\\n])*"' + r"|'[^'\n]*'|#[^\r\n]*",
    re.DOTALL,
)


def read(text: str) -> Any:
    """The value that the text holds. Raises `UnreadableConfig`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnreadableConfig(str(error)) from None
    except RecursionError:
        raise UnreadableConfig("it is nested too deeply") from None


def fragment(path: Sequence[str], value: Any) -> str:
    """A file that holds nothing else."""
    import tomlkit  # commands that only read a client's file do without it

    for step in reversed(path):
        value = {step: value}
    return tomlkit.dumps(value)


def put(text: str, path: Sequence[str], value: Any) -> str:
    """The text with this table there. Raises `UnreadableConfig` if something on the way is not a table."""
    data = read(text)
    for step in path[:-1]:
        data = data.get(step, {})
        if not isinstance(data, dict):
            raise UnreadableConfig(f"{step} is not a table of settings")
    line = "\r\n" if "\r\n" in text else "\n"
    new = fragment(path, value).replace("\n", line)
    first = next(_parts(text, path), None)
    if first is None or not first.is_table:
        # At the end, as a header ends the table before it; after an empty line, which `take` removes.
        text = take(text, path)
        ended = text if not text or text.endswith("\n") else text + line
        return ended + (line if text else "") + new
    return text[: first.start] + new + take(text[first.end :], path)


def take(text: str, path: Sequence[str]) -> str:
    """The text without this table, but with the comments around it."""
    kept, at = "", 0
    for part in _parts(text, path):
        kept += re.sub(r"(?<=\n)[ \t]*\r?\n\Z", "", text[at : part.start])
        at = part.end
    return kept + text[at:]


# --- where things stand ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """Whole lines: a header or a pair; of one table, also several with what is between them."""

    path: tuple[str, ...]
    is_table: bool
    start: int
    end: int


def _parts(text: str, path: Sequence[str]) -> Iterator[_Part]:
    """Where the table of this path is written, from each first line of it to the last."""
    part: _Part | None = None
    for each in _statements(text):
        ours = each.path[: len(path)] == tuple(path)
        if part and ours:
            part = _Part(part.path, part.is_table, part.start, each.end)
        elif ours:
            part = each
        elif part:
            yield part
            part = None
    if part:
        yield part


def _statements(text: str) -> Iterator[_Part]:
    plain = _TOKENS.sub(_blank, text)
    table: tuple[str, ...] = ()
    start = depth = 0
    for line in re.finditer(r"[^\n]+", plain):
        if not depth and not line[0].strip():
            continue
        start = start if depth else line.start()
        depth += len(re.findall(r"[\[{]", line[0])) - len(re.findall(r"[\]}]", line[0]))
        if depth:
            continue
        end = min(line.end() + 1, len(text))
        is_table = plain[start:].lstrip()[0] == "["
        if is_table:
            path = table = _keys_of(text[start:end])
        else:
            path = table + _keys_of(text[start : plain.index("=", start)] + "= 0")
        yield _Part(path, is_table, start, end)


def _keys_of(statement: str) -> tuple[str, ...]:
    """The keys of a statement, the outermost first: `a` and `b` for `a.b = 0` and for `[a.b]`."""
    found: Any = tomllib.loads(statement)
    names: list[str] = []
    while found:
        if isinstance(found, list):  # [[of many]]
            found = found[0]
        else:
            ((name, found),) = found.items()
            names.append(name)
    return tuple(names)


def _blank(found: re.Match[str]) -> str:
    """A comment as spaces, a string as one word, so that brackets and signs in them do not count."""
    return (" " if found[0][0] == "#" else "x") * len(found[0])
