"""What the list of tools costs every conversation, in tokens."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from benchmarks.measurement import Figure, Goal, Measurement, Unavailable
from benchmarks.peers import node_package
from benchmarks.subjects import ours
from benchmarks.wire import Session

_TOKENIZER = ("gpt-tokenizer", "4.0.0")
_COUNT = """\
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { readFileSync } from "node:fs";
const texts = JSON.parse(readFileSync(0, "utf8"));
const plain = { disallowedSpecial: new Set() };
console.log(JSON.stringify(texts.map((text) => countTokens(text, plain))));
"""


def measure() -> list[Measurement]:
    """The `tools/list` result in all, and by tool; in bytes where there is no tokenizer."""
    with Session(ours()) as session:
        listed = session.open()
    names = [tool["name"] for tool in listed["tools"]]
    texts = [compact(listed), *(compact(tool) for tool in listed["tools"])]
    what = f"tools/list, {len(names)} tools"
    try:
        counts = count_tokens(texts)
    except Unavailable:
        sizes = [len(text.encode()) for text in texts]
        parts = dict(zip(names, map(float, sizes[1:]), strict=True))
        return [Measurement(what, Figure("ours", sizes[0], "bytes"), parts=parts)]
    parts = dict(zip(names, map(float, counts[1:]), strict=True))
    return [Measurement(what, Figure("ours", counts[0], "tokens"), goal=Goal(3500), parts=parts)]


def count_tokens(texts: Sequence[str]) -> list[int]:
    """The o200k tokens of each text.

    Raises `Unavailable` if the tokenizer is not installed and can't be.
    """
    place = node_package(*_TOKENIZER)
    done = subprocess.run(
        ("node", "--input-type=module", "-e", _COUNT),
        cwd=place,
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
        check=True,
    )
    counts: list[int] = json.loads(done.stdout)
    return counts


def compact(value: Any) -> str:
    """JSON as it goes over the wire."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
