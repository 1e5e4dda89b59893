"""Redacts every value from the account before it is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from telnyx_mcp.untrusted.characters import visible
from telnyx_mcp.untrusted.known import MASK, keys_known, without_keys
from telnyx_mcp.untrusted.names import Place, can_be_number, secret_word
from telnyx_mcp.untrusted.texts import mask_named_values, mask_shapes
from telnyx_mcp.untrusted.urls import is_masked, mask_encoded, mask_parameters, mask_urls

LARGEST_NUMBER = 2**53 - 1
"""JavaScript rounds what is beyond it, and so does every host that is written in it: it goes out as text."""
LONGEST_TEXT = 2000
MAX_READ = 100_000
"""Characters of a text that are looked at. No reader gets more, and secrets must be looked for in all
that is shown, however it is cut."""
_SHORT = 120
DEEPEST = 64
"""Levels of JSON that are shown; what lies deeper is `…`."""
_DECODED = 3
"""How often a text is decoded: JSON in JSON in JSON, or a URL in a URL."""
_ORDINARY = re.compile(r"[0-9a-f-]{1,40}|[-+0-9:.TZ ]{1,40}|[A-Za-z0-9._ -]{1,8}")
"""Ids, numbers, times and short words: most of what an account answers, and never a secret by
their shape."""
_CUT = re.compile(r"… \[(\d{1,12}) more characters cut\]\Z")
_FORM = re.compile(r"[^\s&=?{}\[\]\"<>:/]{1,200}=[^\s\"<>]*")
_ESCAPE = re.compile(r"\\(?:/|u00(2[013-9A-Fa-f]|[3467][\dA-Fa-f]|5[\dABDEFabdef]))")
r"""A letter, digit or sign that JSON writes as `\/` or `\u0070`, except quotes and backslashes."""
_AMOUNT = re.compile(r"[-+]?\d{1,20}\.\d{1,20}")
_VALUE = frozenset(("value", "values"))
_CHANGED = _VALUE | frozenset(("from", "to", "old", "new", "before", "after"))
_NAMING = (
    *(("field", _CHANGED), ("attribute", _CHANGED), ("path", _CHANGED)),
    *(("name", _VALUE), ("key", _VALUE), ("header", _VALUE), ("parameter", _VALUE)),
)
"""`{"name": "password", "value": "x"}`: objects that name a field, and where they hold its value."""


def redact(value: Any, longest: int = LONGEST_TEXT, *, nulls: bool = False) -> Any:
    """The same JSON for a reader: without secrets and hidden characters, no text longer than `longest`
    characters, and without fields that are null unless `nulls`.

    Names stay; the value of a name that says it is a secret is `***`, and so are secrets inside a
    text (see `sanitize`). Numbers, booleans and amounts stay, except secret numbers like a
    PIN, and those that JavaScript would round, which become text.

    Example: `{"pin": 1234, "note": "call https://x.example/?token=abc", "cost": 1.5}` becomes
    `{"pin": "***", "note": "call https://x.example/?token=***", "cost": 1.5}`.
    """
    return _Walk(lambda text: sanitize(text, longest), nulls).redacted(value)


def sanitize(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text for a reader: visible characters, secrets as `***`, at most `longest` characters and
    then how many were cut."""
    return cut(_readable(text), longest, max(0, len(text) - MAX_READ))


def _readable(text: str) -> str:
    if len(text) <= _SHORT:
        return _readable_short(text, keys_known())
    return _masked(visible(text[:MAX_READ]))


@lru_cache(maxsize=4096)
def _readable_short(text: str, _keys: int) -> str:
    """The text masked, from memory where it was seen before: rows repeat statuses, carriers, tags and
    the names of their fields. A key that is read later clears this cache."""
    return _masked(visible(text))


