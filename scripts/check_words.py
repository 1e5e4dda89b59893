"""Finds words that a reader would stumble over, in texts, docstrings, comments and pages.

`python -m scripts.check_words` prints `file:line: "word" -> suggestion` for every finding and exits 1
if there is any; `--counts` prints how many findings each directory has instead. Names in the code are
not looked at, only string literals and comments.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FILES = (
    "telnyx_mcp/**/*.py",
    "telnyx_mcp/**/*.html",
    "tools/*.json",
    "prompts/**/*.md",
    "docs/**/*.md",
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
)

# A regular expression, and what to write instead. A space stands for any white space.
SUGGESTIONS = {
    r"likewise": "also; or repeat the sentence",
    r"none such|nothing such|knows no such": "there is no ...",
    r"(?<!there\s)(?:is|are) (?-i:none)(?!\sof)": "is not, is missing",
    r"told": "the term: reported, stated, notified, configured",
    r"mend(?:s|ed|ing)?": "fix",
    r"so many (?:seconds|days|months|weeks|bytes|entries|rows)": "the number, or: this many",
    r"(?:calls it|is) no (?:total|period|amounts?)": "is not a ...",
    r"wants the amount typed": "asks you to type the amount",
    r"reckon(?:s|ed|ing)?": "calculate, count",
    r"anew": "again",
    r"people say|as said": "the way users write it",
    r"knows? no": "has no",
    r"whoever|whosoever": "anyone who, or the role",
    r"thereof|therein|whence|hence|thus": "a plain sentence",
    r"pretend": "sandbox",
}

# (file, text of the line), and the reason the word stays. Keep it small.
ALLOWED: dict[tuple[str, str], str] = {
    (
        "telnyx_mcp/telnyx/rate_limit/stores/encoding.py",
        '"ends_stated": "told",',
    ): "a name in users' stores",
}

_PATTERNS = [
    (re.compile(r"\b(?:" + words.replace(" ", r"\s+") + r")\b", re.IGNORECASE), advice)
    for words, advice in SUGGESTIONS.items()
]
_F_STRING = re.compile(r"r?fr?['\"]", re.IGNORECASE)
_EXPRESSION = re.compile(r"\{[^{}]*\}")
_TEXT_TOKENS = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1)}


class Finding(NamedTuple):
    """One word to replace: where it is, and what to write instead."""

    file: str
    line: int
    word: str
    suggestion: str

    def __str__(self) -> str:
        return f'{self.file}:{self.line}: "{self.word}" -> {self.suggestion}'


def texts_of_python(source: str) -> Iterator[tuple[int, str]]:
    """Every string literal, docstring and comment, with the line that it starts on."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _TEXT_TOKENS:
            yield token.start[0], _without_expressions(token.string)


def _without_expressions(literal: str) -> str:
    """Before Python 3.12 an f-string is one token, names in braces included: f"{told} rows"."""
    if not _F_STRING.match(literal):
        return literal
    return _EXPRESSION.sub(lambda match: "{}" + "\n" * match[0].count("\n"), literal)


def findings_in(
    file: str, source: str, allowed: Container[tuple[str, str]] = ALLOWED
) -> list[Finding]:
    """The findings of one file, ordered by line. `file` is the path to print; .py is parsed."""
    lines = source.splitlines()
    texts = texts_of_python(source) if file.endswith(".py") else [(1, source)]
    found = [
        Finding(file, line, match[0], advice)
        for start, text in texts
        for pattern, advice in _PATTERNS
        for match in pattern.finditer(text)
        if (file, lines[(line := start + text.count("\n", 0, match.start())) - 1].strip())
        not in allowed
    ]
    return sorted(found)


def all_findings(root: Path = ROOT, patterns: Iterable[str] = FILES) -> list[Finding]:
    """The findings of every file below `root` that one of the glob patterns names."""
    files = sorted({file for pattern in patterns for file in root.glob(pattern)})
    return [
        finding
        for file in files
        for finding in findings_in(
            file.relative_to(root).as_posix(), file.read_text(encoding="utf-8")
        )
    ]


def counts_per_directory(findings: Iterable[Finding]) -> Counter[str]:
    """How many findings each directory has; files at the top count under their own name."""
    return Counter(
        str(Path(each.file).parent if "/" in each.file else each.file) for each in findings
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts.check_words", description=__doc__)
    parser.add_argument("--counts", action="store_true", help="findings per directory only")
    options = parser.parse_args(arguments)
    findings = all_findings()
    if options.counts:
        for directory, count in counts_per_directory(findings).most_common():
            print(f"{count:5} {directory}")
    else:
        print("\n".join(map(str, findings)), end="\n" if findings else "")
    print(f"{len(findings)} words to replace", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
