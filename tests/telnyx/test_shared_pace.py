"""The place where copies keep their common pace: a file, or PostgreSQL."""

from __future__ import annotations

import os
import secrets
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from telnyx_mcp.telnyx.limits import Told
from telnyx_mcp.telnyx.pace import Pace, Seen, learn, take
from telnyx_mcp.telnyx.pacing import Pacer
from telnyx_mcp.telnyx.shared_pace import (
    Change,
    PacePlace,
    PlaceLost,
    PostgresPace,
    SqlitePace,
    pace_place,
)
from tests.conftest import SECONDS

HERE = "/balance"
POSTGRES = os.environ.get("TEST_POSTGRES_URL", "")
Places = Callable[[], PacePlace]


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
    made: list[PacePlace] = []

    def another() -> PacePlace:
        made.append(pace_place(url, key, "https://api.telnyx.com/v2"))
        return made[-1]

    yield another
    for each in made:
        each.close()


def taking() -> Change[float]:
    def change(pace: Pace, now: float) -> tuple[Pace, float]:
        pace, turn = take(pace, now)
        return pace, turn.at - now

    return change


def learning(told: Told, *, refused: bool = False, after: float | None = None) -> Change[None]:
    def change(pace: Pace, now: float) -> tuple[Pace, None]:
        return learn(pace, Seen(told, now, now, refused, after), now), None

    return change


async def test_what_one_copy_learns_all_know(places: Places) -> None:
    one, other = places(), places()
    assert await one.change(HERE, taking()) == 0
    await one.change(HERE, learning(Told(5, 0, 9.0)))
    assert 8 < await other.change(HERE, taking()) < 10
    (known,) = (await other.all()).values()
    assert known.limit == 5


async def test_a_429_met_by_one_copy_closes_for_all(places: Places) -> None:
    one, other = places(), places()
    assert await other.change(HERE, taking()) == 0
    await one.change(HERE, learning(Told(), refused=True, after=7.0))
    assert 6.5 < await other.change(HERE, taking()) <= 7
    assert await other.change("/invoices", taking()) == 0


async def test_each_key_and_each_address_has_a_pace_of_its_own(url: str, key: str) -> None:
    one, *others = (
        pace_place(url, *account)
        for account in ((key, "https://a/v2"), (key, "https://b/v2"), (key + "x", "https://a/v2"))
    )
    await one.change(HERE, learning(Told(), refused=True, after=7.0))
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


async def test_nobody_overwrites_what_another_has_just_written(places: Places) -> None:
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
        if isinstance(one, SqlitePace):
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
from telnyx_mcp.telnyx.pace import take
from telnyx_mcp.telnyx.shared_pace import pace_place

async def main():
    place = pace_place(sys.argv[1], sys.argv[2], "https://api.telnyx.com/v2")
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
    await place.change(HERE, learning(Told(5, 0, 3000.0)))
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
    place = pace_place(f"sqlite:///{tmp_path}/state.sqlite3", "k", "https://a")
    assert place.place == str(tmp_path / "state.pace.sqlite3")


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
async def test_the_file_is_its_owners_only_and_holds_no_key(file: Path) -> None:
    place = SqlitePace(file, "the account KEYsecret")
    await place.change(HERE, taking())
    files = await anyio.to_thread.run_sync(lambda: list(file.parent.iterdir()))
    contents = b"".join([await anyio.Path(each).read_bytes() for each in files])
    place.close()
    assert b"KEYsecret" not in contents
    assert (await anyio.Path(file).stat()).st_mode & 0o777 == 0o600


async def test_another_who_writes_is_waited_for(file: Path) -> None:
    place = SqlitePace(file, "account")
    await place.change(HERE, taking())
    writer = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(place.change, HERE, taking())
            await anyio.sleep(0.05)
            writer.execute("ROLLBACK")
    assert (await place.all())[HERE].used == 2
    writer.close()
    place.close()


async def test_another_who_never_lets_go_is_given_up(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telnyx_mcp.telnyx.shared_pace.PATIENCE", 0.05)
    place = SqlitePace(file, "account")
    await place.change(HERE, taking())
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(PlaceLost, match="locked"):
        await place.change(HERE, taking())
    writer.close()
    await place.change(HERE, taking())
    place.close()


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
    pacer = Pacer(SqlitePace(spoil(file), "account"), say=said.append)
    for _ in range(3):
        sent = await pacer.turn(HERE)
        await pacer.learn(HERE, 200, {}, sent)
    (line,) = said
    assert str(file.parent) in line
    pacer.close()


async def test_a_full_disk_costs_one_line_and_no_call(file: Path) -> None:
    place = SqlitePace(file, "account")
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


async def test_what_another_version_wrote_counts_as_unknown(file: Path) -> None:
    place = SqlitePace(file, "account")
    await place.change(HERE, taking())
    writer = sqlite3.connect(file, isolation_level=None)
    for text in ('{"limit": 5, "colour": "red"}', "[]", "no JSON", "{}"):
        writer.execute("UPDATE telnyx_mcp_pace SET pace = ? WHERE account <> ''", (text,))
        assert await place.change(HERE, taking()) == 0
    writer.close()
    place.close()


# --- PostgreSQL ----------------------------------------------------------------------------------


async def test_a_postgresql_that_is_not_there_costs_one_line_and_no_call(tmp_path: Path) -> None:
    said: list[str] = []
    place = PostgresPace(f"postgresql+psycopg://user:sesame@/db?host={tmp_path}", "account")
    pacer = Pacer(place, say=said.append)
    with anyio.fail_after(SECONDS):
        for _ in range(3):
            await pacer.turn(HERE)
    (line,) = said
    assert "postgresql://" in line
    assert "sesame" not in line
    pacer.close()
