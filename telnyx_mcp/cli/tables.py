"""Results as people read them at a terminal: facts on a line or two, rows as tables."""

from __future__ import annotations

from typing import Any

from mcp_types import CallToolResult
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from telnyx_mcp.untrusted import visible

MAX_ROWS = 250
LONG_FACT = 48


def text_of(result: CallToolResult) -> str:
    return visible("\n".join(block.text for block in result.content if block.type == "text"))


def render(result: CallToolResult) -> list[RenderableType]:
    """A result for people: its facts on a line or two, then its rows as a table, or as blocks of
    lines where a table would be too wide."""
    content = result.structured_content
    if result.is_error or not content:
        message = content.get("message") if content else None
        text = visible(message) if message else text_of(result)
        return [Text(text, style="red" if result.is_error else "")]
    facts: dict[str, str] = {}
    parts: list[RenderableType] = []
    for name, value in content.items():
        if name == "sandbox" or value in ([], {}):
            continue
        if isinstance(value, list) and all(isinstance(row, dict) for row in value):
            parts += _titled(name, value)
        elif isinstance(value, dict):
            parts += _titled(name, [value])
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


def _titled(name: str, rows: list[dict[str, Any]]) -> list[RenderableType]:
    cells = [
        {visible(column): _cell(value) for column, value in row.items()} for row in rows[:MAX_ROWS]
    ]
    widths: dict[str, int] = {}
    for row in cells:
        for column, cell in row.items():
            longest_word = max(len(word) for word in column.split("_"))
            widths[column] = max(widths.get(column, longest_word), len(cell))
    wide = sum(widths.values()) + 2 * len(widths) > Console().width
    parts: list[RenderableType] = [
        Text(name, style="dim"),
        _blocks(cells) if wide else _table(cells, list(widths)),
    ]
    if len(rows) > MAX_ROWS:
        parts.append(Text(f"… {len(rows) - MAX_ROWS} more", style="dim"))
    return parts


def _table(rows: list[dict[str, str]], columns: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(row.get(column, "")) for column in columns))
    return table


def _blocks(rows: list[dict[str, str]]) -> Table:
    """Each row as lines of name and value."""
    grid = Table.grid(padding=(0, 2))
    for number, row in enumerate(rows):
        for column, cell in row.items():
            grid.add_row(Text(column, style="dim"), Text(cell))
        if number + 1 < len(rows):
            grid.add_row("")
    return grid


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
