"""Results as people read them at a terminal: facts on a line or two, rows as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcp_types import CallToolResult
from rich.text import Text

from telnyx_mcp.untrusted import visible

MAX_ROWS = 250
LONG_FACT = 48


def text_of(result: CallToolResult) -> str:
    return visible("\n".join(block.text for block in result.content if block.type == "text"))


def render(result: CallToolResult, width: int) -> list[Text]:
    """A result for people: its facts on a line or two, then its rows as a table, or as blocks of
    lines where a table would be wider than `width`."""
    content = result.structured_content
    if result.is_error or not content:
        message = content.get("message") if content else None
        text = visible(message) if message else text_of(result)
        return [Text(text, style="red" if result.is_error else "")]
    facts: dict[str, str] = {}
    parts: list[Text] = []
    for name, value in content.items():
        if name == "sandbox" or value in ([], {}):
            continue
        if isinstance(value, list) and all(isinstance(row, dict) for row in value):
            parts += _titled(name, value, width)
        elif isinstance(value, dict):
            parts += _titled(name, [value], width)
        else:
            facts[name] = _cell(value)
    long = {name: text for name, text in facts.items() if len(text) > LONG_FACT}
    short = "  ".join(f"{name} {text}" for name, text in facts.items() if name not in long)
    sandbox = [Text("Sandbox account: these figures are not yours.", style="dim")]
    return [
        *(sandbox if "sandbox" in content else []),
        Text(short),
        *(Text(f"{name}: {text}") for name, text in long.items()),
        *parts,
    ]


def _titled(name: str, rows: list[dict[str, Any]], width: int) -> list[Text]:
    cells = [
        {visible(column): Text(_cell(value)) for column, value in row.items()}
        for row in rows[:MAX_ROWS]
    ]
    more = len(rows) - MAX_ROWS
    return [
        Text(name, style="dim"),
        *rows_of(cells, width),
        *([Text(f"… {more} more", style="dim")] if more > 0 else []),
    ]


def rows_of(rows: Sequence[Mapping[str, Text]], width: int) -> list[Text]:
    """Rows as the lines of a table with a title for each column; where one would be wider than `width`,
    as blocks with a line for each value. No value is cut."""
    widths: dict[str, int] = {}
    for row in rows:
        for column, cell in row.items():
            widths[column] = max(widths.get(column, len(column)), cell.cell_len)
    is_line = all("\n" not in cell.plain for row in rows for cell in row.values())
    if is_line and sum(widths.values()) + 2 * (len(widths) - 1) <= width:
        titles = {column: Text(column.replace("_", " "), "dim") for column in widths}
        return [_line(row, widths) for row in (titles, *rows)]
    return [line for number, row in enumerate(rows) for line in _block(row, first=number == 0)]


def _line(row: Mapping[str, Text], widths: Mapping[str, int]) -> Text:
    line = Text()
    for column, room in widths.items():
        cell = row.get(column, Text())
        line.append_text(cell).append(" " * (room - cell.cell_len + 2))
    line.rstrip()
    return line


def _block(row: Mapping[str, Text], *, first: bool) -> list[Text]:
    """A row as lines of name and value, after an empty line unless it is the first."""
    room = max((len(column) for column in row), default=0) + 2
    lines = [Text.assemble((f"{column:<{room}}", "dim"), cell) for column, cell in row.items()]
    for line in lines:
        line.rstrip()
    return lines if first else [Text(), *lines]


def _cell(value: object) -> str:
    """A value in a few words; objects as `name value`, lists with commas. Nothing in it steers the
    terminal: results were redacted before, and this is the last door."""
    if isinstance(value, dict):
        return ", ".join(f"{visible(name)} {_cell(each)}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(_cell(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else visible(str(value))
