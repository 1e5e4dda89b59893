"""The pace in PostgreSQL, for copies on many machines."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from anyio import to_thread

from telnyx_mcp.storage import postgres
from telnyx_mcp.storage.url import Database
from telnyx_mcp.telnyx.rate_limit.schedule import Pace
from telnyx_mcp.telnyx.rate_limit.stores.interface import (
    PATIENCE,
    Saved,
    StoreUnavailable,
    T,
    Update,
)
from telnyx_mcp.telnyx.rate_limit.stores.rows import Dialect, Rows

OPENING_PATIENCE = float(postgres.PACE.connect_seconds)
"""As `PATIENCE`, where the server must be connected to first. Seconds."""
CONTENDED_PATIENCE = 10.0
"""Seconds after which a server is given up that answers, but always lets others write first."""

_MAKERS_LOCK = 7_466_197_032
"""The advisory lock under which the table is created; any number that is always the same."""
_DIALECT = Dialect(
    mark="%s",
    clock="extract(epoch FROM clock_timestamp())::float8",
    lock=f"SELECT pg_advisory_xact_lock({_MAKERS_LOCK}); ",
)


class _Transactions:
    """Runs what it is given as one transaction within the bounds, in one message.

    PostgreSQL takes all statements of a message as one transaction, without BEGIN and COMMIT. The
    driver has to write the parameters into them: a message with parameters has one statement only.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._bounds = postgres.PACE.statements("READ COMMITTED")
        self.close = connection.close

    def execute(self, statements: str, parameters: Sequence[object] = ()) -> Any:
        """The result of the last statement."""
        cursor = self._connection.execute(self._bounds + statements, parameters)
        while cursor.nextset():
            pass
        return cursor


@dataclass(eq=False, slots=True)
class _Wanted:
    """A change that waits to be made, and what came of it."""

    change: Update[Any]
    result: asyncio.Future[Any]


def _together(changes: Sequence[Update[Any]]) -> Update[list[Any]]:
    """One change that makes all of these, one after the other, and returns what each returned or
    raised."""

    def change(pace: Pace, now: float) -> tuple[Pace, list[Any]]:
        outcomes: list[Any] = []
        for each in changes:
            try:
                pace, outcome = each(pace, now)
            except Exception as error:  # noqa: BLE001 - raised where that change was asked for
                outcome = error
            outcomes.append(outcome)
        return pace, outcomes

    return change


