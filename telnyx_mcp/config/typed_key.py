"""API keys and tokens as people paste them.

What can only be meant one way is taken: a key in quotes, after `Bearer` or after the name of its
variable. What is no key is described without being shown: a reference that nothing filled in, a
placeholder, a key of another service.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pydantic import SecretStr

SHORTEST_TOKEN = 16
_QUOTES = "\"'`\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"
"""Straight quotes, and the curly and angled ones that word processors make of them."""
_BEFORE = re.compile(
    r"(?:(?:export|set|setx|env)\s+)?[\"']?\$?(?:env:)?(?:TELNYX_\w+|API_?KEY)[\"']?\s*[=:]\s*"
    r"|Authorization\s*:\s*|Bearer(?:\s+|$)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"\$\{.*\}|\$\(.*\)|\$(?:env:)?[A-Za-z_]\w*|%[A-Za-z_]\w*%|\{\{.*\}\}|<%.*%>|op://.*", re.DOTALL
)
_NOT_FILLED_IN = "a reference, such as ${NAME}, that nothing filled in; put the value itself there"
_PLACEHOLDER = "a placeholder; put the key there, from the Mission Control Portal, API Keys"
_OTHER_SERVICE = "a key of another service ({}); create one in the Mission Control Portal, API Keys"

NOT_KEYS: Sequence[tuple[str, str]] = (
    (
        r".*(?:\.\.\.|…|\*\*|••).*",
        "a key that is cut short or masked; Telnyx shows a key in full only when it is created",
    ),
    (r"<.*>|\[.*\]|\{.*\}", _PLACEHOLDER),
    (r"(?:KEY|sk)?[-_]?(?:x+|X+|0+|\.+|-+|_+|\?+)", _PLACEHOLDER),
    (
        r".*\b(?:your|my|the|insert|enter|paste|replace)[-_ ]?(?:\w*[-_ ])?(?:api|key|token|secret).*",
        _PLACEHOLDER,
    ),
    (r"(?:telnyx[-_]?)?(?:api[-_]?)?(?:key|token|secret)(?:[-_]?here)?", _PLACEHOLDER),
    (
        r"change[-_]?me|placeholder|example|todo|none|null|undefined|nil|string|test|dummy|redacted",
        _PLACEHOLDER,
    ),
    (
        r"-----BEGIN.*",
        "the text of a key file or certificate; an API key of Telnyx is one word",
    ),
    (r"[a-z][a-z0-9+.-]*://.*", "an address; put the API key there"),
    (r"[^@\s]+@[^@\s]+\.[a-z]+", "an e-mail address; put the API key there"),
    (r"\+?[\d .()-]+", "a number; put the API key there"),
    (
        r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "an id; put the API key there",
    ),
)
"""What is no key anywhere, as patterns for the whole text, without case, and what each is."""
NOT_TELNYX: Sequence[tuple[str, str]] = (
    (
        r"[A-Za-z0-9+/]{43}=",
        "the public key, which only checks webhooks; put the API key there",
    ),
    (r"sk-ant-.*", _OTHER_SERVICE.format("Anthropic")),
    (r"(?:sk|pk|rk)_(?:live|test)_.*|whsec_.*", _OTHER_SERVICE.format("Stripe")),
    (r"sk-.*", _OTHER_SERVICE.format("OpenAI or the like")),
    (r"gh[opsu]_.*|github_pat_.*", _OTHER_SERVICE.format("GitHub")),
    (r"glpat-.*", _OTHER_SERVICE.format("GitLab")),
    (r"xox[a-z]-.*", _OTHER_SERVICE.format("Slack")),
    (r"(?:AKIA|ASIA)[A-Z0-9]{16}", _OTHER_SERVICE.format("AWS")),
    (r"AIza[\w-]{30,}", _OTHER_SERVICE.format("Google")),
    (r"SG\.[\w-]+\.[\w-]+", _OTHER_SERVICE.format("SendGrid")),
    (r"(?:AC|SK)[0-9a-f]{32}", _OTHER_SERVICE.format("Twilio")),
    (r"hf_\w+", _OTHER_SERVICE.format("Hugging Face")),
    (r"eyJ[\w-]+\.[\w-]+\.[\w-]*", "a JSON web token, not an API key of Telnyx"),
)
"""What is not a key of Telnyx, as patterns for the whole text, and what each is. A gateway in front
of Telnyx may take such keys."""


def usable_key(text: str, *, telnyx: bool = True) -> SecretStr | None:
    """The key, or None if there is none. `telnyx` is whether the key is for an address of Telnyx's own.

    Raises `ValueError`, whose text says what is there instead, and never shows it.
    """
    key = unwrapped(text)
    if not key:
        return None
    if why := reference_in(key) or _matching(NOT_KEYS, key, re.IGNORECASE):
        raise ValueError(f"holds {why}")
    if "\n" in key or "\r" in key:
        raise ValueError(
            "holds a key with a line break in it, or several; copy it again, as one line"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("holds spaces or characters that no API key has; copy it again")
    if telnyx and (why := _matching(NOT_TELNYX, key)):
        raise ValueError(f"holds {why}")
    return SecretStr(key)


def usable_token(text: str) -> SecretStr:
    """The bearer token of `serve --http`. Raises `ValueError`, which does not show it, for one that
    is too short, or that can't stand in a header."""
    token = text.strip()
    if (
        len(token) < SHORTEST_TOKEN
        or not token.isascii()
        or not token.isprintable()
        or " " in token
    ):
        raise ValueError(
            f"a token has at least {SHORTEST_TOKEN} letters, digits or signs, and no spaces"
        )
    return SecretStr(token)


def reference_in(text: str) -> str | None:
    """What to say if the whole text is a reference that a client or a shell should have replaced."""
    return _NOT_FILLED_IN if _REFERENCE.fullmatch(text) else None


def unquoted(text: str) -> str:
    """The text without characters that can't be seen, blanks around it, and quotes around it."""
    text = "".join(each for each in text if unicodedata.category(each) != "Cf").strip()
    while len(text) >= 2 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text


def unwrapped(text: str) -> str:
    """The text also without `Bearer`, or the name of a variable, in front of it."""
    while True:
        key = unquoted(text).strip(f"{_QUOTES} ")
        before = _BEFORE.match(key)
        if before is None:
            return key
        text = key[before.end() :]


def _matching(table: Sequence[tuple[str, str]], key: str, flags: int = 0) -> str | None:
    return next((what for form, what in table if re.fullmatch(form, key, flags | re.DOTALL)), None)
