"""The place where copies keep their common pace: a file, or PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import math
import os
import secrets
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from telnyx_mcp.storage.url import Database, database_at
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.rate_limit.headers import RateLimitHeaders
from telnyx_mcp.telnyx.rate_limit.pacer import Pacer
from telnyx_mcp.telnyx.rate_limit.schedule import Observation, Pace, learn, take
from telnyx_mcp.telnyx.rate_limit.stores import (
    PATIENCE,
    PaceStore,
    PostgresStore,
    SqliteStore,
    StoreUnavailable,
    Update,
    pace_store,
)
from telnyx_mcp.telnyx.rate_limit.stores.encoding import decode, encode
from tests.support.client import SECONDS

HERE = "/balance"
POSTGRES = os.environ.get("TEST_POSTGRES_URL", "")
Places = Callable[[], PaceStore]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The setting that names the store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.sqlite3"
    if not POSTGRES:
        pytest.skip("TEST_POSTGRES_URL is not set: no PostgreSQL to try this on")
    return POSTGRES


@pytest.fixture
def key() -> str:
    return f"KEY{secrets.token_hex(8)}"


@pytest.fixture
def places(url: str, key: str) -> Iterator[Places]:
    """Places of copies with one key, closed at the end."""
    made: list[PaceStore] = []

    def another() -> PaceStore:
        made.append(pace_store(url, key, "https://api.telnyx.com/v2"))
        return made[-1]

    yield another
    for each in made:
        each.close()


def taking() -> Update[float]:
    def change(pace: Pace, now: float) -> tuple[Pace, float]:
        pace, turn = take(pace, now)
        return pace, turn.at - now

    return change


def learning(
    told: RateLimitHeaders, *, refused: bool = False, after: float | None = None
) -> Update[None]:
    def change(pace: Pace, now: float) -> tuple[Pace, None]:
        return learn(pace, Observation(told, now, now, refused, after), now), None

    return change


async def test_what_one_copy_learns_all_know(places: Places) -> None:
    one, other = places(), places()
    assert await one.change(HERE, taking()) == 0
    await one.change(HERE, learning(RateLimitHeaders(5, 0, 9.0)))
    assert 8 < await other.change(HERE, taking()) < 10
    (known,) = (await other.all()).values()
    assert known.limit == 5


async def test_a_429_met_by_one_copy_closes_for_all(places: Places) -> None:
    one, other = places(), places()
    assert await other.change(HERE, taking()) == 0
    await one.change(HERE, learning(RateLimitHeaders(), refused=True, after=7.0))
    assert 6.5 < await other.change(HERE, taking()) <= 7
    assert await other.change("/invoices", taking()) == 0


async def test_each_key_and_each_address_has_a_pace_of_its_own(url: str, key: str) -> None:
    one, *others = (
        pace_store(url, *account)
        for account in ((key, "https://a/v2"), (key, "https://b/v2"), (key + "x", "https://a/v2"))
    )
    await one.change(HERE, learning(RateLimitHeaders(), refused=True, after=7.0))
    for other in others:
        assert await other.change(HERE, taking()) == 0
        other.close()
    one.close()


async def test_a_change_that_changes_nothing_is_not_written(places: Places) -> None:
    place = places()
    await place.change(HERE, taking())
    before = await place.all()
    await place.change(HERE, lambda pace, _: (pace, None))
    assert await place.all() == before


async def test_no_copy_overwrites_what_another_has_just_written(places: Places) -> None:
    """Compare and swap: whoever comes second reckons again."""
    one, other = places(), places()
    await one.change(HERE, lambda pace, _: (replace(pace, used=1), None))
    reckoned = []

    async def between() -> None:
        await other.change(HERE, lambda pace, _: (replace(pace, used=pace.used + 10), None))

    def change(pace: Pace, _now: float) -> tuple[Pace, None]:
        reckoned.append(pace.used)
        if len(reckoned) == 1:
            write_between()
        return replace(pace, used=pace.used + 1), None

    def write_between() -> None:
        if isinstance(one, SqliteStore):
            coroutine = between()  # writes at once, without waiting
            with pytest.raises(StopIteration):
                coroutine.send(None)
        else:
            anyio.from_thread.run(between)

    await one.change(HERE, change)
    assert reckoned == [1, 11]
    assert (await one.all())[HERE].used == 12


WORKER = """
import sys
import anyio
from telnyx_mcp.telnyx.rate_limit.schedule import take
from telnyx_mcp.telnyx.rate_limit.stores import pace_store

