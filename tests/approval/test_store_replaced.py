"""A store that goes away under a running server, or is another one after a restart."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mcp_types import ElicitResult

from telnyx_mcp.approval.change import Change
from telnyx_mcp.approval.ledger import Ledger
from telnyx_mcp.approval.opening import open_ledger
from telnyx_mcp.approval.store_memory import Remembered, StoreMemory
from telnyx_mcp.config.paths import config_folder
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.storage.url import database_at
from tests.support.client import content_of, text_of
from tests.support.clock import Clock
from tests.support.person import UPDATE, pays, running, types

CALL = {"amount": "120.00"}
OTHER = {"amount": "50.00"}
LIST = "telnyx_list_changes"


@pytest.fixture
def file(settings: Settings) -> Path:
    """The store of these settings."""
    assert settings.state_url
    found = database_at(settings.state_url.get_secret_value()).file
    assert found
    return found


def bytes_of(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


# --- under a running server -----------------------------------------------------------------------


def deleted(file: Path) -> None:
    file.unlink()


def moved(file: Path) -> None:
    file.rename(file.with_suffix(".moved"))


def moves_back(file: Path) -> None:
    file.with_suffix(".moved").replace(file)


def moved_with_its_folder(file: Path) -> None:
    file.parent.rename(file.parent.with_name("elsewhere"))


def emptied(file: Path) -> None:
    file.unlink()
    file.touch()


def replaced_by_a_copy(file: Path) -> None:
    shutil.copy(file, file.with_suffix(".copy"))
    Path(file.with_suffix(".copy")).replace(file)


GOES: list[Callable[[Path], None]] = [
    deleted,
    moved,
    moved_with_its_folder,
    emptied,
    replaced_by_a_copy,
]


@pytest.mark.parametrize("goes", GOES)
async def test_nothing_is_sent_once_the_store_is_gone_and_nothing_is_written_beside_it(
    settings: Settings, sandbox: Sandbox, file: Path, goes: Callable[[Path], None]
) -> None:
    async with running(settings) as client:
        await pays(client, **CALL)
        goes(file)
        before = bytes_of(file)
        answer = await pays(client, **OTHER)
    assert "was deleted, moved or replaced while the server used it" in answer
    assert "Put it back, or restart the server" in answer
    assert len(sandbox.payments) == 1
    assert bytes_of(file) == before


async def test_a_store_that_goes_away_while_the_user_reads_is_not_paid_with(
    settings: Settings, sandbox: Sandbox, file: Path
) -> None:
    def meanwhile(_question: str) -> ElicitResult:
        file.unlink()
        return types("120.00")

    async with running(settings, meanwhile) as client:
        answer = await pays(client, **CALL)
    assert "was deleted, moved or replaced" in answer
    assert sandbox.payments == []


async def test_a_store_that_is_put_back_is_used_again(
    settings: Settings, sandbox: Sandbox, file: Path
) -> None:
    async with running(settings) as client:
        await pays(client, **CALL)
        moved(file)
        await pays(client, **OTHER)
        moves_back(file)
        assert "Done" in await pays(client, **OTHER)
    assert len(sandbox.payments) == 2


async def test_the_outcome_of_a_payment_is_reported_although_the_store_went_away_in_flight(
    settings: Settings, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Ledger.claim

    def and_then_the_file_is_deleted(*arguments: Any) -> Change | None:
        claimed = claim(*arguments)
        file.unlink()
        return claimed

    monkeypatch.setattr(Ledger, "claim", and_then_the_file_is_deleted)
    async with running(settings) as client:
        answer = await pays(client, **CALL)
        assert "Telnyx confirmed it." in answer
        assert "was deleted, moved or replaced" in answer
        assert "Nothing new was sent" in await pays(client, **OTHER)
    assert len(sandbox.payments) == 1


# --- after a restart ------------------------------------------------------------------------------


@pytest.mark.parametrize("goes", [deleted, moved, emptied])
async def test_after_a_restart_an_emptied_store_pays_nothing_until_the_user_accepts_it(
    settings: Settings, sandbox: Sandbox, file: Path, goes: Callable[[Path], None]
) -> None:
    async with running(settings) as client:
        await pays(client, **CALL)
    goes(file)
    async with running(settings) as client:
        answer = await pays(client, **CALL)
        setting = text_of(await client.call_tool(UPDATE, {"enabled": False}))
        assert content_of(await client.call_tool(LIST, {}))["items"] == [], "reading goes on"
    for text in (answer, setting):
        assert "Nothing was sent" in text
        assert "that was deleted, emptied or replaced" in text
        assert "`telnyx-account-mcp ledger accept` in a terminal" in text
    assert len(sandbox.payments) == 1
    with closing(open_ledger(settings)) as ledger:
        ledger.accept_store()
        assert ledger.replaced() is None
    async with running(settings) as client:
        assert "Done" in await pays(client, **CALL)


async def test_a_store_restored_from_an_older_copy_pays_nothing_until_the_newer_one_is_back(
    settings: Settings, sandbox: Sandbox, file: Path
) -> None:
    async with running(settings) as client:
        await pays(client, **CALL)
    old = shutil.copy(file, file.with_suffix(".old"))
    async with running(settings) as client:
        await pays(client, **OTHER)
    moved(file)
    shutil.copy(old, file)
    async with running(settings) as client:
        answer = await pays(client, **OTHER)
        listed = content_of(await client.call_tool(LIST, {}))
        assert [each["arguments"] for each in listed["items"]] == [CALL]
        assert listed["note"].endswith("Changes may be missing here.")
    assert "lacks the change that this computer sent last" in answer
    assert len(sandbox.payments) == 2
    moves_back(file)
    async with running(settings) as client:
        assert "Done" in await pays(client, amount="30.00")


async def test_a_store_from_before_anything_was_remembered_is_taken_as_it_is(
    settings: Settings, sandbox: Sandbox, file: Path
) -> None:
    async with running(settings) as client:
        await pays(client, **CALL)
    memory_of(settings).forget()
    async with running(settings) as client:
        assert "Done" in await pays(client, **OTHER)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"store": "a"}', "\x00"])
async def test_a_memory_that_cannot_be_read_forbids_nothing(
    settings: Settings, sandbox: Sandbox, text: str
) -> None:
    async with running(settings) as client:
        await pays(client, **CALL)
        memory_of(settings).file.write_text(text)
        assert "Done" in await pays(client, **OTHER)
    assert memory_of(settings).read() is not None


async def test_a_memory_that_cannot_be_written_forbids_nothing(
    settings: Settings, sandbox: Sandbox
) -> None:
    memory_of(settings).file.mkdir(parents=True)
    async with running(settings) as client:
        assert "Done" in await pays(client, **CALL)
        assert "Done" in await pays(client, **OTHER)


def memory_of(settings: Settings) -> StoreMemory:
    assert settings.state_url
    return StoreMemory.of(database_at(settings.state_url.get_secret_value()))


def test_a_memory_is_for_its_owner_only_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "of another disk"))
    memory = StoreMemory(tmp_path / "very" / "deep" / "a.sent.json")
    for last in ("first", "second"):
        assert memory.write(Remembered("store", last))
        assert memory.read() == Remembered("store", last)
    assert [each.name for each in memory.file.parent.iterdir()] == ["a.sent.json"]
    for path in (memory.file, memory.file.parent):
        assert os.name == "nt" or path.stat().st_mode & 0o077 == 0
    assert not StoreMemory(memory.file / "b.sent.json").write(Remembered("store", "third"))
    for _ in range(2):
        memory.forget()
        assert memory.read() is None
    memory.file.mkdir()
    assert not memory.write(Remembered("store", "fourth"))
    assert list(memory.file.parent.iterdir()) == [memory.file]


def test_a_memory_lies_beside_the_users_file_or_in_the_configuration_directory() -> None:
    beside = database_at("sqlite:////a/ledger.sqlite3")
    assert StoreMemory.of(beside).file == Path("/a/ledger.sent.json")
    assert StoreMemory.of(None).file == config_folder() / "stores" / "default.sent.json"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("postgresql://a:1@h/d", "postgresql://a:2@h/d", True),
        ("postgresql://a@h/d", "postgresql+psycopg://a@h/d", True),
        ("postgresql://a@h/d", "postgresql://a@h/e", False),
        ("postgresql://a@h:1/d", "postgresql://a@h:2/d", False),
        ("postgresql://h/d?options=-csearch_path%3Da", "postgresql://h/d", False),
        ("sqlite:////a/b.sqlite3", "sqlite:////a/c.sqlite3", False),
    ],
)
def test_each_store_has_a_memory_of_its_own(one: str, other: str, *, same: bool) -> None:
    files = [StoreMemory.of(database_at(url)).file for url in (one, other)]
    assert (files[0] == files[1]) is same
    assert StoreMemory.of(None).file not in files


# --- no part of the truth beside the file ---------------------------------------------------------


def in_wal_mode(file: Path) -> sqlite3.Connection:
    """A connection as versions before this one had, with a change that is in its log alone."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    assert connection.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    connection.execute("UPDATE telnyx_mcp_changes SET note = 'in the log'")
    assert file.with_name(f"{file.name}-wal").stat().st_size > 0
    return connection


