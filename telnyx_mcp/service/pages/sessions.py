"""Who is signed in: a random id in a cookie, and a row that only the service's secret opens."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from telnyx_mcp.approval.team.person import Person
from telnyx_mcp.storage.schema import sessions, ticks
from telnyx_mcp.storage.store import Store

LIFETIME = timedelta(hours=8)
MOST_OF_ONE_PERSON = 20
"""Sessions that a person may have at a time; the oldest end."""
_ID_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person. `access_token` is what the issuer is asked with who they are now."""

    id: str
    person: Person
    access_token: str
    signed_in_at: datetime


class Sessions:
    """The sessions of all replicas. Methods block; call them in a thread."""

    def __init__(self, store: Store, keys: Sequence[bytes], now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._seal = MultiFernet([Fernet(base64.urlsafe_b64encode(each)) for each in keys])

    def start(self, person: Person, access_token: str) -> str:
        """A new session. Its id, for the cookie alone."""
        session_id, now = secrets.token_urlsafe(_ID_BYTES), self._now()
        content = {
            "name": person.name,
            "groups": sorted(person.groups),
            "access_token": access_token,
        }
        mine = (sessions.c.issuer == person.issuer, sessions.c.subject == person.subject)
        with self._store.write() as connection:
            connection.execute(sessions.delete().where(sessions.c.expires_at <= ticks(now)))
            oldest_first = sessions.select().where(*mine).order_by(sessions.c.created_at)
            found = connection.execute(oldest_first).mappings().all()
            for each in found[: max(0, len(found) - MOST_OF_ONE_PERSON + 1)]:
                this = sessions.c.id_hash == each["id_hash"]
                connection.execute(sessions.delete().where(this))
            row = {
                "id_hash": _hash(session_id),
                "issuer": person.issuer,
                "subject": person.subject,
                "content": self._seal.encrypt(json.dumps(content).encode()).decode(),
                "created_at": ticks(now),
                "expires_at": ticks(now + LIFETIME),
            }
            connection.execute(sessions.insert().values(row))
        return session_id

    def find(self, id: str) -> Session | None:
        """The session with this id; None if it has ended, or was never started."""
        with self._store.read() as connection:
            query = sessions.select().where(sessions.c.id_hash == _hash(id))
            row = connection.execute(query).mappings().first()
        if row is None or row["expires_at"] <= ticks(self._now()):
            return None
        try:
            content = json.loads(self._seal.decrypt(row["content"].encode()))
        except (InvalidToken, ValueError):
            return None  # sealed with a secret that is no longer in use
        person = Person(
            row["issuer"], row["subject"], content["name"], frozenset(content["groups"])
        )
        signed_in_at = datetime.fromtimestamp(row["created_at"] / 1000, self._now().tzinfo)
        return Session(id, person, content["access_token"], signed_in_at)

    def end(self, id: str) -> None:
        """Ends the session, if there is one."""
        with self._store.write() as connection:
            connection.execute(sessions.delete().where(sessions.c.id_hash == _hash(id)))


def _hash(id: str) -> str:
    """What the store keeps of an id: who reads the store can't use it."""
    return hashlib.sha256(id.encode()).hexdigest()