async def main():
    place = pace_store(sys.argv[1], sys.argv[2], "https://api.telnyx.com/v2")
    def one(pace, now):
        pace, turn = take(pace, now)
        return pace, turn.at
    for _ in range(200):
        print(await place.change("/balance", one))
    place.close()

anyio.run(main)
"""


async def test_under_contention_every_turn_is_given_once(
    url: str, key: str, places: Places
) -> None:
    """Real processes, all at once, each with turns that lie in the future."""
    place = places()
    await place.change(HERE, taking())
    await place.change(HERE, learning(RateLimitHeaders(5, 0, 3000.0)))
    with anyio.fail_after(4 * SECONDS):
        command = [sys.executable, "-c", WORKER, url, key]
        workers = [await anyio.open_process(command, stderr=subprocess.PIPE) for _ in range(4)]
        given: list[str] = []
        for worker in workers:
            assert worker.stdout
            text = b"".join([chunk async for chunk in worker.stdout])
            await worker.wait()
            assert worker.returncode == 0
            given += text.decode().split()
            await worker.aclose()
    assert len(given) == 800
    assert max(Counter(given).values()) == 1


# --- the file ------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.pace.sqlite3"


def test_the_file_lies_beside_the_ledgers(tmp_path: Path) -> None:
    place = pace_store(f"sqlite:///{tmp_path}/state.sqlite3", "k", "https://a")
    assert place.place == str(tmp_path / "state.pace.sqlite3")


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
async def test_the_file_is_its_owners_only_and_holds_no_key(file: Path) -> None:
    place = SqliteStore(file, "the account KEYsecret")
    await place.change(HERE, taking())
    files = await anyio.to_thread.run_sync(lambda: list(file.parent.iterdir()))
    contents = b"".join([await anyio.Path(each).read_bytes() for each in files])
    place.close()
    assert b"KEYsecret" not in contents
    assert (await anyio.Path(file).stat()).st_mode & 0o777 == 0o600


async def test_another_writer_is_waited_for(file: Path) -> None:
    place = SqliteStore(file, "account")
    await place.change(HERE, taking())
    writer = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    with anyio.fail_after(SECONDS):
        changing = asyncio.create_task(place.change(HERE, taking()))
        await asyncio.sleep(0)  # it was tried once, and refused
        assert not changing.done()
        writer.execute("ROLLBACK")
        await changing
    assert (await place.all())[HERE].used == 2
    writer.close()
    place.close()


async def test_a_writer_that_never_releases_the_store_is_given_up(file: Path) -> None:
    place = SqliteStore(file, "account", patience=0.05)
    await place.change(HERE, taking())
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await place.change(HERE, taking())
    writer.close()
    await place.change(HERE, taking())
    place.close()


async def test_a_caller_that_leaves_while_another_writes_leaves_at_once(file: Path) -> None:
    place = SqliteStore(file, "account")
    await place.change(HERE, taking())
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    began = anyio.current_time()
    with anyio.move_on_after(0.02) as scope:
        await place.change(HERE, taking())
    assert scope.cancelled_caught
    with pytest.raises(TelnyxError):
        await Pacer(place).turn(HERE, longest=0.02)
    assert anyio.current_time() - began < PATIENCE / 2
    writer.close()
    place.close()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a file in use can't be deleted")
async def test_copies_whose_file_is_deleted_share_the_new_one(places: Places, url: str) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("of files only")
    one, other = places(), places()
    await one.change(HERE, taking())
    for each in await anyio.to_thread.run_sync(lambda: list(Path(one.place).parent.iterdir())):
        await anyio.Path(each).unlink()
    await other.change(HERE, learning(RateLimitHeaders(), refused=True, after=7.0))
    assert 6.5 < await one.change(HERE, taking()) <= 7


def no_folder(file: Path) -> Path:
    (file.parent / "taken").write_text("a file, not a folder", encoding="utf-8")
    return file.parent / "taken" / file.name


def no_database(file: Path) -> Path:
    file.write_text("not a database at all " * 100, encoding="utf-8")
    return file


def a_folder(file: Path) -> Path:
    file.mkdir()
    return file


@pytest.mark.parametrize("spoil", [no_folder, no_database, a_folder])
async def test_a_file_that_cannot_be_used_costs_one_line_and_no_call(
    file: Path, spoil: Callable[[Path], Path]
) -> None:
    said: list[str] = []
    pacer = Pacer(SqliteStore(spoil(file), "account"), say=said.append)
    for _ in range(3):
        sent = await pacer.turn(HERE)
        await pacer.learn(HERE, 200, {}, sent)
    (line,) = said
    assert str(file.parent) in line
    pacer.close()


async def test_a_full_disk_costs_one_line_and_no_call(file: Path) -> None:
    place = SqliteStore(file, "account")
    await place.change(HERE, taking())
    assert place._rows
    place._rows._connection.execute("PRAGMA max_page_count = 1")
    said: list[str] = []
    pacer = Pacer(place, say=said.append)
    for number in range(200):
        await pacer.turn(f"/endpoint/{number}")
    assert len(said) == 1
    assert "full" in said[0]
    pacer.close()


async def test_a_pace_that_another_version_wrote_counts_as_unknown(file: Path) -> None:
    place = SqliteStore(file, "account")
    await place.change(HERE, taking())
    writer = sqlite3.connect(file, isolation_level=None)
    sound = json.loads(encode(Pace()))
    spoilt = [
        json.dumps(sound | wrong)
        for wrong in (
            {"colour": "red"},
            {"limit": "5"},
            {"limit": None},
            {"tail": 1e300},
            {"tail": -math.inf},
            {"ends": math.nan},
            {"left": 1},
            {"left": ["1"]},
        )
    ]
    for text in (*spoilt, '{"limit": 5}', "[]", "no JSON", "{}"):
        writer.execute("UPDATE telnyx_mcp_pace SET pace = ? WHERE account <> ''", (text,))
        assert await place.change(HERE, taking()) == 0
    writer.close()
    place.close()


def test_a_pace_keeps_the_names_that_earlier_versions_wrote() -> None:
    """Copies of both versions may share a store while a user updates."""
    earlier = {
        "limit": 40, "began": 1.0, "ends": 61.0, "told": True, "used": 7, "given": 6, "highest": 40,
        "highest_before": 40, "starved": False, "starved_before": False, "left_told": 33,
        "left_until": 60.0, "left_since": 9.0, "doubted_until": 0.0, "longest": 60.0,
        "longest_before": 60.0, "closed_until": 0.0, "closed_by": 0, "head": 61.0, "tail": 64.0,
        "left": [62.5], "expected": 70.0, "slid": 1.5, "written": 9.5,
    }  # fmt: skip
    pace = decode(json.dumps(earlier))
    assert (pace.remaining, pace.queue_start, pace.queue_end) == (33, 61.0, 64.0)
    assert (pace.abandoned, pace.reserved_until, pace.shift) == ((62.5,), 70.0, 1.5)
    assert json.loads(encode(pace)) == earlier


# --- PostgreSQL ----------------------------------------------------------------------------------


async def test_a_postgresql_that_is_not_there_costs_one_line_and_no_call(tmp_path: Path) -> None:
    said: list[str] = []
    place = pace_store(f"postgresql+psycopg://user:sesame@/db?host={tmp_path}", "k", "https://a")
    pacer = Pacer(place, say=said.append)
    with anyio.fail_after(SECONDS):
        for _ in range(3):
            await pacer.turn(HERE)
    (line,) = said
    assert "postgresql://" in line
    assert "sesame" not in line
    pacer.close()


def of_postgresql(url: str) -> None:
    if not url.startswith("postgresql"):
        pytest.skip("of PostgreSQL only")


async def test_a_connection_that_was_cut_is_opened_again(places: Places, url: str) -> None:
    """As servers do with those that idle, and when they are started again."""
    of_postgresql(url)
    one, other = places(), places()
    assert isinstance(one, PostgresStore)
    assert isinstance(other, PostgresStore)
    await one.change(HERE, taking())
    await other.change(HERE, taking())
    assert one._rows
    assert other._rows
    (process,) = one._rows._connection.execute("SELECT pg_backend_pid()").fetchone()
    other._rows._connection.execute("SELECT pg_terminate_backend(%s)", (process,))
    await one.change(HERE, learning(RateLimitHeaders(), refused=True, after=7.0))
    assert 6.5 < await other.change(HERE, taking()) <= 7


@asynccontextmanager
async def far_away(url: str, seconds: float) -> AsyncIterator[Callable[[str], PostgresStore]]:
    """Makes places on the same PostgreSQL, so many seconds away, there and back."""
    server = dict(database_at(url).server)
    host, port = server.get("host", "127.0.0.1"), server.get("port", "5432")
    at_once = asyncio.get_running_loop().time

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, chunk = await on_the_way.get()
                await asyncio.sleep(max(0.0, due - at_once()))
                if not chunk:
                    return
                sink.write(chunk)

        delivering = asyncio.create_task(deliver())
        chunk = b"first"
        while chunk:
            try:
                chunk = await source.read(65536)
            except ConnectionError:
                chunk = b""
            on_the_way.put_nowait((at_once() + seconds / 2, chunk))
        await delivering

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await (
            asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
            if host.startswith("/")
            else asyncio.open_connection(host, int(port))
        )
        connections.append(asyncio.current_task())
        try:
            done, rest = await asyncio.wait(
                [
                    asyncio.create_task(carry(reader, outer)),
                    asyncio.create_task(carry(inner, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for each in (*rest, *done):
                each.cancel()
        finally:
            for sink in (outer, writer):
                sink.close()
                with suppress(ConnectionError):
                    await sink.wait_closed()

    listening = await asyncio.start_server(forward, "127.0.0.1", 0)
    there = {"host": "127.0.0.1", "port": str(listening.sockets[0].getsockname()[1])}
    made: list[PostgresStore] = []
    connections: list[asyncio.Task[None] | None] = []

    def another(key: str) -> PostgresStore:
        made.append(PostgresStore(Database(server=server | there), key))
        return made[-1]

    yield another
    for each in made:
        each.close()
    listening.close()
    with anyio.fail_after(SECONDS):
        await asyncio.gather(*filter(None, connections))


@pytest.mark.parametrize(("copies", "reads"), [(1, 60), (1, 300), (8, 60)])
async def test_the_pace_stays_shared_though_the_database_is_20_ms_away_and_many_ask_at_once(
    url: str, key: str, copies: int, reads: int
) -> None:
    of_postgresql(url)
    said: list[str] = []
    async with far_away(url, 0.02) as place:
        pacers = [Pacer(place(key), say=said.append) for _ in range(copies)]
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as tasks:
                for _ in range(reads):
                    for pacer in pacers:
                        tasks.start_soon(pacer.turn, HERE)
            (known,) = (await place(key).all()).values()
        assert said == []
        assert all(pacer.place for pacer in pacers)
        assert known.used == copies * reads, "every turn was counted once, for all"


async def test_a_caller_that_leaves_before_its_change_was_made_takes_no_turn_and_delays_nobody(
    url: str, key: str
) -> None:
    of_postgresql(url)
    async with far_away(url, 0.02) as place:
        one = place(key)
        await one.change(HERE, taking())
        staying = asyncio.create_task(one.change(HERE, taking()))
        await asyncio.sleep(0)  # it is on its way; the next have to wait for it
        leaving = [asyncio.create_task(one.change(HERE, taking())) for _ in range(5)]
        await asyncio.sleep(0)
        for each in leaving:
            each.cancel()
        with anyio.fail_after(SECONDS):
            await staying
            await one.change(HERE, taking())
            assert (await one.all())[HERE].used == 3


async def test_a_change_that_fails_fails_no_other(url: str, key: str) -> None:
    of_postgresql(url)

    def fails(_pace: Pace, _now: float) -> tuple[Pace, None]:
        raise ArithmeticError

    async with far_away(url, 0.0) as place:
        one = place(key)
        with anyio.fail_after(SECONDS):
            results = await asyncio.gather(
                one.change(HERE, taking()),
                one.change(HERE, fails),
                one.change(HERE, taking()),
                return_exceptions=True,
            )
            assert [type(each) for each in results] == [float, ArithmeticError, float]
            assert (await one.all())[HERE].used == 2


async def test_a_server_that_accepts_and_never_answers_is_given_up_by_all_at_once() -> None:
    async def never(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    accepted: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    database = database_at(f"postgresql://user:sesame@127.0.0.1:{port}/db")
    place = PostgresStore(database, "account", opening_patience=0.05)
    lost: list[str] = []

    async def ask() -> None:
        with pytest.raises(StoreUnavailable) as caught:
            await place.change(HERE, taking())
        lost.append(str(caught.value))

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(ask)
    assert anyio.current_time() - began < 1
    assert lost == [f"postgresql://127.0.0.1:{port}/db: no answer within 0.05 s"] * 6
    for each in accepted:
        each.close()
    server.close()
    place.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:sesame@127.0.0.1:1/db",
        "postgresql+psycopg://user:se%sesame@127.0.0.1:1/db",
        "postgresql://user:se/sesame@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?user=user&password=sesame",
        "postgresql://127.0.0.1:1/db?sslmode=sesame&password=sesame",
    ],
)
async def test_no_part_of_a_password_is_in_the_words_for_a_lost_place(url: str) -> None:
    with anyio.fail_after(SECONDS), pytest.raises(StoreUnavailable) as caught:
        await pace_store(url, "k", "https://a").change(HERE, taking())
    assert "postgresql://127.0.0.1:1/db: " in str(caught.value)
    assert "sesame" not in str(caught.value)
