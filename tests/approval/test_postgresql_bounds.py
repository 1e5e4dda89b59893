"""What bounds a transaction on PostgreSQL: set in each one, and gone after it, for ledger and pace."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
import sqlalchemy as sa

from telnyx_mcp.storage.postgres import LEDGER, PACE, Bounds, ReplyTimeout, connect
from telnyx_mcp.storage.store import Store, StoreError
from telnyx_mcp.storage.url import database_at
from telnyx_mcp.telnyx.rate_limit.schedule import Pace
from telnyx_mcp.telnyx.rate_limit.stores import PostgresStore, StoreUnavailable, pace_store

NAMES = (
    *("transaction_isolation", "statement_timeout", "lock_timeout"),
    *("idle_in_transaction_session_timeout", "synchronous_commit"),
)
ASK = f"SELECT {', '.join(f'current_setting({name!r})' for name in NAMES)}"
Row: TypeAlias = tuple[object, ...]


def test_the_bounds_of_a_transaction_are_stated_in_it() -> None:
    bounds = Bounds(connect_seconds=1, seconds=2.5, durable=True)
    assert bounds.statements("REPEATABLE READ") == (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; "
        "SET LOCAL statement_timeout = 2500; "
        "SET LOCAL lock_timeout = 2500; "
        "SET LOCAL idle_in_transaction_session_timeout = 2500; "
        "SET LOCAL synchronous_commit = on; "
    )
    assert bounds.at_most(0.5).seconds == 0.5
    assert bounds.at_most(30) == bounds
    assert bounds.reply_seconds > bounds.seconds


class Driver:
    """Stands in for psycopg."""

    def __init__(self) -> None:
        self.options: Mapping[str, Any] = {}

    def connect(self, **options: Any) -> None:
        self.options = options


@pytest.mark.parametrize(("bounds", "seconds"), [(LEDGER, 15), (PACE, 1)])
def test_a_connection_is_bounded_without_options_of_the_start(
    monkeypatch: pytest.MonkeyPatch, bounds: Bounds, seconds: int
) -> None:
    driver = Driver()
    monkeypatch.setitem(sys.modules, "psycopg", driver)
    connect({"host": "h", "keepalives_idle": "7"}, bounds, cursor_factory=dict)
    assert driver.options == {
        "host": "h",
        "connect_timeout": str(bounds.connect_seconds),
        "tcp_user_timeout": str(seconds * 1000),
        "keepalives_idle": "7",  # the user's
        "autocommit": True,
        "prepare_threshold": None,
        "cursor_factory": dict,
    }


async def test_a_driver_that_is_missing_is_told_by_ledger_and_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    url = "postgresql+psycopg://me:sesame@127.0.0.1:1/db"
    with pytest.raises(StoreError) as not_opened:
        Store(url).salt()
    with pytest.raises(StoreUnavailable) as not_shared:
        await pace_store(url, "KEY", "https://a").all()
    for error in (not_opened, not_shared):
        assert str(error.value).startswith("postgresql://127.0.0.1:1/db: the driver of PostgreSQL")
        assert "Install telnyx-account-mcp with the extra `postgres`" in str(error.value)
        assert "sesame" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ('FATAL: password authentication failed for user "me"', "%40 for an @"),
        ("fe_sendauth: no password supplied", "%40 for an @"),
        ('FATAL: database "db" does not exist', "Create it, or name another one in the URL."),
        ("FATAL: unsupported startup parameter: options", "Remove `options` from the URL"),
        ("canceling statement due to lock timeout", "Another process holds it; try again."),
        ('relation "telnyx_mcp_changes" does not exist', "It was emptied meanwhile"),
        ("FATAL: something of sesame", "postgresql://h/db: FATAL: something of ***."),
    ],
)
def test_an_error_of_the_server_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, words: str, advice: str
) -> None:
    psycopg = pytest.importorskip("psycopg")

    def fails(*_: object, **__: object) -> None:
        raise psycopg.OperationalError(words)

    monkeypatch.setattr(psycopg, "connect", fails)
    with pytest.raises(StoreError) as refused:
        Store("postgresql://me:sesame@h/db").salt()
    assert advice in str(refused.value)
    assert "sesame" not in str(refused.value)


def test_a_connection_that_does_not_reply_in_time_is_shut_down() -> None:
    ours, theirs = socket.socketpair()
    timeout = ReplyTimeout()
    with ours, theirs:
        timeout.start(ours, 60)
        timeout.start(ours, 0.01)  # in its place
        assert ours.recv(1) == b""
        timeout.stop(ours)
        timeout.stop(ours)


def test_a_connection_that_replies_in_time_stays_open() -> None:
    ours, theirs = socket.socketpair()
    timeout = ReplyTimeout()
    with ours, theirs:
        timeout.start(ours, 0.02)
        timeout.stop(ours)
        ours.settimeout(0.1)
        with pytest.raises(TimeoutError):
            ours.recv(1)


def test_a_connection_that_was_closed_meanwhile_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    timeout = ReplyTimeout()
    timeout.start(ours, 0)
    timeout._timers[id(ours)].join()
    theirs.close()


# --- on PostgreSQL -------------------------------------------------------------------------------


@pytest.fixture
def url(store_url: str) -> str:
    """Of a database whose defaults are other than ours."""
    if not store_url.startswith("postgresql"):
        pytest.skip("of PostgreSQL only")
    options = "-c default_transaction_isolation=serializable -c synchronous_commit=local"
    read = database_at(store_url).server.get("options", "")
    without = sa.make_url(store_url).difference_update_query(["options"])
    shown = without.update_query_dict({"options": f"{read} {options}"})
    return shown.render_as_string(hide_password=False)


DEFAULTS = ("serializable", "0", "0", "0", "local")


def test_each_transaction_of_the_ledger_has_its_bounds_and_leaves_nothing_behind(url: str) -> None:
    with closing(Store(url)) as store:
        with store.write() as connection:
            found: Row = tuple(connection.exec_driver_sql(ASK).one())
            driver: Any = connection.connection.dbapi_connection
        assert found == ("read committed", "15s", "15s", "15s", "on")
        with store.read() as connection:
            found = tuple(connection.exec_driver_sql(ASK).one())
        assert found == ("repeatable read", "15s", "15s", "15s", "on")
        assert driver.execute(ASK).fetchone() == DEFAULTS


def test_a_ledger_in_a_hurry_has_tighter_bounds(url: str) -> None:
    with closing(Store(url, busy_seconds=0.5)) as store, store.write() as connection:
        found: Row = tuple(connection.exec_driver_sql(ASK).one())
    assert found == ("read committed", "500ms", "500ms", "500ms", "on")


async def opened(url: str, key: str) -> PostgresStore:
    store = pace_store(url, key, "https://a")
    assert isinstance(store, PostgresStore)
    await store.change("/balance", lambda pace, _: (pace, None))
    return store


async def test_each_statement_of_the_pace_has_its_bounds_and_leaves_nothing_behind(
    url: str,
) -> None:
    store = await opened(url, secrets.token_hex(8))
    assert store._rows
    assert store._rows._connection.execute(ASK).fetchone() == (
        *("read committed", "1s", "1s", "1s", "off"),
    )
    assert store._connection.execute(ASK).fetchone() == DEFAULTS
    store.close()


async def test_a_pace_that_another_is_just_writing_is_read_again(url: str) -> None:
    """Whatever isolation is the default: under `serializable` the second of two writers would fail."""
    psycopg = pytest.importorskip("psycopg")
    store = await opened(url, secrets.token_hex(8))
    rows = store._rows
    assert rows
    calls = []

    def change(pace: Pace, _now: float) -> tuple[Pace, None]:
        calls.append(pace)
        return replace(pace, used=pace.used + 1), None

    with psycopg.connect(**database_at(url).server) as other:
        other.execute(
            "UPDATE telnyx_mcp_pace SET version = version + 1 WHERE account = %s", (rows._account,)
        )
        changing = asyncio.create_task(store.change("/balance", change))
        await asyncio.sleep(0.2)
        assert not changing.done()
        other.commit()
        await changing
    assert len(calls) == 2
    assert store._rows is rows, "it was not connected to again"
    store.close()


async def test_words_of_a_pace_are_kept_as_they_are(url: str) -> None:
    """The driver writes parameters into the statement."""
    store = await opened(url, secrets.token_hex(8))
    text = "it's \\ %s %% $1 \"; DROP TABLE telnyx_mcp_pace; -- \n ü"
    await store.save("name", text)
    saved = await store.load("name")
    assert saved
    assert saved[1] == text
    store.close()


async def test_a_driver_that_takes_long_to_load_does_not_count_as_a_server_that_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when twenty copies start at once on a small machine: each would pace itself for a minute."""
    psycopg = pytest.importorskip("psycopg")

    def slowly() -> Any:
        time.sleep(0.3)
        monkeypatch.setattr("telnyx_mcp.storage.postgres.driver", lambda: psycopg)
        return psycopg

    monkeypatch.setattr("telnyx_mcp.storage.postgres.driver", slowly)
    monkeypatch.setattr("telnyx_mcp.telnyx.rate_limit.stores.postgres.OPENING_PATIENCE", 0.2)
    monkeypatch.setattr(psycopg, "connect", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # it has come as far as to connect
        await pace_store("postgresql://h/db", "KEY", "https://a").all()
