"""The database's clock: what several machines decide by, whatever their own clocks say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from telnyx_mcp.storage.store import Store

READ_AGAIN = 60.0
"""Seconds after which the database is asked again."""


class DatabaseClock:
    """The time of the database, as a callable. Between two readings it goes on by this machine's monotonic
    clock, which does not jump."""

    def __init__(self, store: Store, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._reading: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """The time now, in UTC. Raises `StoreError` if the database was never read and can't be."""
        reading = self._reading or self.read()
        moment, at = reading
        return moment + timedelta(seconds=self._monotonic() - at)

    def read(self) -> tuple[datetime, float]:
        """Reads the database's clock. Blocks; raises `StoreError`."""
        with self._lock, self._store.read() as connection:
            asked = self._monotonic()
            moment: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            # The database read its clock somewhere between the question and the answer.
            at = (asked + self._monotonic()) / 2
            self._reading = moment.astimezone(UTC), at
            return self._reading

    @property
    def is_due(self) -> bool:
        """Whether the last reading is so old that the clocks may have drifted apart."""
        return self._reading is None or self._monotonic() - self._reading[1] > READ_AGAIN
