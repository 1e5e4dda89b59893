"""Results as people read them at a terminal: facts on a line or two, rows as tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from datetime import date, timedelta
from typing import Any

from mcp_types import CallToolResult
from rich.bar import Bar
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from telnyx_mcp.untrusted import visible

MAX_ROWS = 250
LONG_FACT = 48
LAST = ("note", "basis")
"""Facts that explain others: shown last, and dim."""
BAR = 24
SHORTEST_BAR = 6
_FIGURE = re.compile(r"[+-]?\d[\d,]*(\.\d+)?%?", re.ASCII)
_CHANGE = ("now", "was", "change", "percent")
Row = dict[str, Any]


def text_of(result: CallToolResult) -> str:
    return visible("\n".join(block.text for block in result.content if block.type == "text"))


def render(result: CallToolResult, width: int, *, says_sandbox: bool = True) -> list[Text]:
    """A result for people: its facts on a line or two, its rows as tables or bars, or as blocks of lines
    where a table would be wider than `width`, and its notes last. `says_sandbox`: whether a sandbox is
    named, which a caller may have done for all results at once."""
    content = result.structured_content
    if result.is_error or not content:
        message = content.get("message") if content else None
        text = visible(message) if message else text_of(result)
        return [Text(text, style="red" if result.is_error else "")]
    shown = {
        name: value
        for name, value in content.items()
        if name != "sandbox" and value not in ([], {})
    }
    nested = {name: value for name, value in shown.items() if _is_nested(value)}
    if "compared" in nested:  # what was asked for stands first
        nested = {"compared": nested["compared"], **nested}
    facts = {
        name: _cell(value)
        for name, value in shown.items()
        if name not in nested and name not in LAST
    }
    long = {name: text for name, text in facts.items() if len(text) > LONG_FACT}
    short = "  ".join(f"{name} {text}" for name, text in facts.items() if name not in long)
    sandbox = [Text("Sandbox account: these figures are not yours.", style="dim")]
    sections = _Sections(width, _month_titles(shown))
    return [
        *(sandbox if says_sandbox and "sandbox" in content else []),
        *([Text(short)] if short else []),
        *(Text(f"{name}: {text}") for name, text in long.items()),
        *(line for name, value in nested.items() for line in sections.of(name, value)),
        *(Text(f"{name}: {_cell(shown[name])}", style="dim") for name in LAST if name in shown),
    ]


class _Sections:
    """Parts of a result with a title each. `titles` are those of columns that have one of their own."""

    def __init__(self, width: int, titles: Mapping[str, str]) -> None:
        self._width = width
        self._titles = titles

    def of(self, name: str, value: Row | list[Row]) -> list[Text]:
        """One part: figures by name as bars, objects by name and lists of objects as tables."""
        if isinstance(value, list):
            return self._rows(name, value)
        if _are_figures(value):
            return [_title(name), *bars_of(value, self._width)]
        if all(isinstance(each, dict) and not _nested_in(each) for each in value.values()):
            return self._rows(name, [{"name": key, **each} for key, each in value.items()])
        return self._rows(name, [value])

    def _rows(self, name: str, rows: list[Row]) -> list[Text]:
        """A table of what is flat in the rows, then a table for each thing that is not, whose rows say
        with a number which row they belong to, where there are several."""
        unit = _unit(rows)
        deep = list(dict.fromkeys(key for row in rows for key in _nested_in(row)))
        changes = [key for key in deep if all(_is_change(row.get(key)) for row in rows)]
        several = len(rows) > 1 and bool(deep)
        flat = [
            {
                **({"row": number} if several else {}),
                **{key: each for key, each in row.items() if key not in deep},
            }
            for number, row in enumerate(rows, 1)
        ]
        for row in flat if unit else ():
            row.pop("currency", None)
        heading = f"{name}, {unit}" if unit else name
        lines: list[Text] = []
        if changes:
            table = [
                {**({"row": number} if several else {}), "name": key, **row[key]}
                for number, row in enumerate(rows, 1)
                for key in changes
            ]
            lines += self._table(heading, table)
            heading = "besides"
        lines += self._table(heading, flat) if any(flat) else []
        for key in deep:
            if key in changes:
                continue
            if len(rows) == 1:
                lines += self.of(f"{key}, {unit}" if unit else key, rows[0][key])
                continue
            found = [
                {"row": number, **each}
                for number, row in enumerate(rows, 1)
                if key in row
                for each in _entries(key, row[key])
            ]
            lines += self._rows(key, found)
        return lines

    def _table(self, name: str, rows: list[Row]) -> list[Text]:
        cells = [
            {
                self._titles.get(column, visible(column)): Text(_cell(row[column]))
                for column in _ordered(row)
            }
            for row in rows[:MAX_ROWS]
        ]
        more = len(rows) - MAX_ROWS
        return [
            _title(name),
            *rows_of(_with_bars(cells, self._width), self._width),
            *([Text(f"… {more} more", style="dim")] if more > 0 else []),
        ]


def _title(name: str) -> Text:
    return Text(visible(name).replace("_", " "), style="dim")


def _month_titles(content: Row) -> dict[str, str]:
    """Titles for `now` and `was` where two whole months are compared: `May`, `April`."""
    titles: dict[str, str] = {}
    for column, period in (("now", content), ("was", content.get("compared"))):
        try:
            first = date.fromisoformat(period["start_date"])  # type: ignore[index]
            end = date.fromisoformat(period["end_date"])  # type: ignore[index]
        except (KeyError, TypeError, ValueError):
            return {}
        if first.day != 1 or (first + timedelta(days=31)).replace(day=1) != end:
            return {}
        titles[column] = f"{first:%B}"
    return titles if titles["now"] != titles["was"] else {}


def _is_nested(value: object) -> bool:
    """Whether a value has rows of its own: an object, or a list of objects."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, dict) for each in value)
    return isinstance(value, dict) and bool(value)


