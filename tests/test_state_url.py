"""What `TELNYX_MCP_STATE_URL` names, and what is said of one that names nothing usable."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr, ValidationError

from telnyx_mcp.approval.store_memory import StoreMemory
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.storage.store import Store, StoreError
from telnyx_mcp.storage.url import OPTIONS, UrlError, database_at


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
def test_a_file_is_the_one_that_sqlalchemy_reads(url: str, file: str) -> None:
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
        "postgresql://host/?dbname=db&user=me&password=secret",
        "postgresql://h/db?host=one:5433&host=other:5434",
        "postgresql://h/db?host=one&host=other:5434",
        "postgresql://h/db?host=one&host=other",
        "postgresql://h/db?host=one:5433",
        "postgresql://h/db?host=one,other&port=5433,5434",
    ],
)
def test_a_server_is_the_one_that_sqlalchemy_reads(url: str) -> None:
    there, ours = sa.make_url(url), database_at(url)
    expected: dict[str, str] = {**there.get_dialect()().create_connect_args(there)[1]}
    port = str(expected.pop("port", ""))  # "," where none is stated
    expected |= {"port": port} if port.strip(",") else {}
    assert ours.server == expected
    assert ours.file is None
    assert "secret" not in ours.place + repr(ours)


def test_a_socket_is_read_as_libpq_writes_it() -> None:
    read = database_at("postgresql://%2Frun%2Fpostgresql/db")
    assert read.server == {"host": "/run/postgresql", "dbname": "db"}


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("sqlite:////var/lib/state.sqlite3", "/var/lib/state.sqlite3"),
        ("postgresql+psycopg://me:sesame@h/db?sslmode=require", "postgresql://h/db"),
        ("postgresql://h:5433/db?password=sesame", "postgresql://h:5433/db"),
        ("postgresql://me:sesame@[::1]:5433/db", "postgresql://[::1]:5433/db"),
        ("postgresql:///db?host=/run/postgresql", "postgresql:///db?host=/run/postgresql"),
        ("postgresql:///db?host=/run&port=5433", "postgresql:///db?host=/run&port=5433"),
        ("postgresql:///db", "postgresql:///db"),
        ("postgresql:///db?host=a:1&host=b", "postgresql://a:1,b/db"),
        ("postgresql:///db?host=a,b&port=5433", "postgresql://a:5433,b:5433/db"),
    ],
)
def test_its_place_is_shown_without_a_password(url: str, place: str) -> None:
    assert database_at(url).place == Store(url).place == place


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (
            "postgresql+psycopg://me:secret@db.example:5433/ledger?sslmode=require",
            "a581af7f3967a593",
        ),
        ("postgresql+psycopg://me:sec%40ret@/my%20db?host=/run/postgresql", "ec68509cbe5cbd0b"),
        ("postgresql://[::1]/db", "3059ec91d47d771e"),
        ("postgresql://h/db?user=me&password=x&host=a,b&port=1,2", "8e45684c5c73cb21"),
        ("sqlite:////var/lib/a%20b.sqlite3", "a b"),
    ],
)
def test_the_file_that_remembers_a_store_keeps_its_name(url: str, name: str) -> None:
    """Or a ledger that was emptied would not be noticed after an update."""
    assert StoreMemory.of(database_at(url)).file.name == f"{name}.sent.json"


def test_every_option_of_the_installed_libpq_may_be_used() -> None:
    psycopg = pytest.importorskip("psycopg")
    installed = {each.keyword.decode() for each in psycopg.pq.Conninfo.get_defaults()}
    assert installed <= OPTIONS


SQLITE = "sqlite:////path/of/a/file"
POSTGRESQL = "postgresql+psycopg://user:password@host/database"
ESCAPE = "write %40 for @, %2F for /, %3A for : and %25 for %"
PORT = "a number from 1 to 65535"
NO_SUCH_OPTION = "has an option that PostgreSQL does not have: "

WRONG = {
    "sesame": (SQLITE, POSTGRESQL),
    "": (SQLITE, POSTGRESQL),
    "postgresql:/user:sesame@host/db": (SQLITE, POSTGRESQL),
    "postgres://user:sesame@host/db": ("must begin with", POSTGRESQL),
    "mysql://user:sesame@host/db": ("must begin with", POSTGRESQL),
    "postgresql+psycopg2://user:sesame@host/db": ("must begin with", POSTGRESQL),
    "postgresql+sesame://host/db": ("must begin with", POSTGRESQL),
    "sqlite://": ("must name a file", SQLITE),
    "sqlite:///": ("must name a file", SQLITE),
    "sqlite:///:memory:": ("must name a file", SQLITE),
    "sqlite:///file:sesame": ("must name a file", SQLITE),
    "sqlite:////sesame%00": ("contains %00: remove it",),
    "sqlite:///sesame.db": ("must name a whole path", "four slashes"),
    "sqlite://sesame.db": ("must name a whole path", "four slashes"),
    "sqlite:///~/sesame.db": ("must name a whole path", "without ~"),
    "sqlite:////~/sesame.db": ("must name a whole path", "without ~"),
    "sqlite://user:sesame@host/file": ("must not name a user or a host", SQLITE),
    "sqlite:////a/what?/sesame": ("an option without a value",),
    "sqlite:////a?mode=sesame": ("must end with the path of the file", "%3F for a ?"),
    "postgresql://user:ses@me@host/sesame": (ESCAPE, POSTGRESQL),
    "postgresql://user:ses@m/sesame@host/db": (ESCAPE, POSTGRESQL),
    "postgresql://us/er:sesame@host/db": (ESCAPE, POSTGRESQL),
    "postgresql://user:sesame@host/d@b": (ESCAPE, POSTGRESQL),
    "postgresql://user:sesame%00@host/db": ("contains %00: remove it",),
    "postgresql://host:sesame/db": (PORT, "host:5432"),
    "postgresql://user@host:sesame/db": (PORT,),
    "postgresql://host:0/db": (PORT,),
    "postgresql://host:65536/db": (PORT,),
    "postgresql://host:٥٤/db": (PORT,),
    "postgresql://host/db?port=sesame": (PORT,),
    "postgresql://one:5432,other:5433/db": (PORT, "?host=one:5432&host=other:5432"),
    "postgresql://user:sesame@host": ("must name a database", POSTGRESQL),
    "postgresql://user:sesame@host/": ("must name a database", POSTGRESQL),
    "postgresql://host:5432/sesame?user=me@work": ("must name a database", "%40 for any other @"),
    "postgresql://user:sesame@host/db\n": ("ends with a space or a line break",),
    "postgresql://host/db?sslmod=sesame": (f"{NO_SUCH_OPTION}did you mean sslmode?",),
    "postgresql://host/db?qqqq=sesame": (f"{NO_SUCH_OPTION}remove it, or escape a ?",),
    "postgresql://host/db?autocommit=sesame": (NO_SUCH_OPTION,),
    "postgresql://host/db?row_factory=sesame": (NO_SUCH_OPTION,),
    "postgresql://host/db?sesame": ("an option without a value", "?name=value"),
    "postgresql://host/db?application_name=%00sesame": ("contains %00: remove it",),
    "postgresql://host/db?user=sesame&user=b": ("states user twice: remove one of them",),
}


@pytest.mark.parametrize(("url", "words"), WRONG.items(), ids=map(repr, WRONG))
def test_a_url_that_cannot_be_used_is_refused_in_words_and_not_shown(
    url: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(UrlError) as refused:
        database_at(url)
    said = str(refused.value)
    assert all(each in said for each in words), said
    assert "sesame" not in said
    if url:
        with pytest.raises(StoreError) as not_opened:
            Store(url).salt()
        assert str(not_opened.value) == f"TELNYX_MCP_STATE_URL {said}."
        assert Store(url).place == "TELNYX_MCP_STATE_URL"


@pytest.mark.parametrize("url", WRONG, ids=repr)
def test_a_setting_that_cannot_be_used_is_refused_and_not_shown(url: str) -> None:
    if not url:
        return
    with pytest.raises(ValidationError) as caught:
        Settings(state_url=SecretStr(url))
    assert all(each["type"] == "value_error" for each in caught.value.errors())
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "text", "masked"),
    [
        ("postgresql://u:sesame@h/d", 'for "sesame"', 'for "***"'),
        ("postgresql://u:ses%40me@h/d", "ses@me and ses%40me", "*** and ***"),
        ("postgresql://u:a%20b@h/d", "a b, a%20b and a+b", "***, *** and ***"),
        ("postgresql://h/d?password=one&sslpassword=oneandtwo", "oneandtwo, one", "***, ***"),
        ("postgresql://u@h/d", "nothing secret", "nothing secret"),
        ("sqlite:////a/file", "/a/file is locked", "/a/file is locked"),
    ],
)
def test_secrets_are_masked_in_a_drivers_words(url: str, text: str, masked: str) -> None:
    database = database_at(url)
    assert database.masked(text) == masked
    assert database.error_text(ValueError(f"{text}\n\t  more")) == f"{masked} more"
    assert len(database.error_text(ValueError("a" * 1000))) == 200
