"""What `TELNYX_MCP_STATE_URL` names, and what is said of one that names nothing usable."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr, ValidationError

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.storage.url import database_at


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////var/lib/state.sqlite3", "/var/lib/state.sqlite3"),
        ("sqlite+pysqlite:////var/lib/state.sqlite3", "/var/lib/state.sqlite3"),
        ("sqlite:////var/lib/state.sqlite3?timeout=5", "/var/lib/state.sqlite3"),
        pytest.param(
            "sqlite:///C:/Users/me/state.sqlite3",
            "C:/Users/me/state.sqlite3",
            marks=pytest.mark.skipif(sys.platform != "win32", reason="a drive is a Windows path"),
        ),
        ("sqlite:////home/me@work/a#1%20b", "/home/me@work/a#1 b"),
    ],
)
def test_a_file_is_the_one_that_the_ledger_takes(url: str, file: str) -> None:
    assert database_at(url).file == Path(file)
    assert sa.make_url(url).database == file


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/db",
        "postgresql+psycopg://me:secret@host:5433/db",
        "postgresql+psycopg://me:se%40cr%2Fet%sam@[::1]:5433/my%20db",
        "postgresql+psycopg://me:sec/ret@host/db?sslmode=require",
        "postgresql+psycopg://me@/db?host=/run/postgresql",
    ],
)
def test_a_server_is_the_one_that_the_ledger_takes(url: str) -> None:
    there, ours = sa.make_url(url), database_at(url)
    expected = {
        "host": there.host,
        "port": there.port and str(there.port),
        "user": there.username,
        "password": there.password,
        "dbname": there.database,
        **there.query,
    }
    assert dict(ours.server) == {name: value for name, value in expected.items() if value}
    assert ours.file is None
    assert not there.password or there.password not in ours.place + repr(ours)


@pytest.mark.parametrize(
    "url",
    [
        "sesame",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///file:sesame",
        "sqlite://user:sesame@host/file",
        "postgres://user:sesame@host/db",
        "mysql://user:sesame@host/db",
        "postgresql://user:ses@me@host/db",
        "postgresql://us/er:sesame@host/db",
        "postgresql://host:sesame/db",
        "postgresql:/user:sesame@host/db",
    ],
)
def test_what_the_store_cannot_use_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(state_url=SecretStr(url))
    words = "; ".join(each["msg"] for each in caught.value.errors())
    assert "postgresql+psycopg://user:password@host/database" in words
    assert "sesame" not in words
    assert "sesame" not in str(caught.value)
