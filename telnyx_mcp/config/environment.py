"""Finds environment variables that look like misspelt settings.

A misspelt setting has no effect, so a cap that the user believes to be set is not set. Each one is
reported with the nearest real name. If that is a setting that limits what can be changed or paid,
the server changes nothing until the variable is renamed or removed. The same holds for a limit whose
value can't be used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

from telnyx_mcp.config.settings import SAFETY, VARIABLES, SettingProblem, Settings

OTHERS = frozenset(
    {
        # Read by Telnyx's own SDKs.
        "TELNYX_PUBLIC_KEY",
        "TELNYX_CLIENT_ID",
        "TELNYX_CLIENT_SECRET",
        "TELNYX_CUSTOM_HEADERS",
        "TELNYX_LOG",
        # Read by `serve --http`; it belongs to the process, not to an account.
        "TELNYX_MCP_HTTP_TOKEN",
        # Read by `service`.
        "TELNYX_MCP_PUBLIC_URL",
        "TELNYX_MCP_SERVICE_LISTEN",
        "TELNYX_MCP_SERVICE_METRICS_LISTEN",
        "TELNYX_MCP_STATE_URL_FILE",
        "TELNYX_MCP_SERVICE_SECRET",
        "TELNYX_MCP_SERVICE_SECRET_FILE",
        "TELNYX_MCP_SIGN_IN_SECRET",
        "TELNYX_MCP_SIGN_IN_SECRET_FILE",
        "TELNYX_MCP_INTROSPECTION_SECRET",
        "TELNYX_MCP_INTROSPECTION_SECRET_FILE",
        "TELNYX_MCP_NOTICE_URL",
        "TELNYX_MCP_NOTICE_URL_FILE",
        "TELNYX_MCP_NOTICE_SECRET",
        "TELNYX_MCP_NOTICE_SECRET_FILE",
    }
)
"""Variables that have a meaning but are not settings."""
WORDS: Mapping[str, str] = {
    "TELNYX_MCP_READ_ONLY": "READ READONLY WRITE WRITES WRITABLE CHANGE CHANGES DRY",
    "TELNYX_MCP_APPROVAL": "APPROVAL APPROVALS APPROVE APPROVER CONFIRM CONFIRMATION ASK CONSENT",
    "TELNYX_MCP_STANDING_BUDGET_PER_PAYMENT": "BUDGET BUDGETS STANDING UNATTENDED",
    "TELNYX_MCP_MAX_PER_30_DAYS": "MONTH MONTHLY 30",
    "TELNYX_MCP_MAX_PER_DAY": "DAY DAYS DAILY HOURS",
    "TELNYX_MCP_MAX_PAYMENT": "MAX MAXIMUM PAYMENT PAYMENTS PAY CAP CAPS LIMIT LIMITS SPEND SPENDING",
}
"""Words that suggest a setting for names that are not close to any real one."""
CLOSE, VAGUE, WITH_PREFIX = 0.85, 0.6, 0.9
"""How alike two names are, from 0 to 1: a slip of the finger, some likeness, and the least where the
names are compared with their common prefix."""
_SAFE = frozenset(name for name, field in VARIABLES.items() if field in SAFETY)
_LONGEST, _MAX_NAMED = 60, 4


@dataclass(frozen=True, slots=True)
class Misspelt:
    """A variable that is set and that nothing reads."""

    name: str
    """Printable, and cut to size."""
    nearest: str | None
    is_safety: bool
    """Whether it looks like a setting that limits what can be changed or paid."""

    @property
    def text(self) -> str:
        """What is wrong, as a sentence. Never shows the value."""
        hint = f": did you mean {self.nearest}?" if self.nearest else "."
        return f"The environment sets {self.name}, which is not a setting{hint}"


def misspelt(environment: Mapping[str, str], accounts: Iterable[Settings] = ()) -> list[Misspelt]:
    """The variables that look like settings and are not, by name. Those that hold the accounts' keys
    are left out.

    An empty variable counts as not set: hosts pass one if the user left a field empty.
    """
    keys = {each.key_from.removeprefix("env:") for each in accounts}
    known = VARIABLES.keys() | OTHERS | keys
    names = sorted(name for name, value in environment.items() if value and name not in known)
    return [found for name in names if (found := _recognize(name))]


def why_blocked(found: Iterable[Misspelt | SettingProblem]) -> str | None:
    """Why nothing may be changed, in sentences; None if changes are allowed."""
    unsafe = [each.text for each in found if each.is_safety]
    if not unsafe:
        return None
    more = f" And {len(unsafe) - _MAX_NAMED} more." if len(unsafe) > _MAX_NAMED else ""
    return (
        f"{' '.join(unsafe[:_MAX_NAMED])}{more} It may be meant to limit what can be changed or "
        "paid, so this server changes nothing until it is corrected or removed and the server is "
        "restarted. Reading still works."
    )


def warnings(found: Iterable[Misspelt | SettingProblem]) -> list[str]:
    """Warnings about them for the user at the start, a line each."""
    found = list(found)
    blocked = why_blocked(found)
    return [each.text for each in found if not each.is_safety] + ([blocked] if blocked else [])


@cache
def _recognize(name: str) -> Misspelt | None:
    bare = _squashed(name)
    if bare.startswith("TELNYXMCP"):
        nearest = _of_ours(name, bare)
    elif bare.startswith("TELNYX"):
        # TELNYX_API_KEY_EU is a second key, not a misspelt TELNYX_API_KEY.
        theirs = name.startswith(("TELNYX_API_KEY_", "TELNYX_BASE_URL_"))
        nearest = None if theirs else _nearest(bare.removeprefix("TELNYX"), 0.75, "", "MCP")
        if nearest is None:
            return None
    elif bare.startswith("T"):
        nearest = _nearest(bare, WITH_PREFIX, "TELNYX", "TELNYXMCP")
        if nearest is None:
            return None
    else:
        return None
    return Misspelt(_printable(name), nearest, nearest in _SAFE)


def _of_ours(name: str, bare: str) -> str | None:
    """The setting that a name with our prefix is meant for."""
    rest = bare.removeprefix("TELNYXMCP")
    return _nearest(rest, CLOSE, "") or _by_word(name) or _nearest(rest, VAGUE, "")


def _by_word(name: str) -> str | None:
    words = set(re.split(r"[^A-Z0-9]+", name.upper()))
    return next((each for each, hints in WORDS.items() if words & set(hints.split())), None)


def _nearest(text: str, least: float, *prefixes: str) -> str | None:
    """The setting whose name, after one of the prefixes, is most like the text."""
    best, likeness = None, least
    for name in VARIABLES:
        rest = _squashed(name).removeprefix("TELNYX").removeprefix("MCP")
        for prefix in prefixes:
            matcher = SequenceMatcher(None, text, prefix + rest, autojunk=False)
            if matcher.quick_ratio() >= likeness and (ratio := matcher.ratio()) >= likeness:
                best, likeness = name, ratio
    return best


def _squashed(name: str) -> str:
    """The name without case and separators, which are mistyped most often."""
    return re.sub(r"[^A-Z0-9]", "", name.upper())


def _printable(name: str) -> str:
    """The name with unsafe characters replaced by `?`, and cut at 60 characters."""
    safe = re.sub(r"[^A-Za-z0-9_.-]", "?", name)
    return safe if len(safe) <= _LONGEST else f"{safe[:_LONGEST]}…"
