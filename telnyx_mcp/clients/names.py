"""The server's name in a client, short enough for every client.

Clients join the server's name and the tool's: Cursor drops a tool where both have more than 60 characters,
and others put `mcp__` and `__` around them and stop at 64. The longest tool name has 40, so 17 are left
for the server. The name of a profile becomes part of it: `telnyx-eu`. A name that is too long is cut, and
gets four digits of its hash, so that two long names stay two servers.
"""

from __future__ import annotations

import re
from hashlib import sha256

NAME = "telnyx-account"
LONGEST_TOOL = 40
MAX_NAME = 64 - len("mcp____") - LONGEST_TOOL
SERVER = re.compile(r"[A-Za-z0-9_-]+")
"""A name that every client takes."""
_PREFIX = "telnyx-"
_CUT = re.compile(r".*-[0-9a-f]{4}")
_RESERVED = re.compile(r"account(-.*)?")
"""Profiles whose names would read like the name of the server without a profile."""


def server_name(profile: str | None, wanted: str | None = None) -> str:
    """The server's name: as wanted, or made from the profile, within `MAX_NAME` characters."""
    if wanted is not None:
        return wanted if len(wanted) <= MAX_NAME else _cut("", wanted)
    if profile is None:
        return NAME
    if _RESERVED.fullmatch(profile) or _CUT.fullmatch(profile):
        return _cut(_PREFIX, profile)
    name = _PREFIX + profile
    return name if len(name) <= MAX_NAME else _cut(_PREFIX, profile)


def _cut(prefix: str, name: str) -> str:
    digits = sha256(name.encode()).hexdigest()[:4]
    kept = name[: MAX_NAME - len(prefix) - len(digits) - 1].rstrip("-_")
    return f"{prefix}{kept}-{digits}"
