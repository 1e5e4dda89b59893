"""Text that comes from strangers: webhook bodies, audit values, URLs, headers.

It is cut to size, freed of control characters, kept in fields whose names begin with `untrusted_`,
and what looks like a secret in it is masked before a model, a log or a screen sees it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

LONGEST_TEXT = 2000
MASK = "***"

_SECRET_NAME = re.compile(
    r"auth|cookie|secret|token|passw|signature|api[-_]?key|credential|session|bearer|\bsig\b",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}|\bKEY[A-Z0-9]{8,}[A-Za-z0-9_-]*", re.IGNORECASE
)
_USER = re.compile(r"(^|//)[^/?#\s]*@")
_KEPT_CONTROLS = "\n\t"


def clean(value: Any, longest: int = LONGEST_TEXT) -> Any:
    """The same JSON without nulls and control characters, no text longer than `longest`.

    Invisible characters (categories Cc, Cf, Cs, Co, Cn) go, as text can be hidden in them.
    """
    if isinstance(value, str):
        if len(value) > longest:
            value = f"{value[:longest]}… [{len(value) - longest} more characters cut]"
        return value if value.isprintable() else "".join(filter(_visible, value))
    if isinstance(value, dict):
        return {
            clean(key, 200): clean(each, longest) for key, each in value.items() if each is not None
        }
    if isinstance(value, list):
        return [clean(each, longest) for each in value]
    return value


def one_line(text: str, longest: int = 80) -> str:
    """The text on one line, for a question or a table: cleaned, white space collapsed, cut."""
    line = " ".join(str(clean(text)).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _visible(character: str) -> bool:
    return character in _KEPT_CONTROLS or unicodedata.category(character)[0] != "C"


def masked(value: Any) -> Any:
    """The same JSON with values of secret-looking names, and secret-looking texts, as `***`."""
    if isinstance(value, dict):
        return {
            key: MASK if _SECRET_NAME.search(str(key)) and each else masked(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [masked(each) for each in value]
    if isinstance(value, str):
        return _SECRET_TEXT.sub(MASK, value)
    return value


def masked_url(url: str | None) -> str | None:
    """The URL without user, password, fragment, and values of secret-looking parameters."""
    if not url:
        return None
    try:
        parts = urlsplit(_USER.sub(rf"\1{MASK}@", url))
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return "[not a URL]"
    kept = [(name, MASK if _SECRET_NAME.search(name) else value) for name, value in query]
    plain = urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(kept, safe="*"), ""))
    return _SECRET_TEXT.sub(MASK, plain)


def masked_headers(headers: list[Any] | None) -> dict[str, str]:
    """Headers by name, from `[name, value]` pairs or `"Name: value"` texts; secrets masked."""
    found: dict[str, str] = {}
    for header in headers or []:
        if isinstance(header, str):
            name, _, value = header.partition(":")
        elif isinstance(header, list) and len(header) == 2:
            name, value = str(header[0]), str(header[1])
        else:
            continue
        found[name.strip()] = MASK if _SECRET_NAME.search(name) else masked(value.strip())
    return found


def compact(value: Any) -> str:
    """JSON in as few characters as possible."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
