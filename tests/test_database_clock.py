"""The time of the database, which several machines decide by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from telnyx_mcp.storage.clock import READ_AGAIN, DatabaseClock
from telnyx_mcp.storage.store import Store, StoreError
from tests.support.clock import NOW
from tests.support.ledgers import postgresql


class Scripted:
    """A store whose database shows this time; it can be away. A reading takes some seconds."""

    def __init__(self, moment: datetime = NOW, takes: float = 0.0) -> None:
        self.moment, self.takes = moment, takes
        self.seconds = 100.0
        self.is_away = False
        self.readings = 0

    def monotonic(self) -> float:
        return self.seconds

    @contextmanager
    def read(self) -> Iterator[Any]:
        if self.is_away:
            raise StoreError("the store is away")
        yield self

    def execute(self, _query: object) -> Scripted:
        self.readings += 1
        self.seconds += self.takes
        return self

    def scalar_one(self) -> datetime:
        return self.moment

    @property
    def clock(self) -> DatabaseClock:
        return DatabaseClock(cast("Store", self), self.monotonic)


def test_the_time_goes_on_by_this_machines_monotonic_clock() -> None:
    database = Scripted()
    clock = database.clock
    assert clock() == NOW
    database.seconds += 7.5
    assert clock() == NOW + timedelta(seconds=7.5)
    assert database.readings == 1


def test_the_time_is_in_utc_whatever_the_database_answers_in() -> None:
    there = NOW.astimezone(datetime.strptime("+0530", "%z").tzinfo)
    assert Scripted(there).clock().tzinfo is UTC


def test_a_reading_is_of_the_middle_of_its_request() -> None:
    assert Scripted(takes=4.0).clock() == NOW + timedelta(seconds=2)


def test_a_clock_that_was_never_read_is_due() -> None:
    assert Scripted().clock.is_due


@pytest.mark.parametrize(("later", "is_due"), [(0, False), (READ_AGAIN, False), (60.1, True)])
def test_a_reading_is_due_again_after_a_minute(later: float, is_due: bool) -> None:
    database = Scripted()
    clock = database.clock
    clock()
    database.seconds += later
    assert clock.is_due is is_due


def test_a_new_reading_corrects_the_time() -> None:
    database = Scripted()
    clock = database.clock
    clock()
    database.seconds += 60
    database.moment = NOW + timedelta(seconds=61)
    clock.read()
    assert clock() == NOW + timedelta(seconds=61)


def test_the_time_goes_on_while_the_database_is_away() -> None:
    database = Scripted()
    clock = database.clock
    clock()
    database.is_away = True
    database.seconds += 3600
    with pytest.raises(StoreError):
        clock.read()
    assert clock() == NOW + timedelta(hours=1)


def test_a_database_that_was_never_read_gives_no_time() -> None:
    database = Scripted()
    database.is_away = True
    clock = database.clock
    with pytest.raises(StoreError):
        clock()
    database.is_away = False
    assert clock() == NOW


@pytest.mark.skipif("TEST_POSTGRES_URL" not in os.environ, reason="TEST_POSTGRES_URL is not set")
def test_two_machines_read_the_same_time_of_postgresql() -> None:
    with postgresql() as url, closing(Store(url)) as store:
        one, other = DatabaseClock(store), DatabaseClock(store)
        first, second, third = one(), other(), one()
        assert first.tzinfo is UTC
        assert first <= second + timedelta(seconds=1) <= third + timedelta(seconds=2)
        moment, _ = one.read()
        assert abs(moment - datetime.now(UTC)) < timedelta(minutes=1)
