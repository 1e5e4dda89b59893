"""The accounts of the ledger. Each has its own id, and API keys are linked to it.

Caps, references and the block by an unknown payment must survive the replacement of a key. A new key is
linked when Telnyx says that it belongs to a known account, or when the user says so
(`telnyx-account-mcp ledger link`). Keys are stored as salted hashes.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import sqlalchemy as sa

from telnyx_mcp.approval.directions import TerminalDirections
from telnyx_mcp.approval.reasons import Blocked, UnlinkedKey
from telnyx_mcp.config.addresses import is_loopback
from telnyx_mcp.storage.schema import accounts, changes, keys, ticks


@dataclass(frozen=True, slots=True)
class Identity:
    """The user that Telnyx names for an account. A part that it does not state is None."""

    user_id: str | None = None
    email: str | None = None

    @property
    def name(self) -> str | None:
        """The display name: the e-mail address, else the user id."""
        return self.email or self.user_id

    @property
    def is_known(self) -> bool:
        return self.name is not None


@dataclass(frozen=True, slots=True)
class LedgerAccount:
    """An account in the ledger."""

    id: str
    name: str | None
    """The profile it was first used with."""
    address: str | None
    """The API's address; None for an account of version 1 of the ledger."""
    identity: Identity
    changes: int
    """How many of its changes the ledger has."""

    @property
    def is_local(self) -> bool:
        """Whether its API is a server on this computer, such as the sandbox."""
        return self.address is not None and _is_local(self.address)

    @property
    def label(self) -> str:
        """Its name as shown to the user."""
        named = self.identity.name or f"account {self.id[:8]}"
        profile = f" (profile {self.name})" if self.name else ""
        return f"{named}{profile}"

    def is_same(self, identity: Identity) -> bool | None:
        """Whether Telnyx names the same user; None if unknown. The e-mail is compared if a
        user id is missing."""
        mine = self.identity
        for known, given in ((mine.user_id, identity.user_id), (mine.email, identity.email)):
            if known and given:
                return known == given
        return None


def key_hash(salt: str, address: str, api_key: str) -> str:
    """What represents a key in the ledger. The same key has another hash in another ledger."""
    return hashlib.sha256(f"{salt}\n{address}\n{api_key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KeyLink:
    """The link from one API key, at one address, to its account."""

    hash: str
    address: str
    profile: str | None

    def account(self, connection: sa.Connection) -> str | None:
        """The account of this key; None if it is not linked yet."""
        query = sa.select(keys.c.account).where(keys.c.key_hash == self.hash)
        if found := connection.execute(query).scalar():
            return str(found)
        # A copy of version 1 may write to the same store: its accounts are the hashes of their keys.
        of_this_key = sa.select(changes.c.id).where(changes.c.account == self.hash).limit(1)
        return self.hash if connection.execute(of_this_key).scalar() else None

    def link(self, connection: sa.Connection, account: str, how: str, now: datetime) -> None:
        """Links this key to an account of the ledger."""
        connection.execute(
            keys.insert().values(
                key_hash=self.hash, account=account, linked_at=ticks(now), linked_by=how
            )
        )

    def add_account(
        self, connection: sa.Connection, identity: Identity, how: str, now: datetime
    ) -> str:
        """Adds a new account for this key, and returns its id."""
        account = secrets.token_hex(16)
        connection.execute(
            accounts.insert().values(
                id=account,
                name=self.profile,
                address=self.address,
                user_id=identity.user_id,
                email=identity.email,
                created_at=ticks(now),
            )
        )
        self.link(connection, account, how, now)
        return account

    def is_identified(self, connection: sa.Connection, account: str | None) -> bool:
        """Whether the ledger knows the user that Telnyx names for this account."""
        row = connection.execute(accounts.select().where(accounts.c.id == account)).mappings()
        found = row.first()
        return found is not None and Identity(found["user_id"], found["email"]).is_known

    def complete(self, connection: sa.Connection, account: str, identity: Identity) -> None:
        """Adds what the ledger does not know yet about the key's account: address, name, identity."""
        known = connection.execute(accounts.select().where(accounts.c.id == account)).mappings()
        row = known.first()
        if row is None:  # written by a copy of version 1
            added = {"id": account, "created_at": 0}
            connection.execute(accounts.insert().values(added))
        facts = {
            "address": self.address,
            "name": self.profile,
            "user_id": identity.user_id,
            "email": identity.email,
        }
        missing = {
            name: value for name, value in facts.items() if value and not (row and row[name])
        }
        if missing:
            connection.execute(accounts.update().where(accounts.c.id == account).values(missing))

    def find_or_add(self, connection: sa.Connection, identity: Identity, now: datetime) -> str:
        """The account of this key, linked now if Telnyx confirms it or there is no other candidate.

        Raises `Blocked` if the user has to say which account it is.
        """
        if account := self.account(connection):
            if account == self.hash and not self._is_linked(connection):
                self.complete(connection, account, identity)
                self.link(connection, account, "version 1", now)
            return account
        known = known_accounts(connection)
        for each in known:
            # A server on this computer can name any user, and must not open the real account.
            if each.is_local == _is_local(self.address) and each.is_same(identity):
                self.link(connection, each.id, "telnyx", now)
                return each.id
        candidates = [each for each in known if each.changes and self._may_open(each)]
        if candidates and not self._is_another(identity, candidates):
            unlinked = UnlinkedKey([each.label for each in candidates])
            raise Blocked(unlinked, TerminalDirections(self.profile))
        return self.add_account(connection, identity, "first", now)

    def _is_linked(self, connection: sa.Connection) -> bool:
        query = sa.select(keys.c.account).where(keys.c.key_hash == self.hash)
        return connection.execute(query).scalar() is not None

    def _may_open(self, account: LedgerAccount) -> bool:
        """Whether the key could belong to this account. A server on this computer, such as the
        sandbox, has accounts of its own; all other addresses lead to Telnyx."""
        if _is_local(self.address):
            return account.address == self.address
        return not account.is_local

    def _is_another(self, identity: Identity, candidates: Iterable[LedgerAccount]) -> bool:
        """Whether this is certainly another account: a profile with a new name, for which Telnyx names a
        user that no account in the ledger has."""
        return self.profile is not None and all(
            each.name != self.profile and each.is_same(identity) is False for each in candidates
        )


def known_accounts(connection: sa.Connection) -> list[LedgerAccount]:
    """Every account of the ledger, oldest first; then those that only a copy of version 1 knows, which
    writes changes but no accounts."""
    of_account = sa.select(keys.c.key_hash).where(keys.c.account == accounts.c.id)
    mine = sa.or_(changes.c.account == accounts.c.id, changes.c.account.in_(of_account))
    count = sa.select(sa.func.count()).select_from(changes).where(mine).scalar_subquery()
    query = sa.select(accounts, count.label("changes")).order_by(accounts.c.created_at)
    known = [
        LedgerAccount(
            row["id"],
            row["name"],
            row["address"],
            Identity(row["user_id"], row["email"]),
            row["changes"],
        )
        for row in connection.execute(query).mappings()
    ]
    id_ = changes.c.account
    of_version_1 = (
        sa.select(id_, sa.func.count())
        .where(id_.not_in(sa.select(accounts.c.id)), id_.not_in(sa.select(keys.c.key_hash)))
        .group_by(id_)
        .order_by(id_)
    )
    unknown = connection.execute(of_version_1).all()
    return known + [LedgerAccount(each, None, None, Identity(), held) for each, held in unknown]


def _is_local(address: str) -> bool:
    return is_loopback(urlsplit(address).hostname or "")
