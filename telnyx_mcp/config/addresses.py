"""The API's address: which ones are Telnyx's own, and what a person types for one."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

TELNYX_API = "https://api.telnyx.com/v2"
TELNYX_HOSTS = frozenset(
    {
        "api.telnyx.com",
        "api.telnyx.eu",
        "api.telnyx.com.au",
        "api.telnyx.ca",
        "api.telnyx.me",
    }
)
"""Telnyx's own regional endpoints, which all take the same key
(developers.telnyx.com/docs/account-setup/regional-endpoints)."""
_WEBSITES = frozenset(
    {"telnyx.com", "www.telnyx.com", "portal.telnyx.com", "developers.telnyx.com"}
)
_PORTS = {"https": 443, "http": 80}


def is_loopback(host: str) -> bool:
    """True for `localhost` and for addresses of the loopback ranges (127.0.0.0/8, ::1)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def foreign_address(base_url: str) -> str | None:
    """Scheme, host and port of an address that is not Telnyx's own; None for Telnyx's own."""
    parts = urlsplit(base_url)
    is_telnyx = parts.scheme == "https" and parts.netloc in TELNYX_HOSTS
    return None if is_telnyx else f"{parts.scheme}://{parts.netloc}"


def usable_address(text: str) -> str:
    """The address in the one spelling by which the ledger identifies accounts; Telnyx's own for no
    text at all.

    A missing `https://` is added. On Telnyx's own hosts so is a missing `/v2`, and `http` becomes
    `https`: nothing else can be meant there. Raises `ValueError`, which does not show the text, as it
    may hold a password.
    """
    text = text.strip().rstrip("/")
    if not text:
        return TELNYX_API
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # the port is not a number up to 65535, or a bracket is missing
        host, port = "", None
    if not re.fullmatch(r"[a-z0-9._:-]+", host):
        raise ValueError(f"must look like {TELNYX_API}")
    if "@" in parts.netloc:
        raise ValueError(
            f"must look like {TELNYX_API}, without a user or password; the key goes elsewhere"
        )
    if "?" in text or "#" in text:
        raise ValueError(f"must look like {TELNYX_API}, with nothing after `?` or `#`")
    if host in _WEBSITES:
        raise ValueError(f"must be the address of the API, {TELNYX_API}, not of a web page")
    scheme = parts.scheme
    if host in TELNYX_HOSTS and scheme == "http" and port in (None, 80):
        scheme, port = "https", None
    if scheme != "https" and not (scheme == "http" and is_loopback(host)):
        raise ValueError("must begin with https:// (http:// is allowed on loopback only)")
    shown_port = f":{port}" if port not in (None, _PORTS[scheme]) else ""
    shown_host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown_host}{shown_port}{_path(host, parts.path)}"


def _path(host: str, path: str) -> str:
    # Once more, as `urlsplit` drops tabs and line breaks.
    path = re.sub("(?:/+v2)+$", "/v2", path.rstrip("/"))
    if host not in TELNYX_HOSTS:
        return path
    if path and not re.match("/v2(?:/|$)", path):
        raise ValueError(f"must end in /v2, as in {TELNYX_API}: the server uses no other version")
    return "/v2"
