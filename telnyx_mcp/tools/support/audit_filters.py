"""Which audit events a call asks for. Telnyx filters them by time only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from telnyx_mcp.telnyx.models import AuditEvent
from telnyx_mcp.telnyx.names import Named, Names
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.support.spelling import e164

ROLES = ("telnyx", "account_owner", "account_manager", "organization_member")
"""The roles that Telnyx distinguishes in `change_made_by`."""
_ROLE_WORDS = {"owner": "account_owner", "manager": "account_manager", "member": ROLES[3]}
MAX_SHOWN = 5
FEWEST_DIGITS = 7
"""A text with fewer is not taken for a phone number."""


@dataclass(frozen=True, slots=True)
class ChangedBy:
    """Whose changes are wanted: those of a role, or of some users."""

    role: str | None = None
    user_ids: frozenset[str] = frozenset()
    label: str = ""

    def matches(self, event: AuditEvent) -> bool:
        if self.role:
            return event.change_made_by == self.role
        return event.user_id in self.user_ids


async def changed_by(text: str, names: Names) -> ChangedBy:
    """The users that a role, an e-mail address or a part of one, or a user id stands for. Raises
    `ToolFailure`."""
    plain = _normalize(text)
    if (role := _ROLE_WORDS.get(plain, plain)) in ROLES:
        return ChangedBy(role=role, label=role)
    if user_id := _uuid(text):
        return ChangedBy(user_ids=frozenset({user_id}), label=user_id)
    emails = await names.all(Named.USERS)
    wanted = text.casefold()
    found = {each for each in emails.values() if each.casefold() == wanted}
    if not found and "@" not in text:
        found = {each for each in emails.values() if wanted in each.casefold()}
    if len(found) == 1:
        (email,) = found
        ids = frozenset(user_id for user_id, each in emails.items() if each == email)
        return ChangedBy(user_ids=ids, label=email)
    raise ToolFailure(_user_error(text, sorted(found), emails, names.missing.get(Named.USERS)))


def _user_error(text: str, found: list[str], emails: Mapping[str, str], missing: str | None) -> str:
    opening = f'Nothing was looked up: changed_by "{text[:80]}"'
    roles = f"Otherwise give a user id, or one of {', '.join(ROLES)}."
    if found:
        return (
            f"{opening} means several users: {', '.join(found[:MAX_SHOWN])}. Call again with one."
        )
    if missing:
        return f"{opening} can't be resolved, as the users can't be listed ({missing}). {roles}"
    by_email = {each.casefold(): each for each in emails.values()}
    near = get_close_matches(text.casefold(), by_email, MAX_SHOWN, 0.5) or sorted(by_email)
    listed = ", ".join(by_email[each] for each in near[:MAX_SHOWN])
    return (
        f"{opening} is not a user of the organization. Similar: {listed or 'none'}. {roles} A deleted "
        "user has only an id."
    )


class TextFilter:
    """Finds texts in events: any of them, as a whole value or as a part of one.

    A phone number is also found in another spelling, and a user's e-mail address where Telnyx states
    the id.
    """

    def __init__(self, texts: list[str], emails: Mapping[str, str]) -> None:
        self._texts = {each.casefold() for each in texts}
        self._texts |= {number for each in texts if (number := _number(each))}
        self._emails = emails

    def match(self, event: AuditEvent) -> bool | None:
        """True for a whole value, False for a part of one, None for neither."""
        values = set(self._values(event))
        if self._texts & values:
            return True
        return False if any(text in value for text in self._texts for value in values) else None

    def _values(self, event: AuditEvent) -> Iterator[str]:
        yield from (
            each.casefold() for each in _texts(event.model_dump(exclude={"organization_id"}))
        )
        if email := self._emails.get(event.user_id or ""):
            yield email.casefold()


def preferred(events: list[AuditEvent], field: str, wanted: str | None) -> list[AuditEvent]:
    """The events whose field is the wanted word; if there are none, those whose field contains it, as
    `fqdn_connection` contains `connection`."""
    if not wanted:
        return events
    word = _normalize(wanted)
    near = [each for each in events if word in _normalize(getattr(each, field) or "")]
    return [each for each in near if word == _normalize(getattr(each, field) or "")] or near


def _normalize(text: str) -> str:
    return "_".join(text.casefold().replace("-", " ").replace("_", " ").split()).removesuffix("s")


def _number(text: str) -> str | None:
    return e164(text) if sum(map(str.isdigit, text)) >= FEWEST_DIGITS else None


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _texts(value: Any) -> Iterator[str]:
    """Every value in it as text; not the names that the API gives them."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif value is not None:
        yield str(value)
