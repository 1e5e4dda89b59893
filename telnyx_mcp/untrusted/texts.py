"""Secrets inside a text: tokens by their shape, and values by the name in front of them."""

from __future__ import annotations

import base64
import binascii
import re

from telnyx_mcp.untrusted.known import MASK
from telnyx_mcp.untrusted.names import Place, secret_word, words
from telnyx_mcp.untrusted.urls import is_masked

_SHAPES = re.compile(
    "|".join(
        (
            r"(?i:KEY0[0-9A-F]{7,})[\w-]*",  # Telnyx
            r"\bKEY(?=[A-Za-z_]*\d)[0-9A-Za-z_]{8,}[\w-]*",
            r"eyJ[\w-]{4,}(?:\.[\w-]*){1,4}|eyJ[\w-]{8,}",  # a JWT, or other JSON in base64
            r"\b[sr]k_(?:live|test|prod)_\w{6,}",  # Stripe, Clerk
            r"whsec_[\w+/=-]{6,}",  # Stripe, Svix
            r"gh[a-z]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}",
            r"xox[a-z](?:\.[a-z]+)?-[\w-]{8,}|xapp-[\w-]{8,}",  # Slack
            r"\bA[KS]IA[0-9A-Z]{12,}",  # AWS
            r"AIza[\w-]{20,}|ya29\.[\w-]{8,}",  # Google
            r"\bsk-[\w-]{20,}",  # OpenAI, Anthropic
            r"\bSG\.[\w-]{12,}\.[\w-]{12,}",  # SendGrid
            r"\b(?:npm|dop|shpat|shpss|hf|pypi)[_-][\w-]{24,}",
            r"LS0tLS1CRUdJTi[\w+/=]*",  # PEM in base64
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?s:.*?)(?:-----END[A-Z0-9 ]{0,60}-----|\Z)",
        )
    )
)
"""Shapes that are secrets wherever they stand. The issuer's prefix makes them safe to recognise."""
_SCHEME = re.compile(
    r"\b(Bearer|Basic|ApiKey|Token|Negotiate)((?:[ \t]|%20|\+){1,4})([\w.~+/=|:-]{3,})",
    re.IGNORECASE,
)
"""The value of an Authorization header, in any text."""
_AFTER_BEARER = words(
    "token tokens auth authentication authorization scheme header credentials access "
    "format value type realm error key keys and for not the was with must required "
    "missing"
)
"""Words of sentences about a bearer token."""
_PLAIN_WORD = re.compile(r"[A-Za-z]{1,19}[.,;:!?)\]]{0,3}(?:\s|$)")
_NAME = re.compile(
    r"(?<![\w.-])([\w.-]+)[\])]?(\\{0,7}[\"'])?[\])]?[ \t]{0,3}(=>|[:=])[ \t]{0,3}(\\{0,7}[\"'])?"
)
"""A name and what parts it from its value, in JSON, headers, forms, logs, INI, YAML or code."""
_BARE_VALUE = re.compile(r"[^\s&;,\"'<>\\]*[^\s&;,\"'<>\\.:!?)\]}]")
"""A value without quotes, and without what ends the sentence it stands in."""
_REST_OF_LINE = re.compile(r"[^\r\n\"'\\]+")
_WHOLE_LINE = frozenset({"authorization", "cookie", "setcookie"})
"""Headers whose value holds spaces and semicolons."""
_LIST = re.compile(r"\[[^\[\]{}]*")
_KIND_OF_KEY = re.compile(r"\b(?:api|access|secret|private|auth) $", re.IGNORECASE)
"""`API key: x` in a sentence."""
_PLACEHOLDER = re.compile(r"[A-Z]*\.{3}|\$\{?\w+\}?|true\b|false\b|null\b|{", re.IGNORECASE)
_TAG = re.compile(r"<(?:\w+:)?([A-Za-z][\w.-]*)(?:\s[^<>]*)?>([^<]+)")
_LINE_BEGINS = re.compile(r"[\s>|*#-]{0,8}")


