"""The files of an export of May, and their rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., int]
"""What the fixture `run` is: takes the options of `export`, and returns the exit status."""


def rows_of(file: Path) -> list[dict[str, Any]]:
    text = file.read_text(encoding="utf-8-sig")
    if file.name.startswith("may.jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text, newline="")))


def files_of(folder: Path) -> set[str]:
    return {each.name for each in folder.glob("may*")}
