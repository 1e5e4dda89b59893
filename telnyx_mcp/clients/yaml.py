"""Writes an entry as YAML, for a client whose file is pasted into by hand. Text is quoted as in JSON, which
YAML reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from telnyx_mcp.clients.errors import UnsafeEdit

EMPTY = ""


def fragment(path: Sequence[str], value: Any) -> str:
    """A file that holds nothing else."""
    for step in reversed(path):
        value = {step: value}
    return "\n".join(_lines(value)) + "\n"


def read(text: str) -> Any:
    """Not needed: such a file is not edited."""
    raise UnsafeEdit


def _lines(table: dict[str, Any], indent: str = "") -> list[str]:
    lines: list[str] = []
    for name, value in table.items():
        if isinstance(value, dict) and value:
            lines += [f"{indent}{name}:", *_lines(value, f"{indent}  ")]
        else:
            lines.append(f"{indent}{name}: {json.dumps(value, ensure_ascii=False)}")
    return lines