class PostgresStore:
    """Keeps the paces in a table of this database, whose clock is the one that counts."""

    def __init__(
        self, database: Database, account: str, opening_patience: float = OPENING_PATIENCE
    ) -> None:
        self._opening_patience = opening_patience
        self.place = database.place
        self._database = database
        self._account = account
        self._ahead = time.time() - time.monotonic()
        self._connection: Any = None
        """The one in use, also while it is opened."""
        self._failures: tuple[type[Exception], ...] = ()
        """What a connection raises, once the driver is loaded."""
        self._rows: Rows | None = None
        self._one_at_a_time = threading.Lock()
        self._answered = 0.0
        """When the server was last heard of."""
        self._wanted: dict[str, list[_Wanted]] = {}
        """The changes that wait, by endpoint."""
        self._at_work: asyncio.Task[None] | None = None

    def now(self) -> float:
        return time.monotonic() + self._ahead

    async def change(self, endpoint: str, change: Update[T]) -> T:
        """As in `PaceStore`. Changes that come while another is on its way wait for it and are then
        made together: a server may be far away, and each change costs two ways there and back."""
        wanted = _Wanted(change, asyncio.get_running_loop().create_future())
        self._wanted.setdefault(endpoint, []).append(wanted)
        if self._at_work is None or self._at_work.done():
            self._at_work = asyncio.create_task(self._make_all())
        result: T = await wanted.result
        return result

    async def all(self) -> Mapping[str, Pace]:
        return await self._patiently(Rows.all)

    async def load(self, name: str) -> Saved | None:
        return await self._patiently(lambda rows: rows.load(name))

    async def save(self, name: str, text: str) -> None:
        saved = (self.now(), text)
        await self._patiently(lambda rows: rows.save(name, saved))

    def close(self) -> None:
        if self._at_work:
            self._at_work.cancel()
        self._drop()

    def _drop(self) -> None:
        rows, self._rows = self._rows, None
        if rows:
            rows.close()

    def _set_clock(self, now: float) -> None:
        self._answered = time.monotonic()
        self._ahead = now - self._answered

    async def _make_all(self) -> None:
        try:
            while self._wanted:
                endpoint = next(iter(self._wanted))
                wanted = [each for each in self._wanted.pop(endpoint) if not each.result.done()]
                if wanted:
                    await self._make(endpoint, wanted)
        finally:
            for each in chain.from_iterable(self._wanted.values()):
                each.result.cancel()
            self._wanted.clear()

    async def _make(self, endpoint: str, wanted: Sequence[_Wanted]) -> None:
        together = _together([each.change for each in wanted])
        try:
            outcomes = await self._patiently(
                lambda rows: rows.change(endpoint, together, self._set_clock)
            )
        except StoreUnavailable as lost:
            outcomes = [StoreUnavailable(str(lost)) for _ in wanted]
        except BaseException:
            for each in wanted:
                each.result.cancel()
            raise
        for each, outcome in zip(wanted, outcomes, strict=True):
            if each.result.done():
                continue  # the caller has left
            if isinstance(outcome, Exception):
                each.result.set_exception(outcome)
            else:
                each.result.set_result(outcome)

    async def _patiently(self, work: Callable[[Rows], T]) -> T:
        """Done in a thread. It is left to itself if nobody waits, and its connection is shut down if the
        server is silent for too long: the server still acknowledges what it is sent."""
        if not self._failures:
            # On a busy machine this takes seconds, and they are not the server's.
            self._failures = await to_thread.run_sync(self._load_driver, abandon_on_cancel=True)
        seconds = PATIENCE if self._rows else self._opening_patience
        self._answered = began = time.monotonic()
        given_up = threading.Event()
        working = asyncio.ensure_future(
            to_thread.run_sync(self._tried, work, given_up, abandon_on_cancel=True)
        )
        try:
            while not working.done():
                until = min(self._answered + seconds, began + CONTENDED_PATIENCE)
                if time.monotonic() >= until:
                    given_up.set()  # before, or the thread would connect again
                    postgres.shut_down(self._connection)
                    raise StoreUnavailable(f"{self.place}: no answer within {seconds:g} s")
                await asyncio.wait({working}, timeout=until - time.monotonic())
            return working.result()
        finally:
            given_up.set()
            working.cancel()

    def _load_driver(self) -> tuple[type[Exception], ...]:
        try:
            return (postgres.driver().Error, OSError)
        except postgres.DriverMissing as error:
            raise StoreUnavailable(f"{self.place}: {error}") from None

    def _tried(self, work: Callable[[Rows], T], given_up: threading.Event) -> T:
        with self._one_at_a_time:
            try:
                if rows := self._rows:
                    try:
                        self._check(given_up)
                        return work(rows)
                    except self._failures:
                        self._drop()  # mostly a connection that was cut: a new one may serve
                self._check(given_up)
                self._rows = self._open()
                return work(self._rows)
            except self._failures as error:
                self._drop()
                words = self._database.error_text(error)
                raise StoreUnavailable(f"{self.place}: {words}") from None

    def _check(self, given_up: threading.Event) -> None:
        if given_up.is_set():
            raise StoreUnavailable(self.place)  # no caller waits for it

    def _open(self) -> Rows:
        cursor = postgres.driver().ClientCursor
        connection = postgres.connect(self._database.server, postgres.PACE, cursor_factory=cursor)
        self._connection = connection
        try:
            return Rows(_Transactions(connection), _DIALECT, self._account)
        except BaseException:
            connection.close()
            raise