def _nested_in(row: Row) -> list[str]:
    return [name for name, value in row.items() if _is_nested(value)]


def _is_change(value: object) -> bool:
    """Whether it is an amount that changed: what it was, and what it is now."""
    return isinstance(value, dict) and value.keys() <= set(_CHANGE) and bool(value)


def _are_figures(value: Row) -> bool:
    return len(value) > 1 and all(_is_figure(_cell(each)) for each in value.values())


def _is_figure(text: str) -> bool:
    return _FIGURE.fullmatch(text) is not None


def _unit(rows: Sequence[Row]) -> str:
    """The currency of all rows, if there is one: it stands in the title once."""
    found = {row.get("currency") for row in rows}
    (one,) = found if len(found) == 1 else (None,)
    return visible(one) if isinstance(one, str) else ""


def _entries(name: str, value: Row | list[Row]) -> list[Row]:
    if isinstance(value, list):
        return value
    if all(_is_figure(_cell(each)) for each in value.values()):
        return [{name: key, "figure": each} for key, each in value.items()]
    return [value]


def _ordered(row: Row) -> list[str]:
    """The columns: what tells rows apart first, and the figures of a change in the order people read."""
    first = [name for name in ("row", "name") if name in row]
    change = [name for name in _CHANGE if name in row]
    others = [name for name in row if name not in first and name not in change]
    return [*first, *change, *others]


def bars_of(figures: Mapping[str, Any], width: int) -> list[Text]:
    """Figures by name, each with a bar; without bars where these would have no room."""
    rows = [
        {"name": Text(visible(name)), "figure": Text(_cell(figure))}
        for name, figure in figures.items()
    ]
    with_bars = _with_bars(rows, width, "figure")
    lines = rows_of(with_bars, width)
    return lines[1:] if len(lines) == len(rows) + 1 else lines  # without titles that say nothing


def _with_bars(
    rows: list[dict[str, Text]], width: int, column: str = "cost"
) -> list[dict[str, Text]]:
    """The rows with a bar for each figure of the column, where three or more rows have one and there is
    room."""
    figures = [row[column].plain.replace(",", "") for row in rows if column in row]
    if len(rows) < 3 or len(figures) < len(rows) or not all(map(_is_figure, figures)):
        return rows
    amounts = [max(0.0, float(each.rstrip("%"))) for each in figures]
    used = sum(_widths(rows).values()) + 2 * len(_widths(rows))
    room = min(BAR, width - used)
    if room < SHORTEST_BAR or not (largest := max(amounts)):
        return rows
    return [
        {**row, "": _bar(amount, largest, room)} for row, amount in zip(rows, amounts, strict=True)
    ]


def _bar(amount: float, largest: float, room: int) -> Text:
    console = Console(width=room, color_system=None, legacy_windows=False)
    segments = console.render(Bar(largest, 0, amount, width=room))
    return Text("".join(each.text for each in segments).strip(), style="cyan")


def _widths(rows: Sequence[Mapping[str, Text]]) -> dict[str, int]:
    widths: dict[str, int] = {}
    for row in rows:
        for column, cell in row.items():
            widths[column] = max(widths.get(column, cell_len(column)), cell.cell_len)
    return widths


def rows_of(rows: Sequence[Mapping[str, Text]], width: int) -> list[Text]:
    """Rows as the lines of a table with a title for each column, figures to the right; where one would
    be wider than `width`, as blocks with a line for each value. No value is cut."""
    widths = _widths(rows)
    is_line = all("\n" not in cell.plain for row in rows for cell in row.values())
    if is_line and sum(widths.values()) + 2 * (len(widths) - 1) <= width:
        right = {
            column
            for column in widths
            if all(_is_figure(row[column].plain) for row in rows if row.get(column))
            and any(row.get(column) for row in rows)
        }
        titles = {column: Text(column.replace("_", " "), "dim") for column in widths}
        return [_line(row, widths, right) for row in (titles, *rows)]
    return [line for number, row in enumerate(rows) for line in _block(row, first=number == 0)]


def _line(row: Mapping[str, Text], widths: Mapping[str, int], right: Set[str]) -> Text:
    line = Text()
    for column, room in widths.items():
        cell = row.get(column, Text())
        blanks = " " * (room - cell.cell_len)
        parts = (blanks, cell, "  ") if column in right else (cell, blanks, "  ")
        line.append_text(Text.assemble(*parts))
    line.rstrip()
    return line


def _block(row: Mapping[str, Text], *, first: bool) -> list[Text]:
    """A row as lines of name and value, after an empty line unless it is the first."""
    room = max((cell_len(column) for column in row), default=0) + 2
    lines = [
        Text.assemble((column + " " * (room - cell_len(column)), "dim"), cell)
        for column, cell in row.items()
        if column
    ]
    for line in lines:
        line.rstrip()
    return lines if first else [Text(), *lines]


def _cell(value: object) -> str:
    """A value in a few words; objects as `name value`, several with semicolons. Nothing in it steers the
    terminal: results were redacted before, and this is the last door."""
    if isinstance(value, dict):
        return "; ".join(f"{visible(name)} {_cell(each)}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(_cell(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else visible(str(value))
