"""URLs without their secrets: user info, parameters, and paths that are a password by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, unquote, unquote_plus

from telnyx_mcp.untrusted.known import MASK
from telnyx_mcp.untrusted.names import Place, secret_word, words

Inner = Callable[[str], str]
"""Masks the secrets in text that was decoded from a part of a URL."""

_URL = re.compile(
    # With a scheme, or a host and its path; a host begins where no other word goes on.
    r"(?://|(?<![\w@.:/%-])(?:[\w-]{1,63}\.)+[A-Za-z]{2,18}(?::\d{1,5})?(?=[/?]))[^\s\"'<>`]*"
)
_SLASH = re.compile(r"[/\\]")
_ENCODED_WORD = re.compile(r"[^\s\"'<>`]+")
_TRAILING = ".,;:!?)]}*"
_USER_ALONE = re.compile(
    r"(?<![\w/@.:+%-])([A-Za-z][\w.+%-]*):([^\s:@/<>\"',;]+)@(?=[A-Za-z0-9\[])"
)
"""`user:password@host` without a scheme in front."""
_SIP_PASSWORD = re.compile(r"\b(sips?:[^\s:@<>\"']{1,128}:)[^\s@<>\"']{1,64}(?=@)", re.IGNORECASE)
_BEFORE_ADDRESS = words(
    "mailto sip sips tel xmpp acct im pres email mail from to cc bcc sender user by contact"
)
"""Words in front of an address, which is no password."""
_SIGNATURES = words("sig signature sign hmac xamzsignature xgoogsignature policy awsaccesskeyid")
_SIGNED_WITH = words(
    "expires policy keypairid credential googleaccessid awsaccesskeyid sv se st sp sr spr "
    "sip ss srt si skoid sktid ske sks skv skt xamzexpires xamzdate xamzalgorithm "
    "xgoogexpires xgoogdate xgoogalgorithm"
)
"""Parameters that a signature covers: with it they open the link, alone they are ordinary."""
_PARTS_OF_NAME = re.compile(r"[^a-z0-9]")

_HOOKS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(host), re.compile(path, re.IGNORECASE))
    for host, path in (
        (r"hooks\.slack(-gov)?\.com", r"/(?:services|workflows|triggers)/(.+)"),
        (r"(\w+\.)*discord(app)?\.com", r"/api(?:/v\d+)?/webhooks/[^/]+/(.+)"),
        (r"(.+\.)?webhook\.office\.com|outlook\.office(365)?\.com", r"/webhook[^/]*/(.+)"),
        (r"hooks\.zapier\.com", r"/hooks/[^/]+/(.+)"),
        (r"hook\.(.+\.)?(make|integromat)\.com|hook\.make\.celonis\.com", r"/(.+)"),
        (r"maker\.ifttt\.com", r"/.*?(?:with/key|use)/(.+)"),
        (r"api\.telegram\.org", r"/(?:file/)?bot([^/]+)"),
        (r"webhook\.site|smee\.io|ntfy\.sh|requestb\.in|hc-ping\.com", r"/(.+)"),
        (r"events\.pagerduty\.com", r"/integration/([^/]+)"),
        (r"(.+\.)?(api\.)?opsgenie\.com", r"/.*?integrations/(.+)"),
    )
)
"""Hook services whose path is the password: host, and path with the secret as its group."""
_SECRET_HOST = re.compile(
    r"[^.]+(?=(\.[a-z0-9]+)?\.(m\.pipedream\.net|x\.pipedream\.net|webhook\.site|hooks\.n8n\.cloud)$)",
    re.IGNORECASE,
)
"""Services that put the secret into the host's name."""
_HOOK_PART = re.compile(r"(web)?-?hooks?|triggers?|callbacks?", re.IGNORECASE)
_ANCHOR = re.compile(r"(?!.*[=&])[\w/.!:-]{0,60}", re.ASCII)


def mask_urls(text: str, inner: Inner) -> str:
    """The text with the secrets of every URL in it masked."""
    if "/" in text:
        text = _URL.sub(lambda match: _masked_match(match.group(), inner), text)
    if "@" in text:
        text = _SIP_PASSWORD.sub(rf"\1{MASK}", text)
        text = _USER_ALONE.sub(_masked_user, text)
    return text


def mask_encoded(text: str, inner: Inner) -> str:
    """The text with the secrets of words that are percent-encoded as a whole, `https%3A%2F%2F`."""
    return _ENCODED_WORD.sub(
        lambda match: _masked_part(match[0], inner) if "%" in match[0] else match[0], text
    )


def is_opaque(text: str, shortest: int = 16) -> bool:
    """Whether this looks random: long, with letters and digits."""
    return (
        len(text) >= shortest
        and re.fullmatch(r"[\w=~.+-]+", text, re.ASCII) is not None
        and re.search(r"\d", text) is not None
        and re.search(r"[A-Za-z]", text) is not None
    )


