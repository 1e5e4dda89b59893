"""What the list of tools costs every conversation, in tokens."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
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


SEEN = ("name", "description", "inputSchema")
"""What a host shows a model of a tool. Output schemas and hints stay with the host."""
MAX_SEEN, MAX_SEEN_OF_ONE = 4_500, 300


def measure() -> list[Measurement]:
    """What a model sees of the tools, the largest of them, and `tools/list` as the wire carries it; in
    bytes where there is no tokenizer."""
    with Session(ours()) as session:
        listed = session.open()
    tools = listed["tools"]
    names = [tool["name"] for tool in tools]
    seen = [compact(seen_of(tool)) for tool in tools]
    sent = [compact(tool) for tool in tools]
    try:
        counts, unit = count_tokens([*seen, *sent, compact(listed)]), "tokens"
    except Unavailable:
        counts, unit = [len(text.encode()) for text in [*seen, *sent, compact(listed)]], "bytes"
    by_seen = dict(zip(names, map(float, counts), strict=False))
    by_sent = dict(zip(names, map(float, counts[len(names) :]), strict=False))
    in_all, of_one = (Goal(MAX_SEEN), Goal(MAX_SEEN_OF_ONE)) if unit == "tokens" else (None, None)
    largest = max(by_seen, key=by_seen.__getitem__)
    what = f"{len(names)} tools"
    return [
        Measurement(
            f"a model sees: {what}",
            Figure("ours", sum(by_seen.values()), unit),
            goal=in_all,
            parts=by_seen,
        ),
        Measurement(
            "a model sees: largest",
            Figure("ours", by_seen[largest], unit),
            goal=of_one,
            note=largest,
        ),
        Measurement(f"on the wire: {what}", Figure("ours", counts[-1], unit), parts=by_sent),
    ]


def seen_of(tool: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a listed tool that a model sees."""
    return {name: tool[name] for name in SEEN if name in tool}


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
