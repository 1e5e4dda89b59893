"""Estimates how many tokens a text costs a model, without a tokenizer."""

from __future__ import annotations

import re

_PIECE = re.compile(r"[A-Za-z]+|\d{1,3}|\s+|[!-/:-@\[-`{-~]+|.", re.DOTALL)


def about_tokens(text: str) -> int:
    """The tokens of a text, within about 5 % of o200k for JSON and English; 1 for each letter that
    is not ASCII, which is too many rather than too few."""
    count = 0
    for match in _PIECE.finditer(text):
        piece = match.group()
        first = piece[0]
        if first.isspace():
            count += len(piece) > 1
        elif first.isalpha() and first.isascii():
            count += 1 if len(piece) <= 6 else (len(piece) + 5) // 7
        elif first.isascii() and not first.isdigit():
            count += max(1, (len(piece) + 2) // 4)
        else:
            count += 1
    return count