def leaves_its_log(file: Path) -> None:
    """An earlier version was killed: its log was not written back."""
    connection = in_wal_mode(file)
    names = (file, file.with_name(f"{file.name}-wal"))
    kept = [each.read_bytes() for each in names]
    connection.close()
    for each, content in zip(names, kept, strict=True):
        each.write_bytes(content)


async def test_what_a_change_leaves_is_the_file_alone(
    settings: Settings, sandbox: Sandbox, file: Path
) -> None:
    async with running(settings) as client:
        await pays(client, **CALL)
        assert [each.name for each in file.parent.glob(f"{file.name}*")] == [file.name]


async def test_a_store_of_an_earlier_version_leaves_its_log_and_loses_nothing(
    settings: Settings, sandbox: Sandbox, file: Path
) -> None:
    async with running(settings) as client:
        await pays(client, **CALL)
    leaves_its_log(file)
    with closing(open_ledger(settings)) as ledger:
        (change,) = ledger.newest(1, Clock()())
        assert change.note == "in the log"
        assert [each.name for each in file.parent.glob(f"{file.name}-*")] == []


async def test_an_earlier_version_may_still_use_the_store(
    settings: Settings, sandbox: Sandbox, file: Path
) -> None:
    async with running(settings) as client:
        await pays(client, **CALL)
        with closing(in_wal_mode(file)):
            assert "Done" in await pays(client, **OTHER)
        assert "Done" in await pays(client, amount="30.00")
    with closing(in_wal_mode(file)):
        async with running(settings) as client:
            assert "Done" in await pays(client, amount="20.00")
    assert len(sandbox.payments) == 4
    with closing(open_ledger(settings)) as ledger:
        assert len(ledger.newest(9, Clock()())) == 4
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