def mask_shapes(text: str) -> str:
    """The text without tokens that are known by their shape."""
    return _SCHEME.sub(_masked_scheme, _SHAPES.sub(MASK, text))


def _masked_scheme(match: re.Match[str]) -> str:
    scheme, space, value = match.groups()
    kind = scheme.lower()
    if kind == "bearer":
        is_prose = value.strip(".,:;=|").lower() in _AFTER_BEARER
    elif kind == "basic" and _is_basic(value):
        is_prose = False
    else:  # `Basic plan`, `Basic 10DLC`, `token expired`
        is_prose = len(value) < 8 or bool(_PLAIN_WORD.fullmatch(value))
    return match[0] if is_prose or is_masked(value) else f"{scheme}{space}{MASK}"


def _is_basic(value: str) -> bool:
    """Whether this is a user and a password in base64."""
    try:
        return b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


def mask_named_values(text: str) -> str:
    """The text without values behind the name of a secret: `password=x`, `"apiKey": "x"`,
    `X-Functions-Key: x`, `<secret>x</secret>`."""
    if "<" in text:
        text = _TAG.sub(_masked_tag, text)
    parts: list[str] = []
    done = 0
    for found in _NAME.finditer(text):
        if found.start() < done:
            continue
        end = _end_of_secret(text, found)
        if end > found.end() and not is_masked(text[found.end() : end]):
            parts += (text[done : found.end()], MASK)
            done = end
    return "".join((*parts, text[done:])) if parts else text


def _masked_tag(match: re.Match[str]) -> str:
    name, value = match.groups()
    if not secret_word(name) or is_masked(value.strip()):
        return match[0]
    return f"{match[0][: -len(value)]}{MASK}"


def _end_of_secret(text: str, found: re.Match[str]) -> int:
    """Where the secret behind a name ends; where it begins if there is none."""
    name, quoted, sign, opening = found.groups()
    start = found.end()
    in_query = sign == "=" and text.endswith(("?", "&", "&amp;"), 0, found.start())
    place = Place.QUERY if in_query else Place.HEADER if "-" in name else Place.FIELD
    word = secret_word(name, place)
    # In JSON that was cut, `\npassword` is a line break and a name.
    new_line = text.endswith("\\", 0, found.start()) and name[0] in "nrt"
    if new_line and not word:
        word = secret_word(name[1:], place)
    if name.lower() == "key" and _KIND_OF_KEY.search(
        text, max(0, found.start() - 9), found.start()
    ):
        word = "key"
    if not word or _PLACEHOLDER.match(text, start):
        return start
    if opening:
        closing = text.find(opening, start)
        while closing > 0 and not opening.startswith("\\") and text[closing - 1] == "\\":
            closing = text.find(opening, closing + 1)
        return closing if closing >= 0 else len(text)
    if sign == ":" and not quoted:
        return _end_of_header(text, start, name, word, -1 if new_line else found.start())
    value = _LIST.match(text, start) or _BARE_VALUE.match(text, start)
    return value.end() if value else start


def _begins_line(text: str, at: int) -> bool:
    """Whether only white space and marks stand before this place in its line; -1 is a beginning."""
    if at < 0:
        return True
    line = text.rfind("\n", max(0, at - 9), at) + 1
    return (line > 0 or at < 9) and bool(_LINE_BEGINS.fullmatch(text, line, at))


def _end_of_header(text: str, start: int, name: str, word: str, name_at: int) -> int:
    """The end of `Name: value`: of the line where it stands on its own, else of the first word.

    In the middle of a sentence an ordinary word is not: "Invalid token: expired".
    """
    if _begins_line(text, name_at) or word in _WHOLE_LINE or name.lower().endswith("cookie"):
        value = _REST_OF_LINE.match(text, start)
    elif "-" not in name and _PLAIN_WORD.match(text, start):
        return start
    else:
        value = _BARE_VALUE.match(text, start)
    return value.end() if value else start