def mask_parameters(query: str, inner: Inner) -> str:
    """`name=value&name=value` with secrets masked; the rest stays as it is written."""
    pairs = [each.partition("=") for each in query.split("&")]
    names = [_PARTS_OF_NAME.sub("", unquote_plus(name).lower()) for name, _, _ in pairs]
    signed = not _SIGNATURES.isdisjoint(names)
    return "&".join(
        _masked_pair(name, equals, value, inner, signed=signed and plain in _SIGNED_WITH)
        for (name, equals, value), plain in zip(pairs, names, strict=True)
    )


def _masked_pair(name: str, equals: str, value: str, inner: Inner, *, signed: bool) -> str:
    if not equals:
        return MASK if is_opaque(unquote(name)) else _masked_part(name, inner)
    if is_masked(value):
        return f"{name}={value}"
    if signed or secret_word(unquote_plus(name), Place.QUERY):
        return f"{name}={MASK}"
    return f"{_masked_part(name, inner)}={_masked_part(value, inner)}"


def is_masked(text: str) -> bool:
    """Whether nothing is left to be masked: empty, `***`, what was cut from it, and what ends a
    sentence."""
    return not text.strip("*…\"'.,;:!?)]}[ ")


def _masked_part(text: str, inner: Inner) -> str:
    """A part of a URL whose decoded text is masked; as it was if that changes nothing."""
    decoded = unquote_plus(text)
    masked = inner(decoded)
    return text if masked == decoded else quote(masked, safe="*/:?&=@…")


def _masked_match(found: str, inner: Inner) -> str:
    url = found.rstrip(_TRAILING)
    return _masked_url(url, inner) + found[len(url) :]


def _masked_url(url: str, inner: Inner) -> str:
    start = 2 if url.startswith("//") else 0
    rest, hashed, fragment = url[start:].partition("#")
    if hashed and "@" in fragment and "/" not in rest:  # `user:pa#ss@host`
        rest, hashed, fragment = url[start:], "", ""
    rest, mark, query = rest.partition("?")
    if mark and "@" in query and "/" not in rest and ":" in rest:  # `user:pa?ss@host`
        rest, mark, query = f"{rest}?{query}", "", ""
    authority, path = _masked_authority(rest)
    path = _masked_path(authority, path, inner)
    authority = _SECRET_HOST.sub(MASK, authority)
    query = mask_parameters(query, inner) if query else ""
    if fragment and (not _ANCHOR.fullmatch(fragment) or is_opaque(fragment)):
        fragment = fragment if is_masked(fragment) else MASK
    return f"{url[:start]}{authority}{path}{mark}{query}{hashed}{fragment}"


def _masked_authority(rest: str) -> tuple[str, str]:
    """Host and path; what stands before the last `@` is user info."""
    end = _end_of_host(rest, 0)
    port = rest[:end].rpartition("@")[2].rpartition(":")[2]
    if "@" in rest[end:] and ":" in rest[:end] and not port.isdigit() and "[" not in rest[:end]:
        # A password with an unescaped slash: `user:pa/ss@host/path`. The host begins after the last `@`.
        end = _end_of_host(rest, rest.rindex("@"))
    user, at_sign, host = rest[:end].rpartition("@")
    return (f"{user if is_masked(user) else MASK}{at_sign}" if at_sign else "") + host, rest[end:]


def _end_of_host(rest: str, start: int) -> int:
    found = _SLASH.search(rest, start)  # browsers take a backslash for one
    return found.start() if found else len(rest)


def _masked_path(authority: str, path: str, inner: Inner) -> str:
    host = authority.rpartition("@")[2].partition(":")[0].rstrip(".").lower()
    decoded = unquote(path)
    for service, secret in _HOOKS:
        if service.fullmatch(host) and (found := secret.match(decoded)):
            kept = decoded[: found.start(1)]
            tail = decoded[found.end(1) :]
            return quote(kept, safe="/:@*") + MASK + quote(tail, safe="/:@*")
    parts = path.split("/")
    hook = False
    for at, part in enumerate(parts):
        named = secret_word(unquote(parts[at - 1]), Place.QUERY) if at else ""
        if (hook and is_opaque(unquote(part))) or (named and is_opaque(unquote(part), 8)):
            parts[at] = MASK
        elif ";" in part:
            first, _, matrix = part.partition(";")
            parts[at] = f"{first};{mask_parameters(matrix, inner)}"
        elif "%" in part:
            parts[at] = _masked_part(part, inner)
        hook = hook or bool(_HOOK_PART.fullmatch(part))
    return "/".join(parts)


def _masked_user(match: re.Match[str]) -> str:
    if match[1].lower() in _BEFORE_ADDRESS or is_masked(match[2]):
        return match[0]
    return f"{MASK}@"
