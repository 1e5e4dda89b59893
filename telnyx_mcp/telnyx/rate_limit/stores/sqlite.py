"""The pace in a SQLite file, for the copies on one machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import anyio

from telnyx_mcp.config.paths import private_file
from telnyx_mcp.storage.sqlite import PACE, FileId, connect, file_id
from telnyx_mcp.telnyx.rate_limit.schedule import Pace
from telnyx_mcp.telnyx.rate_limit.stores.interface import (
    PATIENCE,
    Saved,
    StoreUnavailable,
    T,
    Update,
)
from telnyx_mcp.telnyx.rate_limit.stores.rows import Dialect, Rows

_DIALECT = Dialect(mark="?", clock="telnyx_mcp_now()")


class SqliteStore:
    """Keeps the paces in this file.

    A change takes some 20 microseconds and is made at once; only if another copy is just writing,
    it is tried again a little later. `clock` is injected.
    """

    def __init__(
        self,
        path: Path,
        account: str,
        clock: Callable[[], float] = time.time,
        patience: float = PATIENCE,
    ) -> None:
        self.place = str(path)
        self._patience = patience
        self.now = clock
        self._path = path
        self._account = account
        self._rows: Rows | None = None
        self._file: FileId | None = None

    async def change(self, endpoint: str, change: Update[T]) -> T:
        return await self._tried(lambda rows: rows.change(endpoint, change, lambda _: None))

    async def all(self) -> Mapping[str, Pace]:
        return await self._tried(Rows.all)

    async def load(self, name: str) -> Saved | None:
        return await self._tried(lambda rows: rows.load(name))

    async def save(self, name: str, text: str) -> None:
        saved = (self.now(), text)
        await self._tried(lambda rows: rows.save(name, saved))

    def close(self) -> None:
        rows, self._rows = self._rows, None
        if rows:
            rows.close()

    async def _tried(self, work: Callable[[Rows], T]) -> T:
        import sqlite3

        give_up: float | None = None
        while True:
            try:
                return work(self._opened())
            except (sqlite3.Error, OSError) as error:
                now = time.monotonic()
                give_up = give_up or now + self._patience
                if not _is_busy(error) or now > give_up:
                    raise self._lost(error) from None
            await anyio.sleep(0.002)

    def _opened(self) -> Rows:
        if self._rows is not None and self._file != file_id(self.place):
            self.close()  # it was deleted: the other copies share another one, or will
        if self._rows is None:
            private_file(self._path)
            connection = connect(self._path, PACE)
            try:
                connection.create_function("telnyx_mcp_now", 0, self.now)
                self._rows = Rows(connection, _DIALECT, self._account)
                self._file = file_id(self.place)
            except BaseException:
                connection.close()
                raise
        return self._rows

    def _lost(self, error: Exception) -> StoreUnavailable:
        self.close()
        return StoreUnavailable(f"{self.place}: {error}")


def _is_busy(error: Exception) -> bool:
    return "locked" in str(error) or "busy" in str(error)
