"""Links the API key to its account in the ledger."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from telnyx_mcp.approval.accounts import Identity, LedgerAccount, known_accounts
from telnyx_mcp.approval.ledger_queries import LedgerQueries
from telnyx_mcp.approval.ledger_rows import Row
from telnyx_mcp.approval.store_memory import Remembered


class LedgerAccounts(LedgerQueries):
    """Finds the account of the key, and checks whether the store is the right one."""

    def is_linked(self) -> bool:
        """Whether the key is linked to an account; without a link the ledger shows nothing."""
        with self._store.read() as connection:
            return self._key.account(connection) is not None

    def hides_changes(self) -> bool:
        """Whether the ledger holds changes that this key, not linked yet, does not show."""
        with self._store.read() as connection:
            linked = self._key.account(connection) is not None
            return not linked and any(each.changes for each in known_accounts(connection))

    @property
    def is_identified(self) -> bool:
        """Whether the ledger knows the account's user, or `identify` was called."""
        return self._identified.is_set()

    def identify(self, identity: Identity, now: datetime) -> None:
        """Links the key to its account, and records the user that Telnyx names for it.

        Raises `Blocked` if the user has to say which account the key belongs to.
        """
        with self._store.write() as connection:
            account = self._key.find_or_add(connection, identity, now)
            self._key.complete(connection, account, identity)
        self._identified.set()

    def known_accounts(self) -> list[LedgerAccount]:
        """Every account in the store, also those of other keys."""
        with self._store.read() as connection:
            return known_accounts(connection)

    def link(self, account: str | None, identity: Identity, now: datetime) -> None:
        """Links the key to this account because the user says so; to a new one if it is None."""
        with self._store.write() as connection:
            if self._key.account(connection):
                return
            if account is None:
                account = self._key.add_account(connection, identity, "user", now)
            else:
                self._key.link(connection, account, "user", now)
            self._key.complete(connection, account, identity)

    def accept_store(self) -> None:
        """Accepts the store because the user says so: remembers the last change that was sent with it, or
        forgets the remembered one if none was."""
        if self._memory is None:
            return
        newest = sa.select(Row.id).where(Row.sent_at.is_not(None)).order_by(Row.sent_at.desc())
        with self._store.read() as connection:
            last = connection.execute(newest.limit(1)).scalar()
        if last is None:
            self._memory.forget()
        else:
            self._memory.write(Remembered(self._store_id, last))
