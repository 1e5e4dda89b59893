"""The API keys of this process, which no answer may repeat, however they are spelt.

A key is remembered when it is looked up, and for as long as the process lives. The keys of all
profiles are kept together: the answer about one account must not hold another's key either.
"""

from __future__ import annotations

import base64
import re
from typing import Any

MASK = "***"
_SHORTEST = 8
"""A key of fewer characters would be found in ordinary text. Telnyx has no key this short."""
_ESCAPED = re.compile(r"[%\\&]")


class _Known:
    """What is looked for: the keys as they are, and as base64, hex or escapes write them."""

    def __init__(self) -> None:
        self.keys: dict[str, None] = {}
        self.forms: tuple[str, ...] = ()
        self.shortest = 1 << 30
        self.written = re.compile(r"(?!)")
        self.escaped = re.compile(r"(?!)")

    def add(self, key: str) -> None:
        if key in self.keys or len(key) < _SHORTEST:
            return
        self.keys[key] = None
        encoded = key.encode()
        # In base64 the same key reads differently at each of three offsets.
        base64s = [base64.b64encode(bytes(at) + encoded)[4 * (at > 0) : -4] for at in range(3)]
        base64s += [each.translate(bytes.maketrans(b"+/", b"-_")) for each in base64s]
        written = [key.lower(), encoded.hex(), *(each.decode().lower() for each in base64s)]
        long = (each for each in written if len(each) >= _SHORTEST)
        self.forms = tuple(dict.fromkeys((*self.forms, *long)))
        self.shortest = min(map(len, self.forms))
        longest_first = sorted(self.forms, key=len, reverse=True)
        self.written = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        self.escaped = re.compile(
            "|".join("".join(map(_any_spelling, each)) for each in self.keys), re.IGNORECASE
        )


_known = _Known()


def _any_spelling(character: str) -> str:
    """A pattern for a character as it is, and as JSON, a URL or HTML escapes it."""
    code = ord(character)
    spellings = {
        re.escape(character),
        rf"\\{{1,8}}{re.escape(character)}",
        rf"\\{{1,8}}u00{code:02x}",
        rf"\\{{1,8}}x{code:02x}",
        rf"%(?:25){{0,4}}{code:02x}",
        rf"&#0{{0,6}}{code};",
        rf"&#x0{{0,6}}{code:x};",
    }
    named = {'"': "&quot;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;"}
    if character in named:
        spellings.add(named[character])
    return f"(?:{'|'.join(sorted(spellings))})"


def remember(key: str) -> None:
    """From now on, no answer of this process repeats this key."""
    _known.add(key)


def keys_known() -> int:
    """How many keys are looked for."""
    return len(_known.keys)


def without_keys(text: str) -> str:
    """The text with `***` for every key of this process."""
    if len(text) < _known.shortest:
        return text
    lowered = text.lower()
    if any(each in lowered for each in _known.forms):
        text = _known.written.sub(MASK, text)
    if _ESCAPED.search(text):
        text = _known.escaped.sub(MASK, text)
    return text


def without_keys_in(value: Any) -> Any:
    """The same JSON with `***` for every key of this process, in names too."""
    if isinstance(value, str):
        return without_keys(value)
    if isinstance(value, dict):
        return {without_keys(name): without_keys_in(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_keys_in(each) for each in value]
    return value


def may_hold_keys(content: bytes) -> bool:
    """Whether a body, before it is parsed, could hold a key. Cheap, and never wrong to say yes."""
    if any(mark in content for mark in (b"\\", b"%", b"&")):
        return True
    lowered = content.lower()
    return any(each.encode() in lowered for each in _known.forms)