def one_line(text: str, longest: int = 80) -> str:
    """The text on one line, for a question or a table: sanitized, white space collapsed, cut."""
    line = " ".join(_readable(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def sanitize_link(url: str) -> str:
    """A link whose signature the reader asked for: only hidden characters and API keys are removed."""
    return without_keys("".join(visible(url).split()))


def shorten(value: Any, longest: int) -> Any:
    """JSON that was redacted before, with shorter texts."""
    if isinstance(value, str):
        return cut(value, longest)
    if isinstance(value, dict):
        return {name: shorten(each, longest) for name, each in value.items()}
    if isinstance(value, list):
        return [shorten(each, longest) for each in value]
    return value


def cut(text: str, longest: int, lacking: int = 0) -> str:
    """The beginning of a text, and how many characters it lacks, with those `lacking` before."""
    if len(text) <= longest and not lacking:
        return text
    earlier = _CUT.search(text, max(0, len(text) - 40))
    kept = text[: earlier.start()] if earlier else text
    if len(kept) <= longest and not lacking:
        return text
    lacking += max(0, len(kept) - longest) + (int(earlier[1]) if earlier else 0)
    # A cut inside an emoji leaves a joiner at the end: `👩‍💻` cut after `👩‍`. `visible` removes it.
    return f"{visible(kept[:longest])}… [{lacking} more characters cut]"


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk through JSON. `text` is what becomes of a text; null fields stay if `nulls`."""

    text: Callable[[str], str]
    nulls: bool
    large_numbers: bool = False
    """Whether those that JavaScript would round stay numbers: inside of a text they are text already."""

    def redacted(self, value: Any, place: Place = Place.FIELD, depth: int = 0) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int) and abs(value) > LARGEST_NUMBER and not self.large_numbers:
            return str(value)
        if not isinstance(value, dict | list):
            return value
        if depth >= DEEPEST:
            return "…"
        if isinstance(value, list):
            if value and all(map(_is_header, value)):
                return [[self.text(name), self._held(name, v, place, depth)] for name, v in value]
            return [self.redacted(each, Place.FIELD, depth + 1) for each in value]
        renamed: Mapping[Any, str] = _field_named_in(value)
        return {
            self.text(name): self._held(str(renamed.get(name, name)), each, place, depth)
            for name, each in value.items()
            if self.nulls or each is not None
        }

    def _held(self, name: str, value: Any, place: Place, depth: int) -> Any:
        """What a name holds."""
        if word := secret_word(name, place):
            return self._hidden(value, word, depth)
        if isinstance(value, dict | list) and name.lower().endswith("headers"):
            return self.redacted(value, Place.HEADER, depth + 1)
        return self.redacted(value, Place.FIELD, depth + 1)

    def _hidden(self, value: Any, word: str, depth: int) -> Any:
        """A secret: every text in it is `***`. Its outline stays: it tells what was set or changed."""
        if isinstance(value, str):
            return value if is_masked(value) or _AMOUNT.fullmatch(value) else MASK
        if isinstance(value, dict | list) and depth >= DEEPEST:
            return "…"
        if isinstance(value, dict):
            return {
                self.text(name): self._hidden(each, word, depth + 1)
                for name, each in value.items()
                if self.nulls or each is not None
            }
        if isinstance(value, list):
            return [self._hidden(each, word, depth + 1) for each in value]
        if isinstance(value, int | float) and not isinstance(value, bool) and can_be_number(word):
            return MASK
        return value


def _is_header(value: Any) -> bool:
    """Whether this is a `[name, value]` pair."""
    return isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value)


def _field_named_in(value: dict[str, Any]) -> dict[str, str]:
    """For an object that names a field and says what it holds: which name counts for which entry."""
    for naming, held in _NAMING:
        name = value.get(naming)
        if isinstance(name, str) and not held.isdisjoint(value):
            return dict.fromkeys(held, name)
    return {}


def _masked(text: str, level: int = 0) -> str:
    """The text without secrets; JSON and forms in it are decoded at most `_DECODED` times."""
    text = without_keys(text)
    if _ORDINARY.fullmatch(text):
        return text
    if level < _DECODED:
        text = _masked_json(text, level)
        if _FORM.fullmatch(text) and "&" in text:
            text = mask_parameters(text, lambda inner: _masked(inner, level + 1))
    if _ESCAPE.search(text):
        text = _masked_escaped(text, level)
    return _masked_flat(text, level)


def _masked_flat(text: str, level: int) -> str:
    text = mask_shapes(text)
    inner = (lambda each: _masked(each, level + 1)) if level < _DECODED else mask_shapes
    text = mask_urls(text, inner)
    if "=" in text or ":" in text or "<" in text:
        text = mask_named_values(text)
    if "%" in text and level < _DECODED:
        text = mask_encoded(text, inner)
    return text


def _masked_escaped(text: str, level: int) -> str:
    r"""A text with escapes of JSON that is cut, `https:\/\/`; unchanged if nothing is masked."""
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else "/", text)
    masked = _masked_flat(plain, level)
    return text if masked == plain else masked


def _masked_json(text: str, level: int) -> str:
    """A text that is JSON, masked and written again; unchanged if there is nothing to mask."""
    first = text.lstrip()[:1]
    if first not in ("{", "[", '"'):
        return text
    repeated: list[bool] = []

    def as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(
            pairs
        ):  # in `{"a": "secret", "a": 1}` the first value is lost here, not in the text
            repeated.append(True)
        return made

    try:
        parsed = json.loads(text, object_pairs_hook=as_dict)
    except (ValueError, RecursionError):
        return text
    walk = _Walk(lambda each: _masked(visible(each), level + 1), nulls=True, large_numbers=True)
    masked = walk.redacted(parsed)
    return text if masked == parsed and not repeated else to_json(masked)


def to_json(value: Any) -> str:
    """JSON in as few characters as possible."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
